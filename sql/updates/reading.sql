-- Reading: where supplies and items stand, and how they got there.

-- What submission keeps in a supply's row is all that the present needs: the newest assertion, or where that
-- has yet to begin, the newest plain one. A plain one has begun when it was received: it is not compared with
-- the clock, which may have been set back since.
CREATE VIEW rxtrack_internal.supply_now AS
SELECT s.prescription_id, s.line_item_id, s.issue_number, s.ods_code, s.nhs_number, s.status, s.completed AS terminal,
	   CASE WHEN s.post_dated THEN s.last_modified ELSE s.asserted_at END AS since,
	   s.post_dated AS predicted, s.asserted_by, s.began_at, s.began_received_at
FROM rxtrack.supply s
WHERE NOT s.post_dated OR s.last_modified <= pg_catalog.statement_timestamp()
UNION ALL
SELECT s.prescription_id, s.line_item_id, s.issue_number, s.ods_code, s.nhs_number, s.plain_status, s.plain_completed,
	   s.plain_asserted_at, false, s.plain_asserted_by, s.began_at, s.began_received_at
FROM rxtrack.supply s
WHERE s.post_dated AND s.last_modified > pg_catalog.statement_timestamp() AND s.plain_status IS NOT NULL;
COMMENT ON VIEW rxtrack_internal.supply_now IS 'Supplies that have a status now, whomever their updates name';
COMMENT ON COLUMN rxtrack_internal.supply_now.issue_number IS 'Issue of a repeat dispensing prescription; 0: none';
COMMENT ON COLUMN rxtrack_internal.supply_now.terminal IS 'Whether nothing is left to do: Task.status was completed';
COMMENT ON COLUMN rxtrack_internal.supply_now.since IS 'When the assertion that says so took effect';
COMMENT ON COLUMN rxtrack_internal.supply_now.predicted IS 'Whether that is post-dated';
COMMENT ON COLUMN rxtrack_internal.supply_now.asserted_by IS 'The application that made it';
COMMENT ON COLUMN rxtrack_internal.supply_now.began_at IS 'When the supply''s earliest update was asserted';
COMMENT ON COLUMN rxtrack_internal.supply_now.began_received_at IS 'When that was received';

-- A supply that no update with the prescription's patient has named is shown to nobody, and none is of a prescription that is hidden. Both
-- are in conflict, or beside a supply that is: few prescriptions have one, and the index of those is small, so that nobody else's patient
-- is looked up. OFFSET keeps the planner from turning the subqueries of this page into joins, which may read whole tables.
CREATE VIEW rxtrack_internal.shown_supply AS
SELECT s.* FROM rxtrack_internal.supply_now s
WHERE NOT EXISTS (SELECT FROM rxtrack.supply x WHERE x.prescription_id = s.prescription_id AND x.in_conflict OFFSET 0)
   OR EXISTS (
	SELECT FROM rxtrack.prescription_patient p
	WHERE p.prescription_id = s.prescription_id AND p.nhs_number = s.nhs_number AND NOT p.hidden OFFSET 0);
COMMENT ON VIEW rxtrack_internal.shown_supply IS
	'Supplies that have a status now and are shown to their prescription''s patient; columns as in rxtrack_internal.supply_now';
COMMENT ON COLUMN rxtrack_internal.shown_supply.issue_number IS 'Issue of a repeat dispensing prescription; 0: none';
COMMENT ON COLUMN rxtrack_internal.shown_supply.terminal IS 'Whether nothing is left to do: Task.status was completed';
COMMENT ON COLUMN rxtrack_internal.shown_supply.since IS 'When the assertion that says so took effect';
COMMENT ON COLUMN rxtrack_internal.shown_supply.predicted IS 'Whether that is post-dated';
COMMENT ON COLUMN rxtrack_internal.shown_supply.asserted_by IS 'The application that made it';
COMMENT ON COLUMN rxtrack_internal.shown_supply.began_at IS 'When the supply''s earliest update was asserted';
COMMENT ON COLUMN rxtrack_internal.shown_supply.began_received_at IS 'When that was received';

