-- GET /_status

CREATE FUNCTION rxtrack_internal.dispatcher_state()
RETURNS text
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.dispatcher_state() IS
	'Who releases events of this database: none (no dispatcher is configured for it; transactions release theirs), present, or absent (one is configured, and not connected)';

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
		SELECT 'dispatcher', 'component', CASE state WHEN 'absent' THEN 'warn' ELSE 'pass' END,
			   CASE state WHEN 'absent' THEN 'The dispatcher is not there: events wait for it'
						  WHEN 'none' THEN 'No dispatcher is configured: transactions release their events' END, NULL, NULL
		FROM rxtrack_internal.dispatcher_state() AS state
		UNION ALL
		SELECT 'events', 'datastore', CASE WHEN overdue THEN 'warn' ELSE 'pass' END,
			   CASE WHEN overdue THEN 'Events are overdue by more than 10 seconds' END, NULL, NULL
		FROM (SELECT EXISTS (SELECT FROM rxtrack.pending_events WHERE due_at < statement_timestamp() - interval '10 s')) AS e (overdue))
	SELECT jsonb_strip_nulls(jsonb_build_object(
			   'status', CASE WHEN bool_or(status = 'warn') THEN 'warn' ELSE 'pass' END,
			   'output', string_agg(output, '. ') FILTER (WHERE status = 'warn'),
			   'checks', jsonb_object_agg(name, jsonb_build_array(jsonb_build_object(
				   'componentType', type, 'status', status, 'output', output, 'version', version, 'time', at)))))
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
