-- Transition rules: all pairs of statuses and all firsts under each policy, what a DBA changes in the table, and who
-- may choose the policy.
BEGIN;
SELECT plan(83);
\ir ../lib/bundles.sql
CREATE EXTENSION IF NOT EXISTS dblink;

-- ---------- The rules, from the contract's table ----------

CREATE TEMP TABLE contract_row (from_short text, forward text[], correction text[]);
INSERT INTO contract_row VALUES
  ('WP', '{WPR,RC,RCP,RD,RDP,C,D,ND}', '{}'),
  ('WPR', '{RC,RCP,RD,RDP,C,D,ND}', '{WP}'),
  ('RC', '{C,D,RD,ND}', '{WP,WPR,RCP}'),
  ('RCP', '{WPR,RC,RD,RDP,C,D,ND}', '{WP}'),
  ('RD', '{D,C,RC,ND}', '{WP,WPR,RDP}'),
  ('RDP', '{WPR,RD,RC,RCP,D,C,ND}', '{WP}'),
  ('C', '{}', '{WP,WPR,RC,RCP,D}'),
  ('D', '{}', '{WP,WPR,RC,C,RDP}'),
  ('ND', '{}', '{WP,WPR,RC,RCP,RD,RDP,C,D}');

CREATE TEMP TABLE pair AS
SELECT f.from_short, t.to_short, row_number() OVER (ORDER BY f.from_short, t.to_short)::integer AS n,
       CASE WHEN from_short = to_short THEN 'repeat'
            WHEN to_short = ANY (forward) THEN 'forward'
            WHEN to_short = ANY (correction) THEN 'correction'
            ELSE 'unexpected' END AS kind
FROM contract_row f, unnest('{WP,WPR,RC,RCP,RD,RDP,C,D,ND}'::text[]) AS t (to_short);

SELECT set_eq($$ SELECT pg_temp.short_name(from_status) AS f, pg_temp.short_name(to_status) AS t, kind::text
                 FROM rxtrack.transition_rule $$,
              $$ SELECT from_short, to_short, kind FROM pair WHERE kind IN ('forward', 'correction') $$,
              'the table holds the rules of the contract');
SELECT is_empty('SELECT FROM rxtrack.transition_rule WHERE NOT shipped', 'all of them as shipped');
SELECT is((SELECT count(*) FROM pair), 81::bigint, 'there are 81 pairs');

SELECT is_empty($$ SELECT * FROM pair WHERE kind IS DISTINCT FROM
                   rxtrack.check_transition(pg_temp.status_name(from_short),
                                            pg_temp.status_name(to_short))::text $$,
                'check_transition answers for all pairs');
SELECT is(rxtrack.check_transition(NULL, pg_temp.status_name(from_short)), 'first',
          format('check_transition: %s as the first', from_short)) FROM contract_row;
SELECT is(rxtrack.check_transition('Collected', NULL), NULL, 'check_transition: nothing of nothing');

-- ---------- Every pair, under every policy ----------

