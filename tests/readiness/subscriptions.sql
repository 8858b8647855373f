-- Durable subscriptions: subscribing, fetching, acknowledging, filters, retention, lag; and what the gateway's streams read.
BEGIN;
-- First of all, before anything has loaded the library into this session.
SELECT no_plan();
SELECT is_empty('TABLE rxtrack.subscription_lag', 'the view works in a session that has not loaded the library');
SELECT is(rxtrack.prune_events(), 0, 'and so does pruning');
\ir ../lib/bundles.sql
SET LOCAL rxtrack.transition_policy = 'off';

-- Item n becomes ready, at a pharmacy, and its event is released: its number.
CREATE FUNCTION pg_temp.release(n integer, ods text DEFAULT 'AL001') RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_temp.submit(pg_temp.bundle(jsonb_set(pg_temp.task(n, 'RC', now() - interval '1 h', n), '{owner,identifier,value}', to_jsonb(ods))));
  PERFORM rxtrack.release_events();
  RETURN rxtrack_internal.last_release();
END $$;
CREATE FUNCTION pg_temp.fetched(name text, max integer DEFAULT 100) RETURNS bigint[] LANGUAGE sql AS $$
  SELECT coalesce(array_agg(e.release_number ORDER BY e.ordinality), '{}') FROM rxtrack.fetch_events(name, max) WITH ORDINALITY AS e
$$;
CREATE FUNCTION pg_temp.position_of(name text) RETURNS bigint LANGUAGE sql AS
$$ SELECT acknowledged FROM rxtrack.subscription s WHERE s.name = position_of.name $$;
SELECT rxtrack.enable_alerts(ods_codes => '{AL001}') \g /dev/null

-- ---------- Subscribing ----------

SELECT is(rxtrack.add_subscription('early'), 0::bigint, 'before the first release');
SELECT is(pg_temp.release(1), 1::bigint, 'a first release');
SELECT is(pg_temp.release(2, 'NO001'), 2::bigint, 'at another pharmacy, without alert');
SELECT is(rxtrack.add_subscription('late'), 2::bigint, 'a subscription begins with what comes');
SELECT is(pg_temp.fetched('early'), '{1,2}'::bigint[], 'the early one gets both');
SELECT is(pg_temp.fetched('late'), '{}'::bigint[], 'the late one none');
SELECT is(pg_temp.release(3), 3::bigint, 'another');
SELECT is(pg_temp.fetched('late'), '{3}'::bigint[], 'which it gets');
SELECT is(rxtrack.add_subscription('early'), 0::bigint, 'subscribing again keeps the position');
SELECT is(pg_temp.fetched('early'), '{1,2,3}'::bigint[], 'and what was not acknowledged comes again');
SELECT throws_ok($$ SELECT rxtrack.add_subscription(NULL) $$, '22004', NULL, 'a subscription without name');
SELECT throws_ok($$ SELECT rxtrack.add_subscription('x', NULL, NULL) $$, '22004', NULL, 'neither alerts only nor not');
SELECT throws_ok($$ SELECT rxtrack.add_subscription('') $$, '23514', NULL, 'an empty name');
SELECT throws_ok($$ SELECT rxtrack.add_subscription(E'a\nb') $$, '23514', NULL, 'a name of two lines');
SELECT throws_ok($$ SELECT rxtrack.add_subscription('x', '{no code}') $$, '22P02', NULL, 'what is no ODS code');
SELECT lives_ok($$ SELECT rxtrack.add_subscription(repeat('n', 128)) $$, 'a long name');
SELECT is(rxtrack.drop_subscription(repeat('n', 128)), true, 'unsubscribing');
SELECT is(rxtrack.drop_subscription(repeat('n', 128)), false, 'twice');
SELECT results_eq($$ SELECT prescription_id::text, line_item_id, issue_number, nhs_number::text, ods_code::text, status::text, origin, occurred_at,
    released_at, alert, alert_reason::text, withdraws, withdraws_alert FROM rxtrack.fetch_events('early', 2) $$,
  $$ SELECT pg_temp.prescription(n), pg_temp.uuid(n)::uuid, 0, pg_temp.nhs_number(n), ods, 'Ready to Collect', 'reported', now() - interval '1 h',
    e.released_at, reason IS NULL, reason, NULL::bigint, NULL::boolean FROM rxtrack.readiness_event e
    JOIN (VALUES (1, 'AL001', NULL), (2, 'NO001', 'not enabled')) AS x (n, ods, reason) ON e.release_number = x.n ORDER BY n $$,
  'what an event says to a listener');

