-- Durable subscriptions to released events, and how long events are kept.

CREATE TABLE rxtrack.subscription (
	name text PRIMARY KEY CHECK (name ~ '^[[:print:]]{1,128}$'),
	ods_codes rxtrack.ods_code[],
	alerts_only boolean NOT NULL,
	acknowledged bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	created_by text NOT NULL,
	last_seen_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE rxtrack.subscription IS 'Durable subscriptions to readiness events';
COMMENT ON COLUMN rxtrack.subscription.name IS 'Its name: 1 to 128 printable characters';
COMMENT ON COLUMN rxtrack.subscription.ods_codes IS 'Pharmacies whose events it gets; NULL: all';
COMMENT ON COLUMN rxtrack.subscription.alerts_only IS 'Whether it gets only events for which the patient should be alerted, and those that take such a one back';
COMMENT ON COLUMN rxtrack.subscription.acknowledged IS 'The release number up to which its consumers have acknowledged';
COMMENT ON COLUMN rxtrack.subscription.created_by IS 'The role that it belongs to: members of that role may use it, and rxtrack_admin';
COMMENT ON COLUMN rxtrack.subscription.last_seen_at IS 'When a consumer last fetched or acknowledged, to the minute. One that was not seen for rxtrack.subscription_expiry is dead: events are no longer kept for it';
SELECT pg_catalog.pg_extension_config_dump('rxtrack.subscription', '');

CREATE FUNCTION rxtrack.add_subscription(subscription text, ods_codes text[] DEFAULT NULL, alerts_only boolean DEFAULT false)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	position_ bigint;
BEGIN
	PERFORM rxtrack_internal.refuse_null('subscription', add_subscription.subscription);
	PERFORM rxtrack_internal.refuse_null('alerts_only', add_subscription.alerts_only);
	PERFORM rxtrack_internal.require_entitlement();
	-- what is released meanwhile, and not seen here, has a higher number, and so is for it
	INSERT INTO rxtrack.subscription AS s (name, ods_codes, alerts_only, acknowledged, created_by)
	VALUES (add_subscription.subscription, rxtrack_internal.read_ods_codes(add_subscription.ods_codes),
			add_subscription.alerts_only, rxtrack_internal.last_release(), rxtrack_internal.calling_role())
	ON CONFLICT ON CONSTRAINT subscription_pkey DO UPDATE
		SET ods_codes = excluded.ods_codes, alerts_only = excluded.alerts_only, last_seen_at = now()
		WHERE rxtrack_internal.acts_for(s.created_by)
	RETURNING s.acknowledged INTO position_;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'subscription "%" belongs to another role', add_subscription.subscription
			USING ERRCODE = 'insufficient_privilege', HINT = 'Choose another name.';
	END IF;
	RETURN position_;
END
$$;
COMMENT ON FUNCTION rxtrack.add_subscription(text, text[], boolean) IS
	'Makes a durable subscription to events released from now on, for some pharmacies (NULL: all), and perhaps only those that should alert a patient, or take such a one back. One of that name keeps its position, and has its filters replaced. It belongs to the role that makes it, and gets events that the role is entitled to when it fetches them. Returns the release number after which it begins. Errors: 42501 where the role is entitled to none, or the subscription is another role''s; 22004 for a NULL; 22P02 for a code that is malformed';

CREATE FUNCTION rxtrack.drop_subscription(subscription text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.refuse_null('subscription', drop_subscription.subscription);
	DELETE FROM rxtrack.subscription s
	WHERE s.name = drop_subscription.subscription AND rxtrack_internal.acts_for(s.created_by);
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION rxtrack.drop_subscription(text) IS 'Ends a subscription; returns whether the caller had one of that name. Errors: 22004 for a NULL';

CREATE FUNCTION rxtrack_internal.find_subscription(subscription text)
RETURNS rxtrack.subscription
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	found_one rxtrack.subscription;
BEGIN
	SELECT * INTO found_one FROM rxtrack.subscription s
	WHERE s.name = find_subscription.subscription AND rxtrack_internal.acts_for(s.created_by) FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'subscription "%" does not exist', find_subscription.subscription
			USING ERRCODE = 'undefined_object', HINT = 'Make it with rxtrack.add_subscription(subscription).';
	END IF;
	-- a write a minute is enough to say that it lives
	IF found_one.last_seen_at < clock_timestamp() - interval '1 minute' THEN
		UPDATE rxtrack.subscription s SET last_seen_at = clock_timestamp() WHERE s.name = found_one.name;
	END IF;
	RETURN found_one;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.find_subscription(text) IS
	'Locks a subscription of the caller''s and notes that it was seen; for fetch_events and ack_events. Errors: 42704 where the caller has none of that name';

CREATE FUNCTION rxtrack.fetch_events(subscription text, max_rows integer DEFAULT 100)
RETURNS SETOF rxtrack.released_event
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	found_one rxtrack.subscription := rxtrack_internal.find_subscription(fetch_events.subscription);
	entitled rxtrack.ods_code[] := rxtrack_internal.entitled_among(found_one.ods_codes);
	-- by a look before that for events, which then sees all up to it
	last_number bigint := rxtrack_internal.last_release();
BEGIN
	PERFORM rxtrack_internal.require_rows(fetch_events.max_rows);
	RETURN QUERY
	SELECT * FROM rxtrack_internal.events_after(
		found_one.acknowledged, fetch_events.max_rows, entitled, found_one.alerts_only);
	-- where there is nothing for it, it moves on: a quiet pharmacy's subscription is to keep no events of others, nor to
	-- look through them again
	IF NOT FOUND AND last_number > found_one.acknowledged THEN
		UPDATE rxtrack.subscription s SET acknowledged = last_number WHERE s.name = found_one.name;
	END IF;
END
$$;
COMMENT ON FUNCTION rxtrack.fetch_events(text, integer) IS
	'The next events of a subscription that were not acknowledged, in the order of release, at most max_rows. They are delivered again until they are acknowledged. Several consumers may share a subscription: one that fetches inside a transaction holds it until the end of that. Only events that the calling role is entitled to. Errors: 42501 where it is entitled to none, 42704 where it has no such subscription, 22023 where max_rows is less than 1';

CREATE FUNCTION rxtrack.ack_events(subscription text, release_number bigint)
RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	found_one rxtrack.subscription := rxtrack_internal.find_subscription(ack_events.subscription);
	last_number bigint := rxtrack_internal.last_release();
BEGIN
	IF ack_events.release_number > last_number THEN
		RAISE NOTICE 'release number % has not been given here: all events are acknowledged, up to %', ack_events.release_number, last_number;
	END IF;
	UPDATE rxtrack.subscription s SET acknowledged = greatest(s.acknowledged, least(ack_events.release_number, last_number))
	WHERE s.name = found_one.name
	RETURNING s.acknowledged INTO found_one.acknowledged;
	RETURN found_one.acknowledged;
END
$$;
COMMENT ON FUNCTION rxtrack.ack_events(text, bigint) IS
	'Acknowledges the events of a subscription up to a release number, which are then not delivered to it again; never goes back. Returns the position. Errors: 42704 where the caller has no such subscription. A number beyond the last one, as after a restore to an earlier time, acknowledges all there is, with a NOTICE';

-- ---------- Retention ----------

CREATE FUNCTION rxtrack_internal.is_live(subscription rxtrack.subscription)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT subscription.last_seen_at > now() - rxtrack_internal.setting_duration('rxtrack.subscription_expiry')
$$;
COMMENT ON FUNCTION rxtrack_internal.is_live(rxtrack.subscription) IS
	'Whether a subscription was seen within rxtrack.subscription_expiry, so that events are kept for it';

-- Looks at no more than max_rows of the oldest events, so that it costs the same however many have to stay.
CREATE FUNCTION rxtrack.prune_events(max_rows integer DEFAULT 10000)
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	-- a cooldown is counted from the events
	too_old timestamptz := now() - greatest(rxtrack_internal.setting_duration('rxtrack.event_retention'),
											rxtrack_internal.setting_duration('rxtrack.alert_cooldown'));
	acknowledged bigint := (SELECT min(s.acknowledged) FROM rxtrack.subscription s WHERE rxtrack_internal.is_live(s));
	removed integer;
	cancelled integer;
BEGIN
	DELETE FROM rxtrack.readiness_event e USING (
		SELECT o.released_at, o.release_number FROM rxtrack.readiness_event o
		ORDER BY o.release_number LIMIT max_rows
	) AS oldest
	WHERE e.release_number = oldest.release_number AND oldest.released_at < too_old
	  AND (acknowledged IS NULL OR oldest.release_number <= acknowledged);
	GET DIAGNOSTICS removed = ROW_COUNT;
	DELETE FROM rxtrack.readiness_promise p USING (
		SELECT o.prescription_id, o.task_id FROM rxtrack.readiness_promise o
		WHERE o.cancelled_at < too_old
		ORDER BY o.cancelled_at LIMIT max_rows
	) AS oldest
	WHERE p.prescription_id = oldest.prescription_id AND p.task_id = oldest.task_id;
	GET DIAGNOSTICS cancelled = ROW_COUNT;
	RETURN removed + cancelled;
END
$$;
COMMENT ON FUNCTION rxtrack.prune_events(integer) IS
	'Removes released events older than rxtrack.event_retention that every live subscription has acknowledged, and cancelled promises as old, at most max_rows of each; returns how many. The dispatcher calls it once a minute';

-- A function, so that EXPLAIN does not count the others.
CREATE FUNCTION rxtrack_internal.own_subscriptions()
RETURNS TABLE (subscription text, ods_codes rxtrack.ods_code[], alerts_only boolean, acknowledged bigint,
			   last_seen_at timestamptz, live boolean)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT s.name, s.ods_codes, s.alerts_only, s.acknowledged, s.last_seen_at, rxtrack_internal.is_live(s)
	FROM rxtrack.subscription s WHERE rxtrack_internal.acts_for(s.created_by)
$$;
COMMENT ON FUNCTION rxtrack_internal.own_subscriptions() IS
	'The subscriptions of the role that the session acts as, and of roles that it is a member of; for rxtrack_admin all';

CREATE VIEW rxtrack.subscription_lag WITH (security_barrier) AS
SELECT s.subscription, s.ods_codes, s.alerts_only, s.acknowledged,
	   n.behind,
	   n.released_at AS waiting_since,
	   s.last_seen_at,
	   s.live,
	   nullif(pg_catalog.concat_ws('; ',
			CASE WHEN NOT s.live
				THEN 'not seen for rxtrack.subscription_expiry: events are no longer kept for it' END,
			CASE WHEN r.last_removed > s.acknowledged
				THEN pg_catalog.format('releases %s to %s were removed before it acknowledged them',
									   s.acknowledged + 1, r.last_removed) END), '') AS warning
FROM rxtrack_internal.own_subscriptions() s
CROSS JOIN (SELECT pg_catalog.max(l.release_number) AS last_removed FROM rxtrack.last_removed_release l) r
CROSS JOIN LATERAL (
	-- numbers may jump: it is events that are counted
	SELECT (SELECT pg_catalog.count(*) FROM rxtrack.readiness_event e WHERE e.release_number > s.acknowledged) AS behind,
		   (SELECT e.released_at FROM rxtrack.readiness_event e WHERE e.release_number > s.acknowledged
			ORDER BY e.release_number LIMIT 1) AS released_at) n;
COMMENT ON VIEW rxtrack.subscription_lag IS 'How far behind each subscription of the caller is, and whether it still lives; all of them for rxtrack_admin';
COMMENT ON COLUMN rxtrack.subscription_lag.subscription IS 'Its name';
COMMENT ON COLUMN rxtrack.subscription_lag.ods_codes IS 'Pharmacies whose events it gets; NULL: all';
COMMENT ON COLUMN rxtrack.subscription_lag.alerts_only IS 'Whether it gets only events for which the patient should be alerted';
COMMENT ON COLUMN rxtrack.subscription_lag.acknowledged IS 'The release number up to which it has acknowledged';
COMMENT ON COLUMN rxtrack.subscription_lag.last_seen_at IS 'When a consumer last fetched or acknowledged, to the minute';
COMMENT ON COLUMN rxtrack.subscription_lag.live IS 'Whether it was seen within rxtrack.subscription_expiry';
COMMENT ON COLUMN rxtrack.subscription_lag.behind IS 'How many events were released after the last one that it acknowledged, its filters not counted';
COMMENT ON COLUMN rxtrack.subscription_lag.waiting_since IS 'When the oldest of these was released';
COMMENT ON COLUMN rxtrack.subscription_lag.warning IS 'What a DBA should know about it; NULL: nothing';
