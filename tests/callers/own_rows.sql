-- An application's role gets the application's own updates, a listener the events that it is entitled to, by functions.
BEGIN;
SELECT plan(113);
\ir ../lib/bundles.sql

CREATE FUNCTION pg_temp.at_pharmacy(task jsonb, code text) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_set(task, '{owner,identifier,value}', to_jsonb(code)) $$;
-- Runs as a role, by SET ROLE; the rows as text, or the SQLSTATE.
CREATE FUNCTION pg_temp.as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer text;
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', role);
  EXECUTE format('SELECT string_agg(x::text, '' '' ORDER BY x::text COLLATE "C") FROM (%s) AS x', statement) INTO answer;
  RESET ROLE;
  RETURN coalesce(answer, 'none');
EXCEPTION WHEN OTHERS THEN
  RESET ROLE;
  RETURN SQLSTATE;
END $$;
CREATE ROLE app_one LOGIN; CREATE ROLE app_two LOGIN; CREATE ROLE app_none LOGIN; CREATE ROLE "App ""odd""" LOGIN;
CREATE ROLE dba LOGIN IN ROLE rxtrack_admin; CREATE ROLE an_owner SUPERUSER; CREATE ROLE seer BYPASSRLS;

SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(n, 'RC', item => n)), application => CASE WHEN n < 4 THEN 'Supplier one' ELSE 'Supplier two' END)), 201, 'stored: ' || n)
FROM generate_series(1, 6) AS n;
-- both of one item
SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(7, 'C', '2026-01-06 09:00Z', item => 1)), application => 'Supplier two')), 201, 'and one of the other''s item');

-- ---------- Applications ----------

-- all seven are FX123's
\set tasks 'SELECT (''x'' || left(task_id::text, 8))::bit(32)::integer FROM rxtrack.own_updates(ods_code => ''FX123'')'
SELECT is(pg_temp.as_role('app_one', :'tasks'), '42501', 'a role that is no application''s sees nothing');
SELECT lives_ok($$ SELECT rxtrack.bind_role('Supplier one', 'app_one'), rxtrack.bind_role('Supplier two', 'app_two') $$, 'two roles');
GRANT rxtrack_application TO app_none;
SELECT is(pg_temp.as_role('app_one', :'tasks'), '(1) (2) (3)', 'one sees its own');
SELECT is(pg_temp.as_role('app_two', :'tasks'), '(4) (5) (6) (7)', 'two sees its own');
SELECT is(pg_temp.as_role(role, :'tasks'), '42501', 'no application: ' || role) FROM unnest('{app_none,rxtrack_application,dba,an_owner}'::text[]) AS role;
SELECT is(pg_temp.as_role('dba', $$ SELECT count(*) FROM rxtrack.status_update $$), '(7)', 'rxtrack_admin reads the table');
SELECT nhs_number AS patient FROM rxtrack.status_update WHERE prescription_id = pg_temp.prescription(1) LIMIT 1 \gset
SELECT is(pg_temp.as_role('app_one', statement), answer, 'one: ' || statement) FROM (VALUES
  ('SELECT FROM rxtrack.status_update', '42501'),
  ('SELECT * FROM rxtrack.item_status', '42501'),
  ('SELECT rxtrack.add_application(''x'', ''{}'')', '42501'),
  (format('SELECT * FROM rxtrack.own_updates(%L)', pg_temp.prescription(4)), 'none'),
  (format('SELECT count(*) FROM rxtrack.own_updates(%L)', pg_temp.prescription(1)), '(1)'),
  (format('SELECT count(*) FROM rxtrack.own_updates(%L, %L, %L)', pg_temp.prescription(1), :'patient', 'fx123'), '(1)'),
  (format('SELECT count(*) FROM rxtrack.own_updates(%L, ods_code => %L)', pg_temp.prescription(1), 'A1'), '(0)'),
  (format('SELECT count(*) FROM rxtrack.own_updates(nhs_number => %L)', :'patient'), '(1)'),
  ('SELECT count(*) FROM rxtrack.own_updates(nhs_number => ''9990000018'')', '(0)'),
  ('SELECT * FROM rxtrack.own_updates()', '22023'),
  ('SELECT * FROM rxtrack.own_updates(ods_code => ''FX123'', max_rows => 0)', '22023'),
  ('SELECT * FROM rxtrack.own_updates(ods_code => ''FX123'', max_rows => NULL)', '22004'),
  ('SELECT * FROM rxtrack.own_updates(ods_code => ''FX123'', after => ''{}'')', '22023'),
  ('SELECT * FROM rxtrack.own_updates(ods_code => ''FX123'', after => ''{07A66F-A83008-1EEEA0,NULL}'')', '22023'),
  ('SELECT * FROM rxtrack.own_updates(ods_code => ''FX123'', after => ''{07A66F-A83008-1EEEA0,x}'')', '22P02'),
  ('SELECT * FROM rxtrack.own_updates(''x'')', '22P02'), ('SELECT * FROM rxtrack.own_updates(nhs_number => ''x'')', '22P02'),
  ('SELECT * FROM rxtrack.own_updates(ods_code => ''x-'')', '22P02')) AS v (statement, answer);