-- ---------- Fetching and acknowledging ----------

SELECT is(pg_temp.fetched('early', 2), '{1,2}'::bigint[], 'at most so many');
SELECT is(pg_temp.fetched('early', 2), '{1,2}'::bigint[], 'the same again, until they are acknowledged');
SELECT is(rxtrack.ack_events('early', 1), 1::bigint, 'the first is');
SELECT is(pg_temp.fetched('early', 2), '{2,3}'::bigint[], 'and comes no more');
SELECT is(rxtrack.ack_events('early', 0), 1::bigint, 'acknowledging less than before takes nothing back');
SELECT is(rxtrack.ack_events('early', -5), 1::bigint, 'nor does nonsense');
SET LOCAL client_min_messages = 'warning';
SELECT is(rxtrack.ack_events('early', 4), 3::bigint, 'a number beyond the last one acknowledges all there is');
RESET client_min_messages;
SELECT is(rxtrack.ack_events('early', 3), 3::bigint, 'as the last one does');
SELECT is(pg_temp.fetched('early'), '{}'::bigint[], 'and there is no more');
SELECT throws_ok($$ SELECT * FROM rxtrack.fetch_events('unknown') $$, '42704', NULL, 'fetching for an unknown subscription');
SELECT throws_ok($$ SELECT rxtrack.ack_events('unknown', 1) $$, '42704', NULL, 'acknowledging for it');
SELECT throws_ok($$ SELECT * FROM rxtrack.fetch_events('early', 0) $$, '22023', NULL, 'fetching at most none');
SELECT throws_ok($$ SELECT * FROM rxtrack.fetch_events('early', -1) $$, '22023', NULL, 'or less');
SELECT is_empty($$ SELECT * FROM rxtrack.fetch_events(NULL) $$, 'fetching for NULL');
SELECT is(rxtrack.ack_events('early', NULL), NULL, 'acknowledging NULL');
SELECT is(pg_temp.position_of('early'), 3::bigint, 'changes nothing');

-- ---------- Filters ----------

SELECT is(rxtrack.add_subscription('one', '{al001}'), 3::bigint, 'of one pharmacy, in lower case');
SELECT is(rxtrack.add_subscription('two', '{NO001, NO002}'), 3::bigint, 'of two others');
SELECT is(rxtrack.add_subscription('alerts', NULL, true), 3::bigint, 'of alerts only');
SELECT is(rxtrack.add_subscription('none', '{}'), 3::bigint, 'of no pharmacy');
SELECT is(rxtrack.add_subscription('quiet', '{QU1ET}'), 3::bigint, 'of one where nothing happens');
SELECT pg_temp.release(10), pg_temp.release(11, 'NO001'), pg_temp.release(12, 'NO002'), pg_temp.release(13), pg_temp.release(14, 'NO003') \g /dev/null
SELECT is(pg_temp.fetched('late'), '{3,4,5,6,7,8}'::bigint[], 'all of them');
SELECT is(pg_temp.fetched('one'), '{4,7}'::bigint[], 'of one pharmacy');
SELECT is(pg_temp.fetched('two'), '{5,6}'::bigint[], 'of two');
SELECT is(pg_temp.fetched('two', 1), '{5}'::bigint[], 'at most so many of them');
SELECT is(pg_temp.fetched('alerts'), '{4,7}'::bigint[], 'those with an alert');
SELECT is(pg_temp.fetched('none'), '{}'::bigint[], 'none');
SELECT is(pg_temp.position_of('one'), 3::bigint, 'fetching does not move a subscription that gets something');
SELECT is(rxtrack.ack_events('one', 7), 7::bigint, 'acknowledged');
SELECT is(pg_temp.fetched('one'), '{}'::bigint[], 'there is nothing more for it');
SELECT is(pg_temp.position_of('one'), 8::bigint, 'and it moves on over what is for others');
SELECT is(pg_temp.fetched('quiet'), '{}'::bigint[], 'nothing');
SELECT is(pg_temp.position_of('quiet'), 8::bigint, 'so does one that never gets anything');
SELECT is(rxtrack.add_subscription('two', '{NO003}'), 3::bigint, 'other filters');
SELECT is(pg_temp.fetched('two'), '{8}'::bigint[], 'count from its position on');
SELECT is(rxtrack.add_subscription('two'), 3::bigint, 'or none');
SELECT is(pg_temp.fetched('two'), '{4,5,6,7,8}'::bigint[], 'all of them');

