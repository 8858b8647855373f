-- Reading: where an item stands, and how it got there.

-- What a status is at a time is said here, and nowhere else.
CREATE FUNCTION rxtrack_internal.assertion_at(prescription_id rxtrack.prescription_id, line_item_id uuid, at timestamptz,
											  received_before timestamptz DEFAULT 'infinity')
RETURNS TABLE (task_id uuid, status rxtrack.business_status, completed boolean, since timestamptz,
			   nhs_number rxtrack.nhs_number, ods_code rxtrack.ods_code, application_id integer)
LANGUAGE sql STABLE STRICT SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT a.task_id, a.status, a.completed, a.last_modified, a.nhs_number, a.ods_code, a.application_id
	FROM (
		SELECT u.task_id, u.status, u.completed, u.last_modified, u.post_dated_set_at, u.nhs_number, u.ods_code, u.application_id,
			   row_number() OVER (ORDER BY coalesce(u.post_dated_set_at, u.last_modified) DESC, u.receipt DESC) AS age
		FROM rxtrack.status_update u
		WHERE u.prescription_id = assertion_at.prescription_id AND u.line_item_id = assertion_at.line_item_id
		  AND u.received_at < assertion_at.received_before
	) AS a
	WHERE a.last_modified <= assertion_at.at AND (a.age = 1 OR a.post_dated_set_at IS NULL)
	ORDER BY a.age
	LIMIT 1
$$;
COMMENT ON FUNCTION rxtrack_internal.assertion_at(rxtrack.prescription_id, uuid, timestamptz, timestamptz) IS
	'Which update says what the status of an item is at a time, by what was received before another: the newest assertion whose effect has begun by then, but for post-dated ones that a newer assertion has replaced, which never count. No row where none has';

-- The newest assertion is in rxtrack.item: only while that has not begun must the updates be searched.
CREATE VIEW rxtrack.item_status AS
SELECT i.prescription_id, i.line_item_id, c.nhs_number, c.ods_code, c.status,
	   c.completed AS terminal, c.since, a.name AS application
FROM rxtrack.item i
CROSS JOIN LATERAL (
	SELECT i.nhs_number, i.ods_code, i.status, i.completed, i.takes_effect_at AS since, i.application_id
	WHERE i.takes_effect_at <= pg_catalog.statement_timestamp()
	UNION ALL
	SELECT o.nhs_number, o.ods_code, o.status, o.completed, o.since, o.application_id
	FROM rxtrack_internal.assertion_at(i.prescription_id, i.line_item_id, pg_catalog.statement_timestamp()) o
	WHERE i.takes_effect_at > pg_catalog.statement_timestamp()
) AS c
LEFT JOIN rxtrack_internal.application a ON a.application_id = c.application_id;
COMMENT ON VIEW rxtrack.item_status IS
	'What the status of each item is now, by the clock of the statement that asks. An item whose only updates are still to take effect has no row';
COMMENT ON COLUMN rxtrack.item_status.terminal IS 'Whether nothing is left to do: Task.status was completed';
COMMENT ON COLUMN rxtrack.item_status.since IS 'When the update that says so took effect (Task.lastModified)';
COMMENT ON COLUMN rxtrack.item_status.application IS 'The application that said so';

CREATE FUNCTION rxtrack.status_history(prescription_id text)
RETURNS TABLE (line_item_id uuid, task_id uuid, status rxtrack.business_status, terminal boolean,
			   last_modified timestamptz, post_dated_set_at timestamptz, kind rxtrack.transition_kind,
			   nhs_number rxtrack.nhs_number, ods_code rxtrack.ods_code, repeat_number integer,
			   application text, request_id uuid, received_at timestamptz)
LANGUAGE sql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT u.line_item_id, u.task_id, u.status, u.completed, u.last_modified, u.post_dated_set_at, u.kind,
		   u.nhs_number, u.ods_code, u.repeat_number, a.name, u.request_id, u.received_at
	FROM rxtrack.status_update u
	LEFT JOIN rxtrack_internal.application a USING (application_id)
	WHERE u.prescription_id = status_history.prescription_id
	ORDER BY u.line_item_id, coalesce(u.post_dated_set_at, u.last_modified), u.receipt
$$;
COMMENT ON FUNCTION rxtrack.status_history(text) IS
	'Every update of a prescription''s items, item by item, in the order in which they were asserted. Errors: 22P02 where that is no prescription id';

CREATE FUNCTION rxtrack.status_at(
	prescription_id text, line_item_id text, at timestamptz DEFAULT now(), issue_number integer DEFAULT 0, ods_code text DEFAULT NULL)
RETURNS rxtrack.business_status
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT a.status FROM rxtrack_internal.assertion_at(
		prescription_id, rxtrack_internal.read_uuid('line_item_id', line_item_id), at) a
$$;
COMMENT ON FUNCTION rxtrack.status_at(text, text, timestamptz, integer, text) IS
	'What the status of an item is, was or will be at a time, by all that is known now: that of the newest assertion whose effect has begun by then, but for post-dated ones that a newer assertion has replaced. NULL where none has. An item has one status for all its issues and pharmacies today: issue_number and ods_code choose nothing yet. Errors: 22P02 where one is no prescription id or no UUID';
