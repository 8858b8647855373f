-- What takes back that an item is ready (S5), and what does not; who hears of it; which share of them each application takes back.
BEGIN;
SELECT no_plan();
\ir ../lib/bundles.sql
SET LOCAL rxtrack.transition_policy = 'off';
SELECT rxtrack.enable_alerts(ods_codes => '{FX123}') \g /dev/null

-- Brings updates of item n, one after the other or in one bundle: [["RC", "-2 h"], ["WP", "-1 h"]], each with the offset of
-- lastModified from the clock, and perhaps that of meta.lastUpdated. What is due is released after each.
CREATE TEMP SEQUENCE task;
CREATE FUNCTION pg_temp.tell(item integer, updates jsonb, in_one_bundle boolean DEFAULT false) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  tasks jsonb[] := ARRAY(SELECT pg_temp.task(nextval('task')::integer, u ->> 0, clock_timestamp() + (u ->> 1)::interval, item, clock_timestamp() + (u ->> 2)::interval)
                         FROM jsonb_array_elements(updates) WITH ORDINALITY AS x (u, n) ORDER BY n);
BEGIN
  FOR i IN 1..CASE WHEN in_one_bundle THEN 1 ELSE array_length(tasks, 1) END LOOP
    PERFORM pg_temp.submit(pg_temp.bundle(VARIADIC CASE WHEN in_one_bundle THEN tasks ELSE tasks[i:i] END));
    PERFORM rxtrack.release_events();
  END LOOP;
END $$;

-- Time goes by: all that is stored is moved into the past.
CREATE FUNCTION pg_temp.pass(t interval) RETURNS integer LANGUAGE sql AS $$
  UPDATE rxtrack.status_update SET last_modified = last_modified - t, received_at = received_at - t, post_dated_set_at = post_dated_set_at - t;
  UPDATE rxtrack.supply SET asserted_at = asserted_at - t, last_modified = last_modified - t, received_at = received_at - t,
    began_at = began_at - t, began_received_at = began_received_at - t, plain_asserted_at = plain_asserted_at - t,
    plain_last_modified = plain_last_modified - t;
  UPDATE rxtrack.readiness_promise SET occurred_at = occurred_at - t, due_at = due_at - t, cancelled_at = cancelled_at - t;
  UPDATE rxtrack.readiness_event SET occurred_at = occurred_at - t, due_at = due_at - t, released_at = released_at - t;
  SELECT rxtrack.release_events()
$$;

-- The events of an item: "RC, RC, WP withdraws 2", where 2 is the second of them.
CREATE FUNCTION pg_temp.events(item integer) RETURNS text LANGUAGE sql AS $$
  WITH numbered AS (SELECT e.*, row_number() OVER (ORDER BY e.release_number) AS n FROM rxtrack.readiness_event e WHERE e.line_item_id = pg_temp.uuid(item)::uuid)
  SELECT string_agg(pg_temp.short_name(e.status) || CASE WHEN e.withdraws IS NULL THEN '' ELSE ' withdraws ' || coalesce(w.n::text, '?') END, ', ' ORDER BY e.n)
  FROM numbered e LEFT JOIN numbered w ON w.release_number = e.withdraws
$$;

-- ---------- What takes back, and what does not ----------

CREATE TEMP TABLE scene (item serial, name text, updates jsonb, events text);
INSERT INTO scene (name, updates, events) VALUES
  ('a correction', '[["RC", "-2 h"], ["WP", "-1 h"]]', 'RC, WP withdraws 1'),
  ('another one', '[["RC", "-2 h"], ["WPR", "-1 h"]]', 'RC, WPR withdraws 1'),
  ('of what is ready in part', '[["RCP", "-2 h"], ["WP", "-1 h"]]', 'RCP, WP withdraws 1'),
  ('that it is not dispensed', '[["RC", "-2 h"], ["ND", "-1 h"]]', 'RC, ND withdraws 1'),
  ('of what is ready in part, too', '[["RCP", "-2 h"], ["ND", "-1 h"]]', 'RCP, ND withdraws 1'),
  ('not: collected', '[["RC", "-2 h"], ["C", "-1 h"]]', 'RC'),
  ('not: dispatched', '[["RC", "-2 h"], ["D", "-1 h"]]', 'RC'),
  ('not: to be dispatched instead', '[["RC", "-2 h"], ["RD", "-1 h"]]', 'RC'),
  ('not: the rest is prepared', '[["RCP", "-2 h"], ["WPR", "-1 h"]]', 'RCP'),
  ('not: some of it was missing', '[["RC", "-2 h"], ["RCP", "-1 h"]]', 'RC'),
  ('not: it was never ready', '[["WP", "-3 h"], ["RD", "-2 h"], ["ND", "-1 h"]]', NULL),
  ('not: it was no longer', '[["RC", "-3 h"], ["C", "-2 h"], ["WP", "-1 h"]]', 'RC'),
  ('the newest of several', '[["RCP", "-4 h"], ["RC", "-3 h"], ["WP", "-2 h"]]', 'RCP, RC, WP withdraws 2'),
  ('each in its turn', '[["RC", "-5 h"], ["WP", "-4 h"], ["RC", "-3 h"], ["ND", "-2 h"], ["RC", "-1 h"]]', 'RC, WP withdraws 1, RC, ND withdraws 3, RC'),
  ('the newest again, where an older one was collected', '[["RC", "-5 h"], ["C", "-4 h"], ["RC", "-3 h"], ["WP", "-2 h"]]', 'RC, RC, WP withdraws 2'),
  ('not: a late word of what was before', '[["RC", "-1 h"], ["WP", "-2 h"], ["ND", "-3 h"]]', 'RC'),
  ('by a prediction that has begun when it comes', '[["RC", "-3 h"], ["WP", "-1 h", "-2 h"]]', 'RC, WP withdraws 1'),
  ('of a prediction that has begun', '[["RC", "-1 h", "-2 h"], ["WP", "-30 min"]]', 'RC, WP withdraws 1'),
  ('of one that has begun, by one that has not, back to what was reported', '[["WP", "-4 h"], ["RC", "-1 h", "-3 h"], ["RC", "2 h", "-30 min"]]', 'RC, WP withdraws 1'),
  ('back to nothing', '[["RC", "-1 h", "-3 h"], ["RC", "2 h", "-30 min"]]', 'RC, RC withdraws 1');
