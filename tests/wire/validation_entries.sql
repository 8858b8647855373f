-- Validation of bundles of several entries: every fault of every entry at once, valid entries beside faulty ones, a
-- task id twice, and the faults of the bundle as a whole and of the request.
BEGIN;
SELECT plan(29);
\ir ../lib/bundles.sql

CREATE FUNCTION pg_temp.without(task jsonb, VARIADIC fields text[]) RETURNS jsonb LANGUAGE sql AS
$$ SELECT task - fields $$;

-- ---------- Faults of several entries ----------

CREATE TEMP TABLE mixed AS SELECT * FROM pg_temp.submit(pg_temp.bundle(
  pg_temp.task(1),
  pg_temp.without(pg_temp.task(2), 'for', 'owner'),
  jsonb_set(jsonb_set(jsonb_set(pg_temp.task(3), '{for,identifier,value}', '"9449304131"'),
                      '{lastModified}', '"2025-02-29T12:00:00Z"'), '{status}', '"completed"'),
  pg_temp.task(4, 'C'))) AS a;

SELECT is(status, 400, 'one faulty entry is enough for 400') FROM mixed;
SELECT is(pg_temp.faults((status, body)::pg_temp.reply),
          '{1 Task.for,1 Task.owner,2 Task.for.identifier.value,2 Task.status,2 Task.lastModified}'::text[],
          'every fault of every entry is named, with its place') FROM mixed;
SELECT is(pg_temp.fates((status, body)::pg_temp.reply),
          ARRAY['200 OK: informational', '400 Bad Request: value value', '400 Bad Request: value value value',
                '200 OK: informational'], 'valid entries come back as 200, not stored') FROM mixed;
