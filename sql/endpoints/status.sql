-- GET /_status

-- The lock is that of an update; the message makes the transaction one that writes, and whose commit is flushed and waits
-- for synchronous standbys, without a row to be cleaned up.
CREATE FUNCTION rxtrack_internal.probe_writes()
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	LOCK TABLE rxtrack.prescription_patient, rxtrack.supply, rxtrack.status_update IN ROW EXCLUSIVE MODE;
	PERFORM pg_logical_emit_message(true, 'rxtrack', '');
END
$$;
COMMENT ON FUNCTION rxtrack_internal.probe_writes() IS
	'Has the transaction write, in the cheapest way, so that its commit shows whether updates can be stored. Errors: those of an update';

CREATE FUNCTION rxtrack_internal.health()
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	WITH checks (name, type, status, output, version, at) AS (
		VALUES
			('gateway', 'component', 'pass', NULL, substring(current_setting('application_name') FROM '/(.*)$'), NULL),
			('database', 'datastore', 'pass', NULL, current_setting('server_version'),
				to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
			('schema', 'datastore', 'pass', NULL, NULL, NULL),
			('writes', 'datastore', 'pass', NULL, NULL, NULL)
		UNION ALL
		SELECT unnest('{dispatcher,events,notifications}'::text[]), unnest('{component,datastore,datastore}'::text[]),
			   unnest(ARRAY[CASE WHEN d.state IN ('present', 'none') THEN 'pass' ELSE 'warn' END,
							CASE WHEN d.overdue_since IS NULL AND d.set_aside = 0 THEN 'pass' ELSE 'warn' END,
							CASE WHEN d.notifies THEN 'pass' ELSE 'warn' END]),
			   unnest(ARRAY[CASE d.state
								WHEN 'none' THEN 'No dispatcher is configured: transactions release their events'
								WHEN 'paused' THEN 'The dispatcher is paused: transactions release their events'
								WHEN 'absent' THEN 'The dispatcher is not there: transactions release their events'
								WHEN 'silent' THEN 'The dispatcher gives no sign of life: transactions release their events'
								WHEN 'failing' THEN 'The dispatcher fails: transactions release their events' END,
							concat_ws('. ', CASE WHEN d.overdue_since IS NOT NULL THEN 'Events are overdue by more than 10 seconds' END,
									  CASE WHEN d.set_aside > 0 THEN 'Events are set aside, because their release failed' END),
							CASE WHEN NOT d.notifies
								THEN 'The server''s notification queue is nearly full: events are released without NOTIFY' END]),
			   NULL, NULL
		FROM rxtrack.dispatcher d)
	SELECT jsonb_strip_nulls(jsonb_build_object(
			   'status', CASE WHEN bool_or(status = 'warn') THEN 'warn' ELSE 'pass' END,
			   'output', string_agg(output, '. ' ORDER BY name) FILTER (WHERE status = 'warn'),
			   'checks', jsonb_object_agg(name, jsonb_build_array(jsonb_build_object(
				   'componentType', type, 'status', status, 'output', nullif(output, ''), 'version', version, 'time', at)))))
	FROM checks
$$;
COMMENT ON FUNCTION rxtrack_internal.health() IS
	'The checks of GET /_status that pass, or warn, where it could be called: those that fail are the gateway''s to tell';

CREATE FUNCTION rxtrack_http.status(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM unnest(parameters) AS p WHERE p::jsonb ? 'write') THEN
		PERFORM rxtrack_internal.probe_writes();
	END IF;
	RETURN QUERY
	SELECT a.*
	FROM unnest(request_id) AS request, pg_extension e,
		 rxtrack_internal.http_answer(200, rxtrack_internal.health() || jsonb_build_object(
			 'version', rxtrack_http.interface_number()::text, 'releaseId', e.extversion, 'description', 'rxtrack: prescription tracking'),
			 E'Content-Type: application/health+json\n') AS a
	WHERE e.extname = 'rxtrack';
END
$$;
COMMENT ON FUNCTION rxtrack_http.status(text, bytea[], text[], text[], bytea[]) IS
	'GET /_status: the health of the service as application/health+json, with the versions of extension, gateway and server. With the parameter write it writes too, and its commit shows whether updates can be stored';
