-- The functions for the gateway: batches of good and bad requests, hostile bodies, and repeats within a batch.
BEGIN;
SELECT plan(112);
\ir ../lib/bundles.sql
SELECT rxtrack.add_application('Onlooker', '{updates:read}') AS onlooker_key \gset

-- Requests to POST /. Their keys: one of Supplier one, two (also of a supplier), onlooker (without the scope), unknown.
CREATE TEMP TABLE key_of AS
SELECT * FROM (VALUES ('one', :'supplier_one_key'), ('two', :'supplier_two_key'), ('onlooker', :'onlooker_key'),
                      ('unknown', 'rxtrack_00')) AS v (who, key);
CREATE TYPE pg_temp.request AS (who text, id text, body bytea);
CREATE FUNCTION pg_temp.request(who text, id integer, bundle jsonb) RETURNS pg_temp.request LANGUAGE sql AS
$$ SELECT (who, pg_temp.uuid(id), convert_to(bundle::text, 'UTF8'))::pg_temp.request $$;

CREATE FUNCTION pg_temp.post(requests pg_temp.request[], scope text DEFAULT 'updates:write')
RETURNS TABLE (n bigint, status integer, application text, headers text, body bytea, requests_per_minute integer) LANGUAGE sql AS $$
  SELECT a.ordinality, a.status, a.application, a.headers, a.body, a.requests_per_minute
  FROM (SELECT array_agg((SELECT sha256(key::bytea) FROM key_of k WHERE k.who = r.who) ORDER BY r.n) AS credentials,
               array_agg(r.id ORDER BY r.n) AS ids, array_agg(NULL::text) AS parameters,
                 array_agg(r.body ORDER BY r.n) AS bodies
        FROM unnest(requests) WITH ORDINALITY AS r (who, id, body, n)) AS b,
       rxtrack_http.submit(scope, b.credentials, b.ids, b.parameters, b.bodies) WITH ORDINALITY AS a
