-- Submission: a Bundle in, an answer out.

CREATE TYPE rxtrack.answer AS (status integer, body jsonb);
COMMENT ON TYPE rxtrack.answer IS 'An HTTP status and a FHIR resource: what a caller is told';

-- Sessions remember the application that they name.
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack.application
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack.announce_change();

CREATE FUNCTION rxtrack.submit(bundle jsonb, request_id uuid, application text)
RETURNS rxtrack.answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack.submit(jsonb, uuid, text) IS
	'Validates a FHIR transaction Bundle of Tasks, judges it by the transition rules, and stores all of it or nothing. Answers the HTTP status (200, 201, 400, 409, 413, 422) and the transaction-response Bundle. Errors: 42704 where no application has that name; faults of the bundle are in the answer';

CREATE FUNCTION rxtrack.submit(bundle text, request_id uuid, application text)
RETURNS rxtrack.answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME', 'submit_text';
COMMENT ON FUNCTION rxtrack.submit(text, uuid, text) IS
	'The same for a bundle as text, which is read as the gateway reads one: what is no JSON is a fault of the bundle (400), not an error. So is \u0000, which no jsonb can hold. A literal or parameter without a type is taken as text';
