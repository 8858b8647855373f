-- Readiness events: which updates raise one and which do not, what it says, and who is notified of what.
BEGIN;
SELECT plan(61);
\ir ../lib/bundles.sql
\ir ../lib/events.sql
CREATE EXTENSION IF NOT EXISTS dblink;
SET LOCAL rxtrack.transition_policy = 'off';

-- One update: its place in time, from the clock, or from when it was set.
CREATE TEMP SEQUENCE task;
CREATE FUNCTION pg_temp.make(item integer, short text, effect interval, set_at interval DEFAULT NULL) RETURNS jsonb
  LANGUAGE sql AS $$
  SELECT pg_temp.task(nextval('task')::integer, short, clock_timestamp() + effect, item, clock_timestamp() + set_at)
$$;

-- Brings the updates of a list one after the other, or in one bundle, and says which of them raised an event that is
-- due (1), took one back (w), or raised one for later (2); the list is in the form [["WP", "-2 h"], ["RC", "1 h", "-1 h"]], with the offset of
-- lastModified from the clock, and that of meta.lastUpdated.
CREATE FUNCTION pg_temp.events(item integer, updates jsonb, in_one_bundle boolean DEFAULT false) RETURNS text
  LANGUAGE plpgsql AS $$
DECLARE
  u jsonb;
  result text := '';
  tasks jsonb[] := '{}';
  seen text[];
BEGIN
  FOR u IN SELECT * FROM jsonb_array_elements(updates) LOOP
    tasks := tasks || pg_temp.make(item, u ->> 0, (u ->> 1)::interval, (u ->> 2)::interval);
  END LOOP;
  FOR i IN 1..array_length(tasks, 1) LOOP
    SELECT array_agg(concat(task_id, is_withdrawal, due_at)) INTO seen FROM event;
    IF in_one_bundle AND i > 1 THEN
      EXIT;
    ELSIF pg_temp.status(pg_temp.submit(pg_temp.bundle(VARIADIC CASE WHEN in_one_bundle THEN tasks
      ELSE tasks[i:i] END))) <> 201 THEN
      RETURN 'refused';
    END IF;
    result := result || coalesce((
      SELECT string_agg(CASE WHEN due_at > clock_timestamp() THEN '2' WHEN is_withdrawal THEN 'w' ELSE '1' END, '' ORDER BY is_withdrawal)
      FROM event WHERE concat(task_id, is_withdrawal, due_at) <> ALL (coalesce(seen, '{}'))), '0');
  END LOOP;
  RETURN result;
END $$;

-- ---------- Which updates raise an event ----------

SELECT is(pg_temp.events(n::integer, jsonb_build_array(jsonb_build_array(short, '-1 h'))),
          CASE WHEN short IN ('RC', 'RCP') THEN '1' ELSE '0' END, short || ' as the first')
FROM unnest('{WP,WPR,RC,RCP,RD,RDP,C,D,ND}'::text[]) WITH ORDINALITY AS x (short, n);

SELECT is_empty($$
  SELECT * FROM (
    SELECT a, b,
      pg_temp.events((100 + row_number() OVER ())::integer,
      jsonb_build_array(jsonb_build_array(a, '-2 h'), jsonb_build_array(b, '-1 h'))),
           concat(CASE WHEN a IN ('RC', 'RCP') THEN 1 ELSE 0 END, CASE WHEN b IN ('RC', 'RCP') AND a <> b AND NOT (a = 'RC' AND b = 'RCP') THEN '1'
             WHEN (a, b) IN (('RC', 'WP'), ('RC', 'WPR'), ('RC', 'ND'), ('RCP', 'WP'), ('RCP', 'ND')) THEN 'w'
             ELSE '0' END) AS expected
    FROM unnest('{WP,WPR,RC,RCP,RD,RDP,C,D,ND}'::text[]) AS a,
      unnest('{WP,WPR,RC,RCP,RD,RDP,C,D,ND}'::text[]) AS b) AS x
  WHERE events IS DISTINCT FROM expected $$,
    'of all pairs, those that become ready, all of it after some too; and corrections and Not Dispensed take it back');

