-- Readiness events: an item became ready, and who listens is told.
--
-- An event is recorded in the transaction of its update.  It is released when it
-- is due: numbered, decided upon (is the patient to be alerted?) and notified.
-- Releases happen one after the other, under one lock that is held to the commit,
-- so that their numbers are in the order of their commits: whoever has read all
-- up to a number can never have missed a lower one.

CREATE TYPE rxtrack.event_state AS ENUM ('pending', 'released', 'cancelled');
COMMENT ON TYPE rxtrack.event_state IS
	'Where a readiness event stands: not due yet, or due and about to be released; released to listeners; or overtaken before it was due';

CREATE TYPE rxtrack.alert_reason AS ENUM
	('pharmacy blocked', 'pharmacy not enabled', 'application not enabled', 'cooldown');
COMMENT ON TYPE rxtrack.alert_reason IS 'Why a patient is not to be alerted; the first that applies, in this order';

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
	state rxtrack.event_state NOT NULL DEFAULT 'pending',
	release_number bigint,
	released_at timestamptz,
	alert_reason rxtrack.alert_reason,
	alert boolean
);
COMMENT ON TABLE rxtrack.readiness_event IS
	'One row for each time an item became ready, stored in the transaction that stored the update';
COMMENT ON COLUMN rxtrack.readiness_event.post_dated IS 'Whether its update is post-dated, so that a newer assertion cancels it before it is due';
COMMENT ON COLUMN rxtrack.readiness_event.task_id IS 'The task of its update';
COMMENT ON COLUMN rxtrack.readiness_event.occurred_at IS 'When the item became ready, as the update says (Task.lastModified)';
COMMENT ON COLUMN rxtrack.readiness_event.due_at IS 'When listeners are to be told: at once, or when a post-dated update takes effect';
COMMENT ON COLUMN rxtrack.readiness_event.release_number IS 'Its id, which is what a notification''s payload holds, and all that it holds: its place in the order of release, which is the order of commits; without gaps. NULL unless released';
COMMENT ON COLUMN rxtrack.readiness_event.released_at IS 'When listeners were told, or when it was cancelled; NULL while pending';
COMMENT ON COLUMN rxtrack.readiness_event.alert IS 'Whether a patient should be pushed a message for it; decided at release';
COMMENT ON COLUMN rxtrack.readiness_event.alert_reason IS 'Why not, where not';

CREATE INDEX readiness_event_pending ON rxtrack.readiness_event (due_at) WHERE state = 'pending';
CREATE UNIQUE INDEX readiness_event_released ON rxtrack.readiness_event (release_number) WHERE release_number IS NOT NULL;
CREATE INDEX readiness_event_cancelled ON rxtrack.readiness_event (released_at) WHERE state = 'cancelled';
CREATE INDEX readiness_event_alert ON rxtrack.readiness_event (nhs_number, ods_code, released_at) WHERE alert;
-- An event gets its id when it is released, so that no index but that of pending ones is
-- written while a supplier waits. Logical replication needs to be told what to do without a key.
ALTER TABLE rxtrack.readiness_event REPLICA IDENTITY FULL;

-- Where a dispatcher serves the database, events that are due at once wait here. It is empty but for the last few
-- milliseconds and has no index, for which suppliers would pay; it is vacuumed often, as all of it is read for each release.
CREATE TABLE rxtrack.readiness_queue () INHERITS (rxtrack.readiness_event)
	WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE rxtrack.readiness_queue REPLICA IDENTITY FULL;
COMMENT ON TABLE rxtrack.readiness_queue IS
	'Pending readiness events that the dispatcher is about to release; part of what is read from rxtrack.readiness_event';

-- A number is given once, even where the event that has the highest is removed.
-- Rows are added, and lower ones removed, so that a restore can add its own.
CREATE TABLE rxtrack.last_removed_release (
	release_number bigint NOT NULL
);
ALTER TABLE rxtrack.last_removed_release REPLICA IDENTITY FULL;
COMMENT ON TABLE rxtrack.last_removed_release IS 'The highest release number among events that were removed; no row: none were';

CREATE FUNCTION rxtrack.last_release()
RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN greatest((SELECT max(e.release_number) FROM ONLY rxtrack.readiness_event e),
					(SELECT max(r.release_number) FROM rxtrack.last_removed_release r), 0);
END
$$;
COMMENT ON FUNCTION rxtrack.last_release() IS 'The number of the last release; 0: there was none';

