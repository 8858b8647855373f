-- Submission: the exact answers, what is stored and what is not, retries and conflicts, and bundles of many entries.
BEGIN;
SELECT plan(79);
\ir ../lib/bundles.sql

-- An answer with its times written as "now" where they are of now, so that all of it can be compared.
CREATE FUNCTION pg_temp.timeless(answer pg_temp.reply) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  told text;
BEGIN
  FOR told IN SELECT m[1] FROM regexp_matches(answer.body::text, '"lastUpdated": "([^"]*)"', 'g') AS m LOOP
    IF told !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$'
      OR told::timestamptz NOT BETWEEN clock_timestamp() - interval '1 min' AND clock_timestamp() THEN
      RAISE EXCEPTION 'lastUpdated is %', told;
    END IF;
  END LOOP;
  RETURN regexp_replace((pg_temp.ageless(answer)).body::text, '"lastUpdated": "[^"]*"', '"lastUpdated": "now"', 'g');
END $$;

-- One entry of an answer, written out; details and expression where there are some.
CREATE FUNCTION pg_temp.told(task integer, status text, severity text, code text, diagnostics text,
                             details jsonb DEFAULT NULL, location boolean DEFAULT false) RETURNS jsonb
                               LANGUAGE sql AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'fullUrl', 'urn:uuid:' || pg_temp.uuid(task),
    'response', jsonb_build_object(
      'status', status,
      'location', CASE WHEN location THEN 'Task/' || pg_temp.uuid(task) END,
      'outcome', jsonb_build_object(
        'resourceType', 'OperationOutcome',
        'meta', jsonb_build_object('lastUpdated', 'now'),
        'issue', jsonb_build_array(jsonb_build_object('severity', severity, 'code', code, 'diagnostics', diagnostics,
                                                      'details', details))))))
$$;
CREATE FUNCTION pg_temp.told_stored(task integer) RETURNS jsonb LANGUAGE sql AS
$$ SELECT pg_temp.told(task, '201 Created', 'information', 'success', 'The update is stored', NULL, true) $$;
CREATE FUNCTION pg_temp.told_not_stored(task integer) RETURNS jsonb LANGUAGE sql AS $$
  SELECT pg_temp.told(task, '200 OK', 'information', 'informational',
    'This entry is valid, but it was not stored, because of other entries of the same bundle')
$$;
CREATE FUNCTION pg_temp.told_conflict(task integer) RETURNS jsonb LANGUAGE sql AS $$
  SELECT pg_temp.told(task, '409 Conflict', 'error', 'duplicate',
    'A task with this Task.id is stored already for this prescription',
    '{"coding": [{"system": "https://fhir.nhs.uk/CodeSystem/http-error-codes", "code": "REC_CONFLICT"}]}', true)
$$;
CREATE FUNCTION pg_temp.response(VARIADIC entries jsonb[]) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('resourceType', 'Bundle', 'type', 'transaction-response', 'entry', to_jsonb(entries)) $$;

-- ---------- 201 ----------

CREATE TEMP TABLE created AS SELECT * FROM pg_temp.submit(pg_temp.bundle(
  pg_temp.task(1, 'RC', '2026-01-05 10:00Z', item => 11, prescription => 7, issue_number => 3),
  pg_temp.task(2, 'WP', '2026-01-05 09:00Z', item => 12, prescription => 7, set_at => '2026-01-05 08:30Z'),
  jsonb_set(pg_temp.task(3, 'D', '2026-01-05 11:00Z', item => 13, prescription => 8), '{owner,identifier,value}',
    '" ab1c "')),
  pg_temp.uuid(900)::uuid) AS a;
SELECT is(status, 201, 'all entries are stored') FROM created;
SELECT is(pg_temp.timeless((status, body)::pg_temp.reply),
          pg_temp.response(pg_temp.told_stored(1), pg_temp.told_stored(2), pg_temp.told_stored(3)), 'the answer to 201')
            FROM created;