-- ---------- Lag ----------

SELECT results_eq($$ SELECT subscription, behind, waiting_since = (SELECT released_at FROM rxtrack.readiness_event WHERE release_number = acknowledged + 1),
    live, warning FROM rxtrack.subscription_lag WHERE subscription IN ('late', 'one', 'two') ORDER BY subscription $$,
  $$ VALUES ('late', 6::bigint, true, true, NULL), ('one', 0, NULL, true, NULL), ('two', 5, true, true, NULL) $$, 'how far each is behind');

-- ---------- Retention ----------

CREATE FUNCTION pg_temp.kept() RETURNS bigint[] LANGUAGE sql AS
$$ SELECT coalesce(array_agg(release_number ORDER BY release_number), '{}') FROM rxtrack.readiness_event $$;
SELECT rxtrack.drop_subscription(name) FROM rxtrack.subscription WHERE name NOT IN ('late', 'two') \g /dev/null
SELECT rxtrack.ack_events('late', 6), rxtrack.ack_events('two', 4) \g /dev/null
SELECT is(rxtrack.prune_events(), 0, 'nothing is old');
UPDATE rxtrack.readiness_event SET released_at = released_at - interval '8 days' WHERE release_number <= 7;
SELECT is(rxtrack.prune_events(2), 2, 'at most so many');
SELECT is(pg_temp.kept(), '{3,4,5,6,7,8}'::bigint[], 'the oldest first');
SELECT is(rxtrack.prune_events(), 2, 'what all live subscriptions have acknowledged');
SELECT is(pg_temp.kept(), '{5,6,7,8}'::bigint[], 'and no more');
SELECT is(pg_temp.fetched('two'), '{5,6,7,8}'::bigint[], 'nothing is missing for the one that is behind');
SET LOCAL rxtrack.event_retention = '1 min';
UPDATE rxtrack.readiness_event SET released_at = released_at - interval '1 h' WHERE release_number = 8;
SELECT is(rxtrack.prune_events(), 0, 'an event is kept for the cooldown, whatever its retention');
UPDATE rxtrack.readiness_event SET released_at = released_at - interval '2 h' WHERE release_number = 8;
SELECT rxtrack.ack_events('late', 8) \g /dev/null
SELECT is(rxtrack.prune_events(), 0, 'and for who is behind');
RESET rxtrack.event_retention;

UPDATE rxtrack.subscription SET last_seen_at = last_seen_at - interval '6 days 23 h' WHERE name = 'two';
SELECT is((SELECT warning FROM rxtrack.subscription_lag WHERE subscription = 'two'), NULL, 'still alive');
UPDATE rxtrack.subscription SET last_seen_at = last_seen_at - interval '2 h' WHERE name = 'two';
SELECT results_eq($$ SELECT live, warning ~ 'not seen for rxtrack.subscription_expiry' FROM rxtrack.subscription_lag WHERE subscription = 'two' $$,
  $$ VALUES (false, true) $$, 'one that was not seen for seven days is dead, and a warning says so');
SELECT is(rxtrack.prune_events(), 3, 'for a dead one nothing is kept');
SELECT is(pg_temp.kept(), '{8}'::bigint[], 'but what is not old enough');
SELECT is(pg_temp.fetched('two'), '{8}'::bigint[], 'when it comes back it gets what there is');
SELECT results_eq($$ SELECT live, warning FROM rxtrack.subscription_lag WHERE subscription = 'two' $$,
  $$ VALUES (true, 'releases 5 to 7 were removed before it acknowledged them') $$, 'and a warning says what it has missed');
SELECT rxtrack.ack_events('two', 8) \g /dev/null
SELECT is((SELECT warning FROM rxtrack.subscription_lag WHERE subscription = 'two'), NULL, 'until it has gone on');
SET LOCAL rxtrack.subscription_expiry = '1 min';
UPDATE rxtrack.subscription SET last_seen_at = last_seen_at - interval '2 min' WHERE name = 'two';
SELECT is((SELECT live FROM rxtrack.subscription_lag WHERE subscription = 'two'), false, 'the time to live is a setting');
SELECT rxtrack.ack_events('two', 8) \g /dev/null
SELECT is((SELECT live FROM rxtrack.subscription_lag WHERE subscription = 'two'), true, 'acknowledging is a sign of life');
RESET rxtrack.subscription_expiry;

