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

CREATE FUNCTION rxtrack_internal.http_answer(status integer, body jsonb, headers text DEFAULT NULL, application text DEFAULT NULL)
RETURNS rxtrack_http.answer
LANGUAGE sql STABLE
AS $$
	SELECT (status, application, headers, pg_catalog.convert_to(body::pg_catalog.text, 'UTF8'), NULL, NULL, NULL)::rxtrack_http.answer
$$;
COMMENT ON FUNCTION rxtrack_internal.http_answer(integer, jsonb, text, text) IS
	'An answer whose body is JSON, for the endpoints that are written in SQL';