-- Brings an item to a status and then to another by a second request; returns what became of both: the statuses of
-- the answers, the codes of the second one's issues, and the kinds that are stored.
CREATE FUNCTION pg_temp.step(item integer, from_short text, to_short text, in_one_bundle boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before jsonb := pg_temp.task(1, from_short, '2026-01-05 09:00Z', item);
  after jsonb := pg_temp.task(2, to_short, '2026-01-05 10:00Z', item);
  answer pg_temp.reply;
  kinds text;
BEGIN
  IF in_one_bundle THEN
    answer := pg_temp.submit(pg_temp.bundle(before, after));
  ELSE
    IF pg_temp.status(pg_temp.submit(pg_temp.bundle(before))) <> 201 THEN
      RETURN 'the first is refused';
    END IF;
    answer := pg_temp.submit(pg_temp.bundle(after));
  END IF;
  SELECT string_agg(kind::text, ' ' ORDER BY receipt) INTO kinds
  FROM rxtrack.status_update WHERE line_item_id = pg_temp.uuid(item)::uuid;
  RETURN concat_ws('; ', array_to_string(pg_temp.fates(answer), ', '), kinds);
END $$;

CREATE TEMP TABLE walk (policy text, offset_ integer, if_unexpected text, if_unexpected_in_one text);
INSERT INTO walk VALUES
  ('enforce', 1000, '422 Unprocessable Content: business-rule; first',
    '200 OK: informational, 422 Unprocessable Content: business-rule'),
  ('warn', 2000, '201 Created: success business-rule; first unexpected',
   '201 Created: success, 201 Created: success business-rule; first unexpected'),
  ('off', 3000, '201 Created: success; first unexpected',
    '201 Created: success, 201 Created: success; first unexpected');

CREATE FUNCTION pg_temp.walk_pairs(the_policy text, in_one boolean) RETURNS TABLE (pair text, outcome text,
  expected text)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('rxtrack.transition_policy', the_policy, true);
  RETURN QUERY
  SELECT s.* FROM walk w CROSS JOIN LATERAL (
    SELECT p.from_short || ' ' || p.to_short,
           pg_temp.step(w.offset_ + p.n + 100 * in_one::integer, p.from_short, p.to_short, in_one),
           CASE WHEN p.kind = 'unexpected' AND in_one THEN w.if_unexpected_in_one
                WHEN p.kind = 'unexpected' THEN w.if_unexpected
                ELSE concat_ws(', ', CASE WHEN in_one THEN '201 Created: success' END,
                  '201 Created: success; first ') || p.kind END
    FROM pair p) AS s
  WHERE w.policy = the_policy;
END $$;

SELECT is_empty(format('SELECT * FROM pg_temp.walk_pairs(%L, false) WHERE outcome IS DISTINCT FROM expected', policy),
                format('%s: all pairs, one request after the other', policy)) FROM walk;
SELECT is_empty(format('SELECT * FROM pg_temp.walk_pairs(%L, true) WHERE outcome IS DISTINCT FROM expected', policy),
                format('%s: all pairs, in one bundle', policy)) FROM walk;
SELECT is((SELECT count(*) FROM rxtrack.supply), 81 * 6 - (SELECT count(*) FROM pair WHERE kind = 'unexpected'),
          'nothing is left of the bundles that were refused');

CREATE FUNCTION pg_temp.first_of(policy text, item integer, short text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  fates text[];
BEGIN
  PERFORM set_config('rxtrack.transition_policy', policy, true);
  fates := pg_temp.fates(pg_temp.submit(pg_temp.bundle(pg_temp.task(3, short, item => item))));
  RETURN array_to_string(fates, ' ') || ' '
         || (SELECT kind FROM rxtrack.status_update WHERE line_item_id = pg_temp.uuid(item)::uuid);
END $$;
SELECT is(pg_temp.first_of(policy, (offset_ + 500 + row_number() OVER ())::integer, from_short),
  '201 Created: success first',
          format('%s: %s as the first', policy, from_short)) FROM walk, contract_row;

-- ---------- The words of a refusal and of a warning ----------

SET LOCAL rxtrack.transition_policy = 'enforce';
CREATE TEMP TABLE refusal AS SELECT * FROM pg_temp.submit(pg_temp.bundle(
  pg_temp.task(1, 'WP', item => 5001), pg_temp.task(2, 'C', '2026-01-05 08:00Z', item => 5002),
  pg_temp.task(3, 'RDP', '2026-01-05 10:00Z', item => 5002))) AS a;
SELECT is(status, 422, 'one refusal refuses the bundle') FROM refusal;
SELECT is(body #> '{entry,2,response,outcome,issue}', jsonb_build_array(jsonb_build_object(
            'severity', 'error', 'code', 'business-rule', 'expression', '["Bundle.entry[2].resource.businessStatus"]'::jsonb,
            'diagnostics', 'Task.businessStatus: the transition rules do not allow '
                           'Collected to be followed by Ready to Dispatch - Partial')), 'it names both statuses') FROM refusal;
