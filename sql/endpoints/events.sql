-- GET /events, and the events that the gateway's streams carry

CREATE FUNCTION rxtrack_http.events(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME', 'endpoint_events';
COMMENT ON FUNCTION rxtrack_http.events(text, bytea[], text[], text[], bytea[]) IS
	'GET /events: readiness events as they are released, as a stream (Server-Sent Events). For the gateway: opens the stream. parameters: ods (codes, with commas between them) and last-event-id (a release number to go on after)';

CREATE FUNCTION rxtrack_http.feed(after bigint, max_rows integer)
RETURNS TABLE (release_number bigint, ods_code text, withdraws boolean, event text)
LANGUAGE sql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT e.release_number, e.ods_code::text, e.withdraws IS NOT NULL, rxtrack.event_json(e)
	FROM rxtrack_internal.events_after(feed.after, feed.max_rows) e
$$;
COMMENT ON FUNCTION rxtrack_http.feed(bigint, integer) IS
	'Released events after a release number, in order, as JSON: what the gateway''s event streams are fed with';
