-- Row-level security: an application's role sees the application's own updates, a listener the events that it is entitled to.
BEGIN;
SELECT plan(79);
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

\set tasks 'SELECT (''x'' || left(task_id::text, 8))::bit(32)::integer FROM rxtrack.status_update'
SELECT is(pg_temp.as_role('app_one', :'tasks'), '42501', 'a role that is no application''s sees nothing');
SELECT lives_ok($$ SELECT rxtrack.bind_role('Supplier one', 'app_one'), rxtrack.bind_role('Supplier two', 'app_two') $$, 'two roles');
GRANT rxtrack_application TO app_none;
SELECT is(pg_temp.as_role('app_one', :'tasks'), '(1) (2) (3)', 'one sees its own');
SELECT is(pg_temp.as_role('app_two', :'tasks'), '(4) (5) (6) (7)', 'two sees its own');
SELECT is(pg_temp.as_role('app_none', :'tasks'), 'none', 'a member that is no application sees none');
SELECT is(pg_temp.as_role('rxtrack_application', :'tasks'), 'none', 'nor does the group');
SELECT is(pg_temp.as_role('dba', :'tasks'), '(1) (2) (3) (4) (5) (6) (7)', 'rxtrack_admin sees all');
SELECT is(pg_temp.as_role('an_owner', :'tasks'), '(1) (2) (3) (4) (5) (6) (7)', 'so does a superuser');
GRANT SELECT ON rxtrack.status_update TO app_none;
SELECT is(pg_temp.as_role('app_none', :'tasks'), 'none', 'a grant of the table alone shows no row');
SELECT is(pg_temp.as_role('app_one', statement), answer, 'one: ' || statement) FROM (VALUES
  ('SELECT count(*) FROM rxtrack.status_update', '(3)'),
  (format('SELECT task_id FROM rxtrack.status_update WHERE task_id = %L', pg_temp.uuid(4)), 'none'),
  (format('SELECT task_id FROM rxtrack.status_update WHERE prescription_id = %L', pg_temp.prescription(4)), 'none'),
  (format('SELECT count(*) FROM rxtrack.status_update WHERE prescription_id = %L', pg_temp.prescription(1)), '(1)'),
  (format('SELECT count(*) FROM rxtrack.status_update WHERE 1 / (application_id - %s) IS NOT NULL', (SELECT application_id FROM rxtrack_internal.application WHERE name = 'Supplier two')), '(3)'),
  ('SELECT kind FROM rxtrack.status_update', '42501'),
  ('SELECT * FROM rxtrack.item_status', '42501'),
  ('SELECT rxtrack.add_application(''x'', ''{}'')', '42501')) AS v (statement, answer);
CREATE TEMP TABLE told (task uuid);
GRANT INSERT ON told TO PUBLIC;
CREATE FUNCTION pg_temp.tell(task uuid) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN INSERT INTO told VALUES (task); RETURN true; END $$;
SELECT is(pg_temp.as_role('app_one', 'SELECT count(*) FROM rxtrack.status_update WHERE pg_temp.tell(task_id)'), '(3)', 'a function of its own, however cheap,');
SELECT is(count(*), 3::bigint, 'is shown its own rows alone') FROM told;
CREATE FUNCTION pg_temp.plan_of(role text, statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', role);
  RETURN QUERY EXECUTE 'EXPLAIN ' || statement;
  RESET ROLE;
END $$;
SET LOCAL enable_seqscan = off;
SELECT ok(EXISTS (SELECT FROM pg_temp.plan_of('app_one', $$ SELECT task_id FROM rxtrack.status_update WHERE prescription_id = '07A66F-A83008-1EEEA0' $$) AS l
                  WHERE l LIKE '%Index Cond: (prescription_id =%'), 'one prescription is found by the index');
SELECT ok(EXISTS (SELECT FROM pg_temp.plan_of('rxtrack_listener', $$ SELECT ods_code FROM rxtrack.readiness_event WHERE release_number > 5 $$) AS l
                  WHERE l LIKE '%Index Cond: (release_number >%'), 'so are the latest events');
RESET enable_seqscan;

SELECT rxtrack.alter_application('Supplier one', suspended => true) \gset
SELECT is(pg_temp.as_role('app_one', :'tasks'), 'none', 'a suspended application sees none');
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
SELECT count(*) AS seen FROM rxtrack.status_update \gset
RESET SESSION AUTHORIZATION;
SELECT is(:seen, 3, 'who logs in as the role sees its own');

-- ---------- Listeners ----------

CREATE ROLE ear_a LOGIN; CREATE ROLE ear_all LOGIN; CREATE ROLE ear_none LOGIN IN ROLE rxtrack_listener;
CREATE ROLE team NOLOGIN; CREATE ROLE ear_team LOGIN IN ROLE team;
SELECT pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.at_pharmacy(pg_temp.task(20, 'RC', item => 20), 'AA1'), pg_temp.at_pharmacy(pg_temp.task(21, 'RC', item => 21), 'BB2')))) \gset
SELECT rxtrack.grant_events('ear_a', '{aa1}'), rxtrack.grant_events('ear_all'), rxtrack.grant_events('team', '{BB2}') \gset
SELECT is(rxtrack.release_events(), 8, 'events are released');
\set events 'SELECT DISTINCT ods_code FROM rxtrack.readiness_event'
SELECT is(pg_temp.as_role(role, :'events'), answer, 'the events that there are for ' || role) FROM (VALUES
  ('ear_a', '(AA1)'), ('ear_all', '(AA1) (BB2) (FX123)'), ('ear_none', 'none'), ('team', '(BB2)'), ('ear_team', '(BB2)'), ('dba', '(AA1) (BB2) (FX123)'),
  ('app_one', '42501'), ('rxtrack_listener', 'none')) AS v (role, answer);
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
