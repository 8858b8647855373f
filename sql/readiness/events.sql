-- Readiness events: an item became ready, and listeners are told.
--
-- An event is recorded in the transaction of its update: in the inbox where it is due at once, as a promise where its
-- update is a prediction that has yet to begin. When it is due it is released: it gets the next number, it is decided
-- whether the patient is to be alerted, it moves to rxtrack.readiness_event, and listeners are notified. Releases
-- happen one after the other, under a lock that is held to the commit, so that numbers are in the order of commits:
-- who has read all events up to a number has missed none below it.

CREATE TYPE rxtrack.alert_reason AS ENUM
	('pharmacy blocked', 'pharmacy not enabled', 'application not enabled', 'cooldown');
COMMENT ON TYPE rxtrack.alert_reason IS 'Why a patient is not to be alerted; the first that applies, in this order';

-- What is recorded of every event. There is no index, because each would be written while a supplier waits: events
-- stay here for milliseconds and are read all together. Vacuumed often, because dead rows are read too.
CREATE TABLE rxtrack_internal.readiness_inbox (
	-- in this order no byte is lost to alignment
	prescription_id rxtrack.prescription_id NOT NULL,
	status rxtrack.business_status NOT NULL,
	post_dated boolean NOT NULL,
	nhs_number rxtrack.nhs_number NOT NULL,
	task_id uuid NOT NULL,
	line_item_id uuid NOT NULL,
	ods_code rxtrack.ods_code NOT NULL,
	occurred_at timestamptz NOT NULL,
	due_at timestamptz NOT NULL,
	application_id integer NOT NULL
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE rxtrack_internal.readiness_inbox REPLICA IDENTITY FULL;	-- it has no key, and rows of it are deleted
COMMENT ON TABLE rxtrack_internal.readiness_inbox IS
	'Readiness events that are due and not yet released; rxtrack.pending_events shows them';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.post_dated IS 'Whether its update is post-dated: a prediction';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.task_id IS 'The task of its update';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.occurred_at IS 'When the item became ready, as the update says (Task.lastModified)';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.due_at IS
	'When listeners are to be told: at once, or when a post-dated update takes effect';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.application_id IS 'The application whose update it is';

CREATE TABLE rxtrack.readiness_promise (
	LIKE rxtrack_internal.readiness_inbox INCLUDING COMMENTS,
	cancelled_at timestamptz,
	PRIMARY KEY (prescription_id, task_id)
);
COMMENT ON TABLE rxtrack.readiness_promise IS
	'Readiness events of post-dated updates that have yet to take effect. Released when they are due; those that a newer assertion has replaced by then are cancelled, and kept for rxtrack.event_retention';
COMMENT ON COLUMN rxtrack.readiness_promise.cancelled_at IS 'When it was found to be replaced, so that it is not released; NULL: it is pending';
CREATE INDEX readiness_promise_pending ON rxtrack.readiness_promise (due_at) WHERE cancelled_at IS NULL;
CREATE INDEX readiness_promise_cancelled ON rxtrack.readiness_promise (cancelled_at) WHERE cancelled_at IS NOT NULL;

CREATE TABLE rxtrack.readiness_event (
	LIKE rxtrack_internal.readiness_inbox INCLUDING COMMENTS,
	alert_reason rxtrack.alert_reason,
	release_number bigint PRIMARY KEY,
	released_at timestamptz NOT NULL,
	alert boolean NOT NULL
);
COMMENT ON TABLE rxtrack.readiness_event IS 'Readiness events that were released, one row for each time an item became ready';
COMMENT ON COLUMN rxtrack.readiness_event.release_number IS
	'Its id, which is all that a notification''s payload holds: its place in the order of release, which is the order of commits; without gaps';
COMMENT ON COLUMN rxtrack.readiness_event.released_at IS 'When listeners were told';
COMMENT ON COLUMN rxtrack.readiness_event.alert IS 'Whether the patient should be pushed a message for it';
COMMENT ON COLUMN rxtrack.readiness_event.alert_reason IS 'Why not; NULL where alert is true';
CREATE INDEX readiness_event_alert ON rxtrack.readiness_event (nhs_number, ods_code, released_at) WHERE alert;

CREATE VIEW rxtrack.pending_events AS
SELECT i.prescription_id, i.line_item_id, i.task_id, i.status, i.ods_code, i.due_at, i.post_dated
FROM rxtrack_internal.readiness_inbox i
UNION ALL
SELECT p.prescription_id, p.line_item_id, p.task_id, p.status, p.ods_code, p.due_at, p.post_dated
FROM rxtrack.readiness_promise p WHERE p.cancelled_at IS NULL;
COMMENT ON VIEW rxtrack.pending_events IS
	'Readiness events that are recorded and not yet released. One that has been due for more than a few seconds is overdue: see whether the dispatcher is at work';
COMMENT ON COLUMN rxtrack.pending_events.task_id IS 'The task of its update';
COMMENT ON COLUMN rxtrack.pending_events.due_at IS 'When it is to be released';
COMMENT ON COLUMN rxtrack.pending_events.post_dated IS 'Whether its update is post-dated: a prediction';

-- A number is given once, even where the event that has the highest is removed. Rows are added, and lower ones removed,
-- so that a restore can add its own. pg_restore fills the tables of a schema in the order of their names, and
-- rxtrack_internal after rxtrack: a dispatcher that is at work meanwhile finds no event to number (in the inbox, or
-- a promise whose update is there) before this table and that of the events, which tell it the last number.
CREATE TABLE rxtrack.last_removed_release (
	release_number bigint PRIMARY KEY
);
COMMENT ON TABLE rxtrack.last_removed_release IS 'The highest release number among events that were removed; no row: none were';
COMMENT ON COLUMN rxtrack.last_removed_release.release_number IS 'That number';

CREATE FUNCTION rxtrack_internal.last_release()
RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN greatest((SELECT max(e.release_number) FROM rxtrack.readiness_event e),
					(SELECT max(r.release_number) FROM rxtrack.last_removed_release r), 0);
END
$$;
COMMENT ON FUNCTION rxtrack_internal.last_release() IS 'The number of the last release; 0: there was none';

CREATE FUNCTION rxtrack_internal.note_removed_releases()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	highest bigint;
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		highest := (SELECT max(e.release_number) FROM rxtrack.readiness_event e);
	ELSE
		highest := (SELECT max(r.release_number) FROM removed r);
	END IF;
	IF highest > coalesce((SELECT max(r.release_number) FROM rxtrack.last_removed_release r), 0) THEN
		INSERT INTO rxtrack.last_removed_release VALUES (highest);
		DELETE FROM rxtrack.last_removed_release r WHERE r.release_number < highest;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.note_removed_releases() IS
	'Trigger of rxtrack.readiness_event: sees to it that no release number is given twice';

CREATE TRIGGER note_removed AFTER DELETE ON rxtrack.readiness_event
	REFERENCING OLD TABLE AS removed
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.note_removed_releases();
CREATE TRIGGER note_truncated BEFORE TRUNCATE ON rxtrack.readiness_event
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.note_removed_releases();

SELECT pg_catalog.pg_extension_config_dump('rxtrack_internal.readiness_inbox', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.readiness_promise', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.readiness_event', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.last_removed_release', '');

-- ---------- Releasing ----------

CREATE FUNCTION rxtrack.release_events(max_rows integer DEFAULT 1000)
RETURNS integer
LANGUAGE C VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack.release_events(integer) IS
	'Releases readiness events that are due, at most max_rows, and returns how many were released or cancelled: numbers them, decides whether to alert the patient, and notifies the channels rxtrack_ready and rxtrack_ready_<ods code in lower case> with each event''s release number. Other releases wait until the transaction ends. For a scheduler where there is no dispatcher; beside one it is harmless. Errors: 22023 where max_rows is less than 1';

CREATE FUNCTION rxtrack_internal.is_overtaken(prescription_id rxtrack.prescription_id, task_id uuid, due_at timestamptz)
RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
-- its plan is made once, perhaps while the tables are small, and kept: it goes by the indexes
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET jit = off
AS $$
BEGIN
	-- By what had been received when it was due: has the item another status, or had it this one just before? Then it is
	-- another update's event that tells of it; but not that of an update which waited for a lock until the promise
	-- had begun, and then changed nothing.
	RETURN (
		SELECT now_due.status IS DISTINCT FROM u.status
			OR before.status IS NOT DISTINCT FROM u.status AND EXISTS (
				SELECT FROM rxtrack.status_update n
				WHERE n.prescription_id = u.prescription_id AND n.line_item_id = u.line_item_id
				  AND n.receipt > u.receipt AND n.received_at < is_overtaken.due_at
				  AND n.status = u.status AND n.changes_status)
		FROM rxtrack.status_update u
		LEFT JOIN LATERAL rxtrack_internal.assertion_at(
			u.prescription_id, u.line_item_id, is_overtaken.due_at, is_overtaken.due_at) now_due ON true
		LEFT JOIN LATERAL rxtrack_internal.assertion_at(
			u.prescription_id, u.line_item_id, is_overtaken.due_at - interval '1 us', is_overtaken.due_at) before ON true
		WHERE u.prescription_id = is_overtaken.prescription_id AND u.task_id = is_overtaken.task_id);
END
$$;
COMMENT ON FUNCTION rxtrack_internal.is_overtaken(rxtrack.prescription_id, uuid, timestamptz) IS
	'Whether a post-dated update was replaced before it was due, so that its readiness event is not released; NULL: the update is not there';

CREATE FUNCTION rxtrack_internal.setting_duration(setting text)
RETURNS interval
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.setting_duration(text) IS
	'The value of the setting rxtrack.alert_cooldown, rxtrack.event_retention or rxtrack.subscription_expiry, also in a session that has not loaded the library yet. Errors: 42704 for any other name';
