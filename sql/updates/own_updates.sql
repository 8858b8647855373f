-- An application's own updates: one search, for HTTP and for SQL.

-- The rest of a row of rxtrack.status_update tells of other applications' updates of the same supply: whether there were
-- any before (receipt, other_patient), and what they said (kind, changes_status).
CREATE TYPE rxtrack.own_update AS (
	prescription_id rxtrack.prescription_id,
	task_id uuid,
	line_item_id uuid,
	issue_number integer,
	nhs_number rxtrack.nhs_number,
	ods_code rxtrack.ods_code,
	status rxtrack.business_status,
	terminal boolean,
	last_modified timestamptz,
	post_dated_set_at timestamptz,
	request_id uuid,
	received_at timestamptz
);
COMMENT ON TYPE rxtrack.own_update IS 'An update as the application that sent it gets it back';

-- The searches are to walk an index in order and stop after a page: its callers switch off what would lead to plans of
-- another kind, and keep one plan for all arguments. Each part of a UNION ALL has an order of its own, so that they are
-- merged: without it the planner sorts all of them for a page.
CREATE FUNCTION rxtrack_internal.find_updates(
	application_id integer, prescription_id rxtrack.prescription_id, nhs_number rxtrack.nhs_number, ods_code rxtrack.ods_code,
	after_prescription rxtrack.prescription_id, after_task uuid, max_rows integer)
RETURNS SETOF rxtrack.own_update
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	begin_at rxtrack.prescription_id := coalesce(after_prescription, '000000-000000-000001');	-- the least there is
BEGIN
	IF find_updates.prescription_id IS NOT NULL THEN
		RETURN QUERY
		SELECT u.prescription_id, u.task_id, u.line_item_id, u.issue_number, u.nhs_number, u.ods_code, u.status, u.completed,
			   u.last_modified, u.post_dated_set_at, u.request_id, u.received_at
		FROM rxtrack.status_update u
		WHERE u.prescription_id = find_updates.prescription_id AND u.application_id = find_updates.application_id
		  AND (find_updates.nhs_number IS NULL OR u.nhs_number = find_updates.nhs_number)
		  AND (find_updates.ods_code IS NULL OR u.ods_code = find_updates.ods_code)
		  AND (after_task IS NULL OR (u.prescription_id, u.task_id) > (begin_at, after_task))
		ORDER BY u.task_id LIMIT max_rows;
		RETURN;
	END IF;
	RETURN QUERY
	SELECT u.prescription_id, u.task_id, u.line_item_id, u.issue_number, u.nhs_number, u.ods_code, u.status, u.completed,
		   u.last_modified, u.post_dated_set_at, u.request_id, u.received_at
	FROM (SELECT DISTINCT s.prescription_id FROM (
			(SELECT s.prescription_id FROM rxtrack.supply s
			 WHERE s.nhs_number = find_updates.nhs_number AND s.application_id = find_updates.application_id
			   AND s.prescription_id >= begin_at ORDER BY s.prescription_id)
			UNION ALL
			(SELECT s.prescription_id FROM rxtrack_internal.supply_party s
			 WHERE s.nhs_number = find_updates.nhs_number AND s.application_id = find_updates.application_id
			   AND s.prescription_id >= begin_at ORDER BY s.prescription_id)
			UNION ALL
			(SELECT s.prescription_id FROM rxtrack.supply s
			 WHERE find_updates.nhs_number IS NULL
			   AND s.ods_code = find_updates.ods_code AND NOT s.completed AND s.application_id = find_updates.application_id
			   AND s.prescription_id >= begin_at ORDER BY s.prescription_id)
			UNION ALL
			(SELECT s.prescription_id FROM rxtrack.supply s
			 WHERE find_updates.nhs_number IS NULL
			   AND s.ods_code = find_updates.ods_code AND s.completed AND s.application_id = find_updates.application_id
			   AND s.prescription_id >= begin_at ORDER BY s.prescription_id)
			UNION ALL
			(SELECT s.prescription_id FROM rxtrack_internal.supply_party s
			 WHERE find_updates.nhs_number IS NULL
			   AND s.ods_code = find_updates.ods_code AND s.application_id = find_updates.application_id
			   AND s.prescription_id >= begin_at ORDER BY s.prescription_id)) AS s
		  ORDER BY s.prescription_id) AS p
	CROSS JOIN LATERAL (
		SELECT * FROM rxtrack.status_update u
		WHERE u.prescription_id = p.prescription_id AND u.application_id = find_updates.application_id
		  AND (find_updates.nhs_number IS NULL OR u.nhs_number = find_updates.nhs_number)
		  AND (find_updates.ods_code IS NULL OR u.ods_code = find_updates.ods_code)
		  AND (after_task IS NULL OR (u.prescription_id, u.task_id) > (begin_at, after_task))
		ORDER BY u.task_id) AS u
	LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.find_updates(integer, rxtrack.prescription_id, rxtrack.nhs_number, rxtrack.ods_code, rxtrack.prescription_id, uuid, integer) IS
	'An application''s updates of a prescription, patient or pharmacy, at least one of these, by prescription and task id, after that pair (NULL: from the beginning), at most max_rows';

CREATE FUNCTION rxtrack.own_updates(
	prescription_id text DEFAULT NULL, nhs_number text DEFAULT NULL, ods_code text DEFAULT NULL,
	after text[] DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS SETOF rxtrack.own_update
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
SET enable_bitmapscan = off
SET enable_hashagg = off
SET enable_sort = off
AS $$
DECLARE
	application_id integer := rxtrack_internal.require_application();
BEGIN
	PERFORM rxtrack_internal.require_rows(max_rows);
	IF coalesce(prescription_id, nhs_number, ods_code) IS NULL THEN
		RAISE EXCEPTION 'one of prescription_id, nhs_number and ods_code must be given'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF cardinality(after) <> 2 OR array_position(after, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'after must hold a prescription_id and a task_id'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Those of the last row of the page before.';
	END IF;
	RETURN QUERY SELECT * FROM rxtrack_internal.find_updates(
		application_id, prescription_id, nhs_number, ods_code, after[1],
		rxtrack_internal.read_uuid('after', after[2]), max_rows);
END
$$;
COMMENT ON FUNCTION rxtrack.own_updates(text, text, text, text[], integer) IS
	'The updates that the application has sent whose role calls (rxtrack.bind_role), and no other''s: those of this prescription, this patient and this pharmacy, as far as they are given; one of the three has to be. In the order of prescription_id and task_id, at most max_rows; after: these two of the last row of the page before, as text, and NULL for the first page. Errors: 42501 where the role is no application''s, or that is suspended; 22023 where none of the three is given, after is no such pair, or max_rows is less than 1; 22004 where max_rows is NULL; 22P02 where a value is malformed';
