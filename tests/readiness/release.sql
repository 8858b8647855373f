-- Releasing readiness events: states, numbers and batches; what is cancelled; whom to alert and why not; the cooldown.
BEGIN;
SELECT no_plan();
\ir ../lib/bundles.sql
\ir ../lib/events.sql
SET LOCAL rxtrack.transition_policy = 'off';

-- An update of item n, which is of patient n unless said otherwise; the times are offsets from the clock.
CREATE TEMP SEQUENCE task;
CREATE FUNCTION pg_temp.tell(item integer, short text, effect interval DEFAULT '-1 min', set_at interval DEFAULT NULL,
                             ods text DEFAULT 'AL001', patient integer DEFAULT NULL, application text DEFAULT 'Supplier one')
  RETURNS integer LANGUAGE sql AS $$
  SELECT pg_temp.status(pg_temp.submit(pg_temp.bundle(jsonb_set(jsonb_set(
    pg_temp.task(nextval('task')::integer, short, clock_timestamp() + effect, item, clock_timestamp() + set_at),
    '{owner,identifier,value}', to_jsonb(ods)),
    '{for,identifier,value}', to_jsonb(pg_temp.nhs_number(coalesce(patient, item))))), application => application))
$$;

-- Time goes by: all that is stored is moved into the past.
CREATE FUNCTION pg_temp.pass(t interval) RETURNS void LANGUAGE sql AS $$
  UPDATE rxtrack.status_update SET last_modified = last_modified - t, received_at = received_at - t,
    post_dated_set_at = post_dated_set_at - t;
  UPDATE rxtrack.supply SET asserted_at = asserted_at - t, last_modified = last_modified - t, received_at = received_at - t,
    began_at = began_at - t, began_received_at = began_received_at - t, plain_asserted_at = plain_asserted_at - t,
    plain_last_modified = plain_last_modified - t;
  UPDATE rxtrack_internal.readiness_inbox SET occurred_at = occurred_at - t, due_at = due_at - t;
  UPDATE rxtrack.readiness_promise SET occurred_at = occurred_at - t, due_at = due_at - t, cancelled_at = cancelled_at - t;
  UPDATE rxtrack.readiness_event SET occurred_at = occurred_at - t, due_at = due_at - t, released_at = released_at - t;
$$;

-- What has become of an item's events, in the order in which they were recorded.
CREATE FUNCTION pg_temp.fate(item integer) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(CASE WHEN e.withdraws IS NOT NULL THEN 'withdrawn' WHEN e.state <> 'released' THEN e.state
                         WHEN e.alert THEN 'alert' ELSE e.alert_reason::text END, ', ' ORDER BY u.receipt)
  FROM event e LEFT JOIN rxtrack.status_update u USING (prescription_id, task_id) WHERE e.line_item_id = pg_temp.uuid(item)::uuid
$$;

-- Each event is in one place, and a reason is said where there is no alert of what is ready.
CREATE FUNCTION pg_temp.oddities() RETURNS SETOF text LANGUAGE sql AS $$
  SELECT task_id::text FROM event GROUP BY 1 HAVING count(*) > 1
  UNION ALL
  SELECT e::text FROM rxtrack.readiness_event e WHERE (alert OR withdraws IS NOT NULL) <> (alert_reason IS NULL)
$$;

SELECT rxtrack.enable_alerts(ods_codes => '{AL001, AL002, BL001}'), rxtrack.block_alerts('{BL001, BL002}', 'wrong patients'),
       rxtrack.enable_alerts(application => 'Supplier two'), rxtrack.alter_application('Supplier one', alert_on_predictions => true) \g /dev/null

-- ---------- States and numbers ----------

