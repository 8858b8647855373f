-- Validation: every field of Bundle, entry and Task, missing, null and of each wrong JSON type, with wrong systems and
-- values; and that exactly the faulty fields are named.
BEGIN;
SELECT plan(116);
\ir ../lib/bundles.sql

-- A bundle with every field that is read, all of them right.
CREATE TEMP TABLE right_one AS
SELECT pg_temp.bundle(pg_temp.task(1, 'RC', '2026-01-05 09:00Z', set_at => '2026-01-05 08:00Z', issue_number => 2)) AS
  bundle;

-- What a bundle is told: the faulty fields, sorted, where it is refused with 400; else the status alone.
CREATE FUNCTION pg_temp.verdict(bundle jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT CASE a.status WHEN 400 THEN (SELECT string_agg(substr(f, 3), ', ' ORDER BY f COLLATE "C")
                                      FROM unnest(pg_temp.faults(a)) AS f)
                       ELSE a.status::text END
  FROM pg_temp.submit(bundle) AS a
$$;

-- ---------- The shape: each field as each kind of JSON ----------

-- if_right: the verdict when it has the right type and one of the values true, 7, "x", [], {}.
-- if_absent: when it is missing or null; where that is no fault, 201.
CREATE TEMP TABLE field (name text, kind text, if_right text, if_absent text);
INSERT INTO field (name, kind, if_right) VALUES
  ('Task.resourceType', 'string', 'Task.resourceType'),
  ('Task.id', 'string', 'Task.id'),
  ('Task.basedOn', 'array', 'Task.basedOn[0]'),
  ('Task.basedOn[0]', 'object', 'Task.basedOn[0].identifier'),
  ('Task.focus', 'object', 'Task.focus.identifier'),
  ('Task.for', 'object', 'Task.for.identifier'),
  ('Task.owner', 'object', 'Task.owner.identifier'),
  ('Task.businessStatus', 'object', 'Task.businessStatus.coding'),
  ('Task.businessStatus.coding', 'array', 'Task.businessStatus.coding[0]'),
  ('Task.businessStatus.coding[0]', 'object',
   'Task.businessStatus.coding[0].code, Task.businessStatus.coding[0].system'),
  ('Task.businessStatus.coding[0].system', 'string', 'Task.businessStatus.coding[0].system'),
  ('Task.businessStatus.coding[0].code', 'string', 'Task.businessStatus.coding[0].code'),
  ('Task.status', 'string', 'Task.status'),
  ('Task.lastModified', 'string', 'Task.lastModified'),
  ('Task.input[0].type', 'object', 'Task.input[0].type.text'),
  ('Task.input[0].type.text', 'string', 'Task.input[0].type.text'),
  ('entry.fullUrl', 'string', 'entry.fullUrl'),
  ('entry.resource', 'object',
   'Task.basedOn, Task.businessStatus, Task.focus, Task.for, Task.id, Task.lastModified, Task.owner, '
   'Task.resourceType, Task.status'),
  ('entry.request.method', 'string', 'entry.request.method'),
  ('entry.request.url', 'string', 'entry.request.url'),
  ('Bundle', 'object', 'Bundle.resourceType, Bundle.type'),
  ('Bundle.resourceType', 'string', 'Bundle.resourceType'),
  ('Bundle.type', 'string', 'Bundle.type');
INSERT INTO field (name, kind, if_right)
SELECT part || field, kind, replace(if_right, '*', part || '.identifier')
FROM unnest('{Task.basedOn[0],Task.focus,Task.for,Task.owner}'::text[]) AS part,
     (VALUES ('.identifier', 'object', '*.system, *.value'),
             ('.identifier.system', 'string', '*.system'),
             ('.identifier.value', 'string', '*.value')) AS v (field, kind, if_right);
-- x is an ODS code
UPDATE field SET if_right = '201' WHERE name = 'Task.owner.identifier.value';
INSERT INTO field VALUES
  ('Task.intent', 'string', 'Task.intent', '201'),
  ('Task.meta', 'object', '201', '201'),
  ('Task.meta.lastUpdated', 'string', 'Task.meta.lastUpdated', '201'),
  ('Task.input', 'array', '201', '201'),
  ('Task.input[0].valueInteger', 'number', '201', '201'),
  ('entry.request', 'object', 'entry.request.method, entry.request.url', '201'),
  ('Bundle.entry', 'array', '200', '200');

CREATE FUNCTION pg_temp.verdicts(field text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  value text;
  result jsonb := '{}';
  original jsonb := (SELECT bundle FROM right_one);
BEGIN
  FOREACH value IN ARRAY '{"null",true,7,"\"x\"",[],"{}"}'::text[] LOOP
    result := result || jsonb_build_object(value, pg_temp.verdict(pg_temp.changed(original, field, value::jsonb)));
    DELETE FROM rxtrack.status_update;
    DELETE FROM rxtrack.supply;
  END LOOP;
  IF field <> 'Bundle' THEN
    result := result || jsonb_build_object('missing', pg_temp.verdict(pg_temp.changed(original, field, NULL)));
  END IF;
  DELETE FROM rxtrack.status_update;
  DELETE FROM rxtrack.supply;
  RETURN result;
END $$;

SELECT is(pg_temp.verdict((SELECT bundle FROM right_one)), '201', 'the bundle that is about to be spoilt is right');
DELETE FROM rxtrack.status_update;
DELETE FROM rxtrack.supply;

SELECT is(pg_temp.verdicts(f.name), e.expected, f.name || ' missing, null and of each type')
FROM field f CROSS JOIN LATERAL (
  SELECT jsonb_object_agg(k.value, CASE
           WHEN k.kind = 'absent' THEN coalesce(f.if_absent, f.name)
           WHEN k.kind = f.kind THEN f.if_right
           ELSE f.name END) AS expected
  FROM (VALUES ('missing', 'absent'), ('null', 'absent'), ('true', 'boolean'), ('7', 'number'), ('"x"', 'string'),
               ('[]', 'array'), ('{}', 'object')) AS k (value, kind)
  WHERE f.name <> 'Bundle' OR k.value <> 'missing') AS e
ORDER BY f.name COLLATE "C";

SELECT is(pg_temp.verdicts('Bundle.entry[0]'),
          '{"missing": "200", "null": "entry", "true": "entry", "7": "entry", "\"x\"": "entry", "[]": "entry",
            "{}": "entry.fullUrl, entry.resource"}', 'an entry missing, null and of each type');
SELECT is(pg_temp.verdicts('Task.input[0]'),
          '{"missing": "201", "null": "Task.input[0]", "true": "Task.input[0]", "7": "Task.input[0]",
            "\"x\"": "Task.input[0]", "[]": "Task.input[0]", "{}": "201"}', 'an input missing, null and of each type');
SELECT is((pg_temp.verdict(NULL)), 'Bundle', 'no bundle at all');

-- ---------- Values ----------

-- Each is put into the bundle that is right; verdict as above.
CREATE TEMP TABLE value_case (n serial, field text, value jsonb, verdict text);
INSERT INTO value_case (field, value, verdict) VALUES
  ('Bundle.type', '"batch"', 'Bundle.type'),
  ('Bundle.type', '"Transaction"', 'Bundle.type'),
  ('Bundle.resourceType', '"bundle"', 'Bundle.resourceType'),
  ('Task.resourceType', '"MedicationRequest"', 'Task.resourceType'),
  ('Task.resourceType', '"task"', 'Task.resourceType'),
  ('Task.id', '"00000002-0abc-4def-8123-456789abcdef"', 'entry.fullUrl'),
  ('Task.id', '"00000001-0ABC-4DEF-8123-456789ABCDEF"', '201'),
  ('Task.id', '"000000010abc4def8123456789abcdef"', 'Task.id'),
  ('Task.id', '"{00000001-0abc-4def-8123-456789abcdef}"', 'Task.id'),
  ('Task.id', '" 00000001-0abc-4def-8123-456789abcdef"', 'Task.id'),
  ('Task.id', '"00000001-0abc-4def-8123-456789abcdeg"', 'Task.id'),
  ('Task.id', '""', 'Task.id'),
  ('entry.fullUrl', '"urn:uuid:00000001-0ABC-4DEF-8123-456789ABCDEF"', '201'),
  ('entry.fullUrl', '"00000001-0abc-4def-8123-456789abcdef"', 'entry.fullUrl'),
  ('entry.fullUrl', '"urn:uuid:00000002-0abc-4def-8123-456789abcdef"', 'entry.fullUrl'),
  ('entry.fullUrl', '"urn:uuid:"', 'entry.fullUrl'),
  ('entry.fullUrl', '"urn:uuid:00000001-0abc-4def-8123-456789abcdef "', 'entry.fullUrl'),
  ('entry.fullUrl', '""', 'entry.fullUrl'),
  ('entry.request.method', '"PUT"', 'entry.request.method'),
  ('entry.request.method', '"post"', 'entry.request.method'),
  ('entry.request.url', '"Task/1"', 'entry.request.url'),
  ('Task.intent', '"plan"', 'Task.intent'),
  ('Task.basedOn[0].identifier.value', '"07A66F-A83008-1EEEA0"', '201'),
  ('Task.basedOn[0].identifier.value', '"24f5da-a83008-7efe6z"', '201'),
  ('Task.basedOn[0].identifier.value', '"07A66F-A83008-1EEEA1"', 'Task.basedOn[0].identifier.value'),
  ('Task.basedOn[0].identifier.value', '"07A66FA830081EEEA0"', 'Task.basedOn[0].identifier.value'),
  ('Task.basedOn[0].identifier.value', '" 07A66F-A83008-1EEEA0"', 'Task.basedOn[0].identifier.value'),
  ('Task.focus.identifier.value', '"0000000A-0ABC-4DEF-8123-456789ABCDEF"', '201'),
  ('Task.focus.identifier.value', '"0000000a0abc4def8123456789abcdef"', 'Task.focus.identifier.value'),
  ('Task.for.identifier.value', '"9449304130"', '201'),
  ('Task.for.identifier.value', '"9434765919"', '201'),
  ('Task.for.identifier.value', '"9449304131"', 'Task.for.identifier.value'),
  ('Task.for.identifier.value', '"944 930 4130"', 'Task.for.identifier.value'),
  ('Task.for.identifier.value', '"944930413"', 'Task.for.identifier.value'),
  ('Task.for.identifier.value', '"9449304130 "', 'Task.for.identifier.value'),
  ('Task.for.identifier.value', '"９４４９３０４１３０"', 'Task.for.identifier.value'),
  ('Task.for.identifier.value', '9449304130', 'Task.for.identifier.value'),
  ('Task.owner.identifier.value', '" \tfx123\n"', '201'),
  ('Task.owner.identifier.value', '"ABCDEFGHIJKL"', '201'),
  ('Task.owner.identifier.value', '"ABCDEFGHIJKLM"', 'Task.owner.identifier.value'),
  ('Task.owner.identifier.value', '"FX-12"', 'Task.owner.identifier.value'),
  ('Task.owner.identifier.value', '"FX 12"', 'Task.owner.identifier.value'),
  ('Task.owner.identifier.value', '"É12"', 'Task.owner.identifier.value'),
  ('Task.owner.identifier.value', '"  "', 'Task.owner.identifier.value'),
  ('Task.businessStatus.coding[0].code', '"ready TO collect"', '201'),
  ('Task.businessStatus.coding[0].code', '"RC"', 'Task.businessStatus.coding[0].code'),
  ('Task.businessStatus.coding[0].code', '"Ready to Collect "', 'Task.businessStatus.coding[0].code'),
  ('Task.businessStatus.coding[0].code', '"Ready to Collect - partial"', '201'),
  ('Task.businessStatus.coding[0].code', '"Ready to Collect-Partial"', 'Task.businessStatus.coding[0].code'),
  ('Task.status', '"Completed"', 'Task.status'),
  ('Task.status', '"cancelled"', 'Task.status'),
  ('Task.input[0].type.text', '"repeat number"', 'Task.input[0].type.text'),
  ('Task.input[0].valueInteger', '1', '201'),
  ('Task.input[0].valueInteger', '2147483647', '201'),
  ('Task.input[0].valueInteger', '2147483648', 'Task.input[0].valueInteger'),
  ('Task.input[0].valueInteger', '0', 'Task.input[0].valueInteger'),
  ('Task.input[0].valueInteger', '-1', 'Task.input[0].valueInteger'),
  ('Task.input[0].valueInteger', '1.5', 'Task.input[0].valueInteger'),
  ('Task.input[0].valueInteger', '0.1', 'Task.input[0].valueInteger'),
  ('Task.input[0].valueInteger', '6.0', '201'),
  ('Task.input[0].valueInteger', '1e400', 'Task.input[0].valueInteger'),
  ('Task.input[0].valueInteger', '4294967297', 'Task.input[0].valueInteger'),
  ('Task.input[0].valueInteger', '18446744073709551617', 'Task.input[0].valueInteger'),
  ('Task.input[0].valueInteger', '"1"', 'Task.input[0].valueInteger');
-- every system, wrong in four ways
INSERT INTO value_case (field, value, verdict)
SELECT f.name, v.value, f.name
FROM field f, LATERAL (SELECT pg_temp.place(f.name) AS place, (SELECT bundle FROM right_one) AS bundle) AS p,
     LATERAL (VALUES (to_jsonb('https://fhir.nhs.uk/Id/something-else'::text)), ('""'),
                     (to_jsonb(upper(p.bundle #>> p.place))), (to_jsonb((p.bundle #>> p.place) || '/'))) AS v (value)
WHERE f.name LIKE '%.system';

CREATE FUNCTION pg_temp.case_verdict(field text, value jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text := pg_temp.verdict(pg_temp.changed((SELECT bundle FROM right_one), field, value));
BEGIN
  DELETE FROM rxtrack.status_update;
  DELETE FROM rxtrack.supply;
  RETURN result;
END $$;

SELECT is(pg_temp.case_verdict(field, value), verdict, format('%s %s', field, value))
FROM value_case WHERE field NOT LIKE '%.system' ORDER BY n;
SELECT is_empty(
  $$ SELECT field, value, pg_temp.case_verdict(field, value), verdict
     FROM value_case WHERE field LIKE '%.system' AND pg_temp.case_verdict(field, value) <> verdict $$,
  'no system but the right one is taken');

-- ---------- Further fields, further elements ----------

SELECT is(pg_temp.case_verdict('Task.note', '[{"text": "anything"}]'), '201', 'an unknown field of a Task is ignored');
SELECT is(pg_temp.case_verdict('Bundle.total', '"x"'), '201', 'an unknown field of the Bundle is ignored');
SELECT is(pg_temp.case_verdict('Task.basedOn[1]', '7'), '201', 'a second element of basedOn is ignored');
SELECT is(pg_temp.case_verdict('Task.input[1]', '{"valueInteger": "x"}'), '201', 'a second input is ignored');
SELECT is(pg_temp.verdict(pg_temp.changed(pg_temp.changed((SELECT bundle FROM right_one),
                                                          'Task.input[0].valueInteger', NULL),
                                          'Task.input[0].type', '7')),
          '201', 'an input without valueInteger is not looked at');

SELECT * FROM finish();
ROLLBACK;
