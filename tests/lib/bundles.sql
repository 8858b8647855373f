-- Helpers for the tests of submission: they build identifiers, tasks and bundles, and take answers apart. Included
-- with \ir inside the transaction of a test. Every name and value here is invented.

-- The identifiers number n, with their check digits worked out from the words of their rules.
CREATE FUNCTION pg_temp.prescription(n integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  alphabet constant text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+';
  body text := upper(lpad(to_hex(n), 6, '0') || 'A83008' || lpad(to_hex(n % 99991), 5, '0'));
  total integer := 0;
BEGIN
  FOR i IN 1..17 LOOP
    total := (total + strpos(alphabet, substr(body, i, 1)) - 1) * 2 % 37;
  END LOOP;
  FOR x IN 0..36 LOOP
    IF (total + x) % 37 = 1 THEN
      RETURN substr(body, 1, 6) || '-' || substr(body, 7, 6) || '-' || substr(body, 13) || substr(alphabet, x + 1, 1);
    END IF;
  END LOOP;
END $$;

CREATE FUNCTION pg_temp.nhs_number(n integer) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  digits text;
  total integer;
BEGIN
  FOR nine IN n * 10 .. n * 10 + 9 LOOP
    digits := lpad(nine::text, 9, '0');
    total := 0;
    FOR i IN 1..9 LOOP
      total := total + substr(digits, i, 1)::integer * (11 - i);
    END LOOP;
    IF total % 11 <> 1 THEN
      RETURN digits || (11 - total % 11) % 11;
    END IF;
  END LOOP;
END $$;

-- The UUID number n: of task n, of item n, of request n.
CREATE FUNCTION pg_temp.uuid(n integer) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT lpad(to_hex(n), 8, '0') || '-0abc-4def-8123-456789abcdef' $$;

-- A moment, as updates write it.
CREATE FUNCTION pg_temp.moment(t timestamptz) RETURNS text LANGUAGE sql AS
$$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

-- The short name of a business status and back.
CREATE FUNCTION pg_temp.status_name(short text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE short
    WHEN 'WP' THEN 'With Pharmacy' WHEN 'WPR' THEN 'With Pharmacy - Preparing Remainder'
    WHEN 'RC' THEN 'Ready to Collect' WHEN 'RCP' THEN 'Ready to Collect - Partial'
    WHEN 'RD' THEN 'Ready to Dispatch' WHEN 'RDP' THEN 'Ready to Dispatch - Partial'
    WHEN 'C' THEN 'Collected' WHEN 'D' THEN 'Dispatched' WHEN 'ND' THEN 'Not Dispensed' END
$$;

CREATE FUNCTION pg_temp.short_name(status rxtrack.business_status) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT short FROM unnest('{WP,WPR,RC,RCP,RD,RDP,C,D,ND}'::text[]) AS short
  WHERE pg_temp.status_name(short) = status::text
$$;

-- A valid Task: update number task of item number item, which is of prescription number item unless said otherwise.
CREATE FUNCTION pg_temp.task(task integer, short text DEFAULT 'WP', at timestamptz DEFAULT '2026-01-05 09:00Z',
                             item integer DEFAULT 1, set_at timestamptz DEFAULT NULL, prescription integer DEFAULT NULL,
                             issue_number integer DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'resourceType', 'Task',
    'id', pg_temp.uuid(task),
    'basedOn', jsonb_build_array(jsonb_build_object('identifier', jsonb_build_object(
      'system', 'https://fhir.nhs.uk/Id/prescription-order-number',
      'value', pg_temp.prescription(coalesce(prescription, item))))),
    'status', CASE WHEN short IN ('C', 'D', 'ND') THEN 'completed' ELSE 'in-progress' END,
    'intent', 'order',
    'focus', jsonb_build_object('identifier', jsonb_build_object(
      'system', 'https://fhir.nhs.uk/Id/prescription-order-item-number', 'value', pg_temp.uuid(item))),
    'for', jsonb_build_object('identifier', jsonb_build_object(
      'system', 'https://fhir.nhs.uk/Id/nhs-number', 'value', pg_temp.nhs_number(coalesce(prescription, item)))),
    'owner', jsonb_build_object('identifier', jsonb_build_object(
      'system', 'https://fhir.nhs.uk/Id/ods-organization-code', 'value', 'FX123')),
    'businessStatus', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object(
      'system', 'https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt', 'code', pg_temp.status_name(short)))),
    'lastModified', pg_temp.moment(at),
    'meta', CASE WHEN set_at IS NOT NULL THEN jsonb_build_object('lastUpdated', pg_temp.moment(set_at)) END,
    'input', CASE WHEN issue_number IS NOT NULL THEN jsonb_build_array(jsonb_build_object(
      'type', jsonb_build_object('text', 'Repeat Number'), 'valueInteger', issue_number)) END))
$$;