-- Page by page one gets all of them, each once and in order, by whatever is searched for.
CREATE FUNCTION pg_temp.pages(search text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  keys text[] := '{}'; last text[]; page text[];
BEGIN
  SET LOCAL ROLE app_two;
  FOR i IN 1 .. 10 LOOP
    EXECUTE format('SELECT array_agg(format(''%%s/%%s'', u.prescription_id, u.task_id)) FROM rxtrack.own_updates(%s, max_rows => 2, after => $1) AS u', search) INTO page USING last;
    EXIT WHEN page IS NULL;
    keys := keys || page;
    last := string_to_array(page[array_length(page, 1)], '/');
  END LOOP;
  RESET ROLE;
  RETURN array_to_string(keys, ' ');
END $$;
SELECT is(pg_temp.pages(search), (SELECT string_agg(format('%s/%s', prescription_id, task_id), ' ' ORDER BY prescription_id, task_id) FROM rxtrack.status_update
  WHERE application_id = (SELECT application_id FROM rxtrack_internal.application WHERE name = 'Supplier two') AND (search ~ 'ods_code' OR nhs_number = :'patient')), 'page by page, ' || search)
FROM unnest(ARRAY['ods_code => ''FX123''', format('nhs_number => %L', :'patient')]) AS search;

-- What is told beside the rows: a function of one's own sees them alone, and EXPLAIN knows of no table.
CREATE TEMP TABLE told (task uuid);
GRANT INSERT ON told TO PUBLIC;
CREATE FUNCTION pg_temp.tell(task uuid) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN INSERT INTO told VALUES (task); RETURN true; END $$;
SELECT is(pg_temp.as_role('app_one', $$ SELECT count(*) FROM rxtrack.own_updates(ods_code => 'FX123') WHERE pg_temp.tell(task_id) $$), '(3)', 'a function of its own, however cheap,');
SELECT is(count(*), 3::bigint, 'is shown its own rows alone') FROM told;
CREATE FUNCTION pg_temp.plan_of(role text, statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', role);
  RETURN QUERY EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) ' || statement;
  RESET ROLE;
END $$;
SELECT set_eq($$ SELECT regexp_replace(l, '  \(.*\)', '') FROM pg_temp.plan_of('app_one', 'SELECT * FROM rxtrack.own_updates(ods_code => ''FX123'')') AS l WHERE l !~ 'Buffers|Planning' $$,
              '{"Function Scan on own_updates"}'::text[], 'a plan shows the function alone');

SELECT rxtrack.alter_application('Supplier one', suspended => true) \gset
SELECT is(pg_temp.as_role('app_one', :'tasks'), '42501', 'a suspended application sees none');
SELECT rxtrack.alter_application('Supplier one', suspended => false) \gset
SELECT rxtrack.bind_role('Supplier one', 'App "odd"') \gset
SELECT is(pg_temp.as_role('app_one', :'tasks'), '42501', 'a role that is an application''s no more sees nothing');
SELECT is(pg_temp.as_role('App "odd"', :'tasks'), '(1) (2) (3)', 'a name that needs quoting');
SELECT is(pg_temp.as_role('dba', $$ SELECT rxtrack.unbind_role('Supplier one', 'App "odd"') $$), '(t)', 'rxtrack_admin may take it away');
SELECT is(pg_temp.as_role('App "odd"', :'tasks'), '42501', 'then nobody has it');
SELECT throws_ok(format('SELECT rxtrack.bind_role(%L, %L)', application, role), state, NULL, format('%s for %s', role, application)) FROM (VALUES
  ('Supplier one', 'nobody_at_all', '42704'), ('Nobody', 'app_one', '42704'), ('Supplier one', 'app_two', '23505'), ('Supplier one', 'an_owner', '22023'),
  ('Supplier one', 'seer', '22023'), ('Supplier one', 'rxtrack_gateway', '22023'), ('Supplier one', 'rxtrack_application', '22023'),
  ('Supplier one', 'pg_monitor', '22023')) AS v (application, role, state);

-- Where the session logged in as the role, and not by SET ROLE.
SELECT rxtrack.bind_role('Supplier one', 'app_one') \gset
SET SESSION AUTHORIZATION app_one;
SELECT count(*) AS seen FROM rxtrack.own_updates(ods_code => 'FX123') \gset
RESET SESSION AUTHORIZATION;
SELECT is(:seen, 3, 'who logs in as the role sees its own');

-- ---------- Listeners ----------

CREATE ROLE ear_a LOGIN; CREATE ROLE ear_all LOGIN; CREATE ROLE ear_none LOGIN IN ROLE rxtrack_listener;
CREATE ROLE team NOLOGIN; CREATE ROLE ear_team LOGIN IN ROLE team;
SELECT pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.at_pharmacy(pg_temp.task(20, 'RC', item => 20), 'AA1'), pg_temp.at_pharmacy(pg_temp.task(21, 'RC', item => 21), 'BB2')))) \gset
SELECT rxtrack.grant_events('ear_a', '{aa1}'), rxtrack.grant_events('ear_all'), rxtrack.grant_events('team', '{BB2}') \gset
SELECT is(rxtrack.release_events(), 8, 'events are released');
\set events 'SELECT DISTINCT ods_code FROM rxtrack.get_events(0)'
SELECT is(pg_temp.as_role(role, :'events'), answer, 'the events that there are for ' || role) FROM (VALUES
  ('ear_a', '(AA1)'), ('ear_all', '(AA1) (BB2) (FX123)'), ('ear_none', '42501'), ('team', '(BB2)'), ('ear_team', '(BB2)'), ('dba', '(AA1) (BB2) (FX123)'),
  ('app_one', '42501'), ('rxtrack_listener', '42501')) AS v (role, answer);
