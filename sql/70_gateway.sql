-- What the gateway calls.  All functions for it have one signature, and a call
-- carries a batch: any number of requests, answered in their order.

CREATE TYPE rxtrack.gateway_answer AS (status integer, application text, headers text, body bytea);
COMMENT ON TYPE rxtrack.gateway_answer IS
	'An answer to one HTTP request: status; the application''s name, for the log; further header lines, each ended by a line feed; the body';

CREATE FUNCTION rxtrack.gateway_interface()
RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT 1';
COMMENT ON FUNCTION rxtrack.gateway_interface() IS
	'The number of the interface between gateway and extension. A gateway made for another number does not serve';

CREATE FUNCTION rxtrack.gateway_submit(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack.gateway_answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET enable_seqscan = off
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack.gateway_submit(text, bytea[], text[], text[], bytea[]) IS
	'POST /: rxtrack.submit for a batch of requests, each with its own caller, its own request id and its own answer. credential: SHA-256 of the API key; parameters: not used';

CREATE FUNCTION rxtrack.gateway_status(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack.gateway_answer
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT 200, NULL::text, E'Content-Type: application/health+json\n',
		   convert_to(jsonb_build_object(
			   'status', 'pass',
			   'version', rxtrack.gateway_interface()::text,
			   'releaseId', e.extversion,
			   'description', 'rxtrack: prescription tracking',
			   'checks', jsonb_build_object(
				   'gateway', jsonb_build_array(jsonb_build_object(
					   'componentType', 'component', 'status', 'pass',
					   'version', substring(current_setting('application_name') FROM '/(.*)$'))),
				   'database', jsonb_build_array(jsonb_build_object(
					   'componentType', 'datastore', 'status', 'pass',
					   'version', current_setting('server_version'),
					   'time', to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))))::text,
			   'UTF8')
	FROM unnest(gateway_status.request_id) AS request, pg_extension e
	WHERE e.extname = 'rxtrack'
$$;
COMMENT ON FUNCTION rxtrack.gateway_status(text, bytea[], text[], text[], bytea[]) IS
	'GET /_status: the health of the service as application/health+json, with the versions of extension, gateway and server';
