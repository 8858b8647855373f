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
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack.gateway_submit(text, bytea[], text[], text[], bytea[]) IS
	'POST /: takes a FHIR transaction Bundle of Tasks: status updates, of which all are stored or none. For the gateway: rxtrack.submit for a batch of requests, each with its own caller, its own request id and its own answer. parameters: not used; credential: SHA-256 of the API key, and behind it that of the client certificate (DER) where the connection has shown one';

CREATE FUNCTION rxtrack.gateway_format_1(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack.gateway_answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack.gateway_format_1(text, bytea[], text[], text[], bytea[]) IS
	'POST /format-1: takes a message of Format 1, and answers it as the Bundle that it stands for. For the gateway: a batch of such requests. parameters: not used';

-- The searches are to walk an index in order and stop after a page.
CREATE FUNCTION rxtrack.gateway_check(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack.gateway_answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET enable_seqscan = off
SET jit = off
SET enable_bitmapscan = off
SET enable_hashagg = off
SET enable_sort = off
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack.gateway_check(text, bytea[], text[], text[], bytea[]) IS
	'GET /checkprescriptionstatusupdates: the calling application''s own updates, by prescriptionid, nhsnumber and odscode, 15 a page. For the gateway: parameters are these (at least one), and exclusivestartkey-prescriptionid with exclusivestartkey-taskid to go on after a page';

CREATE FUNCTION rxtrack.gateway_events(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack.gateway_answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack.gateway_events(text, bytea[], text[], text[], bytea[]) IS
	'GET /events: readiness events as they are released, as a stream (Server-Sent Events). For the gateway: opens the stream. parameters: ods (codes, with commas between them) and last-event-id (a release number to go on after); the body of a 200 is the release number after which the stream begins';

CREATE FUNCTION rxtrack.gateway_metadata(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack.gateway_answer
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT 200, NULL::text, NULL::text, convert_to(jsonb_build_object(
		'resourceType', 'CapabilityStatement',
		'status', 'active',
		'date', to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
		'kind', 'instance',
		'fhirVersion', '4.0.1',
		'format', jsonb_build_array('json', 'application/fhir+json'),
		'software', jsonb_build_object('name', 'rxtrack', 'version', e.extversion),
		'implementation', jsonb_build_object('description', obj_description(e.oid, 'pg_extension')),
		'rest', jsonb_build_array(jsonb_build_object(
			'mode', 'server',
			'security', jsonb_build_object('description', 'Each caller is a registered application and sends its key as Authorization: Bearer'),
			'documentation', routes.documentation,
			'interaction', jsonb_build_array(jsonb_build_object(
				'code', 'transaction',
				'documentation', format('A Bundle of Tasks, each one status change of one prescription item. Business statuses: %s', array_to_string(rxtrack_internal.business_status_names(), ', ')))))))::text, 'UTF8')
	FROM unnest(gateway_metadata.request_id) AS request,
		 pg_extension e,
		 -- what is there: the functions that the gateway calls, each with what it says of itself to suppliers
		 (SELECT string_agg(format('- %s', split_part(obj_description(p.oid, 'pg_proc'), '. For the gateway:', 1)), E'\n'
							ORDER BY p.proname) AS documentation
		  FROM pg_proc p
		  WHERE p.pronamespace = 'rxtrack'::regnamespace
			AND p.prorettype = 'rxtrack.gateway_answer'::regtype) AS routes
	WHERE e.extname = 'rxtrack'
$$;
COMMENT ON FUNCTION rxtrack.gateway_metadata(text, bytea[], text[], text[], bytea[]) IS
	'GET /metadata: this statement. For the gateway: a FHIR R4 CapabilityStatement, made from the functions that are there, and of their comments what stands before "For the gateway", which suppliers read';

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
