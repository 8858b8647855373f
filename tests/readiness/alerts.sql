-- Whom a readiness event alerts, and which reason comes first: reported late (S2), a patient in conflict (S4), predictions (S6).
BEGIN;
SELECT no_plan();
\ir ../lib/bundles.sql
SET LOCAL rxtrack.transition_policy = 'off';
SELECT rxtrack.enable_alerts(ods_codes => '{FX123}') \g /dev/null

-- Brings item n, which is of patient n unless said otherwise, and says what has become of the event. The times are offsets from the clock.
CREATE TEMP SEQUENCE task;
CREATE FUNCTION pg_temp.fate(item integer, short text DEFAULT 'RC', effect interval DEFAULT '-1 min', set_at interval DEFAULT NULL,
                             ods text DEFAULT 'FX123', patient integer DEFAULT NULL, application text DEFAULT 'Supplier one',
                             prescription integer DEFAULT NULL)
  RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before bigint := rxtrack_internal.last_release();
BEGIN
  IF pg_temp.status(pg_temp.submit(pg_temp.bundle(jsonb_set(jsonb_set(
    pg_temp.task(nextval('task')::integer, short, clock_timestamp() + effect, item, clock_timestamp() + set_at, prescription),
    '{owner,identifier,value}', to_jsonb(ods)),
    '{for,identifier,value}', to_jsonb(pg_temp.nhs_number(coalesce(patient, prescription, item))))), application => application)) <> 201 THEN
    RETURN 'refused';
  END IF;
  PERFORM rxtrack.release_events();
  RETURN (SELECT string_agg(CASE WHEN e.withdraws IS NOT NULL THEN 'withdrawn' WHEN e.alert THEN 'alert' ELSE e.alert_reason::text END, ', ' ORDER BY e.release_number)
          FROM rxtrack.readiness_event e WHERE e.release_number > before);
END $$;

-- ---------- S2: reported late ----------

SELECT is(pg_temp.fate(n, effect => effect::interval), fate, 'S2: ' || name) FROM (VALUES
  (1, '-3:59:50', 'alert', 'received less than four hours after it took effect'),
  (2, '-4:00:01', 'reported late', 'received more than four hours after it'),
  (3, '-20 h', 'reported late', 'of yesterday'),
  (4, '-400 days', 'reported late', 'of last year: a first upload'),
  (5, '1 h', 'alert', 'by a clock that is ahead: as of its receipt')) AS x (n, effect, fate, name);
SELECT is(pg_temp.fate(6, 'RCP', '-5 h') || ', ' || pg_temp.fate(6, 'RC', '-1 min'), 'reported late, alert', 'S2: what is late holds back nothing that is not');
SET LOCAL rxtrack.alert_max_lateness = '1 min';
SELECT is(pg_temp.fate(7, effect => '-55 s') || ', ' || pg_temp.fate(8, effect => '-61 s'), 'alert, reported late', 'S2: as configured');
SET LOCAL rxtrack.alert_max_lateness = 0;
SELECT is(pg_temp.fate(9, effect => '-400 days'), 'alert', 'S2: or never');
RESET rxtrack.alert_max_lateness;
SELECT is(pg_temp.fate(10, effect => '-5 h', ods => 'XX001'), 'not enabled', 'S2: what is not enabled comes first');
SELECT is(pg_temp.fate(11, effect => '-5 h', patient => 1), 'reported late', 'S2: it comes before the cooldown');

-- What is stored of a backlog after what came before it in truth: nobody is told that something is ready that was collected long ago.
SELECT is(pg_temp.fate(12, 'RC', '-20 h') || ', ' || coalesce(pg_temp.fate(12, 'C', '-19 h'), 'nothing'), 'reported late, nothing',
  'S2: ready twenty hours ago, and then collected');

-- ---------- S6: predictions ----------