-- An entry for a Task, and a Bundle of entries or of Tasks.
CREATE FUNCTION pg_temp.entry(task jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('fullUrl', 'urn:uuid:' || (task ->> 'id'), 'resource', task,
                            'request', jsonb_build_object('method', 'POST', 'url', 'Task'))
$$;

CREATE FUNCTION pg_temp.bundle_of(VARIADIC entries jsonb[]) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_build_object('resourceType', 'Bundle', 'type', 'transaction', 'entry', to_jsonb(entries)) $$;

CREATE FUNCTION pg_temp.bundle(VARIADIC tasks jsonb[]) RETURNS jsonb LANGUAGE sql AS $$
  SELECT pg_temp.bundle_of(VARIADIC array_agg(pg_temp.entry(t) ORDER BY n))
  FROM unnest(tasks) WITH ORDINALITY AS u (t, n)
$$;

-- Where a field is in a bundle of one entry: Task.basedOn[0].identifier is {entry,0,resource,basedOn,0,identifier}.
CREATE FUNCTION pg_temp.place(field text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE split_part(field, '.', 1) WHEN 'Task' THEN '{entry,0,resource}' WHEN 'entry' THEN '{entry,0}' ELSE '{}'
         END::text[]
      || (string_to_array(translate(replace(field, '[', '.'), ']', ''), '.'))[2:]
$$;

-- A bundle with one field changed; SQL's NULL takes the field away.
CREATE FUNCTION pg_temp.changed(bundle jsonb, field text, value jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN value IS NULL THEN bundle #- pg_temp.place(field)
              WHEN field = 'Bundle' THEN value
              ELSE jsonb_set(bundle, pg_temp.place(field), value) END
$$;

-- Two applications, and their API keys.
SELECT rxtrack.add_application('Supplier one', '{updates:write}') AS supplier_one_key,
       rxtrack.add_application('Supplier two', '{updates:write}') AS supplier_two_key \gset

-- An answer whose resource can be searched.
CREATE TYPE pg_temp.reply AS (status integer, body jsonb);
CREATE FUNCTION pg_temp.reply(answer rxtrack.answer) RETURNS pg_temp.reply LANGUAGE sql AS $$ SELECT answer.status, answer.body::jsonb $$;

-- One without the warnings that an update is old, as most of the tests' are.
CREATE FUNCTION pg_temp.ageless(answer pg_temp.reply) RETURNS pg_temp.reply LANGUAGE sql AS $$
  SELECT answer.status, CASE WHEN NOT answer.body ? 'entry' THEN answer.body ELSE jsonb_set(answer.body, '{entry}', (
    SELECT jsonb_agg(jsonb_set(e, '{response,outcome,issue}', (
      SELECT jsonb_agg(i ORDER BY k) FROM jsonb_array_elements(e #> '{response,outcome,issue}') WITH ORDINALITY AS x (i, k)
      WHERE i ->> 'diagnostics' NOT LIKE '%more than 30 days old%')) ORDER BY n)
    FROM jsonb_array_elements(answer.body -> 'entry') WITH ORDINALITY AS y (e, n))) END
$$;

-- Submits as one of the two suppliers, under a request id of its own unless one is given.
CREATE FUNCTION pg_temp.submit(bundle jsonb, request uuid DEFAULT gen_random_uuid(),
                               application text DEFAULT 'Supplier one') RETURNS pg_temp.reply LANGUAGE sql AS
$$ SELECT pg_temp.ageless(pg_temp.reply(rxtrack.submit(bundle::text, request::text, application))) $$;

CREATE FUNCTION pg_temp.status(answer pg_temp.reply) RETURNS integer LANGUAGE sql AS $$ SELECT answer.status $$;

-- What an answer says of each entry, in order: "201 Created: success", with the codes of all issues.
CREATE FUNCTION pg_temp.fates(answer pg_temp.reply) RETURNS text[] LANGUAGE sql AS $$
  SELECT array_agg((e -> 'response' ->> 'status') || ': ' ||
                   (SELECT string_agg(i ->> 'code', ' ' ORDER BY k)
                    FROM jsonb_array_elements(e -> 'response' -> 'outcome' -> 'issue') WITH ORDINALITY AS x (i, k))
                   ORDER BY n)
  FROM jsonb_array_elements(answer.body -> 'entry') WITH ORDINALITY AS y (e, n)
$$;

-- Every fault that an answer names, in order: "<entry> <field>", the entry counted from 0 as it was sent; a first entry
-- for what belongs to none counts as one more of the first. An issue whose shape is wrong, or whose expression does not
-- agree with its diagnostics, shows as itself.
CREATE FUNCTION pg_temp.faults(answer pg_temp.reply) RETURNS text[] LANGUAGE sql AS $$
  SELECT coalesce(array_agg(CASE
    WHEN i ->> 'severity' = 'error' AND i ->> 'code' = 'value' AND jsonb_array_length(i -> 'expression') = 1
         AND i - '{severity,code,diagnostics,expression}'::text[] = '{}'
         AND length(i ->> 'diagnostics') > length(field) + 5
         AND i -> 'expression' ->> 0 = CASE
           WHEN field ~ '^Task' THEN format('Bundle.entry[%s].resource%s', place, substr(field, 5))
           WHEN field ~ '^entry' THEN format('Bundle.entry[%s]%s', place, substr(field, 6))
           ELSE field END
    THEN format('%s %s', place, field) ELSE i::text END ORDER BY n, k), '{}')
  FROM jsonb_array_elements(answer.body -> 'entry') WITH ORDINALITY AS x (e, n),
       jsonb_array_elements(e -> 'response' -> 'outcome' -> 'issue') WITH ORDINALITY AS y (i, k),
       split_part(i ->> 'diagnostics', ' ', 1) AS field,
       greatest(0, n - 1 - (answer.body #>> '{entry,0,response,outcome,issue,0,diagnostics}' ~ '^(Bundle|X-)')::integer)
         AS place
  WHERE i ->> 'severity' <> 'information'
$$;