SELECT results_eq(
  $$ SELECT prescription_id::text, status::text, completed, nhs_number::text, task_id::text, line_item_id::text,
    request_id::text,
            ods_code::text, last_modified, received_at BETWEEN now() AND clock_timestamp(),
              (SELECT name FROM rxtrack_internal.application a WHERE a.application_id = u.application_id),
            receipt, kind::text, changes_status, other_patient, warned, overtaken, request_entries, issue_number, post_dated_set_at
     FROM rxtrack.status_update u ORDER BY task_id $$,
  $$ SELECT pg_temp.prescription(p), s, c, pg_temp.nhs_number(p), pg_temp.uuid(t), pg_temp.uuid(i), pg_temp.uuid(900),
    o,
            m::timestamptz, true, 'Supplier one', 1, 'first', true, false, false, false, 3::smallint, r, set_at::timestamptz
     FROM (VALUES (1, 7, 11, 'Ready to Collect', false, 'FX123', '2026-01-05 10:00Z', 3, NULL),
                  (2, 7, 12, 'With Pharmacy', false, 'FX123', '2026-01-05 09:00Z', 0, '2026-01-05 08:30Z'),
                  (3, 8, 13, 'Dispatched', true, 'AB1C', '2026-01-05 11:00Z', 0, NULL)) AS v (t, p, i, s, c, o, m, r,
                    set_at) $$,
  'the updates, as they are stored');
SELECT results_eq(
  $$ SELECT prescription_id::text, status::text, completed, nhs_number::text, line_item_id::text, issue_number, ods_code::text,
            asserted_at, last_modified, began_at, received_at = began_received_at AND received_at BETWEEN now() AND clock_timestamp(),
            receipts, own_receipts, application_id = asserted_by, post_dated, in_conflict, plain_status IS NULL
     FROM rxtrack.supply ORDER BY line_item_id $$,
  $$ SELECT pg_temp.prescription(p), s, c, pg_temp.nhs_number(p), pg_temp.uuid(i), n, o, a::timestamptz, m::timestamptz, a::timestamptz,
            true, 1, 1, true, d, false, true
     FROM (VALUES (7, 11, 3, 'Ready to Collect', false, 'FX123', '2026-01-05 10:00Z', '2026-01-05 10:00Z', false),
                  (7, 12, 0, 'With Pharmacy', false, 'FX123', '2026-01-05 08:30Z', '2026-01-05 09:00Z', true),
                  (8, 13, 0, 'Dispatched', true, 'AB1C', '2026-01-05 11:00Z', '2026-01-05 11:00Z', false)) AS v (p, i, n, s,
                    c, o, a, m, d) $$,
  'the supplies, as they are stored');
SELECT results_eq(
  $$ SELECT prescription_id::text, nhs_number::text, hidden, (SELECT name FROM rxtrack_internal.application a WHERE a.application_id = p.application_id)
     FROM rxtrack.prescription_patient p ORDER BY 1 $$,
  $$ SELECT pg_temp.prescription(p), pg_temp.nhs_number(p), false, 'Supplier one' FROM (VALUES (7), (8)) AS v (p) ORDER BY 1 $$,
  'and whose the prescriptions are');

-- ---------- 200 and 400 ----------

SELECT results_eq(format('SELECT status, body FROM pg_temp.submit(%L)', bundle),
                  $$ VALUES (200, '{"resourceType": "Bundle", "type": "transaction-response"}'::jsonb) $$,
                    'no entries: ' || bundle)
FROM unnest(ARRAY['{"resourceType": "Bundle", "type": "transaction"}',
  '{"resourceType": "Bundle", "type": "transaction", "entry": []}']) AS bundle;
SELECT is(jsonb_build_array(a.status, pg_temp.timeless(a)), jsonb_build_array(400, pg_temp.response(
            pg_temp.told_not_stored(20),
            jsonb_set(pg_temp.told(21, '400 Bad Request', 'error', 'value', 'Task.for is missing'),
                      '{response,outcome,issue,0,expression}', '["Bundle.entry[1].resource.for"]'))),
                        'the answer to 400')
FROM pg_temp.submit(pg_temp.bundle(pg_temp.task(20), pg_temp.task(21) - 'for')) AS a;
SELECT is(jsonb_build_array(a.status, pg_temp.timeless(a)), jsonb_build_array(400, pg_temp.response(
            pg_temp.told(0, '400 Bad Request', 'error', 'value', 'X-Request-ID is missing') - 'fullUrl')),
              'no request id')