SELECT is(rxtrack.release_events(), 0, 'nothing is due');
SELECT is(rxtrack_internal.last_release(), 0::bigint, 'and nothing was released');
SELECT pg_temp.tell(n, 'RC') FROM generate_series(1, 5) AS n \g /dev/null
SELECT pg_temp.tell(6, 'RC', '1 h', '-1 min') \g /dev/null
SELECT is(pg_temp.fate(1), 'pending', 'in the transaction that records it an event is pending');
SELECT is(rxtrack.release_events(2), 2, 'at most so many');
SELECT is(rxtrack.release_events(2), 2, 'and then the next');
SELECT is(rxtrack.release_events(2), 1, 'and the rest');
SELECT is(rxtrack.release_events(), 0, 'nothing twice');
SELECT is((SELECT array_agg(release_number ORDER BY line_item_id) FROM rxtrack.readiness_event),
  '{1,2,3,4,5}'::bigint[], 'numbers run on over batches, in the order in which events came due');
SELECT is(pg_temp.fate(6), 'pending', 'one of later is not released');
SELECT is(rxtrack_internal.last_release(), 5::bigint, 'the last number');
SELECT is((SELECT count(DISTINCT released_at) FROM rxtrack.readiness_event), 3::bigint, 'released at the clock of the release');
SELECT is_empty('SELECT pg_temp.oddities()', 'no row is half settled');
SELECT throws_ok('SELECT rxtrack.release_events(0)', '22023', NULL, 'at most none is an error');
SELECT throws_ok('SELECT rxtrack.release_events(-1)', '22023', NULL, 'and so is less');
SELECT is(rxtrack.release_events(NULL), NULL, 'NULL is no number');
SELECT pg_temp.pass('1 h') \g /dev/null
SELECT is(rxtrack.release_events(), 1, 'then it is due');
SELECT is(pg_temp.fate(6), 'alert', 'and released');

DELETE FROM rxtrack.readiness_event WHERE release_number > 3;
SELECT pg_temp.tell(7, 'RC') \g /dev/null
SELECT is(rxtrack.release_events(), 1, 'events removed by hand');
SELECT is((SELECT max(release_number) FROM rxtrack.readiness_event), 7::bigint, 'leave their numbers behind');
DELETE FROM rxtrack.readiness_event;
SELECT is(rxtrack_internal.last_release(), 7::bigint, 'also where all are removed');
SELECT is((SELECT array_agg(release_number) FROM rxtrack.last_removed_release), '{7}'::bigint[], 'the highest is noted, alone');

-- ---------- Overtaken, or not ----------