SELECT is(pg_temp.as_role(role, format('SELECT ods_code, count(*) FROM rxtrack.%s GROUP BY 1', call)), answer, format('%s: %s', role, call)) FROM (VALUES
  ('ear_a', 'get_event(7)', '(AA1,1)'), ('ear_a', 'get_event(8)', 'none'), ('ear_a', 'get_event(9)', 'none'), ('ear_a', 'get_event(NULL)', 'none'), ('ear_team', 'get_event(8)', '(BB2,1)'),
  ('ear_none', 'get_event(7)', '42501'), ('ear_all', 'get_events(6)', '(AA1,1) (BB2,1)'), ('ear_all', 'get_events(0, 2)', '(FX123,2)'),
  ('ear_all', 'get_events(0, ods_codes => ''{bb2,AA1}'')', '(AA1,1) (BB2,1)'), ('ear_all', 'get_events(0, ods_codes => ''{}'')', 'none'), ('ear_a', 'get_events(0, ods_codes => ''{BB2}'')', 'none'),
  ('ear_a', 'get_events(0, ods_codes => ''{BB2,AA1}'')', '(AA1,1)'), ('dba', 'get_events(6, ods_codes => ''{BB2}'')', '(BB2,1)'), ('dba', 'get_event(8)', '(BB2,1)'),
  ('ear_all', 'get_events(0, 0)', '22023'), ('ear_all', 'get_events(NULL)', '22004'), ('ear_all', 'get_events(0, NULL)', '22004'), ('ear_all', 'get_events(0, ods_codes => ''{NULL}'')', '22004'),
  ('ear_all', 'get_events(0, ods_codes => ''{x-}'')', '22P02')) AS v (role, call, answer);
