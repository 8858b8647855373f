-- The public schema is the manual: what psql lists of rxtrack is what people use, with verbs in pairs, arguments that are
-- called the same everywhere and that every driver can send, results of our types, and a comment on everything.
BEGIN;
SELECT plan(45);

CREATE TEMP TABLE our_schema AS SELECT oid, nspname FROM pg_namespace WHERE nspname IN ('rxtrack', 'rxtrack_internal', 'rxtrack_http');
CREATE TEMP TABLE member AS
SELECT d.classid, d.objid, o.type, o.schema, o.identity
FROM pg_depend d, pg_identify_object(d.classid, d.objid, 0) o
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'rxtrack');

-- ---------- Where things are ----------

SELECT set_eq($$ SELECT schema, type, count(*) FROM member WHERE schema IS NOT NULL AND schema NOT IN (SELECT nspname FROM our_schema) GROUP BY 1, 2 $$,
              $$ VALUES ('pg_catalog', 'operator', 24::bigint) $$, 'outside the three schemas there are the six comparisons of each of four types, and nothing else');
SELECT is_empty($$ SELECT identity FROM member m JOIN pg_operator o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid
                   WHERE o.oprleft <> o.oprright OR o.oprname NOT IN ('=', '<>', '<', '<=', '>', '>=')
                      OR (SELECT typnamespace FROM pg_type t WHERE t.oid = o.oprleft) <> 'rxtrack'::regnamespace $$,
                'each of which compares two values of one of our types');
SELECT set_eq($$ SELECT DISTINCT castsource::regtype::text, casttarget::regtype::text, castcontext::text FROM member JOIN pg_cast c ON classid = 'pg_cast'::regclass AND c.oid = objid $$,
              $$ SELECT s, 'rxtrack.' || t AS t, 'i' AS c FROM unnest('{text,character varying}'::text[]) AS s, unnest('{nhs_number,prescription_id,ods_code,business_status}'::text[]) AS t
                 UNION ALL SELECT 'rxtrack.' || t, 'text', 'a' FROM unnest('{nhs_number,prescription_id,ods_code,business_status}'::text[]) AS t $$,
              'casts are those between our types and text');
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'rxtrack'::regnamespace AND (p.prorettype = 'trigger'::regtype OR 'internal'::regtype = ANY (p.proargtypes)
                     OR 'cstring'::regtype = ANY (p.proargtypes) OR EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = p.oid) OR EXISTS (SELECT FROM pg_amproc a WHERE a.amproc = p.oid)) $$,
                'no trigger function and no support of a type is listed by \df rxtrack.*');

-- ---------- Functions that people call ----------

CREATE TEMP TABLE public_function AS
SELECT p.*, p.oid::regprocedure::text AS signature FROM pg_proc p
WHERE p.pronamespace = 'rxtrack'::regnamespace;

-- Verbs that undo one another, and such as need no other; behind the verb stands what it is done to.
CREATE TEMP TABLE pair (one text, other text);
INSERT INTO pair VALUES ('add', 'drop'), ('bind', 'unbind'), ('restrict', 'unrestrict'), ('grant', 'revoke'), ('enable', 'disable'), ('block', 'unblock'), ('pause', 'resume');
CREATE TEMP TABLE single AS
SELECT unnest('{own_changes,get_event,get_events,own_updates,alter_application,rotate_key,waive_certificate,submit,check_transition,status_at,status_history,short_name,fetch_events,ack_events,release_events,prune_events,event_json,settle_patient,begin_new_history}'::text[]) AS name;
SELECT is_empty($$ SELECT proname FROM public_function, split_part(proname, '_', 1) AS verb
                   WHERE verb NOT IN (SELECT one FROM pair UNION ALL SELECT other FROM pair) AND proname NOT IN (SELECT name FROM single) $$,
                'each function is one of a pair, or one of those that have none');
SELECT is_empty($$ SELECT f.proname, p FROM public_function f JOIN pair p ON split_part(f.proname, '_', 1) IN (p.one, p.other)
                   WHERE NOT EXISTS (SELECT FROM public_function o WHERE o.proname = (CASE WHEN f.proname LIKE p.one || '\_%' THEN p.other ELSE p.one END) || substr(f.proname, strpos(f.proname, '_'))) $$,
                'whose other one is there');
SELECT is_empty('SELECT proname, count(*) FROM public_function GROUP BY 1 HAVING count(*) > 1', 'no name has two functions: a call with untyped parameters is never ambiguous');

