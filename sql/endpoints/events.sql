-- GET /events, and the events that the gateway's streams carry

CREATE FUNCTION rxtrack_http.events(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME', 'endpoint_events';
COMMENT ON FUNCTION rxtrack_http.events(text, bytea[], text[], text[], bytea[]) IS
	'GET /events: readiness events as they are released, as a stream (Server-Sent Events). For the gateway: opens the stream. parameters: ods (codes, with commas between them) and last-event-id (a release number to go on after)';

CREATE FUNCTION rxtrack_http.feed(after bigint, max_rows integer)
RETURNS TABLE (release_number bigint, ods_code text, event text)
LANGUAGE sql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET enable_seqscan = off
SET jit = off
SET enable_bitmapscan = off
AS $$
	SELECT e.release_number, e.ods_code::text,
		   jsonb_build_object(
			   'id', e.release_number, 'prescription', e.prescription_id::text, 'item', upper(e.line_item_id::text),
			   'patient', e.nhs_number::text, 'pharmacy', e.ods_code::text, 'status', e.status::text,
			   'occurred', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
			   'released', to_char(e.released_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
			   'alert', e.alert, 'reason', e.alert_reason)::text
	FROM ONLY rxtrack.readiness_event e
	WHERE e.release_number > feed.after
	ORDER BY e.release_number
	LIMIT feed.max_rows
$$;
COMMENT ON FUNCTION rxtrack_http.feed(bigint, integer) IS
	'Released events after a release number, in order, as JSON: what the gateway''s event streams are fed with';