FROM pg_temp.submit(pg_temp.bundle(pg_temp.task(20)), NULL) AS a;
SELECT is((pg_temp.submit(NULL)).status, 400, 'no bundle');
SELECT is((SELECT count(*) FROM rxtrack.status_update), 3::bigint, 'nothing of these is stored');
SELECT is((SELECT count(*) FROM rxtrack.supply), 3::bigint, 'nor their supplies');

-- ---------- Applications ----------

SELECT throws_ok($$ SELECT pg_temp.submit(pg_temp.bundle(pg_temp.task(20)), application => 'Nobody') $$, '42704',
                 'application "Nobody" does not exist', 'an application that is not registered');
SELECT throws_ok($$ SELECT pg_temp.submit('{}', application => 'supplier one') $$, '42704', NULL,
  'a name is taken as it is');
SELECT throws_ok($$ SELECT pg_temp.submit('{}', application => NULL) $$, '22004', NULL, 'an application that is null');
SELECT is((pg_temp.submit(pg_temp.bundle(pg_temp.task(20, item => 20)), application => 'Supplier two')).status, 201,
  'another application');
SELECT is((SELECT application FROM rxtrack.status_history(pg_temp.prescription(20))),
  'Supplier two', 'is kept');

-- ---------- Retries and conflicts ----------

CREATE FUNCTION pg_temp.retried(b jsonb, request integer DEFAULT 901,
  application text DEFAULT 'Supplier one') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  before text := (SELECT string_agg(u::text || u.xmin::text || u.ctid::text, ',' ORDER BY task_id)
    FROM rxtrack.status_update u)
                 || (SELECT string_agg(s::text || s.xmin::text, ',' ORDER BY line_item_id, issue_number) FROM rxtrack.supply s)
                 || (SELECT count(*) FROM rxtrack.pending_events);
  answer pg_temp.reply := pg_temp.submit(b, pg_temp.uuid(request)::uuid, application);
  after text := (SELECT string_agg(u::text || u.xmin::text || u.ctid::text, ',' ORDER BY task_id)
    FROM rxtrack.status_update u)
                || (SELECT string_agg(s::text || s.xmin::text, ',' ORDER BY line_item_id, issue_number) FROM rxtrack.supply s)
                || (SELECT count(*) FROM rxtrack.pending_events);
BEGIN
  RETURN array_to_string(pg_temp.fates(answer), ', ') || CASE WHEN before IS DISTINCT FROM after
    THEN ', and something is stored' ELSE '' END;
END $$;

-- Two items, one of them twice; then the first of them moved on by another request.
CREATE FUNCTION pg_temp.original() RETURNS jsonb LANGUAGE sql AS $$
  SELECT pg_temp.bundle(pg_temp.task(30, 'WP', '2026-01-05 09:00Z', 31, prescription => 30),
                        pg_temp.task(31, 'RC', '2026-01-05 10:00Z', 31, prescription => 30, issue_number => 2),
                        pg_temp.task(32, 'RCP', '2026-01-05 10:00Z', 32, '2026-01-05 09:30Z', prescription => 30))
$$;
CREATE TEMP TABLE first_answer AS SELECT * FROM pg_temp.submit(pg_temp.original(), pg_temp.uuid(901)::uuid) AS a;
SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(33, 'C', '2026-01-05 11:00Z', 31,
  prescription => 30)))), 201, 'the item moves on');

SELECT is(pg_temp.timeless(pg_temp.submit(pg_temp.original(), pg_temp.uuid(901)::uuid)),
  pg_temp.timeless((status, body)::pg_temp.reply),
          'a retry has the answer of the first time') FROM first_answer;
SELECT is(pg_temp.retried(pg_temp.original()), '201 Created: success, 201 Created: success, 201 Created: success',
  'and stores nothing');
SELECT is(pg_temp.retried(replace(pg_temp.original()::text, pg_temp.uuid(31), upper(pg_temp.uuid(31)))::jsonb),
          '201 Created: success, 201 Created: success, 201 Created: success',
            'the same content written otherwise is the same');
SELECT is(pg_temp.retried(replace(pg_temp.original()::text, '2026-01-05T10:00:00.000000Z',
  '2026-01-05T11:00:00+01:00')::jsonb),
          '201 Created: success, 201 Created: success, 201 Created: success', 'so are the same times');