SELECT is(body #>> '{entry,2,response,status}', '422 Unprocessable Content', 'its entry has the status 422')
  FROM refusal;
SELECT is(pg_temp.fates((status, body)::pg_temp.reply),
          ARRAY['200 OK: informational', '200 OK: informational', '422 Unprocessable Content: business-rule'],
          'the others come back as not stored') FROM refusal;
SELECT is_empty($$ SELECT FROM rxtrack.supply
  WHERE line_item_id IN (pg_temp.uuid(5001)::uuid, pg_temp.uuid(5002)::uuid) $$,
                'and are not');

SELECT is(pg_temp.fates(pg_temp.submit(pg_temp.bundle(
            pg_temp.task(1, 'C', '2026-01-05 08:00Z', item => 5002),
              pg_temp.task(2, 'RD', '2026-01-05 09:00Z', item => 5002),
            pg_temp.task(3, 'ND', '2026-01-05 10:00Z', item => 5002),
              pg_temp.task(4, 'WP', '2026-01-05 11:00Z', item => 5002)))),
          ARRAY['200 OK: informational', '422 Unprocessable Content: business-rule',
                '422 Unprocessable Content: business-rule', '200 OK: informational'],
          'every refusal is told, each against what precedes it without those refused');

SET LOCAL rxtrack.transition_policy = 'warn';
SELECT is(a.body #> '{entry,1,response,outcome,issue}',
  '[{"severity": "information", "code": "success", "diagnostics": "The update is stored"},
    {"severity": "warning", "code": "business-rule",
     "diagnostics": "The transition rules do not allow Collected to be followed by Ready to Dispatch - Partial"}]',
  'a warning is a second issue')
FROM pg_temp.submit(pg_temp.bundle(pg_temp.task(2, 'C', '2026-01-05 08:00Z', item => 5003),
                                   pg_temp.task(3, 'RDP', '2026-01-05 10:00Z', item => 5003))) AS a;

-- ---------- Changes of the rules ----------

-- The kind of WP -> RC, by check_transition and by a bundle.
CREATE FUNCTION pg_temp.ready_is() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  item integer := 6000 + (SELECT count(*) FROM rxtrack.supply);
  told text := rxtrack.check_transition('With Pharmacy', 'Ready to Collect');
BEGIN
  PERFORM set_config('rxtrack.transition_policy', 'off', true);
  RETURN told || ' ' || split_part(pg_temp.step(item, 'WP', 'RC'), ' first ', 2);
END $$;
CREATE FUNCTION pg_temp.elsewhere(name text) RETURNS text LANGUAGE sql AS $$
  SELECT dblink_connect(name,
    format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1),
                                     current_setting('port'), current_database(), current_user))
$$;

SELECT is(pg_temp.ready_is(), 'forward forward', 'as shipped');
SELECT pg_temp.elsewhere('dba') AS connected, pg_temp.elsewhere('old') AS connected_too \gset
SELECT dblink_exec('old', 'BEGIN ISOLATION LEVEL REPEATABLE READ') AS begun \gset
SELECT * FROM dblink('old', 'SELECT count(*) FROM rxtrack.transition_rule') AS r (count integer) \gset
SELECT dblink_exec('dba', $$ UPDATE rxtrack.transition_rule SET kind = 'correction'
                             WHERE from_status = 'With Pharmacy' AND to_status = 'Ready to Collect' $$) AS updated \gset
SELECT is(pg_temp.ready_is(), 'correction correction', 'another session''s change is seen at once');
-- by taking a lock the old session hears of the change before it reads the rules, which it does under its old snapshot
SELECT * FROM dblink('old', 'SELECT count(*) FROM rxtrack_internal.application') AS r (applications integer) \gset
CREATE FUNCTION pg_temp.old_session_says() RETURNS text LANGUAGE sql AS $$
  SELECT kind
    FROM dblink('old', $q$ SELECT rxtrack.check_transition('With Pharmacy', 'Ready to Collect') $q$) AS r (kind text)
$$;
SELECT is(pg_temp.old_session_says(), 'forward', 'a session with an old snapshot judges by the rules of that');
SELECT dblink_exec('old', 'COMMIT') AS committed \gset
SELECT is(pg_temp.old_session_says(), 'correction',
          'and does not keep them beyond its transaction');

SAVEPOINT before;
DELETE FROM rxtrack.transition_rule WHERE from_status = 'With Pharmacy' AND to_status = 'Ready to Collect';
SELECT is(pg_temp.ready_is(), 'unexpected unexpected', 'deleted');
SELECT set_eq('SELECT from_status::text AS f, to_status::text AS t FROM rxtrack_internal.transition_rule_removed',
              $$ VALUES ('With Pharmacy', 'Ready to Collect') $$, 'the deletion is kept for a dump');