SELECT results_eq($$ SELECT e::text FROM rxtrack.get_events(0) AS e $$, $$ SELECT e::text FROM rxtrack_internal.events_after(0, 100) AS e $$, 'they are those that subscriptions get');
SELECT results_eq($$ SELECT e::text FROM generate_series(1, 8) AS n, rxtrack.get_event(n) AS e $$, $$ SELECT e::text FROM rxtrack.get_events(0) AS e $$, 'one by one the same');
SELECT is(pg_temp.as_role('ear_none', $$ SELECT rxtrack.add_subscription('none') $$), '42501', 'who is entitled to none cannot subscribe');
SELECT is(pg_temp.as_role(role, format('SELECT rxtrack.add_subscription(%L)', role)), '(8)', role || ' subscribes') FROM unnest('{ear_a,ear_all,ear_team}'::text[]) AS role;
UPDATE rxtrack.subscription SET acknowledged = 0;
\set fetch 'SELECT ods_code, count(*) FROM rxtrack.fetch_events(%L) GROUP BY 1'
SELECT is(pg_temp.as_role(role, format(:'fetch', name)), answer, format('%s fetches %s', role, name)) FROM (VALUES
  ('ear_a', 'ear_a', '(AA1,1)'), ('ear_all', 'ear_all', '(AA1,1) (BB2,1) (FX123,6)'), ('ear_team', 'ear_team', '(BB2,1)'),
  ('ear_a', 'ear_all', '42704'), ('ear_all', 'ear_a', '42704'), ('team', 'ear_team', '42704'), ('dba', 'ear_a', '(AA1,1) (BB2,1) (FX123,6)'), ('ear_none', 'ear_a', '42704')) AS v (role, name, answer);
SELECT is(pg_temp.as_role('ear_a', $$ SELECT rxtrack.ack_events('ear_all', 8) $$), '42704', 'nobody acknowledges another''s');
SELECT is(pg_temp.as_role('ear_a', $$ SELECT rxtrack.drop_subscription('ear_all') $$), '(f)', 'or ends it');
SELECT is(pg_temp.as_role('ear_a', $$ SELECT rxtrack.add_subscription('ear_all', '{AA1}') $$), '42501', 'or takes it over');
SELECT is(pg_temp.as_role('ear_a', 'SELECT subscription FROM rxtrack.subscription_lag'), '(ear_a)', 'or sees how it stands');
CREATE FUNCTION pg_temp.number_of(name text) RETURNS integer LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RETURN name::integer; END $$;
SELECT is(pg_temp.as_role('ear_none', 'SELECT subscription FROM rxtrack.subscription_lag WHERE pg_temp.number_of(subscription) = 1'), 'none', 'or has its name shown to a function');
SELECT is_empty($$ SELECT l FROM pg_temp.plan_of('ear_none', 'SELECT subscription FROM rxtrack.subscription_lag') AS l WHERE l ~ 'Removed|ear_|on subscription ' $$, 'or learns by EXPLAIN how many there are');
SELECT is(pg_temp.as_role('dba', 'SELECT subscription FROM rxtrack.subscription_lag'), '(ear_a) (ear_all) (ear_team)', 'rxtrack_admin sees all');
SELECT is(pg_temp.as_role('ear_a', $$ SELECT rxtrack.add_subscription('ear_a', '{BB2}') $$), '(0)', 'a filter beyond the entitlement');
SELECT is(pg_temp.as_role('ear_a', format(:'fetch', 'ear_a')), 'none', 'brings nothing');
SET LOCAL client_min_messages = warning;
SELECT rxtrack.grant_events('ear_a', '{BB2}') \gset
UPDATE rxtrack.subscription SET acknowledged = 0;
SELECT is(pg_temp.as_role('ear_a', format(:'fetch', 'ear_a')), '(BB2,1)', 'another entitlement holds from the next fetch on');
SELECT is(rxtrack.revoke_events('ear_a'), true, 'it is taken away');
SELECT is(pg_temp.as_role('ear_a', format(:'fetch', 'ear_a')), '42501', 'and it is told so');
SELECT is((SELECT string_agg(action, ' ' ORDER BY at) FROM rxtrack.audit WHERE role = 'ear_a'),
          'INSERT event_grant UPDATE event_grant DELETE event_grant', 'all of that is audited');
SELECT rxtrack.grant_events('rxtrack_listener', '{AA1}') \gset
SELECT is(pg_temp.as_role('ear_none', :'events'), '(AA1)', 'what all listeners are entitled to, every member is');
SELECT throws_ok(format('SELECT rxtrack.grant_events(%L)', role), state, NULL, 'no listener: ' || coalesce(role, 'NULL')) FROM (VALUES
  ('nobody_at_all', '42704'), ('rxtrack_gateway', '22023'), ('an_owner', '22023'), (NULL, '22004')) AS v (role, state);

SELECT * FROM finish();
ROLLBACK;