SELECT is(pg_temp.retried(jsonb_set(pg_temp.original(), '{entry}', (pg_temp.original() -> 'entry') - 2 || '[]')),
          '409 Conflict: duplicate, 409 Conflict: duplicate', 'a part of the same request is another one');
SELECT is(pg_temp.retried(jsonb_set(pg_temp.original(), '{entry}', pg_temp.original() -> 'entry' || jsonb_build_array(
            pg_temp.entry(pg_temp.task(34, item => 34))))),
          '409 Conflict: duplicate, 409 Conflict: duplicate, 409 Conflict: duplicate, 200 OK: informational',
          'so is the same request and more');
SELECT is((SELECT array_agg(status ORDER BY n) FROM rxtrack_http.submit('updates:write',
            array_fill(sha256(convert_to(:'supplier_one_key', 'UTF8')), '{3}'), array_fill(pg_temp.uuid(904), '{3}'),
            array_fill(NULL::text, '{3}'), (SELECT array_agg(convert_to(b::text, 'UTF8') ORDER BY n) FROM (VALUES
              (1, pg_temp.bundle(pg_temp.task(35, item => 35), pg_temp.task(36, item => 36))),
              (2, pg_temp.bundle(pg_temp.task(35, item => 35))),
              (3, pg_temp.bundle(pg_temp.task(36, item => 36), pg_temp.task(35, item => 35)))) AS v (n, b)))
          WITH ORDINALITY AS a (status, application, headers, body, n)), '{201,409,201}'::integer[],
          'a part beside the whole, of another prescription too, and the whole again, in one batch');

SELECT is(pg_temp.retried(pg_temp.original(), 902),
  '409 Conflict: duplicate, 409 Conflict: duplicate, 409 Conflict: duplicate', 'another request id');
SELECT is(pg_temp.retried(pg_temp.original(), 901, 'Supplier two'),
  '409 Conflict: duplicate, 409 Conflict: duplicate, 409 Conflict: duplicate', 'another application');
SELECT is(pg_temp.timeless(pg_temp.submit(pg_temp.original(), pg_temp.uuid(902)::uuid)),
          pg_temp.response(pg_temp.told_conflict(30), pg_temp.told_conflict(31), pg_temp.told_conflict(32)),
            'the answer to 409');

-- Each field of an update changed, one at a time.
SELECT is(pg_temp.retried(jsonb_set(pg_temp.original(), place::text[], value)),
          '409 Conflict: duplicate, 409 Conflict: duplicate, 409 Conflict: duplicate', 'other content: ' || place)
FROM (VALUES
  ('{entry,1,resource,focus,identifier,value}', to_jsonb(pg_temp.uuid(32))),
  ('{entry,1,resource,for,identifier,value}', to_jsonb(pg_temp.nhs_number(31))),
  ('{entry,1,resource,owner,identifier,value}', '"FX124"'),
  ('{entry,1,resource,businessStatus,coding,0,code}', '"Ready to Dispatch"'),
  ('{entry,1,resource,status}', '"completed"'),
  ('{entry,1,resource,lastModified}', '"2026-01-05T10:00:00.000001Z"'),
  ('{entry,1,resource,meta}', '{"lastUpdated": "2026-01-05T10:00:00Z"}'),
  ('{entry,2,resource,meta,lastUpdated}', '"2026-01-05T09:30:01Z"'),
  ('{entry,2,resource,meta}', '{}'),
  ('{entry,1,resource,input,0,valueInteger}', '3'),
  ('{entry,1,resource,input}', '[]')) AS v (place, value);
SELECT is(pg_temp.retried(jsonb_set(pg_temp.original(), '{entry,1,resource,basedOn,0,identifier,value}',
  to_jsonb(pg_temp.prescription(31)))),
          '409 Conflict: duplicate, 200 OK: informational, 409 Conflict: duplicate',
          'another prescription: that task is not stored for it, the others are');

SELECT is(jsonb_build_array(a.status, pg_temp.timeless(a)), jsonb_build_array(409, pg_temp.response(
            pg_temp.told_not_stored(40), pg_temp.told_conflict(30), pg_temp.told_not_stored(41))),
              'stored and new entries together')