CREATE TEMP TABLE scene (item serial, name text, updates jsonb, events text);
ALTER SEQUENCE scene_item_seq RESTART 300;
INSERT INTO scene (name, updates, events) VALUES
  ('ready again after a correction', '[["RC", "-3 h"], ["WP", "-2 h"], ["RC", "-1 h"]]', '1w1'),
  ('late, after collection', '[["C", "-1 h"], ["RC", "-2 h"]]', '00'),
  ('late, the item being ready', '[["RC", "-1 h"], ["RC", "-2 h"], ["RCP", "-3 h"]]', '100'),
  ('an equal time is not late', '[["WP", "2026-01-05"], ["RC", "2026-01-05"]]', NULL),
  ('ahead of the clock, not post-dated: at once', '[["WP", "-1 h"], ["RC", "1 h"]]', '01'),
  ('post-dated: for later', '[["WP", "-2 h"], ["RC", "1 h", "-1 h"]]', '02'),
  ('post-dated, as the first', '[["RCP", "1 h", "-1 h"]]', '2'),
  ('post-dated, and it has begun: at once', '[["WP", "-3 h"], ["RC", "-1 h", "-2 h"]]', '01'),
  ('post-dated, the item being ready: it may not be by then', '[["RC", "-3 h"], ["RC", "1 h", "-1 h"]]', '12'),
  ('post-dated and late: it never counts', '[["WP", "-1 h"], ["RC", "1 h", "-2 h"]]', '00'),
  ('post-dated and late, though it has begun', '[["WP", "-1 h"], ["RC", "-10 min", "-2 h"]]', '00'),
  ('two post-dated ones of one status: the first is replaced',
    '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RC", "2 h", "-1 h"]]', '022'),
  ('a promise, then earlier than promised', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RC", "-1 min"]]', '021'),
  ('late while a prediction has not begun', '[["WP", "-2 h"], ["C", "2 h", "-1 min"], ["RC", "-1 h"]]', '001'),
  ('late after one that is ahead of the clock, and counts from its receipt', '[["WP", "-2 h"], ["C", "2 h"], ["RC", "-1 h"]]', '000'),
  ('the same, the item being ready', '[["RC", "-3 h"], ["C", "2 h"], ["RC", "-1 h"], ["RC", "-2 h"]]', '1000'),
  ('late while nothing has begun', '[["C", "2 h", "-1 min"], ["RC", "-1 h"]]', '01'),
  ('late twice while nothing has begun', '[["C", "2 h"], ["WP", "-1 h"], ["RC", "-2 h"]]', '000'),
  ('ahead of the clock after another that is: in the order of receipt', '[["WP", "-1 h"], ["C", "2 h"], ["RC", "1 h"]]', '001'),
  ('the same, as nothing was before', '[["C", "2 h"], ["RC", "1 h"]]', '01'),
  ('the same, ready again', '[["RC", "-1 h"], ["C", "2 h"], ["RC", "1 h"]]', '101'),
  ('the same, another one to come in between', '[["WP", "-1 h"], ["C", "3 h"], ["RC", "1 h"], ["RC", "2 h"]]', '0010'),
  ('the same, where the newest is post-dated', '[["WP", "-1 h"], ["C", "2 h", "90 min"], ["RC", "1 h"]]', '001'),
  ('the same, where that has begun by then', '[["WP", "-1 h"], ["C", "30 min", "90 min"], ["RC", "1 h"]]', '001'),
  ('one that begins while a later one waits', '[["RC", "-3 h"], ["WP", "2 h", "-2 h"], ["RC", "-1 h"]]', '120'),
  ('ready all along, a promise that has begun between', '[["RC", "-5 h"], ["RC", "-1 h", "-4 h"], ["RC", "-2 h"]]',
    '100'),
  ('a promise kept, then told again', '[["WP", "-5 h"], ["RC", "-1 h", "-4 h"], ["RC", "-2 h"]]', '010'),
  ('a promise of less that has begun is what the item was', '[["RC", "-5 h"], ["WP", "-2 h", "-4 h"], ["RC", "-1 h"]]',
    '1w1');
UPDATE scene SET updates = '[["WP", "-1 h"], ["RC", "-1 h"]]', events = '01' WHERE events IS NULL;
SELECT is(pg_temp.events(item, updates), events, name) FROM scene ORDER BY item;

SELECT is(pg_temp.events(400, '[["WP", "-2 h"], ["RC", "-1 h"]]', true), '1', 'in one bundle: one');
SELECT is(pg_temp.events(401, '[["RC", "-1 h"], ["WP", "-2 h"]]', true), '1', 'in the other order');
SELECT is(pg_temp.events(402, '[["RC", "-3 h"], ["RC", "-2 h"], ["WP", "-1 h"], ["RCP", "-30 min"], ["RC", "-1 min"]]',
  true), '111w',
          'in one bundle, as if one after the other');

-- Two of one time: the one received later is what the item was when the third, late one comes.
CREATE FUNCTION pg_temp.after_a_tie(item integer, VARIADIC two text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  seen bigint;
BEGIN
  PERFORM pg_temp.submit(pg_temp.bundle(pg_temp.task(1, two[1], '2026-01-05 09:00Z', item)));
  PERFORM pg_temp.submit(pg_temp.bundle(pg_temp.task(2, two[2], '2026-01-05 09:00Z', item)));
  PERFORM pg_temp.submit(pg_temp.bundle(pg_temp.task(3, 'D', now() + interval '1 h', item, '2026-01-05 11:00Z')));
  SELECT count(*) INTO seen FROM event;
  PERFORM pg_temp.submit(pg_temp.bundle(pg_temp.task(4, 'RC', '2026-01-05 10:00Z', item)));
  RETURN (SELECT count(*) FROM event) - seen;
END $$;
SELECT is(pg_temp.after_a_tie(410, 'WP', 'RC'), '0',
  'of equal times the one received later counts: the item was ready');
SELECT is(pg_temp.after_a_tie(411, 'RC', 'WP'), '1', 'and here it was not');

-- ---------- What raises none ----------

CREATE FUNCTION pg_temp.raised(b jsonb, request integer DEFAULT 900) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before bigint := (SELECT count(*) FROM event);
  status integer := pg_temp.status(pg_temp.submit(b, pg_temp.uuid(request)::uuid));
BEGIN
  RETURN status || ': ' || (SELECT count(*) FROM event) - before;
END $$;
CREATE TEMP TABLE again AS SELECT pg_temp.bundle(pg_temp.task(9001, 'RC', item => 500)) AS bundle;
SELECT is(pg_temp.raised(bundle), '201: 1', 'an update that is stored raises one') FROM again;
SELECT is(pg_temp.raised(bundle), '201: 0', 'its retry does not') FROM again;
SELECT is(pg_temp.raised(bundle, 901), '409: 0', 'a conflict') FROM again;
SELECT is(pg_temp.raised(pg_temp.bundle(pg_temp.task(9002, 'RC', item => 501), pg_temp.task(9002))), '400: 0',
  'a bundle with a fault');
SET LOCAL rxtrack.transition_policy = 'enforce';
SELECT is(pg_temp.raised(pg_temp.bundle(pg_temp.task(9003, 'D', item => 502),
  pg_temp.task(9004, 'RD', '2026-01-06Z', 502),
                                        pg_temp.task(9005, 'RC', item => 503))), '422: 0',
                                          'a transition that is refused');

-- ---------- What it says ----------

DELETE FROM rxtrack_internal.readiness_inbox;
DELETE FROM rxtrack.readiness_promise;
SELECT is(pg_temp.raised(pg_temp.bundle(
            jsonb_set(pg_temp.task(9010, 'RCP', now() - interval '2 h', 510, prescription => 77),
              '{owner,identifier,value}', '"ab1c"'),
            pg_temp.task(9011, 'RC', now() + interval '2 h', 511, now() - interval '1 h'),
            pg_temp.task(9012, 'RC', now() - interval '1 h', 512, now() - interval '2 h'))), '201: 3', 'three events');
SELECT results_eq(
  $$ SELECT prescription_id::text, line_item_id::text, nhs_number::text, ods_code::text, status::text, occurred_at,
    due_at, post_dated, state, released_at, alert
     FROM event ORDER BY line_item_id $$,
  $$ VALUES (pg_temp.prescription(77), pg_temp.uuid(510), pg_temp.nhs_number(77), 'AB1C', 'Ready to Collect - Partial',
             now() - interval '2 h', (SELECT received_at FROM rxtrack.status_update WHERE task_id = pg_temp.uuid(9010)::uuid), false, 'pending', NULL::timestamptz, NULL::boolean),
            (pg_temp.prescription(511), pg_temp.uuid(511), pg_temp.nhs_number(511), 'FX123', 'Ready to Collect',
             now() + interval '2 h', now() + interval '2 h', true, 'pending', NULL, NULL),
            (pg_temp.prescription(512), pg_temp.uuid(512), pg_temp.nhs_number(512), 'FX123', 'Ready to Collect',
             now() - interval '1 h', (SELECT received_at FROM rxtrack.status_update WHERE task_id = pg_temp.uuid(9012)::uuid), true, 'pending', NULL, NULL) $$,
  'an event says what, when, whose and where, and when it is due');

-- A restore brings rows back as they are.
CREATE TEMP TABLE saved AS SELECT * FROM rxtrack.status_update WHERE task_id = pg_temp.uuid(9010)::uuid;
DELETE FROM rxtrack.status_update WHERE task_id = pg_temp.uuid(9010)::uuid;
DELETE FROM rxtrack_internal.readiness_inbox;
DELETE FROM rxtrack.readiness_promise;
UPDATE saved SET received_at = received_at - interval '1 us';
INSERT INTO rxtrack.status_update SELECT * FROM saved;
SELECT is_empty('SELECT FROM event', 'a row that a restore brings back raises nothing');

-- ---------- Who is notified ----------

SELECT dblink_connect(name,
  format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1),
                                   current_setting('port'), current_database(), current_user)) AS connected