$$;
CREATE FUNCTION pg_temp.json(body bytea) RETURNS jsonb LANGUAGE sql AS $$ SELECT convert_from(body, 'UTF8')::jsonb $$;
-- "400 value: what it says"
CREATE FUNCTION pg_temp.words(status integer, body bytea) RETURNS text LANGUAGE sql AS $$
  SELECT concat(status, ' ', o -> 'issue' -> 0 ->> 'code', ': ', o -> 'issue' -> 0 ->> 'diagnostics')
  FROM pg_temp.json(body) AS j, coalesce(j #> '{entry,0,response,outcome}', j) AS o
$$;

-- ---------- A batch of all sorts ----------

CREATE TEMP TABLE sorts AS
SELECT * FROM pg_temp.post(ARRAY[
  pg_temp.request('one', 1, pg_temp.bundle(pg_temp.task(1, item => 1))),
  pg_temp.request('unknown', 2, pg_temp.bundle(pg_temp.task(2, item => 2))),
  pg_temp.request(NULL, 3, pg_temp.bundle(pg_temp.task(3, item => 3))),
  pg_temp.request('onlooker', 4, pg_temp.bundle(pg_temp.task(4, item => 4))),
  pg_temp.request('two', NULL, pg_temp.bundle(pg_temp.task(5, item => 5))),
  ('two', 'six', convert_to(pg_temp.bundle(pg_temp.task(6, item => 6))::text, 'UTF8')),
  ('one', pg_temp.uuid(7), '{"resourceType": "Bundle"'),
  ('one', pg_temp.uuid(8), NULL),
  pg_temp.request('one', 9, pg_temp.bundle(pg_temp.task(9, item => 9) - 'owner')),
  pg_temp.request('one', 10, '{"resourceType": "Bundle", "type": "transaction"}'),
  ('two', upper(pg_temp.uuid(11)),
    convert_to(pg_temp.bundle(pg_temp.task(11, item => 11))::text, 'UTF8'))]::pg_temp.request[]);

SELECT is((SELECT array_agg(status ORDER BY n) FROM sorts), '{201,401,401,403,400,400,400,400,400,200,201}',
  'each has its own status');
SELECT is((SELECT array_agg(application ORDER BY n) FROM sorts),
          ARRAY['Supplier one', NULL, NULL, 'Onlooker', 'Supplier two', 'Supplier two', 'Supplier one', 'Supplier one',
                'Supplier one', 'Supplier one', 'Supplier two'], 'and its caller''s name');
SELECT is((SELECT array_agg(n ORDER BY n) FROM sorts WHERE headers LIKE 'WWW-Authenticate: %'), '{2,3}', '401 names the scheme');
SELECT is((SELECT array_agg(n ORDER BY n) FROM sorts WHERE requests_per_minute = 20000), '{1,4,5,6,7,8,9,10,11}',
          'all others tell the gateway the caller''s rate');
SELECT is(headers, E'WWW-Authenticate: Bearer realm="rxtrack", error="invalid_token"\n', 'that names the scheme')
FROM (SELECT DISTINCT headers FROM sorts WHERE status = 401) AS x;
SELECT is(pg_temp.words(status, body), words, 'what is said to the ' || n || 'th') FROM sorts JOIN (VALUES
  (2, '401 processing: The credential is not valid'),
  (3, '401 processing: The credential is not valid'),
  (4, '403 forbidden: The credential does not have the scope that this needs'),
  (5, '400 value: X-Request-ID is missing'),
  (6, '400 value: X-Request-ID must be a UUID'),
  (7, '400 value: The body is not JSON: it ends too early'),
  (8, '400 value: Bundle is missing'),
  (9, '400 value: Task.owner is missing')) AS v (n, words) USING (n) ORDER BY n;
SELECT is((SELECT array_agg(pg_temp.json(body) ->> 'resourceType' ORDER BY n) FROM sorts),
          ARRAY['Bundle', 'OperationOutcome', 'OperationOutcome', 'Bundle', 'Bundle', 'Bundle', 'Bundle', 'Bundle',
            'Bundle', 'Bundle', 'Bundle'],
          'once the caller is known, answers are Bundles');
SELECT is_empty($$ SELECT n FROM sorts, pg_temp.json(body) AS j, coalesce(j #> '{entry,0,response,outcome}', j) AS o
                   WHERE status <> 200
                     AND (o ->> 'resourceType' <> 'OperationOutcome'
                     OR (o #>> '{meta,lastUpdated}')::timestamptz < now()) $$,
                'with an OperationOutcome of now');
SELECT is_empty($$ SELECT n FROM sorts, pg_temp.json(body) AS j
                   WHERE status IN (400, 403) AND n <> 9
                     AND (jsonb_array_length(j -> 'entry') <> 1 OR j #> '{entry,0}' ? 'fullUrl') $$,
                'a fault that belongs to no entry has an entry of its own');
SELECT set_eq('SELECT request_id::text FROM rxtrack.status_update', $$ SELECT pg_temp.uuid(n)
  FROM unnest('{1,11}'::integer[]) AS n $$,
              'the good ones are stored beside the bad');
SELECT is((SELECT regexp_replace(convert_from(body, 'UTF8'), '"lastUpdated":"[^"]*"', '') FROM sorts
  WHERE n = 1)::jsonb,
          regexp_replace((rxtrack.submit(pg_temp.bundle(pg_temp.task(1, item => 1))::text, pg_temp.uuid(1), 'Supplier one')).body::text,
            '"lastUpdated":"[^"]*"', '')::jsonb,
          'the answer is that of rxtrack.submit, which takes it for a retry');

-- ---------- Repeats and one item within a batch ----------

CREATE FUNCTION pg_temp.item_batch(VARIADIC steps text[]) RETURNS integer[] LANGUAGE sql AS $$
  SELECT array_agg(status ORDER BY n)
  FROM pg_temp.post(array(
    SELECT pg_temp.request(s[1], s[2]::integer,
      pg_temp.bundle(pg_temp.task(s[3]::integer, s[4], '2026-01-05 09:00Z'::timestamptz + s[5]::interval,
      s[6]::integer)))
    FROM unnest(steps) WITH ORDINALITY AS u (step, n), string_to_array(step, ' ') AS s ORDER BY n))
$$;
SELECT is(pg_temp.item_batch('one 20 20 WP 1h 20', 'one 20 20 WP 1h 20', 'one 21 20 WP 1h 20', 'two 20 20 WP 1h 20',
  'one 20 20 RC 1h 20'),
          '{201,201,409,409,409}',
            'the same again is a retry, under another id or of another application or content it is not');
SELECT is((SELECT count(*) FROM rxtrack.status_update WHERE line_item_id = pg_temp.uuid(20)::uuid), 1::bigint,
  'and is stored once');
SELECT is(pg_temp.item_batch('one 30 30 WP 1h 30', 'two 31 31 RC 2h 30', 'one 32 32 RDP 3h 30', 'one 33 33 C 4h 30',
  'one 34 34 WPR 30min 30', 'two 35 35 RD 5h 30'),
          '{201,201,422,201,201,422}', 'requests on one item are judged one after the other');
SELECT results_eq($$ SELECT receipt, kind::text, pg_temp.short_name(status) FROM rxtrack.status_update
  WHERE line_item_id = pg_temp.uuid(30)::uuid ORDER BY receipt $$,
                  $$ VALUES (1, 'first', 'WP'), (2, 'forward', 'RC'), (3, 'forward', 'C'), (4, 'late', 'WPR') $$,
                    'as if each had come alone');
SELECT is((SELECT count(*) FROM rxtrack.pending_events WHERE line_item_id = pg_temp.uuid(30)::uuid), 1::bigint,
  'with its readiness event');
SELECT is(pg_temp.item_batch('one 40 30 WP 1h 30', 'one 41 41 WP 5h 30', 'one 41 41 WP 5h 30', 'one 30 30 WP 1h 30'),
          '{409,201,201,201}', 'conflicts and retries of what was stored before, beside a correction');
SELECT is((SELECT array_agg(DISTINCT status) FROM pg_temp.post(array(
            SELECT pg_temp.request(CASE n % 2 WHEN 0 THEN 'one' ELSE 'two' END, 1000 + n, pg_temp.bundle(
              pg_temp.task(2000 + 2 * n, 'WP', '2026-01-05 09:00Z'::timestamptz + n * interval '1 s', 50 + n % 7),
              pg_temp.task(2001 + 2 * n, 'WP', '2026-01-05 09:00Z'::timestamptz - n * interval '1 s',
                50 + (n + 3) % 7)))
            FROM generate_series(1, 200) AS n))), '{201}', 'two hundred requests on seven items');
SELECT results_eq($$ SELECT DISTINCT count(*) - max(u.receipt), count(DISTINCT u.receipt) - max(i.receipts),
  max(u.last_modified) = i.asserted_at
                     FROM rxtrack.status_update u JOIN rxtrack.supply i USING (prescription_id, line_item_id)
                     WHERE u.task_id >= pg_temp.uuid(2000)::uuid GROUP BY u.line_item_id, i.asserted_at $$,
                  'VALUES (0::bigint, 0::bigint, true)', 'none of them is lost');

-- Of a bundle that is refused nothing stays behind, not even for the rest of its batch.
SELECT is((SELECT array_agg(status ORDER BY n) FROM pg_temp.post(ARRAY[
            pg_temp.request('one', 70, pg_temp.bundle(pg_temp.task(70, 'WP', '2026-01-05 09:00Z', 70))),
            pg_temp.request('one', 71, pg_temp.bundle(pg_temp.task(71, 'RC', '2026-01-05 11:00Z', 70),
                                                      pg_temp.task(72, 'RDP', '2026-01-05 12:00Z', 70))),
            pg_temp.request('one', 73, pg_temp.bundle(pg_temp.task(73, 'RC', '2026-01-05 10:00Z', 70)))])),
              '{201,422,201}',
          'a bundle of two refused for its second, amid a batch');
SELECT results_eq($$ SELECT receipt, kind::text, changes_status, task_id::text FROM rxtrack.status_update
                     WHERE line_item_id = pg_temp.uuid(70)::uuid ORDER BY receipt $$,
                  $$ VALUES (1, 'first', true, pg_temp.uuid(70)), (2, 'forward', true, pg_temp.uuid(73)) $$,
                  'the next is judged as if it had never been');

-- ---------- Hostile bodies ----------

CREATE FUNCTION pg_temp.post_one(body bytea) RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.words(status, body) FROM pg_temp.post(ARRAY[('one', pg_temp.uuid(77), body)::pg_temp.request])
$$;
CREATE TEMP TABLE stored AS SELECT count(*) FROM rxtrack.status_update;

CREATE TEMP TABLE hostile (n serial, name text, body bytea, words text DEFAULT '400 value: The body is not JSON:%');
INSERT INTO hostile (name, body) VALUES
  ('empty', ''), ('white space', E' \t\r\n'), ('a NUL byte', '\x00'), ('{} and a NUL byte', '\x7b7d00'),
    ('NUL bytes', decode(repeat('00', 5000), 'hex')),
  ('a NUL byte in a string', '\x7b2261223a227800227d'),
  ('\u0000 in a string', convert_to('{"a": "\u0000"}', 'UTF8')),
    ('\u0000 in a name', convert_to('{"\u0000": 1}', 'UTF8')),
  ('half a surrogate pair', convert_to('{"a": "\ud800"}', 'UTF8')),
    ('the other half', convert_to('{"a": "\udc00x"}', 'UTF8')),
  ('half an escape', convert_to('{"a": "\u12', 'UTF8')), ('an unknown escape', convert_to('{"a": "\x"}', 'UTF8')),
  ('a lone backslash', convert_to('"\', 'UTF8')), ('a line feed in a string', E'{"a": "\n"}'),
  ('a megabyte of [', convert_to(repeat('[', 1048576), 'UTF8')),
    ('a megabyte of {"a":', convert_to(repeat('{"a":', 209715), 'UTF8')),
  ('[ and ] 100 deep', convert_to(repeat('[', 100) || repeat(']', 100), 'UTF8')),
  ('a megabyte of "', convert_to(repeat('"', 1048576), 'UTF8')),
    ('a megabyte of digits and a letter', convert_to(repeat('9', 1048575) || 'x', 'UTF8')),
  ('Latin-1', '\x7b2261223a22e9227d'), ('overlong UTF-8', '\x7b2261223a22c080227d'),
    ('a surrogate in UTF-8', '\x7b2261223a22eda080227d'),
  ('beyond Unicode', '\x7b2261223a22f4908080227d'), ('a broken end', '\x7b2261223a22e2'), ('UTF-16', '\xfffe7b007d00'),
  ('two documents', '{}{}'), ('a comma too many', '{"a": 1,}'), ('a comma too few', '{"a": 1 "b": 2}'),
    ('a bare word', 'hello'), ('undefined', '{"a": undefined}'),
  ('NaN', '{"a": NaN}'), ('a leading zero', '{"a": 01}'), ('a plus', '{"a": +1}'), ('a point at the end', '{"a": 1.}'),
    ('a minus alone', '{"a": -}'),
  ('an exponent alone', '{"a": 1e}'), ('single quotes', $$ {'a': 1} $$), ('a comment', '{} // x'),
    ('a key that is no string', '{1: 2}'), ('crossed brackets', '{"a": [}]');
INSERT INTO hostile (name, body, words) VALUES
  ('null', 'null', '400 value: Bundle must be an object'), ('a number', '7', '400 value: Bundle must be an object'),
  ('a number that is too large for everything', '1e999999999', '400 value: Bundle must be an object'),
  ('a string', '"x"', '400 value: Bundle must be an object'), ('true', 'true', '400 value: Bundle must be an object'),
  ('an array', '[{}]', '400 value: Bundle must be an object'),
    ('an object', '{}', '400 value: Bundle.resourceType is missing'),
  ('an object behind a byte order mark', '\xefbbbf7b7d', '400 value: Bundle.resourceType is missing'),
  ('a half million entries',
    convert_to('{"resourceType": "Bundle", "type": "transaction", "entry": [' || repeat('1,', 500000) || '1]}', 'UTF8'),
    '413 too-long: %');
SELECT alike(pg_temp.post_one(body), words, name) FROM hostile ORDER BY n;
SELECT is((SELECT array_agg(DISTINCT status)
  FROM pg_temp.post(array(SELECT ('two', pg_temp.uuid(n), body)::pg_temp.request FROM hostile
                                                                     WHERE length(body) < 100000))), '{400}',
                                                                       'all of them in one batch');
SELECT unalike(pg_temp.post_one(convert_to('{"nhs": "9449304130", 9449304130}', 'UTF8')), '%9449304130%',
  'no value is repeated');

-- A bundle cut short at every byte, all of them in one batch.
CREATE TEMP TABLE whole AS SELECT
  convert_to(pg_temp.bundle(pg_temp.task(60, 'RC', item => 60, set_at => '2026-01-05Z', issue_number => 1))::text ||
  ' ', 'UTF8') AS body;
CREATE TEMP TABLE cut AS SELECT p.* FROM whole, pg_temp.post(array(
  SELECT ('one', pg_temp.uuid(60), substr(body, 1, l))::pg_temp.request FROM generate_series(0, length(body) - 2) AS l))
    AS p;
SELECT is((SELECT count(*) FROM cut
  WHERE pg_temp.words(status,
  body) ~ '^400 value: The body is not JSON: (it ends too early|syntax error at line 1, byte \d+)$'),
          (SELECT length(body) - 1 FROM whole)::bigint, 'a body cut short is no JSON, wherever it is cut');
SELECT is((SELECT count(*) FROM rxtrack.status_update), count, 'of all this nothing is stored') FROM stored;
SELECT is((SELECT status FROM pg_temp.post(ARRAY[('one', pg_temp.uuid(60), body)::pg_temp.request])), 201,
  'and the whole is taken') FROM whole;

-- What is odd, and yet JSON.
CREATE FUNCTION pg_temp.odd(item integer, old text, new text) RETURNS text LANGUAGE sql AS $$
  SELECT rtrim(split_part(pg_temp.words(p.status, p.body), ':',
    1) || ' ' || coalesce(substring(pg_temp.words(p.status, p.body) FROM ': (Task\S*)'), ''))
  FROM pg_temp.post(ARRAY[('one', pg_temp.uuid(item),
    convert_to(replace(pg_temp.bundle(pg_temp.task(item, item => item, issue_number => 5))::text, old, new), 'UTF8'))
                          ::pg_temp.request]) AS p
$$;
SELECT is(pg_temp.odd((600 + row_number() OVER ())::integer, old, new), told, new) FROM (VALUES
  ('"valueInteger": 5', '"valueInteger": 1e999999999', '400 value Task.input[0].valueInteger'),
  ('"valueInteger": 5', '"valueInteger": -1e-999999999', '400 value Task.input[0].valueInteger'),
  ('"valueInteger": 5', '"valueInteger": 50e-1', '201 success'),
  ('"valueInteger": 5', '"valueInteger": 0.5e1', '201 success'),
  ('"valueInteger": 5', '"valueInteger": 5.000', '201 success'),
  ('"valueInteger": 5', '"valueInteger": 3, "valueInteger": 5', '201 success'),
  ('"intent": "order"', '"intent": "plan", "intent": "order"', '201 success'),
  ('"intent": "order"', '"intent": "order", "intent": "plan"', '400 value Task.intent'),
  ('"intent": "order"', '"\u0069ntent": "\u006frder"', '201 success'),
  ('"intent": "order"', '"priority": 1e999999999', '201 success'),
  ('"intent": "order"', '"note": "\ud83d\ude00 \"\\\/\b\f\n\r\t"', '201 success'),
  ('"intent": "order"', '"note": ' || repeat('[', 40) || repeat(']', 40), '201 success'),
  ('"intent": "order"', '"note": ' || repeat('[', 90) || repeat(']', 90), '400 value'),
  ('"intent": "order"', '"note": "' || repeat('[', 90) || '"', '201 success'),
  ('"intent": "order"', '"note": "\"' || repeat('[', 90) || '"', '201 success')) AS v (old, new, told);

-- ---------- The call itself ----------

SELECT is_empty($$ SELECT * FROM rxtrack_http.submit('updates:write', '{}', '{}', '{}', '{}') $$,
  'no request, no answer');
SELECT is((SELECT array_agg(status ORDER BY n) FROM pg_temp.post(ARRAY[
            pg_temp.request('onlooker', 80, pg_temp.bundle(pg_temp.task(80, item => 80))),
            pg_temp.request('unknown', 81, pg_temp.bundle(pg_temp.task(81, item => 81)))], NULL)), '{201,401}',
              'where no scope is needed, a caller still is');
SELECT is((SELECT array_agg(status)
  FROM rxtrack_http.submit('updates:write', ARRAY['', '\x00', decode(repeat('00', 32), 'hex'), NULL]::bytea[],
                                                                '{a,b,c,d}', '{NULL,NULL,NULL,NULL}',
                                                                  '{NULL,NULL,NULL,NULL}')),
          '{401,401,401,401}', 'a credential of any length');
SELECT throws_ok(format('SELECT * FROM rxtrack_http.submit(%s)', arguments), state, NULL, arguments) FROM (VALUES
  ($$ 'x', NULL, '{}', '{}', '{}' $$, '22004'), ($$ 'x', '{}', NULL, '{}', '{}' $$, '22004'),
    ($$ 'x', '{}', '{}', '{}', NULL $$, '22004'),
  ($$ 'x', '{NULL}', '{}', '{NULL}', '{NULL}' $$, '2202E'),
    ($$ 'x', '{NULL}', '{NULL}', '{NULL}', '{}' $$, '2202E')) AS v (arguments, state);
SELECT is(rxtrack_http.interface_number(), 3, 'the interface''s number');

-- Calls share memory that a session keeps: not with a call within them, and not after an error.
CREATE FUNCTION pg_temp.call_within() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  answer rxtrack_http.answer;
BEGIN
  SELECT a.* INTO answer FROM pg_temp.post(ARRAY[pg_temp.request('onlooker', 80, '{}')]) AS p, rxtrack_http.submit('updates:write', '{NULL}', '{x}', '{NULL}', '{NULL}') AS a;
  IF answer.status <> 401 OR new.line_item_id = pg_temp.uuid(86)::uuid THEN
    RAISE EXCEPTION 'refused' USING ERRCODE = 'RX999';
  END IF;
  RETURN new;
END $$;
CREATE TRIGGER call_within AFTER INSERT ON rxtrack.status_update FOR EACH ROW EXECUTE FUNCTION pg_temp.call_within();
CREATE FUNCTION pg_temp.post_three(first integer) RETURNS integer[] LANGUAGE sql AS $$
  SELECT array_agg(status ORDER BY n) FROM pg_temp.post(array(
    SELECT pg_temp.request('one', i, pg_temp.bundle(pg_temp.task(i, item => i))) FROM generate_series(first, first + 2) AS i))
$$;
SELECT is(pg_temp.post_three(82), '{201,201,201}', 'a trigger makes a call of its own within a call');
SELECT throws_ok('SELECT pg_temp.post_three(85)', 'RX999', NULL, 'one raises an error');
DROP TRIGGER call_within ON rxtrack.status_update;
SELECT is(pg_temp.post_three(85), '{201,201,201}', 'and the next call is served');

-- As the gateway does it: by a role that may do nothing else.
SELECT sha256(:'supplier_one_key'::text::bytea)::text AS credential, pg_temp.uuid(90) AS id,
  pg_temp.bundle(pg_temp.task(90, item => 90)) AS bundle \gset
SET LOCAL ROLE rxtrack_gateway;
SELECT status
  FROM rxtrack_http.submit('updates:write', ARRAY[:'credential'::bytea], ARRAY[:'id'], ARRAY[NULL],
  ARRAY[convert_to(:'bundle', 'UTF8')]) \gset as_gateway_
SET LOCAL application_name = 'rxtrack-gateway/9.8.7';
SELECT count(*), min(status) AS status, min(headers) AS headers, min(convert_from(body, 'UTF8')) AS body
  FROM rxtrack_http.status(NULL, '{NULL,NULL}', '{x,NULL}', '{NULL,NULL}', '{NULL,NULL}') \gset health_
RESET ROLE;
SELECT is(:as_gateway_status, 201, 'the gateway''s role stores an update');
SELECT is(row(:health_count, :health_status, :'health_headers'::text)::text,
  row(2, 200, E'Content-Type: application/health+json\n')::text, 'and asks for the health');
SELECT is(:'health_body'::jsonb #- '{checks,database,0,time}',
          jsonb_build_object('status', 'pass', 'version', '3', 'description', 'rxtrack: prescription tracking',
                             'releaseId', (SELECT extversion FROM pg_extension WHERE extname = 'rxtrack'), 'checks',
                               jsonb_build_object(
            'gateway', '[{"componentType": "component", "status": "pass", "version": "9.8.7"}]'::jsonb,
            'database',
              jsonb_build_array(jsonb_build_object('componentType', 'datastore', 'status', 'pass', 'version',
              current_setting('server_version'))),
            'schema', '[{"componentType": "datastore", "status": "pass"}]'::jsonb,
            'writes', '[{"componentType": "datastore", "status": "pass"}]'::jsonb,
            'dispatcher', '[{"componentType": "component", "status": "pass", "output": "No dispatcher is configured: transactions release their events"}]'::jsonb,
            'events', '[{"componentType": "datastore", "status": "pass"}]'::jsonb,
            'notifications', '[{"componentType": "datastore", "status": "pass"}]'::jsonb)),
          'which tells all versions, and the state of each check');

SELECT * FROM finish();
ROLLBACK;