FROM pg_temp.submit(pg_temp.bundle(pg_temp.task(40, item => 40), pg_temp.original() #> '{entry,0,resource}',
  pg_temp.task(41, item => 41)),
                    pg_temp.uuid(901)::uuid) AS a;
SELECT is_empty($$ SELECT FROM rxtrack.supply WHERE line_item_id IN (pg_temp.uuid(40)::uuid, pg_temp.uuid(41)::uuid) $$,
  'nothing of it is stored');
SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(30, item => 42)))), 201,
  'a task id may be that of another prescription');
SELECT is(pg_temp.fates(pg_temp.submit(pg_temp.bundle(pg_temp.task(30, item => 31, prescription => 30),
  pg_temp.task(43) - 'for'))),
          ARRAY['200 OK: informational', '400 Bad Request: value'], 'a fault comes before a conflict');
SELECT is(pg_temp.fates(pg_temp.submit(pg_temp.bundle(pg_temp.task(32, item => 32, prescription => 30),
                                                      pg_temp.task(44, 'RD', '2026-01-05 12:00Z', 31,
                                                        prescription => 30)))),
          ARRAY['409 Conflict: duplicate', '200 OK: informational'], 'and a conflict before a rule');
SELECT is(pg_temp.fates(pg_temp.submit(pg_temp.bundle(pg_temp.task(44, 'RD', '2026-01-05 12:00Z', 31,
  prescription => 30)),
                                       pg_temp.uuid(903)::uuid)), ARRAY['422 Unprocessable Content: business-rule'],
                                         'refused by a rule');
SET LOCAL rxtrack.transition_policy = 'off';
SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(44, 'RD', '2026-01-05 12:00Z', 31,
  prescription => 30)),
                                        pg_temp.uuid(903)::uuid)), 201, 'what was refused may be sent again');
SET LOCAL rxtrack.transition_policy = 'enforce';
SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(44, 'RD', '2026-01-05 12:00Z', 31,
  prescription => 30)),
                                        pg_temp.uuid(903)::uuid)), 201,
                                          'and its retry is a retry, whatever the rules say of it now');

-- Under warn, a retry has the warning too, with the step that was judged: not one that came between later, nor another
-- item's; so has one in the same batch.
SET LOCAL rxtrack.transition_policy = 'warn';
CREATE FUNCTION pg_temp.warned() RETURNS jsonb LANGUAGE sql AS $$
  SELECT pg_temp.bundle(pg_temp.task(45, 'C', '2026-01-05 10:00Z', 45, prescription => 45),
                        pg_temp.task(46, 'RDP', '2026-01-05 12:00Z', 45, prescription => 45),
                        pg_temp.task(47, 'D', '2026-01-05 11:00Z', 47, prescription => 45),
                        pg_temp.task(48, 'RCP', '2026-01-05 12:00Z', 47, prescription => 45))
$$;
CREATE TEMP TABLE warned AS SELECT * FROM pg_temp.submit(pg_temp.warned(), pg_temp.uuid(905)::uuid) AS a;
SELECT is(pg_temp.fates((status, body)::pg_temp.reply), ARRAY['201 Created: success', '201 Created: success business-rule',
            '201 Created: success', '201 Created: success business-rule'], 'under warn, unexpected steps are told') FROM warned;
SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(49, 'WP', '2026-01-05 11:00Z', 45, prescription => 45)))),
          201, 'one comes late');
SELECT is(pg_temp.timeless(pg_temp.submit(pg_temp.warned(), pg_temp.uuid(905)::uuid)),
          pg_temp.timeless((status, body)::pg_temp.reply), 'and are told the same way on the retry') FROM warned;
SELECT is(count(DISTINCT pg_temp.timeless((a.status, convert_from(a.body, 'UTF8')::jsonb)::pg_temp.reply)), 1::bigint,
          'and in one batch')
FROM (SELECT replace(pg_temp.warned()::text, pg_temp.prescription(45), pg_temp.prescription(46)) AS b) AS x,
     rxtrack_http.submit('updates:write', array_fill(sha256(convert_to(:'supplier_one_key', 'UTF8')), '{2}'),
       array_fill(pg_temp.uuid(906), '{2}'), array_fill(NULL::text, '{2}'), array_fill(convert_to(b, 'UTF8'), '{2}')) AS a;
