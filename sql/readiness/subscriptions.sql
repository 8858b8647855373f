-- Durable subscriptions: a listener that was away catches up from its position.

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
COMMENT ON COLUMN rxtrack.subscription.ods_codes IS 'Pharmacies whose events it gets; NULL: all';
COMMENT ON COLUMN rxtrack.subscription.alerts_only IS 'Whether it gets only events for which the patient should be alerted';
COMMENT ON COLUMN rxtrack.subscription.acknowledged IS 'The release number up to which its consumers have acknowledged';
COMMENT ON COLUMN rxtrack.subscription.created_by IS 'The role that it belongs to: members of that role may use it, and rxtrack_admin';
COMMENT ON COLUMN rxtrack.subscription.last_seen_at IS 'When a consumer last fetched or acknowledged, to the minute. One that was not seen for rxtrack.subscription_expiry is dead: events are no longer kept for it';
SELECT pg_catalog.pg_extension_config_dump('rxtrack.subscription', '');

CREATE FUNCTION rxtrack.subscribe(name text, ods_codes rxtrack.ods_code[] DEFAULT NULL, alerts_only boolean DEFAULT false)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	position_ bigint;
BEGIN
	IF subscribe.name IS NULL OR subscribe.alerts_only IS NULL THEN
		RAISE EXCEPTION 'name and alerts_only must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM rxtrack_internal.require_entitlement();
	-- what is released meanwhile, and not seen here, has a higher number, and so is for it
	INSERT INTO rxtrack.subscription AS s (name, ods_codes, alerts_only, acknowledged, created_by)
	VALUES (subscribe.name, subscribe.ods_codes, subscribe.alerts_only, rxtrack.last_release(), rxtrack_internal.calling_role())
	ON CONFLICT ON CONSTRAINT subscription_pkey DO UPDATE
		SET ods_codes = excluded.ods_codes, alerts_only = excluded.alerts_only, last_seen_at = now()
		WHERE rxtrack_internal.acts_for(s.created_by)
	RETURNING s.acknowledged INTO position_;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'subscription "%" belongs to another role', subscribe.name
			USING ERRCODE = 'insufficient_privilege', HINT = 'Choose another name.';
	END IF;
	RETURN position_;
END
$$;
COMMENT ON FUNCTION rxtrack.subscribe(text, rxtrack.ods_code[], boolean) IS
	'Makes a durable subscription to events released from now on, for some pharmacies (NULL: all), and perhaps only those that should alert a patient. A name that exists keeps its position, and has its filters replaced. It belongs to the role that makes it, and gets events that the role is entitled to when it fetches them. Returns the release number after which it begins. Errors: 42501 where the role is entitled to none, or the subscription is another role''s';

CREATE FUNCTION rxtrack.unsubscribe(name text)
RETURNS boolean
LANGUAGE sql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	WITH gone AS (DELETE FROM rxtrack.subscription s
				  WHERE s.name = unsubscribe.name AND rxtrack_internal.acts_for(s.created_by) RETURNING 1)
	SELECT EXISTS (SELECT FROM gone)
$$;
COMMENT ON FUNCTION rxtrack.unsubscribe(text) IS 'Ends a subscription; returns whether the caller had one of that name';

CREATE TYPE rxtrack.released_event AS (
	release_number bigint,
	prescription_id rxtrack.prescription_id,
	line_item_id uuid,
	nhs_number rxtrack.nhs_number,
	ods_code rxtrack.ods_code,
	status rxtrack.business_status,
	occurred_at timestamptz,
	released_at timestamptz,
	alert boolean,
	alert_reason rxtrack.alert_reason
);
COMMENT ON TYPE rxtrack.released_event IS 'A readiness event as a listener gets it';

-- Finds a subscription and notes that it lives; a write a minute is enough.
CREATE FUNCTION rxtrack.find_subscription(name text)
RETURNS rxtrack.subscription
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	found_one rxtrack.subscription;
BEGIN
	SELECT * INTO found_one FROM rxtrack.subscription s
	WHERE s.name = find_subscription.name AND rxtrack_internal.acts_for(s.created_by) FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'subscription "%" does not exist', find_subscription.name
			USING ERRCODE = 'undefined_object', HINT = 'Make it with rxtrack.subscribe(name).';
	END IF;
	IF found_one.last_seen_at < clock_timestamp() - interval '1 minute' THEN
		UPDATE rxtrack.subscription s SET last_seen_at = clock_timestamp() WHERE s.name = find_subscription.name;
	END IF;
	RETURN found_one;
