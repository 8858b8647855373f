-- Readiness events: an item became ready, and listeners are told.
--
-- An event is recorded in the transaction of its update: in the inbox where it is due at once, as a promise where its
-- update is a prediction that has yet to begin. When it is due it is released: it gets the next number, it is decided
-- whether the patient is to be alerted, it moves to rxtrack.readiness_event, and listeners are notified. Releases
-- happen one after the other, under a lock that is held to the commit, so that numbers are in the order of commits:
-- who has read all events up to a number has missed none below it.

CREATE TYPE rxtrack.alert_reason AS ENUM
	('pharmacy blocked', 'not enabled', 'patient in conflict', 'cancelled or expired', 'not the holding pharmacy',
	 'prediction', 'reported late', 'cooldown');
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
	application_id integer NOT NULL,
	issue_number integer NOT NULL DEFAULT 0,
	receipt integer NOT NULL DEFAULT 1,
	is_withdrawal boolean NOT NULL,
	in_conflict boolean NOT NULL,
	failures integer,
	retry_at timestamptz,
	error text
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE rxtrack_internal.readiness_inbox REPLICA IDENTITY FULL;	-- it has no key, and rows of it are deleted
COMMENT ON TABLE rxtrack_internal.readiness_inbox IS
	'Readiness events that are due and not yet released; rxtrack.pending_events shows them';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.post_dated IS 'Whether its update is post-dated: a prediction';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.task_id IS 'The task of its update';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.nhs_number IS 'The prescription''s patient';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.occurred_at IS 'When the item became ready: when the update took effect';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.issue_number IS 'Issue of a repeat dispensing prescription; 0: none';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.is_withdrawal IS 'Whether it takes back that the item was ready';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.in_conflict IS 'Whether updates disagree about the patient';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.failures IS 'How often its release has failed; NULL: never';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.retry_at IS 'Until then it is set aside; NULL: it is not';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.error IS 'Why its release failed last: SQLSTATE and message';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.receipt IS 'The place of its update among those received of the supply: its events are released in this order';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.due_at IS
	'When listeners are to be told: at once, or when a post-dated update takes effect';
COMMENT ON COLUMN rxtrack_internal.readiness_inbox.application_id IS 'The application whose update it is';

CREATE TABLE rxtrack.readiness_promise (
	LIKE rxtrack_internal.readiness_inbox INCLUDING COMMENTS INCLUDING DEFAULTS,
	cancelled_at timestamptz,
	PRIMARY KEY (prescription_id, task_id)
);
COMMENT ON TABLE rxtrack.readiness_promise IS
	'Readiness events of post-dated updates that have yet to take effect. Released when they are due; those that a newer assertion has replaced by then are cancelled, and kept for rxtrack.event_retention';
COMMENT ON COLUMN rxtrack.readiness_promise.cancelled_at IS 'When it was found to be replaced, so that it is not released; NULL: it is pending';
CREATE UNIQUE INDEX readiness_promise_supply ON rxtrack.readiness_promise (prescription_id, line_item_id, issue_number, ods_code)
	WHERE cancelled_at IS NULL;
CREATE INDEX readiness_promise_pending ON rxtrack.readiness_promise (due_at) WHERE cancelled_at IS NULL;
CREATE INDEX readiness_promise_cancelled ON rxtrack.readiness_promise (cancelled_at) WHERE cancelled_at IS NOT NULL;

CREATE TABLE rxtrack.readiness_event (
	prescription_id rxtrack.prescription_id NOT NULL,
	status rxtrack.business_status NOT NULL,
	post_dated boolean NOT NULL,
	nhs_number rxtrack.nhs_number NOT NULL,
	task_id uuid NOT NULL,
	line_item_id uuid NOT NULL,
	ods_code rxtrack.ods_code NOT NULL,
	occurred_at timestamptz NOT NULL,
	due_at timestamptz NOT NULL,
	application_id integer NOT NULL,
	issue_number integer NOT NULL DEFAULT 0,
	receipt integer NOT NULL DEFAULT 1,
	alert_reason rxtrack.alert_reason,
	alert boolean NOT NULL,
	withdraws_alert boolean,
	release_number bigint PRIMARY KEY,
	released_at timestamptz NOT NULL,
	withdraws bigint
);
COMMENT ON TABLE rxtrack.readiness_event IS 'Readiness events that were released: one row for each time an item became ready, and for each time that was taken back';
COMMENT ON COLUMN rxtrack.readiness_event.post_dated IS 'Whether its update is post-dated: a prediction that has begun';
COMMENT ON COLUMN rxtrack.readiness_event.nhs_number IS 'The prescription''s patient; of an event that withdraws another the patient of that one';
COMMENT ON COLUMN rxtrack.readiness_event.task_id IS 'The task of its update';
COMMENT ON COLUMN rxtrack.readiness_event.occurred_at IS 'When the update took effect';
COMMENT ON COLUMN rxtrack.readiness_event.due_at IS 'When listeners were to be told: at the receipt of the update, or when a post-dated one took effect';
COMMENT ON COLUMN rxtrack.readiness_event.application_id IS 'The application whose update it is';
COMMENT ON COLUMN rxtrack.readiness_event.issue_number IS 'Issue of a repeat dispensing prescription; 0: none';
COMMENT ON COLUMN rxtrack.readiness_event.receipt IS 'The place of its update among those received of the supply';
COMMENT ON COLUMN rxtrack.readiness_event.withdraws_alert IS 'Whether the event that it withdraws is one for which the patient should have been alerted; NULL where it withdraws none';
COMMENT ON COLUMN rxtrack.readiness_event.withdraws IS 'The number of the event that it takes back: the item was said to be ready, and is not. NULL: it says that the item is ready';
COMMENT ON COLUMN rxtrack.readiness_event.release_number IS
	'Its id, which is all that a notification''s payload holds: its place in the order of release, which is the order of commits. Without gaps, but where another history of the database begins: see rxtrack.begin_new_history';