CREATE VIEW rxtrack.supply_status AS
SELECT s.prescription_id, s.line_item_id, s.issue_number, s.ods_code, s.nhs_number, s.status, s.terminal, s.since,
	   CASE WHEN s.predicted THEN 'predicted' ELSE 'reported' END AS origin, a.name AS application
FROM rxtrack_internal.shown_supply s
LEFT JOIN rxtrack_internal.application a ON a.application_id = s.asserted_by;
COMMENT ON VIEW rxtrack.supply_status IS
	'What the status of each supply is now, by the clock of the statement that asks. A supply whose only updates are still to take effect has no row, nor has one whose patient is in conflict';
COMMENT ON COLUMN rxtrack.supply_status.issue_number IS 'Issue of a repeat dispensing prescription; 0: none';
COMMENT ON COLUMN rxtrack.supply_status.terminal IS 'Whether nothing is left to do: Task.status was completed';
COMMENT ON COLUMN rxtrack.supply_status.since IS 'When the update that says so took effect';
COMMENT ON COLUMN rxtrack.supply_status.origin IS 'reported, or predicted: by a post-dated update that has begun';
COMMENT ON COLUMN rxtrack.supply_status.application IS 'The application that said so';

-- Which supply is an item's is said here: of those that are not Not Dispensed the one that began last; where all are, of all.
CREATE VIEW rxtrack.item_status AS
SELECT s.prescription_id, s.line_item_id, s.issue_number, s.ods_code, s.nhs_number, s.status, s.terminal, s.since,
	   CASE WHEN s.predicted THEN 'predicted' ELSE 'reported' END AS origin, a.name AS application
FROM rxtrack_internal.shown_supply s
LEFT JOIN rxtrack_internal.application a ON a.application_id = s.asserted_by
WHERE NOT EXISTS (
	SELECT FROM rxtrack.supply o
	CROSS JOIN LATERAL (	-- its status now, as in supply_now; NULL, which nothing is less than: none
		SELECT CASE WHEN NOT o.post_dated OR o.last_modified <= pg_catalog.statement_timestamp() THEN o.status ELSE o.plain_status END AS status) AS n
	WHERE o.prescription_id = s.prescription_id AND o.line_item_id = s.line_item_id AND o.issue_number = s.issue_number
	  AND o.nhs_number = s.nhs_number AND o.ods_code <> s.ods_code
	  AND (n.status <> 'Not Dispensed'::rxtrack.business_status, o.began_at, o.began_received_at, o.ods_code)
		> (s.status <> 'Not Dispensed'::rxtrack.business_status, s.began_at, s.began_received_at, s.ods_code)
	OFFSET 0);
COMMENT ON VIEW rxtrack.item_status IS
	'What the status of each item is now, one row for each issue of it: that of its current supply, by the clock of the statement that asks. Without a row where all that was said is still to take effect, or the patient is in conflict';
COMMENT ON COLUMN rxtrack.item_status.issue_number IS 'Issue of a repeat dispensing prescription; 0: none';
COMMENT ON COLUMN rxtrack.item_status.ods_code IS 'The pharmacy of its current supply';
COMMENT ON COLUMN rxtrack.item_status.terminal IS 'Whether nothing is left to do: Task.status was completed';
COMMENT ON COLUMN rxtrack.item_status.since IS 'When the update that says so took effect';
COMMENT ON COLUMN rxtrack.item_status.origin IS 'reported, or predicted: by a post-dated update that has begun';
COMMENT ON COLUMN rxtrack.item_status.application IS 'The application that said so';