SELECT is(body #> '{entry,0,response,outcome,issue,0,severity}', '"information"', 'which is information') FROM mixed;
SELECT matches(body #>> '{entry,0,response,outcome,issue,0,diagnostics}', 'not stored', 'that says so') FROM mixed;
SELECT is((SELECT array_agg(e ->> 'fullUrl' ORDER BY n)
  FROM jsonb_array_elements(body -> 'entry') WITH ORDINALITY x (e, n)),
          (SELECT array_agg('urn:uuid:' || pg_temp.uuid(n) ORDER BY n) FROM generate_series(1, 4) AS n),
          'each under its fullUrl, in the order sent') FROM mixed;
SELECT is_empty('SELECT FROM rxtrack.status_update', 'nothing is stored');
SELECT is_empty('SELECT FROM rxtrack.supply', 'and no item');
SELECT unalike(body::text, '%9449304131%', 'no value that was sent is repeated but fullUrl') FROM mixed;

-- ---------- A task id twice ----------

SELECT is(pg_temp.faults(pg_temp.submit(pg_temp.bundle(pg_temp.task(5), pg_temp.task(6), pg_temp.task(5, item => 2)))),
          '{2 Task.id}'::text[], 'a task id twice is a fault of the second, whatever its item');
SELECT is(pg_temp.faults(pg_temp.submit(pg_temp.bundle(pg_temp.task(5), pg_temp.task(5), pg_temp.task(5)))),
          '{1 Task.id,2 Task.id}'::text[], 'three times: of the second and third');
SELECT is(pg_temp.faults(pg_temp.submit(pg_temp.bundle(
            pg_temp.task(10), jsonb_set(pg_temp.task(10), '{id}', to_jsonb(upper(pg_temp.uuid(10))))))),
          '{1 Task.id}'::text[], 'a UUID in upper case is the same task');
SELECT is(pg_temp.faults(pg_temp.submit(pg_temp.bundle(pg_temp.without(pg_temp.task(5), 'for'), pg_temp.task(5)))),
          '{0 Task.for,1 Task.id}'::text[], 'a task id counts even where its entry is faulty');
SELECT is(pg_temp.faults(pg_temp.submit(pg_temp.bundle(jsonb_set(pg_temp.task(5), '{id}', '"x"'),
                                                       jsonb_set(pg_temp.task(5), '{id}', '"x"')))),
          '{0 Task.id,0 entry.fullUrl,1 Task.id,1 entry.fullUrl}'::text[], 'what is no UUID is not compared');
SELECT is((pg_temp.faults(pg_temp.submit(pg_temp.bundle(
            VARIADIC array(SELECT pg_temp.task(n % 500) FROM generate_series(0, 999) AS n)))))[:100],
          array(SELECT format('%s Task.id', n) FROM generate_series(500, 599) AS n),
          'of a thousand entries, each second one of a task is found, and a hundred are spelled out');

-- ---------- fullUrl comes back as sent ----------

SELECT is((SELECT a.body -> 'entry' -> 0 -> 'fullUrl'
           FROM pg_temp.submit(pg_temp.changed(pg_temp.bundle(pg_temp.task(1)), 'entry.fullUrl', sent)) AS a), expected,
          format('fullUrl %s comes back as %s', sent, coalesce(expected::text, 'none'))) FROM (VALUES
  ('"x \" \\ \u0001 é"'::jsonb, '"x \" \\ \u0001 é"'::jsonb), ('""', '""'), ('7', NULL), (NULL, NULL)) AS v (sent,
    expected);

-- ---------- Faults of the bundle ----------

SELECT results_eq($$ SELECT status, pg_temp.faults((status, body)::pg_temp.reply), jsonb_array_length(body -> 'entry'),
                            body #> '{entry,0,fullUrl}'
                     FROM pg_temp.submit(pg_temp.bundle(pg_temp.task(1), pg_temp.task(2))
                                         || '{"resourceType": "bundle", "type": "batch"}') $$,
                  $$ VALUES (400, '{0 Bundle.resourceType,0 Bundle.type}'::text[], 1, NULL::jsonb) $$,
                  'faults of the bundle are all in one entry without a fullUrl, which is the only one where the others are valid');
CREATE TEMP TABLE batch AS SELECT * FROM pg_temp.submit(pg_temp.bundle(
  pg_temp.task(1), pg_temp.without(pg_temp.task(2), 'for', 'owner'), pg_temp.task(3)) || '{"type": "batch"}') AS a;
SELECT is(pg_temp.faults((status, body)::pg_temp.reply), '{0 Bundle.type,1 Task.for,1 Task.owner}'::text[],
          'faults of entries are named besides') FROM batch;
SELECT is(pg_temp.fates((status, body)::pg_temp.reply),
          ARRAY['400 Bad Request: value', '200 OK: informational', '400 Bad Request: value value', '200 OK: informational'],
          'the entries come after the bundle''s own, in the order sent') FROM batch;
SELECT is((SELECT array_agg(e ->> 'fullUrl' ORDER BY n)
  FROM jsonb_array_elements(body -> 'entry') WITH ORDINALITY x (e, n)),
          ARRAY[NULL, 'urn:uuid:' || pg_temp.uuid(1), 'urn:uuid:' || pg_temp.uuid(2), 'urn:uuid:' || pg_temp.uuid(3)],
          'each under its fullUrl') FROM batch;
SELECT is(pg_temp.fates(pg_temp.reply(rxtrack.submit((pg_temp.bundle(pg_temp.task(1), pg_temp.task(2) - 'for') || '{"type": "batch"}')::text,
                                                    NULL, 'Supplier one'))),
          ARRAY['400 Bad Request: value value', '200 OK: informational', '400 Bad Request: value'],
          'a request without an id has the faults of its bundle and entries named too');
SELECT is(array(SELECT regexp_replace(fate, ' [^:]*', '')
                FROM unnest(pg_temp.fates(pg_temp.submit(jsonb_build_object('type', 'batch', 'entry',
                              (SELECT jsonb_agg(n) FROM generate_series(1, 5001) AS n))))) AS fate),
          ARRAY['413: value value too-long'], 'but too many entries are not looked at');
SELECT results_eq($$ SELECT status, pg_temp.faults((status, body)::pg_temp.reply)
                     FROM pg_temp.submit('{"resourceType": "Bundle", "type": "transaction", "entry": {}}') $$,
                  $$ VALUES (400, '{0 Bundle.entry}'::text[]) $$, 'so it is with an entry that is no array');
SELECT results_eq($$ SELECT status, pg_temp.fates((status, body)::pg_temp.reply)
                     FROM pg_temp.submit(jsonb_set(pg_temp.bundle(pg_temp.task(1)), '{entry}',
                                                   (SELECT jsonb_agg(n) FROM generate_series(1, 5001) AS n))) $$,
                  $$ VALUES (413, ARRAY['413 Content Too Large: too-long']) $$, 'more than 5,000 entries are too many');
SELECT results_eq($$ SELECT status, jsonb_array_length(body -> 'entry'),
  array_length(pg_temp.faults((status, body)::pg_temp.reply), 1)
                     FROM pg_temp.submit(jsonb_set(pg_temp.bundle(pg_temp.task(1)), '{entry}',
                                                   (SELECT jsonb_agg(n) FROM generate_series(1, 5000) AS n))) $$,
                  $$ VALUES (400, 5000, 5000) $$, '5,000 are not');
SELECT is_empty('SELECT FROM rxtrack.status_update', 'nothing of all this is stored');

SELECT * FROM finish();
ROLLBACK;
