-- GET /_status

CREATE FUNCTION rxtrack_http.status(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT rxtrack_internal.http_answer(200, jsonb_build_object(
			   'status', 'pass',
			   'version', rxtrack_http.interface_number()::text,
			   'releaseId', e.extversion,
			   'description', 'rxtrack: prescription tracking',
			   'checks', jsonb_build_object(
				   'gateway', jsonb_build_array(jsonb_build_object(
					   'componentType', 'component', 'status', 'pass',
					   'version', substring(current_setting('application_name') FROM '/(.*)$'))),
				   'database', jsonb_build_array(jsonb_build_object(
					   'componentType', 'datastore', 'status', 'pass',
					   'version', current_setting('server_version'),
					   'time', to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))))),
			   E'Content-Type: application/health+json\n')
	FROM unnest(status.request_id) AS request, pg_extension e
	WHERE e.extname = 'rxtrack'
$$;
COMMENT ON FUNCTION rxtrack_http.status(text, bytea[], text[], text[], bytea[]) IS
	'GET /_status: the health of the service as application/health+json, with the versions of extension, gateway and server';
