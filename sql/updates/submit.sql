-- Submission: a Bundle in, an answer out.

-- json, not jsonb: the text that the gateway sends, of which nothing has to be parsed to return it.
CREATE TYPE rxtrack.answer AS (status integer, body json);
COMMENT ON TYPE rxtrack.answer IS 'An HTTP status and a FHIR resource, as the gateway sends it: what a caller is told';

-- Sessions remember the application that they name.
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack_internal.application
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();

CREATE FUNCTION rxtrack.submit(bundle text, request_id text, application text)
RETURNS rxtrack.answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack.submit(text, text, text) IS
	'Validates a FHIR transaction Bundle of Tasks (JSON), judges it by the transition rules, and stores all of it or nothing, under a request id (a UUID). Answers the HTTP status (200, 201, 400, 409, 413, 422) and the transaction-response Bundle. Faults of the bundle and of the request id are in the answer. Errors: 42704 where no application has that name, 22004 where it is null';