SELECT pg_temp.tell(item, updates) FROM scene ORDER BY item \g /dev/null
SELECT is(pg_temp.events(item), events, 'S5: ' || name) FROM scene ORDER BY item;
INSERT INTO scene (name, updates, events)
SELECT 'in one bundle: ' || name, updates, events FROM scene WHERE updates::text NOT LIKE '%-3 h%-30 min%' ORDER BY item;
SELECT pg_temp.tell(item, updates, true) FROM scene WHERE name LIKE 'in one bundle%' ORDER BY item \g /dev/null
SELECT is(pg_temp.events(item), events, 'S5: ' || name) FROM scene WHERE name LIKE 'in one bundle%' ORDER BY item;

-- ---------- By a prediction that begins ----------

SELECT pg_temp.tell(200, '[["RC", "-1 h"], ["WP", "1 h", "-1 min"]]'), pg_temp.tell(201, '[["RC", "-1 h"], ["C", "1 h", "-1 min"]]'),
       pg_temp.tell(202, '[["WP", "-1 h"], ["ND", "1 h", "-1 min"]]'), pg_temp.tell(203, '[["RC", "-1 h"], ["WP", "1 h", "-2 min"], ["RC", "-1 min"]]'),
       pg_temp.tell(204, '[["WP", "-1 h"], ["WP", "1 h", "-1 min"], ["RC", "-30 min"]]'), pg_temp.tell(205, '[["RC", "-1 h"], ["RC", "1 h", "-1 min"], ["WP", "-30 min"]]') \g /dev/null
SELECT is(pg_temp.events(200), 'RC', 'S5: a prediction takes nothing back');
SELECT pg_temp.pass('2 h') \g /dev/null
SELECT is(pg_temp.events(200), 'RC, WP withdraws 1', 'S5: until it begins');
SELECT is((SELECT post_dated FROM rxtrack.readiness_event WHERE line_item_id = pg_temp.uuid(200)::uuid AND withdraws IS NOT NULL), true, 'S5: it is predicted then, too');
SELECT is(pg_temp.events(201), 'RC', 'S5: not that it will be collected');
SELECT is(pg_temp.events(202), NULL, 'S5: nor where it was never ready');
SELECT is(pg_temp.events(203), 'RC', 'S5: nor one that was replaced');
SELECT is(pg_temp.events(204), 'RC, WP withdraws 1', 'S5: but what a late word has made ready meanwhile');
SELECT is(pg_temp.events(205), 'RC, WP withdraws 1, RC', 'S5: and one of ready, where a late word has taken it back, is an event');

-- ---------- What it says ----------

SELECT pg_temp.tell(300, '[["RC", "-2 h"], ["WP", "-1 h"]]') \g /dev/null
SELECT results_eq(
  $$ SELECT prescription_id::text, nhs_number::text, ods_code::text, status::text, occurred_at = (SELECT last_modified FROM rxtrack.status_update u WHERE u.task_id = w.task_id),
            alert, alert_reason::text, withdraws_alert, due_at >= occurred_at
     FROM rxtrack.readiness_event w WHERE line_item_id = pg_temp.uuid(300)::uuid AND withdraws IS NOT NULL $$,
  $$ VALUES (pg_temp.prescription(300), pg_temp.nhs_number(300), 'FX123', 'With Pharmacy', true, false, NULL, true, true) $$,
  'S5: it says what the status is now, and since when, and that the one it takes back was to alert; it does not alert, and has no reason for that');
SELECT is((SELECT array_agg(alert_reason) FROM rxtrack.readiness_event WHERE withdraws IS NOT NULL), array_fill(NULL::rxtrack.alert_reason, ARRAY[count(*)::integer]),
  'S5: as all of them') FROM rxtrack.readiness_event WHERE withdraws IS NOT NULL;