UPDATE rxtrack.readiness_event SET released_at = released_at - interval '8 days';
SELECT is(rxtrack.prune_events(), 1, 'the last of them');
SELECT is(rxtrack_internal.last_release(), 8::bigint, 'its number is not given again');
SELECT is(pg_temp.release(20), 9::bigint, 'but the next');
SELECT is(pg_temp.fetched('two'), '{9}'::bigint[], 'which is delivered');

-- What was cancelled goes too; what is pending stays, however old.
SELECT pg_temp.submit(pg_temp.bundle(pg_temp.task(30, 'RC', now() + interval '2 h', 30, now() - interval '1 h'),
                                     pg_temp.task(31, 'RC', now() + interval '2 h', 31, now() - interval '1 h'),
                                     pg_temp.task(32, 'WP', now() - interval '1 min', 31))) \g /dev/null
SELECT ok((SELECT cancelled_at IS NOT NULL FROM rxtrack.readiness_promise WHERE line_item_id = pg_temp.uuid(31)::uuid), 'one is cancelled');
SELECT is(rxtrack.prune_events(), 0, 'it stays to be seen');
UPDATE rxtrack.readiness_promise SET cancelled_at = cancelled_at - interval '8 days';
SELECT is(rxtrack.prune_events(), 1, 'for as long as events are kept');
SELECT is((SELECT count(*) FROM rxtrack.pending_events), 1::bigint, 'and the pending one stays');

-- ---------- Who may ----------