END
$$;
COMMENT ON FUNCTION rxtrack.find_subscription(text) IS
	'Locks a subscription and notes that it is alive; for fetch_events and ack_events. Errors: 42704 where the caller has none of that name';

-- Where there is nothing for it, a subscription moves on to the last release: a quiet
-- pharmacy's is to keep no events of others, nor to look through them again.
CREATE FUNCTION rxtrack.fetch_events(name text, max integer DEFAULT 100)
RETURNS SETOF rxtrack.released_event
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET enable_seqscan = off
SET jit = off
SET enable_bitmapscan = off
AS $$
DECLARE
	subscription rxtrack.subscription := rxtrack.find_subscription(fetch_events.name);
	entitled rxtrack.ods_code[] := rxtrack_internal.require_entitlement();
	last_number bigint;
BEGIN
	IF fetch_events.max < 1 THEN
		RAISE EXCEPTION 'max must be 1 or more' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- by a look before that for events, which then sees all up to it
	last_number := rxtrack.last_release();
	RETURN QUERY
	SELECT e.release_number, e.prescription_id, e.line_item_id, e.nhs_number, e.ods_code, e.status,
		   e.occurred_at, e.released_at, e.alert, e.alert_reason
	FROM ONLY rxtrack.readiness_event e
	WHERE e.release_number > subscription.acknowledged
	  AND (subscription.ods_codes IS NULL OR e.ods_code = ANY (subscription.ods_codes))
	  AND (entitled IS NULL OR e.ods_code = ANY (entitled))
	  AND (e.alert OR NOT subscription.alerts_only)
	ORDER BY e.release_number
	LIMIT fetch_events.max;
	IF NOT FOUND AND last_number > subscription.acknowledged THEN
		UPDATE rxtrack.subscription s SET acknowledged = last_number WHERE s.name = fetch_events.name;
	END IF;
END
$$;
COMMENT ON FUNCTION rxtrack.fetch_events(text, integer) IS
	'The next events of a subscription that were not acknowledged, in the order of release, at most so many. They are delivered again until they are acknowledged. Several consumers may share a name: who fetches inside a transaction holds the subscription until its end. Only events that the calling role is entitled to. Errors: 42501 where it is entitled to none, 42704 where it has no such subscription, 22023 where max is less than 1';

CREATE FUNCTION rxtrack.ack_events(name text, up_to bigint)
RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	subscription rxtrack.subscription := rxtrack.find_subscription(ack_events.name);
	last_number bigint := rxtrack.last_release();
BEGIN
	IF up_to > last_number THEN
		RAISE EXCEPTION 'release number % has not been given yet', up_to
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The last one is %s.', last_number);
	END IF;
	UPDATE rxtrack.subscription s SET acknowledged = greatest(s.acknowledged, up_to)
	WHERE s.name = ack_events.name
	RETURNING s.acknowledged INTO last_number;
	RETURN last_number;
END
$$;
COMMENT ON FUNCTION rxtrack.ack_events(text, bigint) IS
	'Acknowledges the events of a subscription up to a release number, which are then not delivered to it again; never goes back. Returns the position. Errors: 42704 where there is no such subscription, 22023 where the number has not been released';

-- ---------- Retention ----------

CREATE FUNCTION rxtrack.is_live(subscription rxtrack.subscription)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT subscription.last_seen_at > now() - rxtrack.duration('rxtrack.subscription_expiry')
$$;
COMMENT ON FUNCTION rxtrack.is_live(rxtrack.subscription) IS
	'Whether a subscription was seen within rxtrack.subscription_expiry, so that events are kept for it';

