-- What wrk sends, and what it says of the answers.
--
--   wrk -t 1 -c N -d SECONDS+1 -s load.lua URL -- MODE FILE SIZE SECONDS THINK
--
-- MODE post sends the requests of FILE, each SIZE bytes and each once; MODE read asks for the prescriptions
-- in the first of them. Nothing is sent in the last second, so that every answer is there in the end. THINK: the mean
-- pause of a connection between an answer and its next request, in milliseconds.

local ffi = require("ffi")
ffi.cdef [[
typedef struct { long seconds, nanoseconds; } rxtrack_time;
int clock_gettime(int clock, rxtrack_time *time);
]]

local moment = ffi.new("rxtrack_time")

local function now()
	ffi.C.clock_gettime(1, moment)
	return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

local main

function setup(thread)
	main = thread
end

function init(arguments)
	mode, size, seconds, think = arguments[1], tonumber(arguments[3]), tonumber(arguments[4]), tonumber(arguments[5])
	limit = tonumber(arguments[6] or 0)
	file = assert(io.open(arguments[2], "rb"))
	until_time = now() + seconds
	sent, exhausted = 0, 0
	key = file:read(4096):match("Bearer (%S+)")
	file:seek("set", 0)
	math.randomseed(os.time())
end

local function next_record()
	if not tried then -- wrk looks at the first one without sending it
		tried = true
		local record = file:read(size)
		file:seek("set", 0)
		return record
	end
	if limit > 0 and sent > 0 and sent % limit == 0 then
		file:seek("set", 0)
	end
	local record = file:read(size)
	sent = sent + 1
	return record
end

-- wrk must get a request; one that is no update shows as a refusal.
local function out_of_records()
	exhausted = exhausted + 1
	return "GET /out-of-requests HTTP/1.1\r\nHost: localhost\r\n\r\n"
end

function request()
	local record = next_record()
	if not record then
		return out_of_records()
	end
	if mode == "post" then
		return record
	end
	local prescription = record:match('order%-number","value":"([^"]+)"'):gsub("+", "%%2B")
	local patient = record:match('nhs%-number","value":"([^"]+)"')
	return "GET /checkprescriptionstatusupdates?prescriptionid=" .. prescription .. "&nhsnumber=" .. patient ..
		" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " .. key .. "\r\n\r\n"
end

function delay()
	if now() > until_time then
		return 1000000
	end
	if think == 0 then
		return 0
	end
	return math.floor(-think * math.log(1 - math.random()) + 0.5)
end

function done(summary, latency)
	local errors = summary.errors
	io.write(string.format("RESULT sent=%d answers=%d refused=%d broken=%d exhausted=%d p50=%d p90=%d p99=%d p999=%d max=%d\n",
		main:get("sent"), summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
		main:get("exhausted"), latency:percentile(50), latency:percentile(90), latency:percentile(99),
		latency:percentile(99.9), latency.max))
end