CREATE FUNCTION rxtrack.note_removed_releases()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	highest bigint;
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		highest := (SELECT max(e.release_number) FROM ONLY rxtrack.readiness_event e);
	ELSE
		highest := (SELECT max(g.release_number) FROM gone g);
	END IF;
	IF highest > coalesce((SELECT max(r.release_number) FROM rxtrack.last_removed_release r), 0) THEN
		INSERT INTO rxtrack.last_removed_release VALUES (highest);
		DELETE FROM rxtrack.last_removed_release r WHERE r.release_number < highest;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION rxtrack.note_removed_releases() IS
	'Trigger of rxtrack.readiness_event: sees to it that no release number is given twice';

CREATE TRIGGER note_removed AFTER DELETE ON rxtrack.readiness_event
	REFERENCING OLD TABLE AS gone
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack.note_removed_releases();
CREATE TRIGGER note_truncated BEFORE TRUNCATE ON rxtrack.readiness_event
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack.note_removed_releases();

-- ---------- Settings ----------

CREATE TABLE rxtrack.ready_status (
	status rxtrack.business_status PRIMARY KEY,
	ready boolean NOT NULL,
	shipped boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE rxtrack.ready_status IS
	'Which business statuses make an item ready, so that becoming one raises an event. Change ready; every session sees it at once';
COMMENT ON COLUMN rxtrack.ready_status.shipped IS 'Whether the row is as the extension shipped it';
INSERT INTO rxtrack.ready_status (status, ready, shipped)
SELECT s::rxtrack.business_status, s LIKE 'Ready to Collect%', true
FROM pg_catalog.unnest(ARRAY[
	'With Pharmacy', 'With Pharmacy - Preparing Remainder', 'Ready to Collect', 'Ready to Collect - Partial',
	'Ready to Dispatch', 'Ready to Dispatch - Partial', 'Collected', 'Dispatched', 'Not Dispensed']) AS s;

CREATE TABLE rxtrack.alert_pharmacy (
	ods_code rxtrack.ods_code PRIMARY KEY
);
COMMENT ON TABLE rxtrack.alert_pharmacy IS
	'Pharmacies enabled for alerts. Events of all others are released with alert false (pharmacy not enabled)';

CREATE TABLE rxtrack.blocked_pharmacy (
	ods_code rxtrack.ods_code PRIMARY KEY
);
COMMENT ON TABLE rxtrack.blocked_pharmacy IS
	'Pharmacies blocked from alerts, enabled or not. Their events are released with alert false (pharmacy blocked)';

CREATE TABLE rxtrack.alert_application (
	application_id integer PRIMARY KEY
);
COMMENT ON TABLE rxtrack.alert_application IS
	'Applications whose updates may lead to alerts. Events of all others are released with alert false (application not enabled)';

SELECT pg_catalog.pg_extension_config_dump('rxtrack.readiness_event', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.readiness_queue', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.last_removed_release', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.ready_status', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.alert_pharmacy', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.blocked_pharmacy', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.alert_application', '');

-- What comes out of a dump takes the place of the row that the new database's
-- extension shipped; what is changed is no longer as shipped.
CREATE FUNCTION rxtrack.keep_ready_status()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		DELETE FROM rxtrack.ready_status s WHERE s.status = NEW.status AND s.shipped;
	END IF;
	NEW.shipped := false;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION rxtrack.keep_ready_status() IS
	'Trigger of rxtrack.ready_status: sees to it that a change survives pg_dump and pg_restore';

CREATE TRIGGER keep_ready_status BEFORE INSERT OR UPDATE ON rxtrack.ready_status
	FOR EACH ROW EXECUTE FUNCTION rxtrack.keep_ready_status();

CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack.ready_status
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack.alert_pharmacy
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack.blocked_pharmacy
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack.alert_application
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();

-- ---------- Releasing ----------

CREATE FUNCTION rxtrack.dispatch(most integer DEFAULT 1000)
RETURNS integer
LANGUAGE C VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack.dispatch(integer) IS
	'Releases readiness events that are due, at most so many: numbers them, decides whether to alert the patient, and notifies the channels rxtrack_ready and rxtrack_ready_<ods code in lower case> with each event''s id, its release number. Returns how many were released or cancelled. For who runs without the dispatcher (pg_cron, a scheduler of one''s own); a call beside it is harmless. Other releases wait until the transaction ends. Errors: 22023 where most is less than 1';

CREATE FUNCTION rxtrack.duration(setting text)
RETURNS interval
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'setting_duration';
COMMENT ON FUNCTION rxtrack.duration(text) IS
	'The value of the setting rxtrack.alert_cooldown, rxtrack.event_retention or rxtrack.subscription_expiry, also in a session that has not loaded the library yet. Errors: 42704 for any other name';
