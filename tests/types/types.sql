-- The types nhs_number, prescription_id, ods_code and business_status: what they accept, how they show it, how they
-- sort, hash and travel. The check digits are worked out here a second time, in SQL, from the words of their rules.
BEGIN;
SELECT plan(182);

SET LOCAL search_path = rxtrack, rxtrack_internal, public;
SELECT setseed(0.1948);

-- ---------- Helpers ----------

-- What becomes of a value given to a type: its canonical text, or the SQLSTATE that refuses it.
CREATE FUNCTION pg_temp.outcome(type text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('SELECT ($1::rxtrack.%I)::text', type) INTO result USING value;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;

-- All that an error says of a value: message, detail and hint.
CREATE FUNCTION pg_temp.error_text(type text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  message text;
  detail text;
  hint text;
BEGIN
  EXECUTE format('SELECT $1::rxtrack.%I', type) USING value;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(' / ', message, detail, nullif(hint, ''));
END $$;

CREATE FUNCTION pg_temp.query_plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
  lines text[] := '{}';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    lines := lines || line;
  END LOOP;
  RETURN array_to_string(lines, E'\n');
END $$;

-- Hands bytes to a type's receive function by way of a binary COPY, and returns the text of what it made of them, or
-- the SQLSTATE. A bytea travels as nothing but its bytes.
CREATE FUNCTION pg_temp.received(type text, wire bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  file text := current_setting('data_directory') || '/rxtrack_types_test.bin';
  result text;
BEGIN
  EXECUTE format('COPY (SELECT %L::bytea) TO %L (FORMAT binary)', wire, file);
  EXECUTE format('CREATE TEMP TABLE arrived (value rxtrack.%I)', type);
  EXECUTE format('COPY arrived FROM %L (FORMAT binary)', file);
  EXECUTE 'SELECT value::text FROM arrived' INTO result;
  DROP TABLE arrived;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;

-- The tenth digit of an NHS number, in the words of the rule: weights 10 down to 2 on the first nine; 11 minus
-- (weighted sum mod 11), where 11 counts as 0 and 10 is never valid.
CREATE FUNCTION pg_temp.nhs_check_digit(nine text) RETURNS text LANGUAGE sql AS $$
  SELECT CASE 11 - sum((11 - place) * substr(nine, place::int, 1)::int) % 11
       WHEN 11 THEN '0'
       WHEN 10 THEN NULL
       ELSE (11 - sum((11 - place) * substr(nine, place::int, 1)::int) % 11)::text
     END
  FROM generate_series(1, 9) AS place
$$;

-- Is this the check character of a prescription id? For each of the 17 characters before it, hyphens dropped, total =
-- (total + value of the character in base 36) * 2 mod 37; then (total + its position) mod 37 must be 1.
CREATE FUNCTION pg_temp.is_check_character(seventeen text, candidate text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  digits constant text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+';
  total integer := 0;
  c text;
BEGIN
  FOREACH c IN ARRAY regexp_split_to_array(replace(upper(seventeen), '-', ''), '') LOOP
    total := ((total + strpos(digits, c) - 1) * 2) % 37;
  END LOOP;
  RETURN (total + strpos(digits, upper(candidate)) - 1) % 37 = 1;
END $$;

CREATE FUNCTION pg_temp.random_text(characters text, length integer) RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT string_agg(substr(characters, 1 + floor(random() * length(characters))::int, 1), '')
  FROM generate_series(1, length)
$$;

-- ---------- Values made up for the tests ----------

CREATE TEMP TABLE kind (type text, bytes integer, by_value boolean, reason text);
INSERT INTO kind VALUES
  ('nhs_number', 4, true, 'An NHS number must '),
  ('prescription_id', 10, false, 'A prescription id must '),
  ('ods_code', 8, true, 'An ODS code must '),
  ('business_status', 1, true, 'A business status must ');

CREATE TEMP TABLE nine AS
  SELECT DISTINCT pg_temp.random_text('0123456789', 9) AS digits FROM generate_series(1, 2000) AS i
  UNION SELECT unnest(ARRAY['000000000', '999999999', '000000001', '100000000']);

CREATE TEMP TABLE seventeen AS
  SELECT DISTINCT pg_temp.random_text('0123456789ABCDEF', 6) || '-'
    || pg_temp.random_text('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', 6) || '-'
    || pg_temp.random_text('0123456789ABCDEF', 5) AS characters
  FROM generate_series(1, 1000) AS i
  UNION SELECT unnest(ARRAY['000000-000000-00000', 'FFFFFF-ZZZZZZ-FFFFF', '000000-00000Z-FFFFF', '000000-ZZZZZZ-00000'])
  -- Neighbours, which differ in the last place only.
  UNION SELECT '07A66F-A83008-1EEE' || digit FROM regexp_split_to_table('0123456789ABCDEF', '') AS digit;

CREATE TEMP TABLE sample (type text, value text);
INSERT INTO sample
  SELECT 'nhs_number', digits || pg_temp.nhs_check_digit(digits) FROM nine
  WHERE pg_temp.nhs_check_digit(digits) IS NOT NULL;
INSERT INTO sample
  SELECT 'prescription_id', characters || candidate
  FROM seventeen, regexp_split_to_table('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+', '') AS candidate
  WHERE pg_temp.is_check_character(characters, candidate);
INSERT INTO sample
  SELECT DISTINCT 'ods_code', pg_temp.random_text('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', 1 + i % 12)
  FROM generate_series(1, 2000) AS i
  UNION SELECT 'ods_code', unnest(ARRAY[
    '0', '00', '000000000000', '9', 'A', 'A0', 'A00', 'AZ', 'Z', 'ZZ', 'ZZZZZZZZZZZZ', 'ZZZZZZZZZZZY']);

CREATE TEMP TABLE status (rank integer, name text, short text);
INSERT INTO status VALUES
  (1, 'With Pharmacy', 'WP'),
  (2, 'With Pharmacy - Preparing Remainder', 'WPR'),
  (3, 'Ready to Collect', 'RC'),
  (4, 'Ready to Collect - Partial', 'RCP'),
  (5, 'Ready to Dispatch', 'RD'),
  (6, 'Ready to Dispatch - Partial', 'RDP'),
  (7, 'Collected', 'C'),
  (8, 'Dispatched', 'D'),
  (9, 'Not Dispensed', 'ND');
INSERT INTO sample SELECT 'business_status', name FROM status;

-- One table of each type's values, in no order, and with them the place that each ought to sort at.
CREATE TEMP TABLE nhs_number_sample AS
  SELECT value::nhs_number AS value, row_number() OVER (ORDER BY value COLLATE "C") AS place
  FROM sample WHERE type = 'nhs_number' ORDER BY random();
CREATE TEMP TABLE prescription_id_sample AS
  SELECT value::prescription_id AS value, row_number() OVER (ORDER BY value COLLATE "C") AS place
  FROM sample WHERE type = 'prescription_id' ORDER BY random();
CREATE TEMP TABLE ods_code_sample AS
  SELECT value::ods_code AS value, row_number() OVER (ORDER BY value COLLATE "C") AS place
  FROM sample WHERE type = 'ods_code' ORDER BY random();
CREATE TEMP TABLE business_status_sample AS
  SELECT name::business_status AS value, rank AS place FROM status ORDER BY random();

-- ---------- Good values, and their canonical text ----------

SELECT is(pg_temp.outcome(type, given), shown, format('%s %s is %s', type, to_json(given), shown))
FROM (VALUES
  ('nhs_number', '9449304130', '9449304130'),
  ('nhs_number', '9434765919', '9434765919'),
  ('nhs_number', '0000000000', '0000000000'),
  ('nhs_number', '9999999999', '9999999999'),
  ('prescription_id', '07A66F-A83008-1EEEA0', '07A66F-A83008-1EEEA0'),
  ('prescription_id', '480720-A83008-57FF06', '480720-A83008-57FF06'),
  ('prescription_id', '16B2E0-A83008-81C13H', '16B2E0-A83008-81C13H'),
  ('prescription_id', '24F5DA-A83008-7EFE6Z', '24F5DA-A83008-7EFE6Z'),
  ('prescription_id', '24f5da-a83008-7efe6z', '24F5DA-A83008-7EFE6Z'),
  ('prescription_id', '24f5DA-A83008-7efe6Z', '24F5DA-A83008-7EFE6Z'),
  ('ods_code', 'FA565', 'FA565'),
  ('ods_code', 'fa565', 'FA565'),
  ('ods_code', E' \t\r\n\x0b\fFa565\f\x0b\n\r\t ', 'FA565'),
  ('ods_code', '1', '1'),
  ('ods_code', '000000000000', '000000000000'),
  ('ods_code', 'zzzzzzzzzzzz', 'ZZZZZZZZZZZZ'),
  ('business_status', 'READY TO COLLECT - PARTIAL', 'Ready to Collect - Partial'),
  ('business_status', 'not dispensed', 'Not Dispensed')
) AS good (type, given, shown);

SELECT results_eq(
  $$ SELECT name::business_status::text, upper(name)::business_status::text, lower(name)::business_status::text
   FROM status ORDER BY rank $$,
  $$ SELECT name, name, name FROM status ORDER BY rank $$,
  'all nine business statuses are read in any case and shown in their own spelling');
SELECT results_eq(
  'SELECT short_name(name::business_status) FROM status ORDER BY rank',
  'SELECT short FROM status ORDER BY rank',
  'short_name() of all nine business statuses');
SELECT is(business_status_names(), (SELECT array_agg(name ORDER BY rank) FROM status), 'business_status_names() has them in their order');

-- ---------- Bad values ----------

CREATE TEMP TABLE bad (type text, value text);
INSERT INTO bad VALUES
  ('nhs_number', ''), ('nhs_number', '9449304131'), ('nhs_number', '4993041300'), ('nhs_number', '944930413'),
  ('nhs_number', '94493041300'), ('nhs_number', '944 930 4130'), ('nhs_number', ' 9449304130'),
  ('nhs_number', '9449304130 '), ('nhs_number', '944930413O'), ('nhs_number', '-449304130'),
  ('nhs_number', '+449304130'), ('nhs_number', '9449-30413'), ('nhs_number', '٩٤٤٩٣٠٤١٣٠'),
  ('nhs_number', '٩٤٤٩٣'), ('nhs_number', '0x3852AB42'), ('nhs_number', '9.4493E+09'),
  ('prescription_id', ''), ('prescription_id', '07A66F-A83008-1EEEA1'), ('prescription_id', '07A66FA830081EEEA0'),
  ('prescription_id', '07A66F-A83008-1EEEA'), ('prescription_id', '07A66F-A83008-1EEEA00'),
  ('prescription_id', ' 07A66F-A83008-1EEEA0'), ('prescription_id', '07A66F-A83008-1EEEA0 '),
  ('prescription_id', '07A66G-A83008-1EEEA0'), ('prescription_id', '07A66F-A8300+-1EEEA0'),
  ('prescription_id', '07A66F-A83008-1EEEG0'), ('prescription_id', '07A66F_A83008_1EEEA0'),
  ('prescription_id', '07A66-FA83008-1EEEA0'), ('prescription_id', '07A66F-A83008-1EEEA-'),
  ('prescription_id', '07A66F-A83008-1EEE+A'), ('prescription_id', '07A66F-A8300K-1EEEA0'),
  ('ods_code', ''), ('ods_code', '   '), ('ods_code', 'A123456789012'), ('ods_code', 'FA 565'), ('ods_code', 'FA-565'),
  ('ods_code', 'FA565+'), ('ods_code', 'ſA565'), ('ods_code', E'\u00a0FA565'), ('ods_code', 'FÄ565'),
  ('ods_code', E'\u212a'), ('ods_code', '٣'),
  ('business_status', ''), ('business_status', 'RC'), ('business_status', 'Ready'), ('business_status', ' Collected'),
  ('business_status', 'Collected '), ('business_status', 'Ready to Collect-Partial'),
  ('business_status', 'Ready  to Collect'), ('business_status', 'Not Dıspensed'), ('business_status', 'NOT DİSPENSED'),
  ('business_status', 'Cancelled'), ('business_status', 'Ready to Collect - Partial - Partial'), ('business_status', '3');

SELECT is_empty(
  format($$ SELECT value, pg_temp.outcome(type, value) FROM bad
       WHERE type = %L AND pg_temp.outcome(type, value) <> '22P02' $$, type),
  format('bad values of %s are refused with SQLSTATE 22P02', type))
FROM kind;
SELECT is_empty(
  format($$ SELECT value, pg_temp.error_text(type, value) FROM bad
       WHERE type = %1$L AND value ~ '\S' AND strpos(pg_temp.error_text(type, value), value) > 0 $$, type),
  format('what is said of a bad %s does not repeat it', type))
FROM kind;
SELECT is_empty(
  format($$ SELECT value, pg_temp.error_text(type, value) FROM bad
       WHERE type = %1$L
        AND NOT starts_with(pg_temp.error_text(type, value),
                  'invalid input syntax for type rxtrack.%1$s / %2$s') $$, type, reason),
  format('it names the type %s, and the rule in its detail', type))
FROM kind;
SELECT is(pg_temp.error_text('nhs_number', '944930413'),
  'invalid input syntax for type rxtrack.nhs_number / An NHS number must be ten digits.',
  'an NHS number of nine digits is told so');
SELECT is(pg_temp.error_text('nhs_number', '9449304131'),
  'invalid input syntax for type rxtrack.nhs_number / An NHS number must have the right check digit.',
  'an NHS number with a wrong check digit is told so');
SELECT is(pg_temp.error_text('prescription_id', '07A66F-A83008-1EEEA1'),
  'invalid input syntax for type rxtrack.prescription_id / A prescription id must have the right check character.',
  'a prescription id with a wrong check character is told so');

-- ---------- Check digits, over many values ----------

SELECT is_empty(
  $$ SELECT digits || tenth FROM nine, generate_series(0, 9) AS tenth
   WHERE pg_temp.outcome('nhs_number', digits || tenth)
      <> CASE WHEN pg_temp.nhs_check_digit(digits) = tenth::text THEN digits || tenth ELSE '22P02' END $$,
  'of the ten NHS numbers with the same nine digits the one with the right check digit is good, or none');
SELECT cmp_ok((SELECT count(*) FROM nine WHERE pg_temp.nhs_check_digit(digits) IS NULL), '>', 100::bigint,
  'and there were enough of those that have none');
SELECT is_empty(
  $$ SELECT characters || candidate
   FROM seventeen, regexp_split_to_table('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+', '') AS candidate
   WHERE pg_temp.outcome('prescription_id', characters || candidate)
      <> CASE WHEN pg_temp.is_check_character(characters, candidate) THEN characters || candidate ELSE '22P02' END $$,
  'of the 37 prescription ids with the same 17 characters the one with the right check character is good');
SELECT is((SELECT count(*) FROM prescription_id_sample), (SELECT count(*) FROM seventeen),
  'each of them has one');
SELECT ok(EXISTS (SELECT FROM prescription_id_sample WHERE value::text LIKE '%+'),
  'a check character may be a plus sign');
SELECT is_empty(
  format($$ SELECT value FROM sample WHERE type = %L AND pg_temp.outcome(type, value) <> value $$, type),
  format('every good value of %s comes back as it was', type))
FROM kind;
SELECT is_empty(
  $$ SELECT value FROM sample
   WHERE type <> 'nhs_number' AND pg_temp.outcome(type, lower(value)) IS DISTINCT FROM value $$,
  'and from lower case in its canonical one');

-- ---------- How a value is kept ----------

SELECT is((typlen::int, typbyval, typalign IN ('c', 'i', 'd')), (bytes, by_value, true),
  format('%s takes %s byte(s), by value: %s', type, bytes, by_value))
FROM kind JOIN pg_type ON pg_type.oid = ('rxtrack.' || type)::regtype;
SELECT is_empty(
  format('SELECT value FROM %1$s_sample WHERE pg_column_size(value) <> %2$s', type, bytes),
  format('every %s is %s byte(s) long', type, bytes))
FROM kind;
SELECT is((SELECT typalign FROM pg_type WHERE oid = 'prescription_id'::regtype), 'c',
  'a prescription_id needs no padding before it');

-- ---------- Order ----------

SELECT is_empty(
  format($$ SELECT * FROM (SELECT value, place, row_number() OVER (ORDER BY value) AS sorted FROM %s_sample) AS s
       WHERE place <> sorted $$, type),
  format('values of %s sort %s', type,
     CASE type WHEN 'business_status' THEN 'in the order of their table'
          ELSE 'as their texts do in the "C" collation' END))
FROM kind;
SELECT is_empty(
  format($$ SELECT a.value, b.value
       FROM (SELECT * FROM %1$s_sample LIMIT 60) AS a, (SELECT * FROM %1$s_sample LIMIT 60) AS b
       WHERE ROW(a.value < b.value, a.value <= b.value, a.value = b.value,
            a.value <> b.value, a.value >= b.value, a.value > b.value, sign(%1$s_cmp(a.value, b.value)))
        <> ROW(a.place < b.place, a.place <= b.place, a.place = b.place,
            a.place <> b.place, a.place >= b.place, a.place > b.place, sign(a.place - b.place)) $$, type),
  format('the operators and %s_cmp() agree with that order', type))
FROM kind;

-- ---------- Operators, operator classes and functions, as the catalogue has them ----------

CREATE TEMP VIEW own_function AS
  SELECT p.*
  FROM pg_proc AS p
  WHERE p.pronamespace IN ('rxtrack'::regnamespace, 'rxtrack_internal'::regnamespace)
   AND (p.proname = 'short_name'
     OR p.proname ~ ('^(nhs_number|prescription_id|ods_code|business_status)_'
             '(in|out|recv|send|eq|ne|lt|le|gt|ge|cmp|hash|hash_extended|sortsupport)$'));

SELECT is((SELECT count(*) FROM own_function), 54::bigint, 'the types have 54 functions');
SELECT is_empty(
  $$ SELECT proname FROM own_function WHERE NOT (provolatile = 'i' AND proisstrict AND proparallel = 's') $$,
  'all are immutable, strict and parallel safe');
SELECT is_empty(
  $$ SELECT proname FROM own_function
   WHERE proleakproof <> (proname ~ '_(eq|ne|lt|le|gt|ge|cmp|hash|hash_extended)$') $$,
  'those that compare and hash are leakproof, and no others');
SELECT is_empty(
  $$ SELECT oid::regprocedure FROM own_function WHERE obj_description(oid, 'pg_proc') IS NULL $$,
  'all are described');
CREATE FUNCTION pg_temp.operators_of(type regtype) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT concat_ws(' ', o.oprname, commutator.oprname, negator.oprname, o.oprrest, o.oprjoin, o.oprcanhash,
          o.oprcanmerge, obj_description(o.oid, 'pg_operator') IS NOT NULL)
  FROM pg_operator AS o
    JOIN pg_operator AS commutator ON commutator.oid = o.oprcom
    JOIN pg_operator AS negator ON negator.oid = o.oprnegate
  WHERE o.oprleft = type AND o.oprright = type AND o.oprresult = 'boolean'::regtype
$$;
SELECT set_eq(
  format($$ SELECT pg_temp.operators_of('rxtrack.%s') $$, type),
  $$ SELECT pg_temp.operators_of('integer') $$,
  format('the planner is told of the operators of %s what it knows of those of integer', type))
FROM kind;
SELECT results_eq(
  format($$ SELECT am.amname, c.opcname, c.opcdefault, amvalidate(c.oid), obj_description(c.oid, 'pg_opclass') IS NOT NULL
       FROM pg_opclass AS c JOIN pg_am AS am ON am.oid = c.opcmethod
       WHERE c.opcintype = 'rxtrack.%s'::regtype ORDER BY am.amname $$, type),
  format($$ VALUES ('btree'::name, '%1$s_ops'::name, true, true, true), ('hash', '%1$s_ops', true, true, true) $$, type),
  format('%s has valid default operator classes for btree and hash, described', type))
FROM kind;
SELECT alike(obj_description(('rxtrack.' || type)::regtype, 'pg_type'), format('%% %s byte%%', bytes),
  format('the description of %s tells its size', type))
FROM kind;

-- ---------- Hashing ----------

SELECT is_empty(
  format($$ SELECT value FROM %1$s_sample
       WHERE %1$s_hash(value) <> %1$s_hash(value::text::rxtrack.%1$s)
        OR %1$s_hash_extended(value, 0) & 4294967295 <> %1$s_hash(value)::bigint & 4294967295
        OR %1$s_hash_extended(value, 1) = %1$s_hash_extended(value, 2) $$, type),
  format('equal values of %s hash alike, and a seed changes the hash', type))
FROM kind;
SELECT is_empty(
  format($$ SELECT 1 FROM %1$s_sample HAVING count(DISTINCT %1$s_hash(value)) < count(*) * 0.99 $$, type),
  format('different values of %s hash differently', type))
FROM kind;
CREATE TEMP TABLE parted (value prescription_id) PARTITION BY HASH (value);
CREATE TEMP TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TEMP TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT value FROM prescription_id_sample;
SELECT ok((SELECT count(*) FROM parted_0) BETWEEN 400 AND 600, 'prescription ids spread evenly over hash partitions');

-- ---------- Indexes and joins ----------

CREATE FUNCTION pg_temp.compare_plans(type text, method text, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  query text := format('SELECT place FROM %s_sample WHERE value %s ORDER BY place', type, condition);
  collect text := format('SELECT array_agg(place) FROM (%s) AS q', query);
  by_scan bigint[];
  by_index bigint[];
  plan text;
BEGIN
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_indexscan = off;
  SET LOCAL enable_bitmapscan = off;
  EXECUTE collect INTO by_scan;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_indexscan = on;
  EXECUTE collect INTO by_index;
  plan := pg_temp.query_plan(query);
  RETURN CASE
    WHEN plan !~ format('Index.* Scan using %s_%s', type, method) THEN plan
    WHEN by_scan IS DISTINCT FROM by_index THEN 'another result'
    WHEN by_scan IS NULL THEN 'no result'
    ELSE 'good'
  END;
END $$;

-- A value in the middle, so that a range has some on either side.
CREATE TEMP TABLE middle AS
  SELECT type, value FROM (
    SELECT type, value, row_number() OVER w AS n, count(*) OVER (PARTITION BY type) AS total
    FROM sample WINDOW w AS (PARTITION BY type ORDER BY value COLLATE "C")) AS s
  WHERE n = total / 2;

SELECT format('CREATE INDEX %1$s_btree ON %1$s_sample USING btree (value)', type) FROM kind
\gexec
SELECT is(pg_temp.compare_plans(type, 'btree', operator || quote_literal(value)), 'good',
  format('a btree index of %s serves %s', type, operator))
FROM middle JOIN kind USING (type), unnest(ARRAY['=', '<', '>=']) AS operator;
SELECT is_empty(
  $$ SELECT 1 FROM pg_index WHERE indexrelid::regclass::text ~ '_btree$' AND NOT (indisvalid AND indisready) $$,
  'all of them are valid');
SELECT format('DROP INDEX %s_btree', type) FROM kind
\gexec
SELECT format('CREATE INDEX %1$s_hash ON %1$s_sample USING hash (value)', type) FROM kind
\gexec
SELECT is(pg_temp.compare_plans(type, 'hash', '=' || quote_literal(value)), 'good',
  format('a hash index of %s serves =', type))
FROM middle;
SELECT format('DROP INDEX %s_hash', type) FROM kind
\gexec

CREATE FUNCTION pg_temp.join_count(type text, method text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  query text := format('SELECT count(*) FROM %1$s_sample AS a JOIN %1$s_sample AS b'
            ' ON a.value = b.value AND a.place = b.place', type);
  expected text;
  found text;
BEGIN
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_nestloop = off;
  PERFORM set_config('enable_hashjoin', (method = 'Hash')::text, true),
      set_config('enable_mergejoin', (method = 'Merge')::text, true);
  EXECUTE query INTO found;
  EXECUTE format('SELECT count(*) FROM %s_sample', type) INTO expected;
  IF pg_temp.query_plan(query) !~ (method || ' Join.*' || method || ' Cond: .*value = ') THEN
    RETURN pg_temp.query_plan(query);
  END IF;
  RETURN CASE WHEN found = expected THEN 'good' ELSE found END;
END $$;
SELECT is(pg_temp.join_count(type, method), 'good', format('%s join on %s', lower(method), type))
FROM kind, unnest(ARRAY['Hash', 'Merge']) AS method;

CREATE TEMP TABLE keyed (value prescription_id PRIMARY KEY);
INSERT INTO keyed VALUES ('24f5da-a83008-7efe6z');
SELECT throws_ok($$ INSERT INTO keyed VALUES ('24F5DA-A83008-7EFE6Z') $$, '23505', NULL,
  'the same prescription id in another case is the same key');

-- ---------- The binary form ----------

SELECT is(nhs_number_send('9449304130'), '\x000000023338f042', 'an NHS number is sent as an 8-byte integer');
SELECT is(prescription_id_send('07A66F-A83008-1EEEA0'), '\x07a66f24d992c81eeea0'::bytea,
  'a prescription id is sent as its 10 bytes');
SELECT is(ods_code_send(' fa565'), 'FA565'::bytea, 'an ODS code is sent as its text');
SELECT is(business_status_send('Ready to Collect'), '\x03', 'a business status is sent as its number');
SELECT is_empty(
  format($$ SELECT value FROM (SELECT value FROM %1$s_sample LIMIT 50) AS s
       WHERE pg_temp.received(%1$L, %1$s_send(value)) IS DISTINCT FROM value::text $$, type),
  format('what %s_send() sends, %1$s_recv() reads', type))
FROM kind;
SELECT is(pg_temp.received(type, wire), result, format('%s_recv(%s) gives %s', type, wire, result))
FROM (VALUES
  ('nhs_number', int8send(9449304130), '9449304130'),
  ('nhs_number', int8send(9449304131), '22P03'),
  ('nhs_number', int8send(-1), '22P03'),
  ('nhs_number', int8send(9449304130 + 42949672960), '22P03'),
  ('nhs_number', int4send(944930413), '08P01'),
  ('prescription_id', '\x07a66f81bf0fff1eeea0', '07A66F-ZZZZZZ-1EEEA8'),
  ('prescription_id', '\x07a66f81bf10001eeea0', '22P03'),
  ('prescription_id', '\x07a66f24d992c81eeea1', '22P03'),
  ('prescription_id', '\x07a66f24d992c81eeea000', '22P03'),
  ('ods_code', 'fa565'::bytea, 'FA565'),
  ('ods_code', 'FA-565'::bytea, '22P03'),
  ('ods_code', ''::bytea, '22P03'),
  ('business_status', '\x09', 'Not Dispensed'),
  ('business_status', '\x00', '22P03'),
  ('business_status', '\x0a', '22P03')
) AS wired (type, wire, result);

-- ---------- Casts ----------

CREATE TEMP TABLE assigned (
  nhs_number nhs_number, prescription_id prescription_id, ods_code ods_code, status business_status);
PREPARE assigned_insert (text, text, text, text) AS INSERT INTO assigned VALUES ($1, $2, $3, $4);
EXECUTE assigned_insert ('9449304130', '16b2e0-a83008-81c13h', ' fa565 ', 'ready to collect');
EXECUTE assigned_insert (NULL, NULL, NULL, NULL);
SELECT results_eq(
  'SELECT nhs_number::text, prescription_id::text, ods_code::text, status::text FROM assigned ORDER BY nhs_number',
  $$ VALUES ('9449304130', '16B2E0-A83008-81C13H', 'FA565', 'Ready to Collect'), (NULL, NULL, NULL, NULL) $$,
  'a prepared INSERT assigns text parameters to the types');
CREATE TEMP TABLE texts (a text, b text, c text, d text);
INSERT INTO texts SELECT * FROM assigned;
SELECT results_eq('SELECT * FROM texts ORDER BY a',
  $$ VALUES ('9449304130', '16B2E0-A83008-81C13H', 'FA565', 'Ready to Collect'), (NULL, NULL, NULL, NULL) $$,
  'the types are assigned to text columns in their canonical spelling');
SELECT is(to_jsonb(assigned),
  '{"nhs_number": "9449304130", "prescription_id": "16B2E0-A83008-81C13H", "ods_code": "FA565",
   "status": "Ready to Collect"}',
  'in JSON they are strings')
FROM assigned WHERE nhs_number IS NOT NULL;
SELECT set_eq(
  format($$ SELECT castsource::regtype::text, casttarget::regtype::text, castcontext::text FROM pg_cast
       WHERE %L::regtype IN (castsource, casttarget) AND obj_description(pg_cast.oid, 'pg_cast') IS NOT NULL $$, type),
  format($$ VALUES ('text', %1$L, 'i'), ('character varying', %1$L, 'i'), (%1$L, 'text', 'a') $$, type),
  format('%s is cast from text implicitly, to text in assignments, and both are described', type))
FROM kind;
SELECT throws_ok(format($$ INSERT INTO assigned (%s) SELECT 'bad'::text || '!' $$, attribute), '22P02', NULL,
  format('%s refuses a bad text that is assigned to it', attribute))
FROM unnest(ARRAY['nhs_number', 'prescription_id', 'ods_code', 'status']) AS attribute;

-- ---------- Text that a driver has typed ----------

-- As JDBC's setString sends a parameter, as varchar; or as arrays are sent, as text[]. Any search_path will do.
SELECT format('CREATE INDEX %1$s_typed ON %1$s_sample USING btree (value); ANALYZE %1$s_sample', type) FROM kind
\gexec
CREATE FUNCTION pg_temp.typed_plan(type text, parameter text, condition text, argument text) RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
  plan text := '';
  line text;
  found bigint;
BEGIN
  EXECUTE format('PREPARE typed (%s) AS SELECT count(*) FROM pg_temp.%I_sample WHERE %s', parameter, type, condition);
  FOR line IN EXECUTE format('EXPLAIN (COSTS OFF) EXECUTE typed (%L)', argument) LOOP
    plan := plan || line || E'\n';
  END LOOP;
  EXECUTE format('EXECUTE typed (%L)', argument) INTO found;
  DEALLOCATE typed;
  RETURN CASE WHEN plan ~ format('Index.* Scan using %s_typed.*Index Cond', type) THEN found || ' by the index' ELSE plan END;
EXCEPTION WHEN data_exception THEN
  DEALLOCATE typed;
  RETURN SQLSTATE;
END $$;
SELECT is(pg_temp.typed_plan(type, parameter, condition, replace(argument, '?', value)), answer, format('%s %s, $1 being %s', type, condition, parameter))
FROM middle, (VALUES
  ('text', 'value = $1', '?', '1 by the index'),
  ('varchar', '$1 = value', '?', '1 by the index'),
  ('text[]', 'value = ANY ($1)', '{?}', '1 by the index'),
  ('varchar[]', 'value = ANY ($1)', '{?}', '1 by the index'),
  ('text', 'value BETWEEN $1 AND $1', '?', '1 by the index'),
  ('text', 'value = $1', 'no identifier', '22P02')) AS v (parameter, condition, argument, answer);
SELECT is_empty(
  format($$ SELECT 1 FROM %1$s_sample AS s JOIN (SELECT place, value::text::%2$s FROM %1$s_sample) AS t ON s.value = t.value AND s.place = t.place
       HAVING count(*) <> (SELECT count(*) FROM %1$s_sample) $$, type, text), format('%s joins a column of %s', type, text))
FROM kind, unnest('{text,varchar}'::text[]) AS text;
-- texts among themselves are compared as ever: the casts tempt nothing else
CREATE TEMP VIEW compared AS
  SELECT a.t = b.t AS "text = text", a.v = b.v AS "varchar = varchar", a.t = b.v AS "text = varchar", a.v = b.n AS "varchar = name",
         a.v = b.c AS "varchar = char", a.v = 'x' AS "varchar = unknown", a.v < b.v AS "varchar < varchar"
  FROM (SELECT ''::text AS t, ''::varchar AS v, ''::name AS n, ''::char(3) AS c OFFSET 0) AS a,
       (SELECT ''::text AS t, ''::varchar AS v, ''::name AS n, ''::char(3) AS c OFFSET 0) AS b;
SELECT is_empty(
  $$ SELECT o.oprcode FROM pg_rewrite, regexp_matches(ev_action, 'OPEXPR :opno (\d+)', 'g') AS m, pg_operator AS o
   WHERE ev_class = 'compared'::regclass AND o.oid = m[1]::oid AND o.oprcode::regproc::text !~ '^(text|bpchar|name)' $$,
  'texts are compared with one another as without rxtrack');

-- ---------- Errors that are returned (PostgreSQL 16 and later) ----------

CREATE FUNCTION pg_temp.soft_errors() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  wrong bigint;
BEGIN
  IF to_regprocedure('pg_catalog.pg_input_is_valid(text, text)') IS NULL THEN
    RETURN skip('before PostgreSQL 16 input functions raise their errors');
  END IF;
  EXECUTE $q$ SELECT (SELECT count(*) FROM bad WHERE pg_input_is_valid(value, 'rxtrack.' || type))
          + (SELECT count(*) FROM sample WHERE NOT pg_input_is_valid(value, 'rxtrack.' || type)) $q$ INTO wrong;
  RETURN is(wrong, 0::bigint, 'pg_input_is_valid() tells good values from bad ones');
END $$;
SELECT pg_temp.soft_errors();

DO $$
BEGIN
  EXECUTE format('COPY (SELECT 1 WHERE false) TO PROGRAM %L',
         'rm -f "' || current_setting('data_directory') || '/rxtrack_types_test.bin"');
END $$;

SELECT * FROM finish();
ROLLBACK;