SET LOCAL rxtrack.transition_policy = 'enforce';

-- ---------- Several entries of one item ----------

SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(50, 'WP', '2026-01-05 09:00Z', 50),
  pg_temp.task(51, 'RC', '2026-01-05 10:00Z', 50)))),
          201, 'two updates of an item in one bundle');
SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(53, 'RC', '2026-01-05 10:00Z', 51),
  pg_temp.task(52, 'WP', '2026-01-05 09:00Z', 51)))),
          201, 'and two in the other order');
SELECT results_eq($$ SELECT task_id::text, receipt, kind::text, changes_status FROM rxtrack.status_update
                     WHERE line_item_id IN (pg_temp.uuid(50)::uuid, pg_temp.uuid(51)::uuid) ORDER BY task_id $$,
                  $$ VALUES (pg_temp.uuid(50), 1, 'first', true), (pg_temp.uuid(51), 2, 'forward', true),
                            (pg_temp.uuid(52), 2, 'late', false), (pg_temp.uuid(53), 1, 'first', true) $$,
                              'are judged in the order sent');
SELECT set_eq($$ SELECT status::text, asserted_at, receipts FROM rxtrack.supply
  WHERE line_item_id IN (pg_temp.uuid(50)::uuid, pg_temp.uuid(51)::uuid) $$,
              $$ VALUES ('Ready to Collect', '2026-01-05 10:00Z'::timestamptz, 2) $$, 'and end at the same status');
SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(54, 'WPR', '2026-01-05 09:30Z', 51)))), 201,
  'a late one alone');
SELECT results_eq($$ SELECT status::text, asserted_at, receipts FROM rxtrack.supply
  WHERE line_item_id = pg_temp.uuid(51)::uuid $$,
                  $$ VALUES ('Ready to Collect', '2026-01-05 10:00Z'::timestamptz, 3) $$,
                    'is counted, and leaves the item where it stands');

-- ---------- A thousand entries ----------

CREATE FUNCTION pg_temp.thousand() RETURNS jsonb LANGUAGE sql AS $$
  SELECT pg_temp.bundle(VARIADIC array(
    SELECT pg_temp.task(10000 + n, CASE n % 3 WHEN 0 THEN 'WP' WHEN 1 THEN 'RC' ELSE 'C' END,
      timestamptz '2026-01-05 09:00Z' + n * interval '1 min',
                        10000 + (n * 7 / 3) % 250, prescription => 10000 + (n * 7 / 3) % 250 % 90)
    FROM generate_series(1, 1000) AS n ORDER BY n * 7919 % 1000))
$$;
SET LOCAL rxtrack.transition_policy = 'off';
CREATE TEMP TABLE big AS SELECT * FROM pg_temp.submit(pg_temp.thousand(), pg_temp.uuid(999)::uuid) AS a;
SELECT is(status, 201, 'a thousand entries') FROM big;
SELECT is((SELECT array_agg(e -> 'fullUrl' ORDER BY n)
  FROM jsonb_array_elements(body -> 'entry') WITH ORDINALITY AS x (e, n)),
          (SELECT array_agg(e -> 'fullUrl' ORDER BY n)
            FROM jsonb_array_elements(pg_temp.thousand() -> 'entry') WITH ORDINALITY AS x (e, n)),
          'are answered in the order sent') FROM big;
SELECT is((SELECT count(*) FROM rxtrack.status_update WHERE request_id = pg_temp.uuid(999)::uuid), 1000::bigint,
  'and are stored');
SELECT is_empty($$ SELECT s.line_item_id FROM rxtrack.supply s
  JOIN rxtrack.status_update u USING (prescription_id, line_item_id, issue_number, ods_code)
                   WHERE request_id = pg_temp.uuid(999)::uuid GROUP BY s.prescription_id, s.line_item_id, s.issue_number, s.ods_code
                   HAVING (array_agg(u.status ORDER BY u.last_modified DESC))[1] <> s.status OR s.receipts <> count(*)
                     OR count(DISTINCT u.receipt) <> count(*) OR min(u.receipt) <> 1 OR max(u.receipt) <> count(*) $$,
                'every supply stands at its newest, and its receipts count from 1');