-- Looks at no more than so many of the oldest events, so that it costs the same
-- however many there are that must stay.
CREATE FUNCTION rxtrack.prune_events(most integer DEFAULT 10000)
RETURNS integer
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	-- a cooldown is counted from the events
	too_old timestamptz := now() - greatest(rxtrack.duration('rxtrack.event_retention'), rxtrack.duration('rxtrack.alert_cooldown'));
	acknowledged bigint := (SELECT min(s.acknowledged) FROM rxtrack.subscription s WHERE rxtrack.is_live(s));
	removed integer;
	cancelled integer;
BEGIN
	DELETE FROM ONLY rxtrack.readiness_event e USING (
		SELECT o.released_at, o.release_number FROM ONLY rxtrack.readiness_event o
		WHERE o.release_number IS NOT NULL
		ORDER BY o.release_number LIMIT most
	) AS oldest
	WHERE e.release_number = oldest.release_number AND oldest.released_at < too_old
	  AND (acknowledged IS NULL OR oldest.release_number <= acknowledged);
	GET DIAGNOSTICS removed = ROW_COUNT;
	DELETE FROM ONLY rxtrack.readiness_event e USING (
		SELECT o.ctid FROM ONLY rxtrack.readiness_event o
		WHERE o.state = 'cancelled' AND o.released_at < too_old
		ORDER BY o.released_at LIMIT most
	) AS oldest
	WHERE e.ctid = oldest.ctid;
	GET DIAGNOSTICS cancelled = ROW_COUNT;
	RETURN removed + cancelled;
END
$$;
COMMENT ON FUNCTION rxtrack.prune_events(integer) IS
	'Removes events older than rxtrack.event_retention that every live subscription has acknowledged, at most so many; returns how many. The dispatcher calls it once a minute';

CREATE VIEW rxtrack.subscription_lag AS
SELECT s.name, s.ods_codes, s.alerts_only, s.acknowledged,
	   greatest(r.last_number - s.acknowledged, 0) AS behind,
	   n.released_at AS waiting_since,
	   s.last_seen_at,
	   rxtrack.is_live(s) AS live,
	   nullif(pg_catalog.concat_ws('; ',
			CASE WHEN NOT rxtrack.is_live(s)
				THEN 'not seen for rxtrack.subscription_expiry: events are no longer kept for it' END,
			CASE WHEN coalesce(n.release_number, r.last_number + 1) > s.acknowledged + 1
				THEN pg_catalog.format('releases %s to %s were removed before it acknowledged them',
									   s.acknowledged + 1, coalesce(n.release_number - 1, r.last_number)) END), '') AS warning
FROM rxtrack.subscription s
CROSS JOIN (SELECT rxtrack.last_release() AS last_number) r
LEFT JOIN LATERAL (
	SELECT e.release_number, e.released_at FROM ONLY rxtrack.readiness_event e
	WHERE e.release_number > s.acknowledged ORDER BY e.release_number LIMIT 1) n ON true
WHERE rxtrack_internal.acts_for(s.created_by);
COMMENT ON VIEW rxtrack.subscription_lag IS 'How far behind each subscription of the caller is, and whether it still lives; all of them for rxtrack_admin';
COMMENT ON COLUMN rxtrack.subscription_lag.name IS 'The subscription';
COMMENT ON COLUMN rxtrack.subscription_lag.ods_codes IS 'Pharmacies whose events it gets; NULL: all';
COMMENT ON COLUMN rxtrack.subscription_lag.alerts_only IS 'Whether it gets only events for which the patient should be alerted';
COMMENT ON COLUMN rxtrack.subscription_lag.acknowledged IS 'The release number up to which it has acknowledged';
COMMENT ON COLUMN rxtrack.subscription_lag.last_seen_at IS 'When a consumer last fetched or acknowledged, to the minute';
COMMENT ON COLUMN rxtrack.subscription_lag.live IS 'Whether it was seen within rxtrack.subscription_expiry';
COMMENT ON COLUMN rxtrack.subscription_lag.behind IS 'Releases after the last one it acknowledged, its filters not counted';
COMMENT ON COLUMN rxtrack.subscription_lag.waiting_since IS 'When the oldest of these was released';
COMMENT ON COLUMN rxtrack.subscription_lag.warning IS 'What a DBA should know about it; NULL: nothing';
