-- Reading released events: what a listener gets of one, and by which functions.

CREATE TYPE rxtrack.released_event AS (
	release_number bigint,
	prescription_id rxtrack.prescription_id,
	line_item_id uuid,
	issue_number integer,
	nhs_number rxtrack.nhs_number,
	ods_code rxtrack.ods_code,
	status rxtrack.business_status,
	origin text,
	occurred_at timestamptz,
	released_at timestamptz,
	alert boolean,
	alert_reason rxtrack.alert_reason,
	withdraws bigint,
	withdraws_alert boolean
);
COMMENT ON TYPE rxtrack.released_event IS 'A readiness event as a listener gets it';

CREATE FUNCTION rxtrack_internal.events_after(release_number bigint, max_rows integer,
											  ods_codes rxtrack.ods_code[] DEFAULT NULL, alerts_only boolean DEFAULT false)
RETURNS SETOF rxtrack.released_event
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
SET enable_seqscan = off
SET jit = off
SET enable_bitmapscan = off
AS $$
BEGIN
	RETURN QUERY
	SELECT e.release_number, e.prescription_id, e.line_item_id, e.issue_number, e.nhs_number, e.ods_code, e.status,
		   CASE WHEN e.post_dated THEN 'predicted' ELSE 'reported' END,
		   e.occurred_at, e.released_at, e.alert, e.alert_reason, e.withdraws, e.withdraws_alert
	FROM rxtrack.readiness_event e
	WHERE e.release_number > events_after.release_number
	  AND (events_after.ods_codes IS NULL OR e.ods_code = ANY (events_after.ods_codes))
	  -- a patient who was alerted is also told that the item is not ready
	  AND (e.alert OR e.withdraws_alert OR NOT events_after.alerts_only)
	ORDER BY e.release_number
	LIMIT events_after.max_rows;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.events_after(bigint, integer, rxtrack.ods_code[], boolean) IS
	'The events that were released after a number, in order, at most max_rows; of some pharmacies (NULL: all), and perhaps only those that should alert a patient, and those that take such a one back';

-- The year that RFC 3339 writes as 0000 is 1 BC to PostgreSQL.
CREATE FUNCTION rxtrack.event_json(event rxtrack.released_event)
RETURNS text
LANGUAGE sql STABLE
AS $$
	SELECT pg_catalog.jsonb_build_object(
		'id', event.release_number, 'prescription', event.prescription_id::text,
		'item', pg_catalog.upper(event.line_item_id::text), 'issue', event.issue_number, 'patient', event.nhs_number::text,
		'pharmacy', event.ods_code::text, 'status', event.status::text, 'origin', event.origin,
		'occurred', CASE WHEN event.occurred_at < '0001-01-01 00:00:00+00' THEN '0000' ELSE pg_catalog.to_char(event.occurred_at AT TIME ZONE 'UTC', 'YYYY') END
			|| pg_catalog.to_char(event.occurred_at AT TIME ZONE 'UTC', '-MM-DD"T"HH24:MI:SS.US"Z"'),
		'released', pg_catalog.to_char(event.released_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
		'alert', event.alert, 'reason', event.alert_reason,
		'withdraws', event.withdraws, 'withdraws_alert', event.withdraws_alert)::text
$$;
COMMENT ON FUNCTION rxtrack.event_json(rxtrack.released_event) IS
	'An event as a JSON object on one line: what the gateway''s streams send, and rxtrack-listen prints';

CREATE FUNCTION rxtrack.get_event(release_number bigint)
RETURNS SETOF rxtrack.released_event
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	entitled rxtrack.ods_code[] := rxtrack_internal.require_entitlement();
BEGIN
	RETURN QUERY
	SELECT * FROM rxtrack_internal.events_after(get_event.release_number - 1, 1) e
	WHERE e.release_number = get_event.release_number AND (entitled IS NULL OR e.ods_code = ANY (entitled));
END
$$;
COMMENT ON FUNCTION rxtrack.get_event(bigint) IS
	'The readiness event that a notification''s payload names by its release number. No row where there is none, it is removed, or it is not granted to the calling role. Errors: 42501 where that is entitled to none at all';

CREATE FUNCTION rxtrack.get_events(after bigint, max_rows integer DEFAULT 100, ods_codes text[] DEFAULT NULL)
RETURNS SETOF rxtrack.released_event
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	entitled rxtrack.ods_code[] := rxtrack_internal.entitled_among(rxtrack_internal.read_ods_codes(ods_codes));
BEGIN
	PERFORM rxtrack_internal.refuse_null('after', after);
	PERFORM rxtrack_internal.require_rows(max_rows);
	RETURN QUERY SELECT * FROM rxtrack_internal.events_after(after, max_rows, entitled);
END
$$;
COMMENT ON FUNCTION rxtrack.get_events(bigint, integer, text[]) IS
	'The readiness events that were released after a release number (0: all that are kept), in order, at most max_rows; of some pharmacies (NULL: of all that are granted to the calling role, which gets no others). Errors: 42501 where it is entitled to none, 22004 where after, max_rows or a code is NULL, 22023 where max_rows is less than 1, 22P02 where a code is malformed';