CREATE TEMP TABLE argument AS
SELECT f.proname, f.signature, a.name, format_type(a.type, NULL) AS type, a.place, a.place > f.pronargs - f.pronargdefaults AS optional
FROM public_function f, unnest(f.proargtypes::oid[], f.proargnames[1:f.pronargs]) WITH ORDINALITY AS a (type, name, place);
CREATE TEMP TABLE known (name text, type text);
INSERT INTO known VALUES
  ('application', 'text'), ('scopes', 'text[]'), ('suspended', 'boolean'), ('requests_per_minute', 'integer'), ('overlap', 'interval'),
  ('kid', 'text'), ('pem', 'text'), ('valid_from', 'timestamp with time zone'), ('valid_until', 'timestamp with time zone'), ('fingerprint', 'text'),
  ('role', 'text'), ('ods_code', 'text'), ('ods_codes', 'text[]'), ('prescription_id', 'text'), ('line_item_id', 'text'), ('issue_number', 'integer'),
  ('at', 'timestamp with time zone'), ('from_status', 'text'), ('to_status', 'text'), ('bundle', 'text'), ('request_id', 'text'),
  ('subscription', 'text'), ('alerts_only', 'boolean'), ('max_rows', 'integer'), ('release_number', 'bigint'), ('reason', 'text'),
  ('after', 'bigint'), ('after', 'text[]'), ('nhs_number', 'text'), ('force', 'boolean'), ('alert_on_predictions', 'boolean'), ('for_at_most', 'interval');
SELECT is_empty($$ SELECT signature, a.name, a.type FROM argument a WHERE (a.name, a.type) NOT IN (SELECT name, type FROM known) AND proname NOT IN ('short_name', 'event_json') $$,
                'arguments are called and typed alike everywhere; identifiers come as text');
SELECT is_empty($$ SELECT signature FROM argument WHERE name = 'application' AND place <> 1 AND proname <> 'submit' $$, 'what a function is about comes first');
SELECT is_empty($$ SELECT signature, name FROM argument WHERE name IN ('ods_codes', 'ods_code', 'application', 'role') AND optional
                     AND proname NOT IN ('get_events', 'own_updates', 'grant_events', 'status_at', 'add_subscription', 'enable_alerts', 'disable_alerts') $$, 'and is not left out by mistake');

-- Results are of our types, wherever they are called so.
CREATE TEMP TABLE result AS
SELECT c.oid::regclass::text AS source, a.attname::text AS name, format_type(a.atttypid, NULL) AS type
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'rxtrack'::regnamespace AND c.relkind IN ('r', 'v', 'c') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT signature, a.name, format_type(a.type, NULL) FROM public_function f, unnest(f.proallargtypes, f.proargnames, f.proargmodes) AS a (type, name, mode) WHERE a.mode = 't';
SELECT cmp_ok((SELECT count(*) FROM result), '>', 100::bigint, 'the columns of tables, views and results are looked at');
SELECT is_empty($$ SELECT * FROM result WHERE type <> CASE WHEN name = 'nhs_number' THEN 'rxtrack.nhs_number' WHEN name = 'prescription_id' THEN 'rxtrack.prescription_id'
                     WHEN name = 'ods_code' THEN 'rxtrack.ods_code' WHEN name = 'ods_codes' THEN 'rxtrack.ods_code[]' WHEN name ~ '(line_item|task|request)_id$' THEN 'uuid'
                     WHEN name IN ('application', 'role') THEN 'text' WHEN name IN ('receipt', 'issue_number', 'application_id') THEN 'integer'
                     WHEN name = 'release_number' THEN 'bigint' WHEN name ~ '_at$' THEN 'timestamp with time zone' ELSE type END $$,
                'columns of one name have one type');

-- ---------- What drivers send ----------