COMMENT ON COLUMN rxtrack.readiness_event.released_at IS 'When listeners were told';
COMMENT ON COLUMN rxtrack.readiness_event.alert IS 'Whether the patient should be pushed a message for it';
COMMENT ON COLUMN rxtrack.readiness_event.alert_reason IS 'Why not; NULL where alert is true, and where the event withdraws another';
CREATE INDEX readiness_event_supply ON rxtrack.readiness_event (prescription_id, line_item_id, issue_number, ods_code);
CREATE INDEX readiness_event_alert ON rxtrack.readiness_event (nhs_number, ods_code, released_at) WHERE alert;

-- A supplier that often says too early that an item is ready sends patients on the way for nothing.
CREATE VIEW rxtrack.taken_back AS
SELECT a.name AS application, pg_catalog.count(*) AS ready,
	   pg_catalog.round(pg_catalog.avg((w.due_at <= e.due_at + interval '1 min' IS TRUE)::integer), 4) AS within_1_min,
	   pg_catalog.round(pg_catalog.avg((w.due_at <= e.due_at + interval '5 min' IS TRUE)::integer), 4) AS within_5_min,
	   pg_catalog.round(pg_catalog.avg((w.due_at <= e.due_at + interval '60 min' IS TRUE)::integer), 4) AS within_60_min
FROM rxtrack.readiness_event e
LEFT JOIN rxtrack.readiness_event w ON w.withdraws = e.release_number
LEFT JOIN rxtrack_internal.application a ON a.application_id = e.application_id
WHERE e.withdraws IS NULL
GROUP BY a.name;
COMMENT ON VIEW rxtrack.taken_back IS
	'Which share of the ready statuses of each application was taken back soon: as 0 to 1, of the events that are kept';
COMMENT ON COLUMN rxtrack.taken_back.application IS 'The application that said so';
COMMENT ON COLUMN rxtrack.taken_back.ready IS 'How many events said that an item is ready';
COMMENT ON COLUMN rxtrack.taken_back.within_1_min IS 'Which share of them was taken back within a minute of being received';
COMMENT ON COLUMN rxtrack.taken_back.within_5_min IS 'Within five minutes';
COMMENT ON COLUMN rxtrack.taken_back.within_60_min IS 'Within an hour';

CREATE VIEW rxtrack.pending_events AS
SELECT i.prescription_id, i.line_item_id, i.issue_number, i.task_id, i.status, i.ods_code, i.due_at, i.post_dated,
	   i.failures, i.retry_at, i.error
FROM rxtrack_internal.readiness_inbox i
UNION ALL
SELECT p.prescription_id, p.line_item_id, p.issue_number, p.task_id, p.status, p.ods_code, p.due_at, p.post_dated,
	   p.failures, p.retry_at, p.error
FROM rxtrack.readiness_promise p WHERE p.cancelled_at IS NULL;
COMMENT ON VIEW rxtrack.pending_events IS
	'Readiness events that are recorded and not yet released. One that has been due for more than 10 seconds is overdue: see what rxtrack.dispatcher says, and whether somebody has its row locked';
COMMENT ON COLUMN rxtrack.pending_events.task_id IS 'The task of its update';
COMMENT ON COLUMN rxtrack.pending_events.issue_number IS 'Issue of a repeat dispensing prescription; 0: none';
COMMENT ON COLUMN rxtrack.pending_events.due_at IS 'When it is to be released';
COMMENT ON COLUMN rxtrack.pending_events.post_dated IS 'Whether its update is post-dated: a prediction';
COMMENT ON COLUMN rxtrack.pending_events.failures IS 'How often its release has failed; NULL: never';
COMMENT ON COLUMN rxtrack.pending_events.retry_at IS 'It is set aside, and tried again then, or by rxtrack.release_events()';
COMMENT ON COLUMN rxtrack.pending_events.error IS 'Why its release failed last: SQLSTATE and message, as of a trigger of your own';