SELECT is(pg_temp.timeless(pg_temp.submit(pg_temp.thousand(), pg_temp.uuid(999)::uuid)),
  pg_temp.timeless((status, body)::pg_temp.reply),
          'its retry has the same answer') FROM big;
SELECT is((SELECT count(*) FROM rxtrack.status_update WHERE request_id = pg_temp.uuid(999)::uuid), 1000::bigint,
  'and stores nothing');

-- ---------- Work that grows with what is sent ----------

-- A hundred items of one prescription, each with two updates that have yet to begin, one more of each.
CREATE FUNCTION pg_temp.predictions(round integer) RETURNS jsonb LANGUAGE sql AS $$
  SELECT pg_temp.bundle(VARIADIC array(
    SELECT pg_temp.task(30000 + 100 * round + n, 'RC', now() + interval '100 h', 30000 + n,
                        now() - interval '10 h' + round * interval '1 h', prescription => 300)
    FROM generate_series(0, 99) AS n))
$$;
CREATE FUNCTION pg_temp.updates_read() RETURNS bigint LANGUAGE sql AS
$$ SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'rxtrack.status_update'::regclass $$;
SELECT pg_temp.status(pg_temp.submit(pg_temp.predictions(n))) FROM generate_series(0, 1) AS n;
CREATE TEMP TABLE read_before AS SELECT pg_temp.updates_read() AS count;
SELECT pg_temp.status(pg_temp.submit(pg_temp.predictions(2)));
SELECT is(pg_temp.updates_read() - count, 0::bigint, 'no update that is stored is read to judge another')
FROM read_before;

-- ---------- By text, as drivers send it ----------

CREATE TEMP TABLE as_text AS SELECT pg_temp.bundle(pg_temp.task(40001, item => 40001)) AS bundle, pg_temp.uuid(997)::uuid AS request;
SELECT is(pg_temp.timeless(pg_temp.reply(rxtrack.submit(bundle::text, request::text, 'Supplier one'))), pg_temp.response(pg_temp.told_stored(40001)),
  'a bundle as text is stored')
FROM as_text;
SELECT is(pg_temp.fates(pg_temp.reply(rxtrack.submit(bundle::text, gen_random_uuid()::text, 'Supplier one'))), '{409 Conflict: duplicate}',
  'and the same under another id a conflict')
FROM as_text;
SELECT is((SELECT count(*) FROM rxtrack.status_update WHERE task_id = pg_temp.uuid(40001)::uuid), 1::bigint, 'it is stored once');
SELECT is(array[answer.status::text, answer.body #>> '{entry,0,response,outcome,issue,0,diagnostics}'],
  array['400', expected], format('%L', sent))
FROM (VALUES (NULL, 'Bundle is missing'), ('', 'The body is not JSON: it ends too early'), ('{"entry": [', 'The body is not JSON: it ends too early'),
             ('{"entry": }', 'The body is not JSON: syntax error at line 1, byte 11'),
             ('{"id": "\u0000"}', 'The body is not JSON: it holds \u0000, which no text may hold')) AS v (sent, expected),
  LATERAL rxtrack.submit(sent, gen_random_uuid()::text, 'Supplier one') AS answer;
SELECT is(array[answer.status::text, answer.body #>> '{entry,0,response,outcome,issue,0,diagnostics}'], array['400', expected], format('a request id: %L', id))
FROM (VALUES (NULL, 'X-Request-ID is missing'), ('', 'X-Request-ID must be a UUID'), ('no uuid', 'X-Request-ID must be a UUID')) AS v (id, expected),
  as_text, LATERAL rxtrack.submit(bundle::text, id, 'Supplier one') AS answer;
PREPARE as_drivers_do(text, text, text) AS SELECT (rxtrack.submit($1, $2, $3)).status;
SELECT lives_ok($$ EXECUTE as_drivers_do('{}', '6b1f0000-0000-4000-8000-000000000001', 'Supplier one') $$, 'parameters typed text');
SELECT throws_ok($$ SELECT rxtrack.submit('{}', gen_random_uuid()::text, NULL) $$, '22004', 'application must not be null', 'an application is needed');
SELECT throws_ok($$ SELECT rxtrack.submit('{}', gen_random_uuid()::text, 'Nobody') $$, '42704', 'application "Nobody" does not exist', 'one that exists');

SELECT * FROM finish();
ROLLBACK;