CREATE FUNCTION pg_temp.allowed(statement text, wanted text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', wanted);
  EXECUTE statement;
  RESET ROLE;
  RETURN 'allowed';
EXCEPTION WHEN insufficient_privilege THEN
  RETURN 'denied';
END $$;
SELECT rxtrack.grant_events('rxtrack_listener') \g /dev/null
SELECT is(pg_temp.allowed(statement, 'rxtrack_listener'), verdict, 'a listener: ' || statement) FROM (VALUES
  ($$ SELECT rxtrack.add_subscription('mine') $$, 'allowed'), ($$ SELECT * FROM rxtrack.fetch_events('mine') $$, 'allowed'),
  ($$ SELECT rxtrack.ack_events('mine', 0) $$, 'allowed'), ('TABLE rxtrack.subscription_lag', 'allowed'),
  ('TABLE rxtrack.readiness_event', 'denied'), ($$ SELECT rxtrack.drop_subscription('mine') $$, 'allowed'),
  ('TABLE rxtrack.subscription', 'denied'), ('SELECT rxtrack.prune_events()', 'denied'),
  ('DELETE FROM rxtrack.readiness_event', 'denied'), ('SELECT * FROM rxtrack_http.feed(0, 1)', 'denied')) AS x (statement, verdict);
SELECT is(pg_temp.allowed(statement, 'rxtrack_gateway'), verdict, 'the gateway: ' || statement) FROM (VALUES
  ('SELECT * FROM rxtrack_http.feed(0, 1)', 'allowed'), ($$ SELECT * FROM rxtrack.fetch_events('two') $$, 'denied'),
  ('TABLE rxtrack.readiness_event', 'denied'), ($$ SELECT rxtrack.add_subscription('x') $$, 'denied')) AS x (statement, verdict);

-- ---------- The gateway's streams ----------

SELECT pg_temp.release(40), pg_temp.release(41, 'NO001') \g /dev/null
SELECT is((SELECT array_agg(release_number) FROM rxtrack_http.feed(0, 100)), '{9,10,11}'::bigint[], 'the feed: all that is kept');
SELECT is((SELECT array_agg(release_number) FROM rxtrack_http.feed(9, 1)), '{10}'::bigint[], 'after a number, at most so many');
SELECT is((SELECT array_agg(release_number) FROM rxtrack_http.feed(11, 100)), NULL, 'after the last');
SELECT is((SELECT ods_code FROM rxtrack_http.feed(10, 1)), 'NO001', 'the pharmacy, for the filter');
SELECT is((SELECT event::jsonb - 'id' - 'released' FROM rxtrack_http.feed(10, 1)),
  jsonb_build_object('prescription', pg_temp.prescription(41), 'item', upper(pg_temp.uuid(41)), 'patient', pg_temp.nhs_number(41),
    'pharmacy', 'NO001', 'issue', 0, 'status', 'Ready to Collect', 'origin', 'reported', 'occurred', pg_temp.moment(now() - interval '1 h'),
    'alert', false, 'reason', 'not enabled', 'withdraws', NULL, 'withdraws_alert', NULL), 'what an event says to a stream');
SELECT is((SELECT array_agg(withdraws) FROM rxtrack_http.feed(9, 2)), '{false,false}', 'and of which kind it is');
SELECT is((SELECT string_agg(event, '') ~ '[\n\r]' FROM rxtrack_http.feed(0, 100)), false, 'on one line');
SELECT is((SELECT array_agg(event::jsonb ->> 'reason') FROM rxtrack_http.feed(9, 1)), ARRAY[NULL], 'with an alert there is no reason');

SELECT rxtrack.add_application('A listener', '{events:read}') AS listener_key,
       rxtrack.add_application('No listener', '{updates:read}') AS other_key \gset
CREATE FUNCTION pg_temp.stream(key text, parameters text) RETURNS text LANGUAGE sql AS $$
  SELECT a.status || ': ' || CASE WHEN a.status = 200 THEN concat_ws(' ', a.stream_after, a.headers || coalesce(array_length(a.stream_ods_codes, 1) || ' pharmacies', ''))
    ELSE (SELECT string_agg(split_part(i ->> 'diagnostics', ' ', 1), ' ') FROM jsonb_array_elements(convert_from(a.body, 'UTF8')::jsonb -> 'issue') AS i) END
  FROM rxtrack_http.events('events:read', ARRAY[sha256(convert_to(key, 'UTF8'))], ARRAY[NULL::text], ARRAY[parameters], ARRAY[NULL::bytea]) AS a
$$;
SELECT is(pg_temp.stream(:'listener_key', parameters), answer, coalesce(parameters, 'no parameters')) FROM (VALUES
  (NULL, E'200: 11 Content-Type: text/event-stream\n'), ('{}', E'200: 11 Content-Type: text/event-stream\n'),
  ('{"last-event-id": "9"}', E'200: 9 Content-Type: text/event-stream\n'), ('{"last-event-id": "0"}', E'200: 0 Content-Type: text/event-stream\n'),
  ('{"last-event-id": "12"}', E'200: 11 Content-Type: text/event-stream\n'), ('{"last-event-id": ""}', E'200: 11 Content-Type: text/event-stream\n'),
  ('{"last-event-id": "-1"}', '400: Last-Event-ID'), ('{"last-event-id": "1x"}', '400: Last-Event-ID'),
  ('{"last-event-id": " 1"}', '400: Last-Event-ID'), ('{"last-event-id": "+1"}', '400: Last-Event-ID'),
  ('{"last-event-id": "99999999999999999999"}', '400: Last-Event-ID'), ('{"ods": "AL001"}', E'200: 11 Content-Type: text/event-stream\n1 pharmacies'),
  ('{"ods": "al001,NO001"}', E'200: 11 Content-Type: text/event-stream\n2 pharmacies'), ('{"ods": "AL001,"}', '400: ods'), ('{"ods": ","}', '400: ods'),
  ('{"ods": "AL-01"}', '400: ods'), ('{"ods": "A,B,C D", "last-event-id": "x"}', '400: Last-Event-ID ods')) AS x (parameters, answer);
SELECT is(pg_temp.stream(:'listener_key', jsonb_build_object('ods', array_to_string(array_agg('F' || n), ','))::text),
  CASE count(*) WHEN 1000 THEN E'200: 11 Content-Type: text/event-stream\n1000 pharmacies' ELSE '400: ods' END, count(*) || ' pharmacies')
FROM generate_series(1, 1001) AS n, (VALUES (1000), (1001)) AS x (most) WHERE n <= most GROUP BY most ORDER BY most;
SELECT alike(pg_temp.stream(:'other_key', NULL), '403:%', 'without the scope');
SELECT alike(pg_temp.stream('unknown', NULL), '401:%', 'without a key');
SELECT is((SELECT array_agg(a.status) FROM rxtrack_http.events('events:read',
    ARRAY[sha256(:'listener_key'::bytea), NULL, sha256(:'other_key'::bytea)], ARRAY[NULL, NULL, NULL]::text[],
    ARRAY['{"ods": "?"}', NULL, NULL], ARRAY[NULL, NULL, NULL]::bytea[]) AS a), '{400,401,403}', 'a batch is answered in its order');

SELECT * FROM finish();
ROLLBACK;
