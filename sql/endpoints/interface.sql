-- What the gateway calls: for each endpoint one function, all of one signature.  A call carries a batch of requests, and
-- is answered by as many rows in the same order.

CREATE TYPE rxtrack_http.answer AS (
	status integer,
	application text,
	headers text,
	body bytea,
	requests_per_minute integer,
	stream_after bigint,
	stream_ods_codes text[]
);
COMMENT ON TYPE rxtrack_http.answer IS
	'The answer to one HTTP request, and what the gateway is told beside it';
COMMENT ON COLUMN rxtrack_http.answer.status IS 'HTTP status, 200 to 599';
COMMENT ON COLUMN rxtrack_http.answer.application IS 'The caller''s name, for the log; NULL: nobody that is known';
COMMENT ON COLUMN rxtrack_http.answer.headers IS
	'Header lines, each ended by a line feed. Without a Content-Type among them, the body is application/fhir+json';
COMMENT ON COLUMN rxtrack_http.answer.body IS 'The body';
COMMENT ON COLUMN rxtrack_http.answer.requests_per_minute IS
	'How often the caller may call, which the gateway holds it to; NULL with an unknown caller';
COMMENT ON COLUMN rxtrack_http.answer.stream_after IS
	'With a status of 200, opens a stream of the readiness events after this release number; NULL: the body is all';
COMMENT ON COLUMN rxtrack_http.answer.stream_ods_codes IS 'Pharmacies that the stream is for; NULL: all';

CREATE FUNCTION rxtrack_http.interface_number()
RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT 3';
COMMENT ON FUNCTION rxtrack_http.interface_number() IS
	'The number of the interface between gateway and extension. A gateway made for another number does not serve';

-- ---------- For endpoints that are written in SQL ----------

CREATE TYPE rxtrack_internal.caller AS (
	application_id integer,
	name text,
	granted boolean,
	requests_per_minute integer,
	ods_codes rxtrack.ods_code[]
);
COMMENT ON TYPE rxtrack_internal.caller IS
	'Whom a credential belongs to: an application, whether it is not suspended and holds the scope that is needed, and the pharmacies that it is restricted to (NULL: none). All but granted is NULL where nobody is known by the credential';

CREATE FUNCTION rxtrack_internal.callers(credential bytea[], scope text)
RETURNS SETOF rxtrack_internal.caller
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.callers(bytea[], text) IS
	'The callers of a batch of requests, in order. credential: as rxtrack_http.submit has them; scope: what each must hold, NULL: nothing';

CREATE FUNCTION rxtrack_internal.broken_rule(type text, value text)
RETURNS text
LANGUAGE C IMMUTABLE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.broken_rule(text, text) IS
	'What a parameter must be and is not, as "must be ten digits", without its value; NULL where it is a valid nhs_number, ods_code, prescription_id or uuid (8-4-4-4-12 hex digits), whichever the type says';

CREATE FUNCTION rxtrack_internal.date_time(at timestamptz)
RETURNS text
LANGUAGE sql STABLE
AS $$
	SELECT CASE WHEN at < '0001-01-01 00:00:00+00' THEN '0000' ELSE to_char(at AT TIME ZONE 'UTC', 'YYYY') END
		|| rtrim(rtrim(to_char(at AT TIME ZONE 'UTC', '-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z'
$$;
COMMENT ON FUNCTION rxtrack_internal.date_time(timestamptz) IS
	'A time of the years 0000 to 9999 as FHIR writes it, in UTC: 2026-04-01T09:30:00Z, with a fraction only where there is one';

CREATE FUNCTION rxtrack_internal.http_answer_to(caller rxtrack_internal.caller, status integer, body json, headers text DEFAULT NULL,
	stream_after bigint DEFAULT NULL, stream_ods_codes text[] DEFAULT NULL)
RETURNS rxtrack_http.answer
LANGUAGE sql STABLE
AS $$
	SELECT (status, caller.name, headers, convert_to(coalesce(body::text, ''), 'UTF8'), caller.requests_per_minute,
			stream_after, stream_ods_codes)::rxtrack_http.answer
$$;
COMMENT ON FUNCTION rxtrack_internal.http_answer_to(rxtrack_internal.caller, integer, json, text, bigint, text[]) IS
	'An answer to a caller, as a row of rxtrack_http.answer. body: NULL for none';

CREATE FUNCTION rxtrack_internal.http_answer(status integer, body jsonb, headers text DEFAULT NULL, application text DEFAULT NULL)
RETURNS rxtrack_http.answer
LANGUAGE sql STABLE
AS $$
	SELECT rxtrack_internal.http_answer_to(ROW(NULL, application, false, NULL, NULL)::rxtrack_internal.caller, status, body::json, headers)
$$;
COMMENT ON FUNCTION rxtrack_internal.http_answer(integer, jsonb, text, text) IS
	'The answer of an endpoint that is open to all; application: for the log, whose request it was, NULL: unknown';

CREATE FUNCTION rxtrack_internal.http_fault(caller rxtrack_internal.caller, status integer, code text, diagnostics text[], headers text DEFAULT NULL)
RETURNS rxtrack_http.answer
LANGUAGE sql VOLATILE
AS $$
	SELECT rxtrack_internal.http_answer_to(caller, status, json_build_object(
		'resourceType', 'OperationOutcome',
		'meta', json_build_object('lastUpdated', rxtrack_internal.date_time(clock_timestamp())),
		'issue', array(SELECT json_build_object('severity', 'error', 'code', code, 'diagnostics', d) FROM unnest(diagnostics) AS d)),
		headers)
$$;
COMMENT ON FUNCTION rxtrack_internal.http_fault(rxtrack_internal.caller, integer, text, text[], text) IS
	'An OperationOutcome with an error for each of the diagnostics; code: of FHIR''s issue-type';

CREATE FUNCTION rxtrack_internal.http_refusal(caller rxtrack_internal.caller)
RETURNS rxtrack_http.answer
LANGUAGE sql VOLATILE
AS $$
	SELECT CASE WHEN caller.application_id IS NULL
		THEN rxtrack_internal.http_fault(caller, 401, 'processing', '{The credential is not valid}',
			E'WWW-Authenticate: Bearer realm="rxtrack", error="invalid_token"\n')
		ELSE rxtrack_internal.http_fault(caller, 403, 'forbidden', '{The credential does not have the scope that this needs}') END
$$;
COMMENT ON FUNCTION rxtrack_internal.http_refusal(rxtrack_internal.caller) IS
	'The answer to who is not known (401), or has not been granted what the endpoint needs (403)';