-- What a status is at any time is said here, from the updates themselves.
CREATE FUNCTION rxtrack_internal.supplies_at(prescription_id rxtrack.prescription_id, at timestamptz)
RETURNS TABLE (line_item_id uuid, issue_number integer, ods_code rxtrack.ods_code, task_id uuid,
			   status rxtrack.business_status, began_at timestamptz, began_received_at timestamptz)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	-- its plan is made once a session
	RETURN QUERY WITH assertion AS (
		SELECT u.*, least(coalesce(u.post_dated_set_at, u.last_modified), u.received_at) AS asserted_at,
			   CASE WHEN u.post_dated_set_at IS NULL THEN least(u.last_modified, u.received_at) ELSE u.last_modified END AS takes_effect_at
		FROM rxtrack.status_update u
		WHERE u.prescription_id = supplies_at.prescription_id
	), aged AS (
		SELECT a.*, row_number() OVER newest_first AS age, first_value(a.asserted_at) OVER earliest_first AS began_at,
			   first_value(a.received_at) OVER earliest_first AS began_received_at
		FROM assertion a
		WINDOW newest_first AS (PARTITION BY a.line_item_id, a.issue_number, a.ods_code ORDER BY a.asserted_at DESC, a.last_modified DESC, a.receipt DESC),
			   earliest_first AS (PARTITION BY a.line_item_id, a.issue_number, a.ods_code ORDER BY a.asserted_at, a.receipt)
	)
	SELECT DISTINCT ON (a.line_item_id, a.issue_number, a.ods_code)
		   a.line_item_id, a.issue_number, a.ods_code, a.task_id, a.status, a.began_at, a.began_received_at
	FROM aged a
	WHERE a.takes_effect_at <= supplies_at.at AND (a.age = 1 OR a.post_dated_set_at IS NULL)
	ORDER BY a.line_item_id, a.issue_number, a.ods_code, a.age;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.supplies_at(rxtrack.prescription_id, timestamptz) IS
	'The supplies of a prescription that have a status at a time, by all that is known now: that of the newest assertion whose effect has begun by then, but for post-dated ones that a newer assertion has replaced, which never count; and the update that says so';

CREATE FUNCTION rxtrack.status_at(
	prescription_id text, line_item_id text, at timestamptz DEFAULT now(), issue_number integer DEFAULT 0, ods_code text DEFAULT NULL)
RETURNS rxtrack.business_status
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	prescription rxtrack.prescription_id := status_at.prescription_id;
	item uuid := rxtrack_internal.read_uuid('line_item_id', status_at.line_item_id);
	issue integer := coalesce(status_at.issue_number, 0);
	pharmacy rxtrack.ods_code := status_at.ods_code;
BEGIN
	RETURN (
		SELECT a.status
		FROM rxtrack_internal.supplies_at(prescription, status_at.at) a
		JOIN rxtrack.supply s ON s.prescription_id = prescription
			AND s.line_item_id = a.line_item_id AND s.issue_number = a.issue_number AND s.ods_code = a.ods_code
		JOIN rxtrack.prescription_patient p ON p.prescription_id = s.prescription_id AND p.nhs_number = s.nhs_number
		WHERE a.line_item_id = item AND a.issue_number = issue AND (pharmacy IS NULL OR a.ods_code = pharmacy) AND NOT p.hidden
		ORDER BY a.status <> 'Not Dispensed' DESC, a.began_at DESC, a.began_received_at DESC, a.ods_code DESC
		LIMIT 1);
END
$$;
COMMENT ON FUNCTION rxtrack.status_at(text, text, timestamptz, integer, text) IS
	'What the status of an item, of one issue of it (0: none), is, was or will be at a time, by all that is known now; at one pharmacy, or (NULL) of the item''s current supply at that time. NULL where there is none. Errors: 22P02 where one is no prescription id, UUID or ODS code';

CREATE FUNCTION rxtrack.status_history(prescription_id text)
RETURNS TABLE (line_item_id uuid, issue_number integer, ods_code rxtrack.ods_code, task_id uuid, status rxtrack.business_status,
			   terminal boolean, last_modified timestamptz, post_dated_set_at timestamptz, kind rxtrack.transition_kind,
			   nhs_number rxtrack.nhs_number, application text, request_id uuid, received_at timestamptz, warnings text[])
LANGUAGE sql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT u.line_item_id, u.issue_number, u.ods_code, u.task_id, u.status, u.completed, u.last_modified, u.post_dated_set_at, u.kind,
		   u.nhs_number, a.name, u.request_id, u.received_at,
		   -- as extension/updates/answers.c has them
		   nullif(array_remove(ARRAY[
				CASE WHEN u.warned THEN 'unexpected' END,
				CASE WHEN u.other_patient THEN 'other patient' END,
				CASE WHEN u.overtaken THEN 'overtaken' END,
				CASE WHEN u.post_dated_set_at IS NULL AND u.last_modified - u.received_at > interval '1 min' THEN 'ahead' END,
				CASE WHEN u.received_at - coalesce(u.post_dated_set_at, u.last_modified) > interval '30 days' THEN 'old' END],
				NULL), '{}')
	FROM rxtrack.status_update u
	LEFT JOIN rxtrack_internal.application a USING (application_id)
	WHERE u.prescription_id = status_history.prescription_id::rxtrack.prescription_id
	ORDER BY u.line_item_id, u.issue_number, u.ods_code,
			 least(coalesce(u.post_dated_set_at, u.last_modified), u.received_at), u.last_modified, u.receipt