-- Every argument as text or varchar that a driver has typed, and as a literal without a type: each call is resolved.
CREATE FUNCTION pg_temp.resolves(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'EXPLAIN ' || call;
  RETURN 'yes';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
SELECT is_empty(format($$ SELECT signature FROM (
    SELECT signature, format('SELECT rxtrack.%%I(%%s)', proname, string_agg(CASE WHEN type IN ('text', 'text[]') THEN 'NULL::' || replace(type, 'text', %1$L) ELSE 'NULL' END, ', ' ORDER BY place)) AS call
    FROM argument GROUP BY signature, proname) AS c
  WHERE pg_temp.resolves(call) <> 'yes' $$, sent), 'each function takes text as ' || sent) FROM unnest('{text,varchar}'::text[]) AS sent;
SELECT is_empty($$ SELECT signature FROM (
    SELECT signature, format('SELECT rxtrack.%I(%s)', proname, string_agg('NULL', ', ' ORDER BY place)) AS call FROM argument GROUP BY signature, proname) AS c
  WHERE pg_temp.resolves(call) <> 'yes' $$, 'and literals without a type');

-- ---------- What is refused ----------

-- SQLSTATE, and whether any part of the error repeats the value.
CREATE FUNCTION pg_temp.refusal(statement text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  message text; detail text; hint text;
BEGIN
  EXECUTE statement;
  RETURN 'none';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN SQLSTATE || CASE WHEN strpos(concat_ws(' ', message, detail, hint), value) > 0 THEN ' repeats the value' ELSE '' END;
END $$;
SELECT rxtrack.add_application('An application', '{}') \g /dev/null
CREATE ROLE rxtrack_test_listener;
-- digits that could be a patient's, given in the wrong place
SELECT is(pg_temp.refusal(replace(call, '?', '9990000019'), '9990000019'), '22P02', 'refused, and not repeated: ' || call) FROM unnest(ARRAY[
  $$ SELECT rxtrack.restrict_application('An application', ARRAY['A1', '9990000019-?']) $$,
  $$ SELECT rxtrack.grant_events('rxtrack_test_listener', '{A1,"? ?"}') $$,
  $$ SELECT rxtrack.status_history('?') $$,
  $$ SELECT rxtrack.status_at('?', '00000000-0000-4000-8000-000000000000') $$,
  $$ SELECT rxtrack.status_at('07A66F-A83008-1EEEA0', '?') $$,
  $$ SELECT rxtrack.check_transition('?', 'Collected') $$,
  $$ SELECT rxtrack.check_transition('Collected', '?') $$]) AS call;
-- nothing is done for NULL, and it is said so
SELECT is_empty($$ SELECT signature, pg_temp.refusal(call, '?') FROM (
    SELECT signature, format('SELECT rxtrack.%I(%s)', proname, string_agg('NULL', ', ' ORDER BY place)) AS call FROM argument
    WHERE split_part(proname, '_', 1) IN (SELECT one FROM pair UNION ALL SELECT other FROM pair) OR proname IN ('alter_application', 'rotate_key', 'waive_certificate', 'settle_patient')
    GROUP BY signature, proname) AS c WHERE pg_temp.refusal(call, '?') <> CASE WHEN signature ~ '(en|dis)able_alerts' THEN '22023' ELSE '22004' END $$,
                'functions that change something refuse NULL by its name, and where one of two is needed, neither');
SELECT is(pg_temp.refusal(format('SELECT rxtrack.%s', call), '?'), state, call) FROM (VALUES
  ($$restrict_application('An application', NULL)$$, '22004'), ($$restrict_application('An application', '{A1,NULL}')$$, '22004'), ($$restrict_application('An application', '{}')$$, 'none'),
  ($$restrict_application('Nobody', '{A1}')$$, '42704'), ($$unrestrict_application('Nobody')$$, '42704'), ($$drop_public_key('An application', NULL)$$, '22004'),
  ($$bind_certificate('An application', NULL)$$, '22004'), ($$unbind_certificate('An application', 'none')$$, '22023'), ($$waive_certificate('Nobody')$$, '42704'),
  ($$bind_role('An application', NULL)$$, '22004'), ($$unbind_role('An application', NULL)$$, '22004'), ($$unbind_role('An application', 'nobody')$$, 'none'), ($$grant_events('rxtrack_test_listener', '{NULL}')$$, '22004'),
  ($$rotate_key('An application', NULL)$$, '22004'), ($$alter_application('An application')$$, 'none'), ($$enable_alerts('An application', '{A1}')$$, '22023'), ($$enable_alerts(ods_codes => '{A1,NULL}')$$, '22004'), ($$enable_alerts('Nobody')$$, '42704')) AS v (call, state);

-- ---------- Comments ----------

-- From PostgreSQL 18 on the types of rows and arrays are members too.
SELECT is_empty($$ SELECT type, identity FROM member WHERE type NOT IN ('operator family', 'sequence') AND obj_description(objid, classid::regclass::name) IS NULL
                   AND NOT EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
                                   WHERE classid = 'pg_type'::regclass AND t.oid = objid AND (t.typcategory = 'A' OR c.relkind <> 'c')) $$,
                'each object of the extension has a comment');
SELECT is_empty($$ SELECT r.source, r.name FROM result r JOIN pg_class c ON c.oid = to_regclass(r.source) AND c.relkind IN ('r', 'v')
                   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = r.name
                   WHERE col_description(c.oid, a.attnum) IS NULL
                     AND r.name NOT IN ('prescription_id', 'line_item_id', 'task_id', 'nhs_number', 'ods_code', 'status', 'application_id', 'from_status', 'to_status', 'created_at') $$,
                'and each column of a public table or view that its name does not say already');

-- ---------- What else a DBA may have set ----------

-- A function whose text has a backslash in a plain string is another one where standard_conforming_strings is off.
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc p JOIN our_schema n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
                   WHERE l.lanname IN ('sql', 'plpgsql') AND strpos(regexp_replace(p.prosrc, 'E''([^'']|'''')*''', '', 'g'), chr(92)) > 0 $$,
                'no function reads otherwise where standard_conforming_strings is off');
SET LOCAL client_min_messages = error;
CREATE PUBLICATION rxtrack_test_all FOR ALL TABLES;
RESET client_min_messages;
CREATE FUNCTION pg_temp.deletes(relation regclass) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('DELETE FROM %s', relation);
  RETURN 'yes';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLERRM;
END $$;
CREATE TEMP TABLE ours AS SELECT c.oid AS relation FROM pg_class c JOIN our_schema n ON n.oid = c.relnamespace WHERE c.relkind = 'r';
SELECT is_empty('SELECT relation::regclass, pg_temp.deletes(relation) FROM ours WHERE pg_temp.deletes(relation) <> ''yes''',
                'rows of each table can be deleted where all tables are published');

SELECT * FROM finish();
ROLLBACK;