INSERT INTO rxtrack.transition_rule (from_status, to_status, kind)
  VALUES ('With Pharmacy', 'Ready to Collect', 'correction');
SELECT is(pg_temp.ready_is(), 'correction correction', 'inserted');
SELECT is_empty('SELECT FROM rxtrack_internal.transition_rule_removed', 'and is deleted no more');
UPDATE rxtrack.transition_rule SET kind = 'forward' WHERE from_status = 'With Pharmacy'
  AND to_status = 'Ready to Collect';
SELECT is(pg_temp.ready_is(), 'forward forward', 'updated');
SELECT results_eq($$ SELECT from_status::text AS f, to_status::text AS t, kind::text FROM rxtrack.transition_rule
  WHERE NOT shipped $$,
                  $$ VALUES ('With Pharmacy', 'Ready to Collect', 'forward') $$,
                    'a changed rule is not as shipped, and so in a dump');
INSERT INTO rxtrack.transition_rule (from_status, to_status, kind) VALUES ('Collected', 'Not Dispensed', 'correction');
SELECT is(rxtrack.check_transition('Collected', 'Not Dispensed'), 'correction', 'a rule of the DBA''s own');
SELECT lives_ok($$ INSERT INTO rxtrack.transition_rule (from_status, to_status, kind)
                   VALUES ('With Pharmacy', 'Collected', 'correction') $$,
                     'a shipped rule gives way to one that is inserted');
SELECT is(rxtrack.check_transition('With Pharmacy', 'Collected'), 'correction', 'which then holds');
TRUNCATE rxtrack.transition_rule;
SELECT is(pg_temp.ready_is(), 'unexpected unexpected', 'truncated');
SELECT is((SELECT count(*) FROM rxtrack_internal.transition_rule_removed), 65::bigint, 'which is kept, too');
SELECT is(rxtrack.check_transition('Collected', 'Collected'), 'repeat', 'a repeat needs no rule');
ROLLBACK TO before;
SELECT is(pg_temp.ready_is(), 'correction correction', 'what is rolled back is seen no more');
SELECT is(rxtrack.check_transition('Collected', 'Not Dispensed'), 'unexpected', 'none of it');
INSERT INTO rxtrack_internal.transition_rule_removed VALUES ('With Pharmacy', 'Collected');
SELECT is(rxtrack.check_transition('With Pharmacy', 'Collected'), 'unexpected',
  'a restored deletion takes a shipped rule away');

SELECT throws_ok(statement, state, NULL, left(statement, 60)) FROM (VALUES
  ($$ INSERT INTO rxtrack.transition_rule (from_status, to_status, kind)
    VALUES ('Collected', 'Collected', 'forward') $$, '23514'),
  ($$ INSERT INTO rxtrack.transition_rule (from_status, to_status, kind)
    VALUES ('Collected', 'Not Dispensed', 'repeat') $$, '23514'),
  ($$ UPDATE rxtrack.transition_rule SET to_status = 'Not Dispensed' WHERE from_status = 'Collected' $$, '22023')) AS v
    (statement, state);

-- ---------- Who may choose ----------

SELECT throws_ok(format('SET LOCAL ROLE %I; SET rxtrack.transition_policy = off', role), '42501', NULL,
  role || ' may not set the policy')
FROM unnest('{rxtrack_gateway,rxtrack_admin,rxtrack_reader,rxtrack_listener}'::text[]) AS role;
SELECT throws_ok('SET rxtrack.transition_policy = sometimes', '22023', NULL, 'there are three policies');
SELECT dblink_exec('dba',
  format('ALTER DATABASE %I SET rxtrack.transition_policy = off', current_database())) AS set_so,
       pg_temp.elsewhere('new') AS connected \gset
SELECT is((SELECT policy
  FROM dblink('new', $$ SELECT current_setting('rxtrack.transition_policy'), rxtrack.check_transition(NULL, 'Collected')
                                               UNION ALL SELECT current_setting('rxtrack.transition_policy'),
                                                 NULL $$) AS r (policy text, kind text)
           WHERE kind IS NULL), 'off', 'a policy set for the database is there in a new session');

SELECT * FROM finish();
ROLLBACK;