FROM unnest('{listener,supplier}'::text[]) AS name \g /dev/null
SELECT dblink_exec('listener', format('LISTEN %I', channel))
  FROM unnest('{rxtrack_ready,rxtrack_ready_ab1c,rxtrack_ready_fx123}'::text[]) AS channel \g /dev/null
SELECT * FROM dblink('supplier',
  $$ SELECT rxtrack.add_application('Supplier three', '{}') $$) AS r (key text) \g /dev/null
SELECT is((SELECT status
  FROM dblink('supplier',
  format($$ SELECT (rxtrack.submit(%L, gen_random_uuid()::text, 'Supplier three')).status $$, pg_temp.bundle(
            jsonb_set(pg_temp.task(9020, 'RC', now() - interval '2 h', 520), '{owner,identifier,value}', '"AB1C"'),
            pg_temp.task(9021, 'RC', now() + interval '2 h', 521, now() - interval '1 h'),
            pg_temp.task(9022, 'WP', now() - interval '2 h', 522)))) AS r (status integer)), 201,
              'a supplier''s update of three items');
-- what was notified before comes with the answer, if not sooner
SELECT * FROM dblink('listener', 'SELECT 1') AS r (one integer) \g /dev/null
SELECT set_eq($$ SELECT notify_name, extra FROM dblink_get_notify('listener') $$,
              $$ SELECT channel, release_number::text FROM unnest('{rxtrack_ready,rxtrack_ready_ab1c}'::text[]) AS channel,
                rxtrack.readiness_event
                 WHERE line_item_id = pg_temp.uuid(520)::uuid $$,
              'the one that is ready now is notified to both channels, by the event''s id and no more');