$$;
COMMENT ON FUNCTION rxtrack.status_history(text) IS
	'Every update of a prescription, supply by supply, in the order in which they were asserted; warnings: what its answer warned of (unexpected: no rule allows it; other patient; overtaken: it counts for nothing, a newer one being stored; ahead: its clock; old: by more than 30 days), or NULL. Errors: 22P02 where that is no prescription id';

CREATE VIEW rxtrack.clock_skew AS
SELECT a.name AS application, u.ods_code, pg_catalog.count(*) AS updates,
	   pg_catalog.max(u.ahead) FILTER (WHERE u.ahead > interval '0') AS ahead_at_most,
	   pg_catalog.percentile_disc(0.95) WITHIN GROUP (ORDER BY u.ahead) AS ahead_95,
	   pg_catalog.percentile_disc(0.5) WITHIN GROUP (ORDER BY - u.ahead) AS behind_median,
	   pg_catalog.percentile_disc(0.95) WITHIN GROUP (ORDER BY - u.ahead) AS behind_95
FROM (SELECT s.application_id, s.ods_code, coalesce(s.post_dated_set_at, s.last_modified) - s.received_at AS ahead
	  FROM rxtrack.status_update s
	  WHERE s.received_at > pg_catalog.statement_timestamp() - interval '1 day') AS u
LEFT JOIN rxtrack_internal.application a USING (application_id)
GROUP BY a.name, u.ods_code;
COMMENT ON VIEW rxtrack.clock_skew IS
	'How far the asserted times of the last day''s updates are ahead of their receipt, or behind, by application and pharmacy';
COMMENT ON COLUMN rxtrack.clock_skew.application IS 'The application that sent them';
COMMENT ON COLUMN rxtrack.clock_skew.updates IS 'How many updates were received in the last 24 hours';
COMMENT ON COLUMN rxtrack.clock_skew.ahead_at_most IS 'The longest that one was ahead of its receipt; NULL: none was';
COMMENT ON COLUMN rxtrack.clock_skew.ahead_95 IS 'The 95th percentile of how far they were ahead; negative: behind';
COMMENT ON COLUMN rxtrack.clock_skew.behind_median IS 'The median of how far they were behind: a clock that is slow, or a system that waits before it sends';
COMMENT ON COLUMN rxtrack.clock_skew.behind_95 IS 'The 95th percentile of that';

-- No index begins with the application, so one that has none is looked for at each pharmacy, of which there are some ten thousand.
CREATE FUNCTION rxtrack_internal.has_updates(id integer)
RETURNS boolean
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
SET enable_seqscan = off
AS $$
	WITH RECURSIVE pharmacy AS (
		(SELECT s.ods_code FROM rxtrack.supply s ORDER BY s.ods_code LIMIT 1)
		UNION ALL
		SELECT (SELECT s.ods_code FROM rxtrack.supply s WHERE s.ods_code > p.ods_code ORDER BY s.ods_code LIMIT 1)
		FROM pharmacy p WHERE p.ods_code IS NOT NULL
	)
	SELECT EXISTS (
		SELECT FROM pharmacy p
		WHERE EXISTS (SELECT FROM rxtrack.supply s WHERE s.ods_code = p.ods_code AND NOT s.completed AND s.application_id = id)
		   OR EXISTS (SELECT FROM rxtrack.supply s WHERE s.ods_code = p.ods_code AND s.completed AND s.application_id = id)
		   OR EXISTS (SELECT FROM rxtrack_internal.supply_party y WHERE y.ods_code = p.ods_code AND y.application_id = id))
$$;
COMMENT ON FUNCTION rxtrack_internal.has_updates(integer) IS 'Whether updates of an application are stored';
