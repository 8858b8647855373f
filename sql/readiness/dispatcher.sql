-- The dispatcher: whether it is at work, what it has left, and how to have it leave its database for a while.

CREATE FUNCTION rxtrack_internal.dispatcher_state(OUT state text, OUT inside boolean, OUT pid integer, OUT last_seen_at timestamptz,
												  OUT paused_until timestamptz, OUT problem text, OUT notifies boolean)
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.dispatcher_state() IS
	'Of the dispatcher what rxtrack.dispatcher shows, from shared memory; inside: it is connected to its database, whichever that is, or just connecting';

CREATE VIEW rxtrack.dispatcher AS
SELECT d.state, d.pid, d.last_seen_at, d.paused_until, d.problem, d.notifies,
	   (SELECT pg_catalog.count(*) FROM rxtrack.pending_events e
		WHERE e.due_at < pg_catalog.statement_timestamp() - interval '10 s') AS overdue,
	   (SELECT pg_catalog.min(e.due_at) FROM rxtrack.pending_events e
		WHERE e.due_at < pg_catalog.statement_timestamp() - interval '10 s') AS overdue_since,
	   (SELECT pg_catalog.count(*) FROM rxtrack.pending_events e
		WHERE e.due_at < pg_catalog.statement_timestamp() AND e.failures > 0) AS set_aside
FROM rxtrack_internal.dispatcher_state() d;
COMMENT ON VIEW rxtrack.dispatcher IS 'One row: the dispatcher of this database, and the readiness events that listeners should have and have not';
COMMENT ON COLUMN rxtrack.dispatcher.state IS
	'present: at work. Otherwise transactions release their own events: none (rxtrack.database names another database, or none), absent (it is not connected), paused, silent (it has given no sign of life for 10 seconds), failing (see problem)';
COMMENT ON COLUMN rxtrack.dispatcher.pid IS 'Its process; NULL: it is not connected to this database';
COMMENT ON COLUMN rxtrack.dispatcher.last_seen_at IS 'Its last sign of life: every 5 seconds, or more often';
COMMENT ON COLUMN rxtrack.dispatcher.paused_until IS 'When a pause ends; NULL: it is not paused';
COMMENT ON COLUMN rxtrack.dispatcher.problem IS 'The SQLSTATE of the error that keeps it from its work, which it tries again after up to a minute; the server''s log has its text. NULL: none';
COMMENT ON COLUMN rxtrack.dispatcher.notifies IS
	'Whether listeners are notified: false while pg_notification_queue_usage() is at or above rxtrack.notification_queue_limit, because a session that listens stays in a transaction';
COMMENT ON COLUMN rxtrack.dispatcher.overdue IS 'How many events have been due for more than 10 seconds: rxtrack.pending_events has them';
COMMENT ON COLUMN rxtrack.dispatcher.overdue_since IS 'When the first of these was due; NULL: there are none';
COMMENT ON COLUMN rxtrack.dispatcher.set_aside IS 'How many events are set aside, because their release has failed';

CREATE FUNCTION rxtrack_internal.dispatcher_report()
RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT nullif(concat_ws('; ',
		CASE WHEN d.overdue > 0 THEN format('%s readiness events are overdue, since %s: see rxtrack.pending_events', d.overdue, d.overdue_since) END,
		CASE WHEN NOT d.notifies THEN 'readiness events are released without NOTIFY, because the server''s notification queue is nearly full:'
			' a session that listens stays in a transaction' END), '')
	FROM rxtrack.dispatcher d
$$;
COMMENT ON FUNCTION rxtrack_internal.dispatcher_report() IS
	'For the dispatcher: what keeps events from listeners, as a line for the log; NULL: nothing';