SELECT is((SELECT count(*) FROM event), 2::bigint, 'the promised one is recorded');

-- ---------- Which statuses are ready ----------

CREATE FUNCTION pg_temp.raises(item integer, short text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  seen bigint := (SELECT count(*) FROM event);
BEGIN
  PERFORM pg_temp.submit(pg_temp.bundle(pg_temp.task(item, short, now() - interval '1 h', item)));
  RETURN (SELECT count(*) FROM event) - seen;
END $$;
SELECT set_eq($$ SELECT status::text FROM rxtrack.ready_status WHERE ready $$,
  $$ VALUES ('Ready to Collect'), ('Ready to Collect - Partial') $$, 'two statuses are ready ones, as shipped');
SELECT * FROM dblink_exec('supplier',
  $$ UPDATE rxtrack.ready_status SET ready = true WHERE status = 'Collected' $$) \g /dev/null
SELECT is(pg_temp.raises(605, 'C'), 1::bigint, 'what another session makes ready raises an event at once, in this transaction too');
UPDATE rxtrack.ready_status SET ready = (status = 'Ready to Dispatch');
SELECT is(pg_temp.raises(600, 'RD'), 1::bigint, 'and what this one does');
SELECT is(pg_temp.raises(601, 'RC'), 0::bigint, 'one that is no longer ready raises none');
SAVEPOINT before;
UPDATE rxtrack.ready_status SET ready = true WHERE status = 'Dispatched';
SELECT is(pg_temp.raises(602, 'D'), 1::bigint, 'a change in a subtransaction');
ROLLBACK TO before;
SELECT is(pg_temp.raises(603, 'D'), 0::bigint, 'is forgotten with it');
DELETE FROM rxtrack.ready_status WHERE status = 'Ready to Dispatch';
SELECT is(pg_temp.raises(604, 'RD'), 0::bigint, 'a status without a row is not ready');

SELECT * FROM finish();
ROLLBACK;