SELECT is_empty($$ SELECT withdraws FROM rxtrack.readiness_event WHERE withdraws IS NOT NULL GROUP BY 1 HAVING count(*) > 1 $$, 'S5: nothing is taken back twice');
SELECT is_empty($$ SELECT FROM rxtrack.readiness_event w JOIN rxtrack.readiness_event e ON e.release_number = w.withdraws
    WHERE (e.prescription_id, e.line_item_id, e.issue_number, e.ods_code, e.nhs_number) <> (w.prescription_id, w.line_item_id, w.issue_number, w.ods_code, w.nhs_number)
      OR e.release_number >= w.release_number OR e.withdraws IS NOT NULL $$, 'S5: each names an earlier event of its supply');

-- ---------- Who hears of it ----------

SELECT rxtrack.add_subscription('all'), rxtrack.add_subscription('alerts', NULL, true) \g /dev/null
SELECT pg_temp.tell(310, '[["RC", "-2 h"], ["WP", "-1 h"]]'), pg_temp.tell(311, '[["RC", "-20 h"], ["WP", "-1 h"]]') \g /dev/null
SELECT is((SELECT string_agg(concat_ws(' ', pg_temp.short_name(status), alert_reason, withdraws_alert), ', ' ORDER BY release_number) FROM rxtrack.fetch_events('all')),
  'RC, WP t, RC reported late, WP f', 'S5: a subscription gets them');
SELECT is((SELECT string_agg(concat_ws(' ', pg_temp.short_name(status), alert_reason, withdraws_alert), ', ' ORDER BY release_number) FROM rxtrack.fetch_events('alerts')),
  'RC, WP t', 'S5: one of alerts only those that take back what it has heard');
DELETE FROM rxtrack.readiness_event WHERE line_item_id = pg_temp.uuid(310)::uuid AND withdraws IS NULL;
SELECT is((SELECT count(*) FROM rxtrack.fetch_events('alerts')), 1::bigint, 'S5: also where that is no longer kept');
SELECT is((SELECT string_agg(withdraws::text, ' ' ORDER BY release_number) FROM rxtrack_http.feed((SELECT acknowledged FROM rxtrack.subscription WHERE name = 'all'), 10)),
  'true false true', 'S5: the feed of streams tells them from others');

-- ---------- Of what is gone ----------

SELECT pg_temp.tell(320, '[["RC", "-2 h"]]') \g /dev/null
DELETE FROM rxtrack.readiness_event WHERE line_item_id = pg_temp.uuid(320)::uuid;
SELECT pg_temp.tell(320, '[["WP", "-1 h"]]') \g /dev/null
SELECT is(pg_temp.events(320), NULL, 'S5: what is no longer kept is not taken back');

-- ---------- Issues and pharmacies ----------

SELECT pg_temp.submit(pg_temp.bundle(pg_temp.task(9001, 'RC', now() - interval '2 h', 330, issue_number => 1), pg_temp.task(9002, 'RC', now() - interval '2 h', 330, issue_number => 2))),
       rxtrack.release_events(), pg_temp.submit(pg_temp.bundle(pg_temp.task(9003, 'WP', now() - interval '1 h', 330, issue_number => 1))), rxtrack.release_events() \g /dev/null
SELECT is((SELECT string_agg(w.issue_number || ' ' || e.issue_number, ', ') FROM rxtrack.readiness_event w JOIN rxtrack.readiness_event e ON e.release_number = w.withdraws
           WHERE w.line_item_id = pg_temp.uuid(330)::uuid), '1 1', 'S5: of one issue, and of no other');

-- ---------- The share of each application ----------

SELECT rxtrack.add_application('Supplier three', '{}') AS third_key \gset
SELECT pg_temp.submit(pg_temp.bundle(pg_temp.task(9100 + n, 'RC', now() - interval '2 h', 400 + n)), application => 'Supplier three') FROM generate_series(1, 8) AS n \g /dev/null
SELECT pg_temp.submit(pg_temp.bundle(pg_temp.task(9200 + n, 'WP', now() - interval '1 h', 400 + n)), application => 'Supplier three') FROM generate_series(1, 4) AS n \g /dev/null
SELECT rxtrack.release_events() \g /dev/null
UPDATE rxtrack.readiness_event e SET due_at = e.due_at + lateness FROM (VALUES (2, interval '3 min'), (3, '50 min'), (4, '2 h')) AS x (n, lateness)
WHERE e.line_item_id = pg_temp.uuid(400 + n)::uuid AND e.withdraws IS NOT NULL;
SELECT results_eq($$ SELECT ready, within_1_min, within_5_min, within_60_min FROM rxtrack.taken_back WHERE application = 'Supplier three' $$,
  $$ VALUES (8::bigint, 0.1250, 0.2500, 0.3750) $$, 'S5: how many of an application''s are taken back within 1, 5 and 60 minutes');
SELECT is((SELECT count(*) FROM rxtrack.taken_back WHERE application = 'Supplier two'), 0::bigint, 'one that has said of nothing that it is ready has no share');

SELECT * FROM finish();
ROLLBACK;