-- By the row's place where it is in the inbox, which has no index; NULL: it is a promise.
CREATE FUNCTION rxtrack_internal.set_aside(place tid, prescription_id rxtrack.prescription_id, task_id uuid, sqlstate text, message text)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	reason text := format('%s: %s', set_aside.sqlstate, left(set_aside.message, 300));
BEGIN
	IF place IS NOT NULL THEN
		UPDATE rxtrack_internal.readiness_inbox i
		SET failures = coalesce(i.failures, 0) + 1, error = reason,
			retry_at = clock_timestamp() + interval '1 s' * 2 ^ least(coalesce(i.failures, 0), 8)
		WHERE i.ctid = place AND i.task_id = set_aside.task_id;
	ELSE
		UPDATE rxtrack.readiness_promise p
		SET failures = coalesce(p.failures, 0) + 1, error = reason,
			retry_at = clock_timestamp() + interval '1 s' * 2 ^ least(coalesce(p.failures, 0), 8)
		WHERE p.prescription_id = set_aside.prescription_id AND p.task_id = set_aside.task_id;
	END IF;
EXCEPTION WHEN OTHERS THEN
	-- it is in the way of the same trigger or lock, and is tried again with the next release
	NULL;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.set_aside(tid, rxtrack.prescription_id, uuid, text, text) IS
	'For a release: notes in the row of an event that it has failed, why, and that it is not to be tried again for 1, 2, 4, ... 256 seconds';

-- ---------- Pausing ----------

CREATE FUNCTION rxtrack_internal.set_pause(until timestamptz)
RETURNS boolean
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.set_pause(timestamptz) IS
	'Tells the server''s dispatcher until when not to be in its database; false where the library is not preloaded, and there is no dispatcher';

CREATE FUNCTION rxtrack.pause_dispatcher(for_at_most interval DEFAULT '10 min')
RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	ends_at timestamptz := clock_timestamp() + for_at_most;
	patience timestamptz := clock_timestamp() + interval '30 s';
BEGIN
	PERFORM rxtrack_internal.refuse_null('for_at_most', for_at_most);
	IF for_at_most <= interval '0' OR for_at_most > interval '1 day' THEN
		RAISE EXCEPTION 'for_at_most must be more than 0, and at most a day' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF NOT rxtrack_internal.set_pause(ends_at) THEN
		RAISE NOTICE 'this server has no dispatcher';
		RETURN NULL;
	END IF;
	WHILE (SELECT d.inside FROM rxtrack_internal.dispatcher_state() d) LOOP
		IF clock_timestamp() > patience THEN
			PERFORM rxtrack_internal.set_pause('-infinity');
			RAISE EXCEPTION 'the dispatcher does not leave its database'
				USING ERRCODE = 'object_in_use', HINT = 'Look at its process in pg_stat_activity, or end it with pg_terminate_backend.';
		END IF;
		PERFORM pg_sleep(0.01);
	END LOOP;
	INSERT INTO rxtrack.audit (action, detail) VALUES ('pause_dispatcher', jsonb_build_object('until', ends_at));
	-- what was committed as it left
	PERFORM rxtrack.release_events();
	RETURN ends_at;
END
$$;
COMMENT ON FUNCTION rxtrack.pause_dispatcher(interval) IS
	'Has the server''s dispatcher leave its database, so that it can be dropped, renamed, or be a template; returns, once it has left, when it will be back: after for_at_most (up to a day), unless rxtrack.resume_dispatcher is called, or the server is restarted, before. Meanwhile transactions release their own events. To be called from any database with the extension. Audited. Errors: 22004 for a NULL, 22023 for a duration out of range, 55006 where it has not left after 30 seconds';

CREATE FUNCTION rxtrack.resume_dispatcher()
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.set_pause('-infinity');
	INSERT INTO rxtrack.audit (action) VALUES ('resume_dispatcher');
END
$$;
COMMENT ON FUNCTION rxtrack.resume_dispatcher() IS
	'Ends what rxtrack.pause_dispatcher began: the dispatcher connects to its database again. To be called from any database with the extension. Audited';
