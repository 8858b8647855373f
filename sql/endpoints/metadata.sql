-- GET /metadata

CREATE FUNCTION rxtrack_http.metadata(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT rxtrack_internal.http_answer(200, jsonb_build_object(
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
				'documentation', format('A Bundle of Tasks, each one status change of one prescription item. Business statuses: %s', array_to_string(rxtrack_internal.business_status_names(), ', '))))))))
	FROM unnest(metadata.request_id) AS request,
		 pg_extension e,
		 -- The endpoints are the functions that are there, each with what its comment says to suppliers: no list to forget.
		 (SELECT string_agg(format('- %s', split_part(obj_description(p.oid, 'pg_proc'), '. For the gateway:', 1)), E'\n'
							ORDER BY p.proname) AS documentation
		  FROM pg_proc p
		  WHERE p.pronamespace = 'rxtrack_http'::regnamespace
			AND p.prorettype = 'rxtrack_http.answer'::regtype
			AND obj_description(p.oid, 'pg_proc') NOT LIKE 'For the gateway:%') AS routes
	WHERE e.extname = 'rxtrack'
$$;
COMMENT ON FUNCTION rxtrack_http.metadata(text, bytea[], text[], text[], bytea[]) IS
	'GET /metadata: this statement. For the gateway: a FHIR R4 CapabilityStatement, made from the functions that are there, and of their comments what stands before "For the gateway", which suppliers read';