SELECT is(pg_temp.fate(20, effect => '-1 min', set_at => '-1 h'), 'prediction', 'S6: one that has begun alerts nobody');
SELECT rxtrack.alter_application('Supplier one', alert_on_predictions => true) \g /dev/null
SELECT is(pg_temp.fate(21, effect => '-1 min', set_at => '-1 h'), 'alert', 'S6: where the application may it does, from the next release on');
SELECT is(pg_temp.fate(22, effect => '-1 min', set_at => '-1 h', application => 'Supplier two'), 'prediction', 'S6: another application''s does not');
SELECT is(pg_temp.fate(23, effect => '-5 h', set_at => '-6 h'), 'reported late', 'S6: it may be late');
SELECT is(pg_temp.fate(24, effect => '-5 h', set_at => '-6 h', application => 'Supplier two'), 'prediction', 'S6: and a prediction first');
SELECT results_eq($$ SELECT post_dated, alert FROM rxtrack.readiness_event WHERE line_item_id = pg_temp.uuid(21)::uuid $$, $$ VALUES (true, true) $$,
  'S6: the event says that it is predicted');
SELECT is((SELECT rxtrack.event_json(e)::jsonb ->> 'origin' FROM rxtrack_internal.events_after(0, 1000) e WHERE e.line_item_id = pg_temp.uuid(n)::uuid), origin,
  'S6: its origin: ' || origin) FROM (VALUES (21, 'predicted'), (1, 'reported')) AS x (n, origin);
SELECT is((SELECT origin FROM rxtrack.supply_status WHERE line_item_id = pg_temp.uuid(21)::uuid), 'predicted', 'S6: as the supply''s status says');
SELECT rxtrack.alter_application('Supplier one', alert_on_predictions => false) \g /dev/null
SELECT is(pg_temp.fate(25, effect => '-1 min', set_at => '-1 h'), 'prediction', 'S6: it may be switched off again');
SELECT is(pg_temp.fate(25, effect => '-1 s'), NULL, 'S6: what is then reported is nothing new, and alerts nobody');

-- ---------- A patient in conflict ----------

SELECT is(pg_temp.fate(30), 'alert', 'the patient is named');
SELECT is(pg_temp.fate(31, prescription => 30, patient => 3100), 'patient in conflict', 'another patient, of another item of the prescription');
SELECT is(pg_temp.fate(32, prescription => 30, ods => 'XX001', patient => 3100), 'not enabled', 'what is not enabled comes first');
SELECT is(pg_temp.fate(33, 'RC', '-5 h', '-6 h', prescription => 30, patient => 3100), 'patient in conflict', 'and it before all others');
SELECT is(pg_temp.fate(34, prescription => 30), 'cooldown', 'the right patient''s items alert as ever');
SELECT is((SELECT array_agg(DISTINCT nhs_number::text) FROM rxtrack.readiness_event WHERE prescription_id = pg_temp.prescription(30)), ARRAY[pg_temp.nhs_number(30)],
  'events are of the prescription''s patient, whoever was named');
SELECT is(pg_temp.fate(40), 'alert', 'S4: the patient is named');
SELECT is(pg_temp.fate(40, 'WP', '-30 s', patient => 4100), 'withdrawn', 'S4: its application names another, for the same supply');
SELECT is(pg_temp.fate(41, prescription => 40), 'patient in conflict', 'S4: nothing of the prescription alerts');
SELECT is(pg_temp.fate(42, prescription => 40, application => 'Supplier two', ods => 'FX124'), 'not enabled', 'S4: whoever says so');
SELECT rxtrack.settle_patient(pg_temp.prescription(40), pg_temp.nhs_number(40), 'asked') \g /dev/null
SELECT is(pg_temp.fate(43, prescription => 40), 'cooldown', 'S4: until it is settled');

-- ---------- All reasons, in their order ----------

SELECT is(enum_range(NULL::rxtrack.alert_reason)::text[],
  '{pharmacy blocked,not enabled,patient in conflict,cancelled or expired,not the holding pharmacy,prediction,reported late,cooldown}'::text[], 'the reasons, in order');
SELECT rxtrack.block_alerts('{FX123}', 'wrong patients') \g /dev/null
SELECT is(pg_temp.fate(50, 'RC', '-5 h', '-6 h', prescription => 30, patient => 3100), 'pharmacy blocked', 'what is blocked comes first of all');

SELECT * FROM finish();
ROLLBACK;