-- A number is given once, even where the event that has the highest is removed. Rows are added, and lower ones removed,
-- so that a restore can add its own. pg_restore fills the tables of a schema in the order of their names, and
-- rxtrack_internal after rxtrack: a dispatcher that is at work meanwhile finds no event to number (in the inbox, or
-- a promise whose update is there) before this table and that of the events, which tell it the last number.
CREATE TABLE rxtrack.last_removed_release (
	release_number bigint PRIMARY KEY
);
COMMENT ON TABLE rxtrack.last_removed_release IS 'The highest release number among events that were removed; no row: none were';
COMMENT ON COLUMN rxtrack.last_removed_release.release_number IS 'That number';

-- A database may be restored to an earlier time, promoted, or loaded from a dump: another history begins, in which the
-- same numbers must not come again with another meaning.
CREATE TABLE rxtrack_internal.release_history (
	system_identifier bigint NOT NULL,
	timeline integer NOT NULL,
	database_oid oid NOT NULL,
	extension_oid oid NOT NULL,
	begins_after bigint PRIMARY KEY
);
COMMENT ON TABLE rxtrack_internal.release_history IS
	'The histories in which events were released, each with the last number before it. The newest is that of the last release';
COMMENT ON COLUMN rxtrack_internal.release_history.system_identifier IS 'Of the cluster, as pg_control_system() has it';
COMMENT ON COLUMN rxtrack_internal.release_history.timeline IS 'The timeline that was written';
COMMENT ON COLUMN rxtrack_internal.release_history.database_oid IS 'Of the database; 0: rxtrack.begin_new_history was called';
COMMENT ON COLUMN rxtrack_internal.release_history.extension_oid IS 'Of the extension: it is made anew where a dump is restored';
COMMENT ON COLUMN rxtrack_internal.release_history.begins_after IS 'Its first event has the next number';

CREATE FUNCTION rxtrack.begin_new_history()
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	UPDATE rxtrack_internal.release_history h SET database_oid = 0
	WHERE h.begins_after = (SELECT max(n.begins_after) FROM rxtrack_internal.release_history n);
	IF NOT FOUND THEN
		INSERT INTO rxtrack_internal.release_history (system_identifier, timeline, database_oid, extension_oid, begins_after)
		VALUES (0, 0, 0, 0, 0);
	END IF;
	INSERT INTO rxtrack.audit (action) VALUES ('begin_new_history');
END
$$;
COMMENT ON FUNCTION rxtrack.begin_new_history() IS
	'Says that this database is a copy that goes its own way, where PostgreSQL itself cannot tell (a base backup started alone, a disk snapshot): the next readiness event gets a number that no other history can have reached. Not needed after a restore to a point in time, a promotion, or a dump and restore. Audited';

CREATE FUNCTION rxtrack_internal.last_release()
RETURNS bigint
LANGUAGE plpgsql STABLE
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
SELECT pg_catalog.pg_extension_config_dump('rxtrack_internal.release_history', '');

-- ---------- Releasing ----------

CREATE FUNCTION rxtrack.release_events(max_rows integer DEFAULT 1000)
RETURNS integer
LANGUAGE C VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack.release_events(integer) IS
	'Releases readiness events that are due, at most max_rows, and returns how many were released or cancelled: numbers them, decides whether to alert the patient, and notifies the channels rxtrack_ready and rxtrack_ready_<ods code in lower case> with each event''s release number. Other releases wait until the transaction ends. For a scheduler where there is no dispatcher; beside one it is harmless. Events that are set aside are tried again, and deferred triggers fire before it returns. Errors: 22023 where max_rows is less than 1, 55P03 where another release takes longer than lock_timeout';

CREATE FUNCTION rxtrack_internal.release_at_commit()
RETURNS void
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.release_at_commit() IS
	'For who has put an event into rxtrack_internal.readiness_inbox by SQL, which takes back another: it is released as those of submissions are, by the dispatcher or, where there is none, at the commit';

CREATE FUNCTION rxtrack_internal.setting(name text)
RETURNS text
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.setting(text) IS
	'The value of a setting, also in a session that has not loaded the library yet. Errors: 42704 where there is no such setting';

-- In seconds: a day is 24 hours, also where the clocks change.
CREATE FUNCTION rxtrack_internal.setting_duration(setting text)
RETURNS interval
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	IF setting NOT IN ('rxtrack.alert_cooldown', 'rxtrack.event_retention', 'rxtrack.subscription_expiry') THEN
		RAISE EXCEPTION '"%" is no duration among rxtrack''s settings', setting USING ERRCODE = 'undefined_object';
	END IF;
	RETURN make_interval(secs => extract(epoch FROM rxtrack_internal.setting(setting)::interval)::double precision);
END
$$;
COMMENT ON FUNCTION rxtrack_internal.setting_duration(text) IS
	'The value of the setting rxtrack.alert_cooldown, rxtrack.event_retention or rxtrack.subscription_expiry, also in a session that has not loaded the library yet. Errors: 42704 for any other name';