-- Each scene is told before the event is due, and 2 hours go by; what is told after that is in its second list.
CREATE TEMP TABLE scene (item serial, name text, before jsonb, after jsonb, fate text);
ALTER SEQUENCE scene_item_seq RESTART 100;
INSERT INTO scene (name, before, after, fate) VALUES
  ('a promise that is kept', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"]]', '[]', 'alert'),
  ('withdrawn: it is with the pharmacy', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["WP", "-1 h"]]', '[]', 'cancelled'),
  ('not dispensed', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["ND", "-1 h"]]', '[]', 'cancelled'),
  ('withdrawn by what has yet to begin', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["WP", "30 min", "-1 h"]]', '[]', 'cancelled, cancelled'),
  ('told to be ready now', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RC", "-1 min"]]', '[]', 'cancelled, alert'),
  ('told so twice', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RC", "-2 min"], ["RC", "-1 min"]]', '[]', 'cancelled, alert'),
  ('told to be ready now, as the first', '[["RC", "1 h", "-2 h"], ["RC", "-1 min"]]', '[]', 'cancelled, alert'),
  ('ready in part', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RCP", "-1 min"]]', '[]', 'cancelled, alert'),
  ('ready already, as is told late', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RC", "-150 min"]]', '[]', 'cancelled, alert'),
  ('ready in part already, as is told late', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RCP", "-150 min"]]', '[]', 'cooldown, alert'),
  ('ready before, as is told late', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RC", "-4 h"]]', '[]', 'alert'),
  ('put off', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RC", "90 min", "-1 h"]]', '[]', 'cancelled, alert'),
  ('put off beyond now', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RC", "3 h", "-1 h"]]', '[]', 'cancelled, pending'),
  ('brought forward', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["RC", "10 min", "-1 h"]]', '[]', 'cancelled, alert'),
  ('by a late one: not', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["WPR", "-150 min"]]', '[]', 'alert'),
  ('of one time, received later', '[["RC", "1 h", "0 h"], ["WP", "30 min", "0 h"]]', '[]', 'cancelled, cancelled'),
  ('what came when it had begun: not', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"]]', '[["C", "0 h"]]', 'alert'),
  ('told again when it had begun', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"]]', '[["RC", "0 h"]]', 'alert'),
  ('told again twice', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"]]', '[["RC", "0 h"], ["RC", "1 min"]]', 'alert'),
  ('withdrawn in time, and then ready', '[["WP", "-3 h"], ["RC", "1 h", "-2 h"], ["WP", "-1 h"]]', '[["RC", "0 h"]]',
   'cancelled, alert'),
  ('not post-dated, then collected', '[["RC", "-3 h"], ["C", "-2 h"]]', '[]', 'alert');
SELECT pg_temp.tell(item, u ->> 0, (u ->> 1)::interval, (u ->> 2)::interval)
FROM (SELECT item, u FROM scene, jsonb_array_elements(before) WITH ORDINALITY AS b (u, n) ORDER BY item, n) AS x \g /dev/null
SELECT pg_temp.pass('2 h') \g /dev/null
SELECT pg_temp.tell(item, u ->> 0, (u ->> 1)::interval, (u ->> 2)::interval)
FROM (SELECT item, u FROM scene, jsonb_array_elements(after) WITH ORDINALITY AS b (u, n) ORDER BY item, n) AS x \g /dev/null
SELECT cmp_ok(rxtrack.release_events(), '>', 0, 'all that is due');
SELECT is(pg_temp.fate(item), fate, name) FROM scene ORDER BY item;
SELECT is_empty('SELECT pg_temp.oddities()', 'no row is half settled');
SELECT is((SELECT max(release_number) - count(*) FROM rxtrack.readiness_event), 7::bigint,
  'cancelled events leave no gap among the numbers');

-- A supply that is not there yet, because a restore is under way.
SELECT pg_temp.tell(150, 'RC', '1 h', '-1 min') \g /dev/null
SELECT pg_temp.pass('2 h') \g /dev/null
CREATE TEMP TABLE to_come AS SELECT * FROM rxtrack.supply WHERE line_item_id = pg_temp.uuid(150)::uuid;
DELETE FROM rxtrack.supply WHERE line_item_id = pg_temp.uuid(150)::uuid;
SELECT rxtrack.release_events() \g /dev/null
SELECT is(pg_temp.fate(150), 'pending', 'a promise whose supply is missing waits for it');
INSERT INTO rxtrack.supply SELECT * FROM to_come;
SELECT is(rxtrack.release_events(), 1, 'and is settled when it is there');

-- An update that was removed, whose promise was not: the same task may come again.
SELECT pg_temp.tell(152, 'RC', '1 h', '-1 min') \g /dev/null
DELETE FROM rxtrack.status_update WHERE line_item_id = pg_temp.uuid(152)::uuid;
DELETE FROM rxtrack.supply WHERE line_item_id = pg_temp.uuid(152)::uuid;
SELECT setval('task', currval('task') - 1) \g /dev/null
SELECT is(pg_temp.tell(152, 'RC', '200 h', '-1 min'), 201, 'a task that was removed is told again');
SELECT is((SELECT count(*) || ' ' || bool_and(due_at > now() + interval '90 min') FROM event WHERE line_item_id = pg_temp.uuid(152)::uuid), '1 true',
  'and its new promise takes the place of the old one');
DELETE FROM rxtrack.status_update WHERE line_item_id = pg_temp.uuid(152)::uuid;
DELETE FROM rxtrack.supply WHERE line_item_id = pg_temp.uuid(152)::uuid;
SELECT is(pg_temp.tell(152, 'RC', '300 h', '-1 min'), 201, 'so is another task of its supply');

-- ---------- Whom to alert ----------

SELECT pg_temp.tell(200, 'RC'), pg_temp.tell(201, 'RC', ods => 'XX001'), pg_temp.tell(202, 'RC', ods => 'BL001'),
       pg_temp.tell(203, 'RC', ods => 'BL002'), pg_temp.tell(204, 'RC', application => 'Supplier two'),
       pg_temp.tell(205, 'RC', ods => 'BL001', application => 'Supplier two'),
       pg_temp.tell(206, 'RC', ods => 'XX001', application => 'Supplier two') \g /dev/null
SELECT is(rxtrack.release_events(), 7, 'events of all kinds');
SELECT is(pg_temp.fate(item), fate, name) FROM (VALUES
  (200, 'alert', 'the pharmacy is enabled'),
  (201, 'not enabled', 'neither the pharmacy is nor the application'),
  (202, 'pharmacy blocked', 'the pharmacy is enabled, and blocked'),
  (203, 'pharmacy blocked', 'it is blocked only'),
  (204, 'alert', 'both are enabled'),
  (205, 'pharmacy blocked', 'both are, and it is blocked'),
  (206, 'alert', 'the application is enabled')) AS x (item, fate, name);

SELECT pg_temp.tell(210, 'RC', ods => 'BL001', patient => 200), pg_temp.tell(211, 'RC', patient => 200, ods => 'XX001'),
       pg_temp.tell(212, 'RC', patient => 200, ods => 'XX001', application => 'Supplier two'), pg_temp.tell(213, 'RC', patient => 200) \g /dev/null
SELECT is(rxtrack.release_events(), 4, 'of the patient who was alerted');
SELECT is(pg_temp.fate(item), fate, name) FROM (VALUES
  (210, 'pharmacy blocked', 'blocked comes before the cooldown'),
  (211, 'not enabled', 'so does what is not enabled'),
  (212, 'alert', 'another pharmacy is'),
  (213, 'cooldown', 'and last the cooldown')) AS x (item, fate, name);

-- A change of the settings counts for the next release, also one that is taken back.
SAVEPOINT settings;
SELECT rxtrack.unblock_alerts('{BL001}'), rxtrack.enable_alerts(ods_codes => '{XX001}'),
       rxtrack.disable_alerts(application => 'Supplier two') \g /dev/null
SELECT pg_temp.tell(220, 'RC', ods => 'XX001'), pg_temp.tell(221, 'RC', ods => 'BL001'),
       pg_temp.tell(222, 'RC', ods => 'XX002', application => 'Supplier two') \g /dev/null
SELECT is(rxtrack.release_events(), 3, 'after a change of the settings');
SELECT is(pg_temp.fate(220), 'alert', 'what was enabled is');
SELECT is(pg_temp.fate(221), 'alert', 'what was unblocked is');
SELECT is(pg_temp.fate(222), 'not enabled', 'and what was disabled');
ROLLBACK TO settings;
SELECT pg_temp.tell(223, 'RC', ods => 'BL001') \g /dev/null
SELECT is(rxtrack.release_events(), 1, 'the change is taken back');
SELECT is(pg_temp.fate(223), 'pharmacy blocked', 'and so is its effect');
SELECT rxtrack.disable_alerts(ods_codes => '{AL001, AL002}') \g /dev/null
SELECT pg_temp.tell(224, 'RC') \g /dev/null
SELECT is(rxtrack.release_events(), 1, 'with the pharmacy disabled');
SELECT is(pg_temp.fate(224), 'not enabled', 'nobody is alerted');
SELECT rxtrack.enable_alerts(ods_codes => '{AL001, AL002}') \g /dev/null

-- ---------- The cooldown ----------

SELECT is(rxtrack_internal.setting_duration('rxtrack.alert_cooldown'), interval '2 h', 'two hours, unless configured');
SELECT pg_temp.tell(300, 'RC'), pg_temp.tell(301, 'RC', patient => 300), pg_temp.tell(302, 'RC', patient => 300, ods => 'AL002'),
       pg_temp.tell(303, 'RC', patient => 303), pg_temp.tell(304, 'RC', patient => 300) \g /dev/null
SELECT is(rxtrack.release_events(), 5, 'several of one patient in one batch');
SELECT is(pg_temp.fate(300), 'alert', 'the first is alerted');
SELECT is(pg_temp.fate(301) || ', ' || pg_temp.fate(304), 'cooldown, cooldown', 'the others are not');
SELECT is(pg_temp.fate(302), 'alert', 'at another pharmacy');
SELECT is(pg_temp.fate(303), 'alert', 'another patient');
SELECT pg_temp.pass('119 min') \g /dev/null
SELECT pg_temp.tell(310, 'RC', patient => 300) \g /dev/null
SELECT is(rxtrack.release_events(), 1, 'within two hours');
SELECT is(pg_temp.fate(310), 'cooldown', 'still');
SELECT pg_temp.pass('61 s') \g /dev/null
SELECT pg_temp.tell(311, 'RC', patient => 300) \g /dev/null
SELECT is(rxtrack.release_events(), 1, 'after two hours');
SELECT is(pg_temp.fate(311), 'alert', 'no longer: what the cooldown kept back does not begin another');
SET LOCAL rxtrack.alert_cooldown = '5 min';
SELECT pg_temp.pass('4 min') \g /dev/null
SELECT pg_temp.tell(312, 'RC', patient => 300) \g /dev/null
SELECT is(rxtrack.release_events(), 1, 'with a shorter cooldown');
SELECT is(pg_temp.fate(312), 'cooldown', 'within it');
SELECT pg_temp.pass('61 s') \g /dev/null
SELECT pg_temp.tell(313, 'RC', patient => 300) \g /dev/null
SELECT is(rxtrack.release_events(), 1, 'and after');
SELECT is(pg_temp.fate(313), 'alert', 'it is over');
SET LOCAL rxtrack.alert_cooldown = 0;
SELECT pg_temp.tell(n, 'RC', patient => 300) FROM generate_series(320, 322) AS n \g /dev/null
SELECT is(rxtrack.release_events(), 3, 'without cooldown');
SELECT is((SELECT string_agg(pg_temp.fate(n), ', ') FROM generate_series(320, 322) AS n),
  'alert, alert, alert', 'everyone is, within a batch too');
SELECT pg_temp.tell(323, 'RC', patient => 300) \g /dev/null
SELECT is(rxtrack.release_events(), 1, 'and across batches');
SELECT is(pg_temp.fate(323), 'alert', 'too');
RESET rxtrack.alert_cooldown;
SELECT is(rxtrack_internal.setting_duration('rxtrack.event_retention'), interval '168 h', 'events are kept for seven days');
SELECT is(rxtrack_internal.setting_duration('rxtrack.subscription_expiry'), interval '168 h', 'and subscriptions');
SELECT throws_ok($$ SELECT rxtrack_internal.setting_duration('rxtrack.sandbox') $$, '42704', NULL, 'no other setting is a duration');
SELECT is_empty('SELECT pg_temp.oddities()', 'no row is half settled');

-- ---------- What a DBA does to the tables ----------

-- Triggers of each kind on each table: they fire, and what one leaves out or keeps is left out or kept.
CREATE TEMP TABLE fired (n serial, what text);
CREATE FUNCTION pg_temp.fire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fired (what) VALUES (TG_TABLE_NAME || ' ' || TG_WHEN || ' ' || TG_OP || ' ' || TG_LEVEL);
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION pg_temp.fired() RETURNS text LANGUAGE sql AS $$
  WITH all_of_it AS (DELETE FROM fired RETURNING n, what) SELECT string_agg(what, ', ' ORDER BY n) FROM all_of_it
$$;
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY '{rxtrack_internal.readiness_inbox,rxtrack.readiness_promise,rxtrack.readiness_event}'::text[] LOOP
    EXECUTE format('CREATE TRIGGER fire_before BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION pg_temp.fire()', t);
    EXECUTE format('CREATE TRIGGER fire_after AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION pg_temp.fire()', t);
  END LOOP;
END $$;
SELECT pg_temp.tell(400, 'RC') \g /dev/null
SELECT is(pg_temp.fired(), 'readiness_inbox BEFORE INSERT ROW, readiness_inbox AFTER INSERT ROW', 'triggers of the inbox fire when an event is recorded');
SELECT is(rxtrack.release_events(), 1, 'it is released');
SELECT is(pg_temp.fired(), 'readiness_inbox BEFORE DELETE ROW, readiness_inbox AFTER DELETE ROW, readiness_event BEFORE INSERT ROW, '
  'readiness_event AFTER INSERT ROW', 'and when it moves to those that were released');
SELECT pg_temp.tell(401, 'RC', '1 h', '-2 h'), pg_temp.tell(402, 'RC', '1 h', '-2 h') \g /dev/null
SELECT is(pg_temp.fired(), 'readiness_promise BEFORE INSERT ROW, readiness_promise AFTER INSERT ROW, readiness_promise BEFORE INSERT ROW, '
  'readiness_promise AFTER INSERT ROW', 'those of promises too');
SELECT pg_temp.tell(402, 'RC', '-3 h'), rxtrack.release_events(), pg_temp.pass('2 h'), pg_temp.fired() \g /dev/null
SELECT is(rxtrack.release_events(), 2, 'one is kept, one cancelled');
SELECT is(pg_temp.fired(), 'readiness_promise BEFORE DELETE ROW, readiness_promise AFTER DELETE ROW, readiness_event BEFORE INSERT ROW, '
  'readiness_event AFTER INSERT ROW, readiness_promise BEFORE UPDATE ROW, readiness_promise AFTER UPDATE ROW', 'by a deletion and by an update');
CREATE TRIGGER fire_statement AFTER INSERT OR DELETE ON rxtrack_internal.readiness_inbox FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.fire();
CREATE TRIGGER fire_columns AFTER UPDATE OF cancelled_at ON rxtrack.readiness_promise FOR EACH ROW EXECUTE FUNCTION pg_temp.fire();
DROP TRIGGER fire_before ON rxtrack.readiness_event; DROP TRIGGER fire_after ON rxtrack.readiness_event;
DROP TRIGGER fire_before ON rxtrack_internal.readiness_inbox; DROP TRIGGER fire_after ON rxtrack_internal.readiness_inbox;
DROP TRIGGER fire_before ON rxtrack.readiness_promise; DROP TRIGGER fire_after ON rxtrack.readiness_promise;
SELECT pg_temp.tell(403, 'RC') \g /dev/null
SELECT is(pg_temp.fired(), 'readiness_inbox AFTER INSERT STATEMENT', 'a trigger for each statement');
SELECT pg_temp.tell(404, 'RC', '1 h', '-2 h'), pg_temp.tell(404, 'RC', '-3 h'), pg_temp.pass('2 h'), pg_temp.fired() \g /dev/null
SELECT is(rxtrack.release_events(), 3, 'with triggers for each statement and of columns');
SELECT is(pg_temp.fired(), 'readiness_inbox AFTER DELETE STATEMENT, readiness_inbox AFTER DELETE STATEMENT, readiness_promise AFTER UPDATE ROW',
  'these fire too');
SELECT is(pg_temp.fate(403) || ', ' || pg_temp.fate(404), 'alert, cancelled, alert', 'with the same results');
DROP TRIGGER fire_statement ON rxtrack_internal.readiness_inbox; DROP TRIGGER fire_columns ON rxtrack.readiness_promise;

CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER refuse BEFORE INSERT ON rxtrack_internal.readiness_inbox FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SELECT is(pg_temp.tell(410, 'RC'), 201, 'an update whose event a trigger leaves out');
SELECT is(rxtrack.release_events(), 0, 'has none');
DROP TRIGGER refuse ON rxtrack_internal.readiness_inbox;
CREATE TRIGGER refuse BEFORE DELETE ON rxtrack_internal.readiness_inbox FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SELECT pg_temp.tell(411, 'RC') \g /dev/null
SELECT is(rxtrack.release_events(), 0, 'one that a trigger keeps in the inbox');
SELECT is(pg_temp.fate(411), 'pending', 'stays there, and is not released');
DROP TRIGGER refuse ON rxtrack_internal.readiness_inbox;
CREATE TRIGGER refuse BEFORE INSERT ON rxtrack.readiness_event FOR EACH ROW WHEN (NEW.ods_code = 'AL001') EXECUTE FUNCTION pg_temp.refuse();
SELECT pg_temp.tell(412, 'RC', ods => 'AL002') \g /dev/null
SELECT rxtrack_internal.last_release() AS last_before \gset
SELECT is(rxtrack.release_events(), 2, 'one that a trigger leaves out when it is released, and another');
SELECT is(pg_temp.fate(411), NULL, 'is gone');
SELECT is((SELECT array_agg(release_number) FROM rxtrack.readiness_event WHERE release_number > :last_before), ARRAY[:last_before + 1]::bigint[],
  'and takes no number');
DROP TRIGGER refuse ON rxtrack.readiness_event;
DELETE FROM rxtrack.readiness_event;
ALTER TABLE rxtrack.readiness_event ALTER alert_reason SET NOT NULL;
SELECT pg_temp.tell(413, 'RC') \g /dev/null
SELECT is(rxtrack.release_events(), 0, 'a constraint that is added holds');
SELECT is((SELECT left(error, 5) FROM rxtrack.pending_events WHERE failures = 1), '23502', 'the event is set aside');
ALTER TABLE rxtrack.readiness_event ALTER alert_reason DROP NOT NULL;
SELECT is(rxtrack.release_events(), 1, 'until it is taken away');
ALTER TABLE rxtrack_internal.readiness_inbox ADD COLUMN note text DEFAULT 'n', DROP COLUMN application_id, ADD COLUMN application_id integer NOT NULL DEFAULT 0;
SELECT pg_temp.tell(414, 'RC') \g /dev/null
SELECT is(rxtrack.release_events(), 1, 'a column that was added, and one that was dropped and added anew');
SELECT is(pg_temp.fate(414), 'alert', 'columns are known by their names');
ALTER TABLE rxtrack_internal.readiness_inbox DROP COLUMN note;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'rxtrack.readiness_promise_pending'::regclass;
SELECT throws_ok('SELECT rxtrack.release_events()', '55000', 'index "readiness_promise_pending" is not valid', 'an index that may lack promises is not trusted');
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'rxtrack.readiness_promise_pending'::regclass;

-- ---------- Who may ----------

SELECT throws_ok('SET LOCAL ROLE rxtrack_listener; SELECT rxtrack.release_events()', '42501', NULL, 'a listener may not release');
SELECT throws_ok('SET LOCAL ROLE rxtrack_gateway; SELECT rxtrack.release_events()', '42501', NULL, 'nor the gateway');
SELECT throws_ok('SET LOCAL ROLE rxtrack_listener; SET rxtrack.alert_cooldown = 0', '42501', NULL, 'nor change the settings');
SELECT lives_ok('SET LOCAL ROLE rxtrack_admin; SELECT rxtrack.release_events()', 'an administrator may');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
