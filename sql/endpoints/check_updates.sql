-- GET /checkprescriptionstatusupdates

-- Settings as rxtrack_internal.find_updates needs them.
CREATE FUNCTION rxtrack_http.check_updates(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
SET enable_bitmapscan = off
SET enable_hashagg = off
SET enable_sort = off
AS 'MODULE_PATHNAME', 'endpoint_check_updates';
COMMENT ON FUNCTION rxtrack_http.check_updates(text, bytea[], text[], text[], bytea[]) IS
	'GET /checkprescriptionstatusupdates: the calling application''s own updates, by prescriptionid, nhsnumber and odscode, 15 a page. For the gateway: parameters are these (at least one), and exclusivestartkey-prescriptionid with exclusivestartkey-taskid to go on after a page';
