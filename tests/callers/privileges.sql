-- Privileges and comments, from the catalogs: what is not named here nobody may do, so that a new object has to be
-- added here; and whatever is there says what it is.
BEGIN;
SELECT plan(115);
\ir ../lib/bundles.sql

CREATE TEMP TABLE role AS
SELECT rolname AS name, pr.* FROM pg_roles pr WHERE rolname IN ('rxtrack_gateway', 'rxtrack_listener', 'rxtrack_application', 'rxtrack_reader', 'rxtrack_admin');

-- ---------- Roles ----------

SELECT is((SELECT count(*) FROM role), 5::bigint, 'there are five roles');
SELECT is_empty($$ SELECT name FROM role WHERE rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls $$,
                'that cannot log in and have no power of their own');
SELECT is_empty($$ SELECT r.name, m.roleid::regrole FROM role r JOIN pg_auth_members m ON m.member = r.oid $$, 'and are members of nothing');
SELECT is_empty('SELECT name FROM role WHERE shobj_description(oid, ''pg_authid'') IS NULL', 'each says what it is for');

-- What is ours is in three schemas; what people use, in the first.
CREATE TEMP TABLE our_schema AS
SELECT n.* FROM pg_namespace n WHERE nspname IN ('rxtrack', 'rxtrack_internal', 'rxtrack_http');

-- ---------- Functions ----------

-- Functions for callers, and by whom they may be executed. Support of types and operators is below; all others nobody
-- but the owner may execute.
CREATE TEMP TABLE function_grant (signature text, roles text[]);
INSERT INTO function_grant VALUES
  ('rxtrack.add_application(text,text[])', '{rxtrack_admin}'),
  ('rxtrack.rotate_key(text,interval)', '{rxtrack_admin}'),
  ('rxtrack.drop_application(text)', '{rxtrack_admin}'),
  ('rxtrack.alter_application(text,text[],boolean,integer,boolean)', '{rxtrack_admin}'),
  ('rxtrack.enable_alerts(text,text[])', '{rxtrack_admin}'),
  ('rxtrack.disable_alerts(text,text[])', '{rxtrack_admin}'),
  ('rxtrack.block_alerts(text[],text)', '{rxtrack_admin}'),
  ('rxtrack.unblock_alerts(text[])', '{rxtrack_admin}'),
  ('rxtrack.settle_patient(text,text,text,boolean)', '{rxtrack_admin}'),
  ('rxtrack.begin_new_history()', '{rxtrack_admin}'),
  ('rxtrack.own_changes()', '{rxtrack_admin}'),
  ('rxtrack_internal.definitions()', '{}'),
  ('rxtrack.restrict_application(text,text[])', '{rxtrack_admin}'),
  ('rxtrack.unrestrict_application(text)', '{rxtrack_admin}'),
  ('rxtrack.add_public_key(text,text,text,timestamp with time zone,timestamp with time zone)', '{rxtrack_admin}'),
  ('rxtrack.drop_public_key(text,text)', '{rxtrack_admin}'),
  ('rxtrack.bind_certificate(text,text)', '{rxtrack_admin}'),
  ('rxtrack.unbind_certificate(text,text)', '{rxtrack_admin}'),
  ('rxtrack.waive_certificate(text)', '{rxtrack_admin}'),
  ('rxtrack.bind_role(text,text)', '{rxtrack_admin}'),
  ('rxtrack.unbind_role(text,text)', '{rxtrack_admin}'),
  ('rxtrack.grant_events(text,text[])', '{rxtrack_admin}'),
  ('rxtrack.revoke_events(text)', '{rxtrack_admin}'),
  ('rxtrack.submit(text,text,text)', '{rxtrack_admin}'),
  ('rxtrack.release_events(integer)', '{rxtrack_admin}'),
  ('rxtrack.prune_events(integer)', '{rxtrack_admin}'),
  ('rxtrack.check_transition(text,text)', '{rxtrack_admin}'),
  ('rxtrack.status_history(text)', '{rxtrack_admin,rxtrack_reader}'),
  ('rxtrack.status_at(text,text,timestamp with time zone,integer,text)', '{rxtrack_admin,rxtrack_reader}'),
  ('rxtrack.add_subscription(text,text[],boolean)', '{rxtrack_admin,rxtrack_listener}'),
  ('rxtrack.drop_subscription(text)', '{rxtrack_admin,rxtrack_listener}'),
  ('rxtrack.fetch_events(text,integer)', '{rxtrack_admin,rxtrack_listener}'),
  ('rxtrack.ack_events(text,bigint)', '{rxtrack_admin,rxtrack_listener}'),
  ('rxtrack.event_json(rxtrack.released_event)', '{rxtrack_admin,rxtrack_listener}'),
  ('rxtrack.get_event(bigint)', '{rxtrack_admin,rxtrack_listener}'),
  ('rxtrack.get_events(bigint,integer,text[])', '{rxtrack_admin,rxtrack_listener}'),
  ('rxtrack.own_updates(text,text,text,text[],integer)', '{rxtrack_application}'),
  ('rxtrack_internal.own_subscriptions()', '{rxtrack_admin,rxtrack_listener}'),
  ('rxtrack_internal.is_live(rxtrack.subscription)', '{}'),
  ('rxtrack_internal.acts_for(text)', '{}'),
  ('rxtrack_internal.entitled_pharmacies()', '{}'),
  ('rxtrack_internal.entitled_among(rxtrack.ods_code[])', '{}'),
  ('rxtrack_internal.last_release()', '{}'),
  ('rxtrack_internal.require_application()', '{}'),
  ('rxtrack_internal.require_rows(integer)', '{}'),
  ('rxtrack_internal.find_updates(integer,rxtrack.prescription_id,rxtrack.nhs_number,rxtrack.ods_code,rxtrack.prescription_id,uuid,integer)', '{}'),
  ('rxtrack.short_name(rxtrack.business_status)', '{rxtrack_admin,rxtrack_application,rxtrack_listener,rxtrack_reader}'),
  ('rxtrack_internal.http_answer(integer,jsonb,text,text)', '{}'),
  ('rxtrack_internal.dispatcher_state()', '{rxtrack_admin}'),
  ('rxtrack.pause_dispatcher(interval)', '{rxtrack_admin}'),
  ('rxtrack.resume_dispatcher()', '{rxtrack_admin}'),
  ('rxtrack_internal.probe_writes()', '{}'),
  ('rxtrack_internal.health()', '{}'),
  ('rxtrack_http.interface_number()', '{rxtrack_gateway}'),
  ('rxtrack_http.feed(bigint,integer)', '{rxtrack_gateway}'),
  ('rxtrack_http.submit(text,bytea[],text[],text[],bytea[])', '{rxtrack_gateway}'),
  ('rxtrack_http.format_1(text,bytea[],text[],text[],bytea[])', '{rxtrack_gateway}'),
  ('rxtrack_http.check_updates(text,bytea[],text[],text[],bytea[])', '{rxtrack_gateway}'),
  ('rxtrack_http.events(text,bytea[],text[],text[],bytea[])', '{rxtrack_gateway}'),
  ('rxtrack_http.authorization_server(text,bytea[],text[],text[],bytea[])', '{rxtrack_gateway}'),
  ('rxtrack_http.identify(text,bytea[],text[],text[],bytea[])', '{rxtrack_gateway}'),
  ('rxtrack_http.metadata(text,bytea[],text[],text[],bytea[])', '{rxtrack_gateway}'),
  ('rxtrack_http.status(text,bytea[],text[],text[],bytea[])', '{rxtrack_gateway}'),
  ('rxtrack_http.token(text,bytea[],text[],text[],bytea[])', '{rxtrack_gateway}'),
  ('rxtrack_internal.calling_role()', '{}'),
  ('rxtrack_internal.refuse_null(text,anyelement)', '{}'),
  ('rxtrack_internal.read_ods_codes(text[])', '{}'),
  ('rxtrack_internal.read_uuid(text,text)', '{}'),
  ('rxtrack_internal.check_transition(rxtrack.business_status,rxtrack.business_status)', '{}'),
  ('rxtrack_internal.require_grantable(text)', '{}'),
  ('rxtrack_internal.require_entitlement()', '{}'),
  ('rxtrack_internal.find_application(text)', '{}'),
  ('rxtrack_internal.find_subscription(text)', '{}'),
  ('rxtrack_internal.new_secret()', '{}'),
  ('rxtrack_internal.read_fingerprint(text)', '{}'),
  ('rxtrack_internal.give_token(integer)', '{}'),
  ('rxtrack_internal.accept_assertion(text,text)', '{}'),
  ('rxtrack_internal.token_issuer()', '{}'),
  ('rxtrack_internal.read_form(bytea,text[])', '{}'),
  ('rxtrack_internal.decode_base64url(text)', '{}'),
  ('rxtrack_internal.public_key_algorithms(text)', '{}'),
  ('rxtrack_internal.verify_signature(text,text,bytea,bytea)', '{}'),
  ('rxtrack_internal.setting_duration(text)', '{}'),
  ('rxtrack_internal.setting(text)', '{}'),
  ('rxtrack_internal.callers(bytea[],text)', '{}'),
  ('rxtrack_internal.broken_rule(text,text)', '{}'),
  ('rxtrack_internal.date_time(timestamp with time zone)', '{}'),
  ('rxtrack_internal.http_answer_to(rxtrack_internal.caller,integer,json,text,bigint,text[])', '{}'),
  ('rxtrack_internal.http_fault(rxtrack_internal.caller,integer,text,text[],text)', '{}'),
  ('rxtrack_internal.http_refusal(rxtrack_internal.caller)', '{}'),
  ('rxtrack_internal.search_item(rxtrack.own_update,text)', '{}'),
  ('rxtrack_internal.answer_search(rxtrack_internal.caller,jsonb)', '{}'),
  ('rxtrack_internal.answer_events(rxtrack_internal.caller,jsonb)', '{}'),
  ('rxtrack_internal.rehearse(rxtrack.prescription_id[],integer[])', '{}'),
  ('rxtrack_internal.supplies_at(rxtrack.prescription_id,timestamp with time zone)', '{}'),
  ('rxtrack_internal.has_updates(integer)', '{}'),
  ('rxtrack_internal.lock_supplies(rxtrack.prescription_id)', '{}'),
  ('rxtrack_internal.settle_events(rxtrack.prescription_id,rxtrack.nhs_number,rxtrack.nhs_number)', '{}'),
  ('rxtrack_internal.require_one_of(text,text[])', '{}'),
  ('rxtrack_internal.release_at_commit()', '{}'),
  ('rxtrack_internal.set_aside(tid,rxtrack.prescription_id,uuid,text,text)', '{}'),
  ('rxtrack_internal.set_pause(timestamp with time zone)', '{}'),
  ('rxtrack_internal.dispatcher_report()', '{}'),
  ('rxtrack_internal.events_after(bigint,integer,rxtrack.ods_code[],boolean)', '{}'),
  ('rxtrack_internal.audit_change()', '{}'),
  ('rxtrack_internal.is_restored(timestamp with time zone)', '{}'),
  ('rxtrack_internal.announce_change()', '{}'),
  ('rxtrack_internal.keep_rule_change()', '{}'),
  ('rxtrack_internal.remove_shipped_rule()', '{}'),
  ('rxtrack_internal.keep_ready_status()', '{}'),
  ('rxtrack_internal.business_status_names()', '{}'),
  ('rxtrack_internal.note_removed_releases()', '{}');

-- Support: what the types, their casts, operators and operator classes are made of.
CREATE TEMP TABLE our_function AS
SELECT p.*, p.pronamespace::regnamespace::text AS schema, p.oid::regprocedure::text AS signature,
       EXISTS (SELECT FROM pg_type t WHERE p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend))
       OR EXISTS (SELECT FROM pg_cast c WHERE c.castfunc = p.oid) OR EXISTS (SELECT FROM pg_operator o WHERE o.oprcode = p.oid)
       OR EXISTS (SELECT FROM pg_amproc a WHERE a.amproc = p.oid) AS is_support
FROM pg_proc p JOIN our_schema n ON n.oid = p.pronamespace;

SELECT set_eq('SELECT signature FROM our_function WHERE NOT is_support', 'SELECT signature FROM function_grant', 'the functions are those of the matrix');
SELECT set_eq(format('SELECT signature FROM our_function WHERE NOT is_support AND has_function_privilege(%L, oid, ''EXECUTE'')', name),
              format('SELECT signature FROM function_grant WHERE %L = ANY (roles)', name), name || ' may execute its own and no other') FROM role ORDER BY name;
SELECT is_empty($$ SELECT signature, name FROM our_function, role
                   WHERE is_support AND has_function_privilege(name, our_function.oid, 'EXECUTE') <> (name <> 'rxtrack_gateway') $$,
                'support of the types is for all who see values, not for the gateway');
SELECT is_empty($$ SELECT signature FROM our_function WHERE prosecdef AND NOT coalesce((
                     SELECT setting ~ '^search_path=pg_catalog,.*\mpg_temp$' AND setting !~ '(public|\$user)'
                     FROM unnest(proconfig) AS setting WHERE setting LIKE 'search_path=%'), false) $$,
                'SECURITY DEFINER functions pin search_path: pg_catalog first, pg_temp last');
SELECT is_empty($$ SELECT signature FROM our_function JOIN pg_language l ON l.oid = prolang
                   WHERE lanname = 'plpgsql' AND NOT EXISTS (SELECT FROM unnest(proconfig) AS s WHERE s LIKE 'search_path=%') $$,
                'so do those in PL/pgSQL');
SELECT is_empty($$ SELECT signature FROM our_function WHERE pg_get_userbyid(proowner) <> (SELECT pg_get_userbyid(extowner) FROM pg_extension WHERE extname = 'rxtrack') $$,
                'all belong to the owner of the extension');

-- ---------- Tables, views and sequences ----------

CREATE TEMP TABLE relation_grant (relation text, name text, privileges text);
-- Those that nobody but the owner may touch have no role.
INSERT INTO relation_grant VALUES
  ('item_status', 'rxtrack_reader', 'SELECT'),
  ('item_status', 'rxtrack_admin', 'SELECT'),
  ('readiness_event', 'rxtrack_admin', 'SELECT'),
  ('readiness_promise', 'rxtrack_admin', 'SELECT'),
  ('pending_events', 'rxtrack_admin', 'SELECT'),
  ('subscription_lag', 'rxtrack_listener', 'SELECT'),
  ('subscription_lag', 'rxtrack_admin', 'SELECT'),
  ('supply_status', 'rxtrack_reader', 'SELECT'),
  ('supply_status', 'rxtrack_admin', 'SELECT'),
  ('supply', 'rxtrack_admin', 'SELECT'),
  ('prescription_patient', 'rxtrack_admin', 'SELECT'),
  ('patient_conflicts', 'rxtrack_admin', 'SELECT'),
  ('clock_skew', 'rxtrack_admin', 'SELECT'),
  ('taken_back', 'rxtrack_admin', 'SELECT'),
  ('dispatcher', 'rxtrack_admin', 'SELECT'),
  ('alerts', 'rxtrack_admin', 'SELECT'),
  ('supply_now', NULL, ''),
  ('shown_supply', NULL, ''),
  ('shipped_definition', NULL, ''),
  ('supply_party', NULL, ''),
  ('release_history', NULL, ''),
  ('status_update', 'rxtrack_admin', 'SELECT'),
  ('applications', 'rxtrack_admin', 'SELECT'),
  ('audit', 'rxtrack_admin', 'SELECT'),
  ('event_grants', 'rxtrack_admin', 'SELECT'),
  ('event_grant', NULL, ''),
  ('subscription', 'rxtrack_admin', 'SELECT'),
  ('last_removed_release', 'rxtrack_admin', 'SELECT'),
  ('transition_rule', 'rxtrack_admin', 'SELECT INSERT UPDATE DELETE'),
  ('rehearsal', 'rxtrack_admin', 'SELECT INSERT UPDATE DELETE'),
  ('alert_pharmacy', NULL, ''),
  ('blocked_pharmacy', NULL, ''),
  ('alert_application', NULL, ''),
  ('ready_status', 'rxtrack_admin', 'SELECT UPDATE'),
  ('readiness_inbox', NULL, ''),
  ('application', NULL, ''),
  ('api_key', NULL, ''),
  ('public_key', NULL, ''),
  ('access_token', NULL, ''),
  ('transition_rule_removed', NULL, ''),
  ('used_assertion', NULL, '');

CREATE TEMP TABLE our_relation AS
SELECT c.*, n.nspname AS schema FROM pg_class c JOIN our_schema n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S');

SELECT set_eq($$ SELECT relname::text FROM our_relation WHERE relkind <> 'S' $$, 'SELECT DISTINCT relation FROM relation_grant', 'the tables and views are those of the matrix');
SELECT set_eq(
  format($$ SELECT relname::text, p FROM our_relation, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p
            WHERE relkind <> 'S' AND has_table_privilege(%L, oid, p) $$, name),
  format($$ SELECT relation, p FROM relation_grant, unnest(string_to_array(privileges, ' ')) AS p WHERE name = %L $$, name),
  name || ' may do to tables what the matrix says') FROM role ORDER BY name;
SELECT is_empty($$ SELECT name, relname, attname, p
                     FROM our_relation, role, unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) AS p, pg_attribute a
                     WHERE relkind <> 'S' AND attrelid = our_relation.oid AND attnum > 0 AND has_column_privilege(name, attrelid, attnum, p)
                       AND NOT has_table_privilege(name, attrelid, p) $$,
                  'nor to a column of one alone');
SELECT is_empty($$ SELECT name, relname FROM our_relation, role
                   WHERE relkind IN ('r', 'p', 'm', 'f') AND name IN ('rxtrack_listener', 'rxtrack_application', 'rxtrack_gateway') AND has_any_column_privilege(name, our_relation.oid, 'SELECT') $$,
                'no table is read by listeners, applications or the gateway');
SELECT is_empty($$ SELECT relname FROM our_relation WHERE relrowsecurity $$, 'so that no row-level security is needed');
SELECT is_empty($$ SELECT polname, polrelid::regclass FROM pg_policy $$, 'and there are no policies');

-- A view whose rows depend on who asks is a barrier: a function in a query of it is not shown the rows that it leaves out.
CREATE FUNCTION pg_temp.open_views() RETURNS SETOF text LANGUAGE sql AS $$
  SELECT c.oid::regclass::text FROM pg_class c JOIN our_schema n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('v', 'm') AND NOT 'security_barrier=true' = ANY (coalesce(c.reloptions, '{}'))
    AND (pg_get_viewdef(c.oid) ~* '\m(current_user|session_user|current_role|user|current_setting|pg_has_role|has_\w+_privilege|row_security_active)\M'
         OR EXISTS (SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_proc'::regclass
                    JOIN our_function f ON f.oid = d.refobjid
                    WHERE r.ev_class = c.oid AND (f.prosecdef OR f.prosrc ~ '\m(calling_role|acts_for|require_entitlement|entitled_among|entitled_pharmacies|require_application)\M'))) $$;
SELECT is_empty('SELECT * FROM pg_temp.open_views()', 'every view whose rows depend on who asks is a security barrier');
SAVEPOINT views;
CREATE VIEW rxtrack.open_one AS SELECT a.name FROM rxtrack_internal.application a WHERE a.database_role = current_user;
CREATE VIEW rxtrack.open_two AS SELECT s.subscription FROM rxtrack_internal.own_subscriptions() s;
CREATE VIEW rxtrack.open_three AS SELECT s.name FROM rxtrack.subscription s WHERE rxtrack_internal.acts_for(s.created_by);
CREATE VIEW rxtrack.closed WITH (security_barrier = true) AS SELECT s.name FROM rxtrack.subscription s WHERE rxtrack_internal.acts_for(s.created_by);
SELECT set_eq('SELECT * FROM pg_temp.open_views()', '{rxtrack.open_one,rxtrack.open_two,rxtrack.open_three}'::text[], 'such as these are not');
ROLLBACK TO views;
SELECT set_eq($$ SELECT proname::text FROM our_function WHERE proleakproof AND NOT is_support $$, '{}'::text[], 'only what compares values of our types is called leakproof');
SELECT is_empty($$ SELECT relname, name FROM our_relation, role
                   WHERE name = 'rxtrack_gateway' AND relkind <> 'S' AND has_any_column_privilege(name, our_relation.oid, 'SELECT, INSERT, UPDATE, REFERENCES') $$,
                'the gateway touches no table');
SELECT is_empty($$ SELECT relname, name FROM our_relation, role WHERE relkind = 'S' AND has_sequence_privilege(name, our_relation.oid, 'USAGE, SELECT, UPDATE') $$,
                'and nobody a sequence');
SELECT set_eq($$ SELECT name::text, nspname::text FROM role, our_schema n WHERE has_schema_privilege(name, n.oid, 'USAGE') $$,
              $$ SELECT name::text, 'rxtrack' FROM role UNION ALL VALUES ('rxtrack_gateway', 'rxtrack_http') $$,
              'all may use the public schema, the gateway its own, and nobody what is internal');
SELECT is_empty($$ SELECT name, nspname FROM role, our_schema n WHERE has_schema_privilege(name, n.oid, 'CREATE') $$, 'and none may create in any');

-- ---------- Types ----------

-- PUBLIC may use types, as any type's values may be held by who may see them; a type that is new has to be named here.
SELECT set_eq($$ SELECT typname::text FROM pg_type t WHERE typnamespace IN (SELECT oid FROM our_schema) AND typelem = 0
                 AND NOT EXISTS (SELECT FROM our_relation c WHERE c.oid = t.typrelid) $$,
              '{nhs_number,prescription_id,ods_code,business_status,transition_kind,alert_reason,answer,caller,released_event,own_update}'::text[],
              'the types are those of the matrix');

-- ---------- PUBLIC ----------

SELECT is_empty($$
  SELECT kind, name, privilege_type FROM (
    SELECT 'schema' AS kind, nspname::text AS name, coalesce(nspacl, acldefault('n', nspowner)) AS acl FROM our_schema
    UNION ALL SELECT 'function', signature, coalesce(proacl, acldefault('f', proowner)) FROM our_function
    UNION ALL SELECT 'relation', relname, coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) FROM our_relation
    UNION ALL SELECT 'column', attname, attacl FROM pg_attribute JOIN our_relation c ON c.oid = attrelid WHERE attacl IS NOT NULL
    UNION ALL SELECT 'default', defaclobjtype::text, defaclacl FROM pg_default_acl WHERE defaclnamespace IN (SELECT oid FROM our_schema)
  ) AS o, aclexplode(acl) WHERE grantee = 0 $$, 'PUBLIC has nothing in the schemas');
SELECT is_empty($$ SELECT typname, privilege_type FROM pg_type t, aclexplode(coalesce(typacl, acldefault('T', typowner)))
                   WHERE typnamespace IN (SELECT oid FROM our_schema) AND grantee = 0 AND privilege_type <> 'USAGE' $$,
                'but for the use of types, which needs the schema to be reached');
SELECT is_empty($$ SELECT grantee::regrole, name FROM (
                     SELECT signature AS name, proacl AS acl, proowner AS owner FROM our_function UNION ALL SELECT relname, relacl, relowner FROM our_relation) AS o, aclexplode(acl)
                   WHERE grantee <> owner AND grantee NOT IN (SELECT oid FROM role) $$, 'nor has anybody else');
SELECT is_empty($$ SELECT name, is_grantable FROM (SELECT signature AS name, proacl AS acl, proowner AS owner FROM our_function
                     UNION ALL SELECT relname, relacl, relowner FROM our_relation) AS o, aclexplode(acl) WHERE is_grantable AND grantee <> owner $$, 'and none may hand it on');

-- ---------- What the roles can do in deed ----------

CREATE ROLE rxtrack_outsider;
SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.task(1, 'RC', item => 1)))), 201, 'there is an update to be read');
CREATE FUNCTION pg_temp.as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', role);
  EXECUTE statement;
  RESET ROLE;
  RETURN 'may';
EXCEPTION WHEN insufficient_privilege THEN
  RESET ROLE;
  RETURN CASE WHEN SQLERRM LIKE 'permission denied%' THEN 'may not' ELSE 'may, but has none' END;
WHEN data_exception OR undefined_object OR integrity_constraint_violation THEN
  RESET ROLE;
  RETURN 'may, with other arguments';
END $$;
-- Every table by every role, tried: what the catalogs say is what happens.
CREATE TEMP TABLE tried AS
SELECT r.name, c.relname, p,
       pg_temp.as_role(r.name, CASE p WHEN 'SELECT' THEN format('SELECT count(*) FROM %I.%I', c.schema, c.relname)
                                      WHEN 'DELETE' THEN format('DELETE FROM %I.%I WHERE false', c.schema, c.relname)
                                      ELSE format('TRUNCATE %I.%I', c.schema, c.relname) END) AS verdict
FROM (SELECT name FROM role UNION ALL SELECT 'rxtrack_outsider') AS r, our_relation c, unnest('{SELECT,DELETE,TRUNCATE}'::text[]) AS p
WHERE c.relkind = 'r' OR c.relkind = 'v' AND p = 'SELECT';
SELECT cmp_ok((SELECT count(*) FROM tried), '>', 300::bigint, 'every table and view was tried by every role');
SELECT set_eq($$ SELECT name::text, relname::text, p FROM tried WHERE verdict = 'may' $$,
              $$ SELECT name, relation, p FROM relation_grant, unnest(string_to_array(privileges, ' ')) AS p WHERE p IN ('SELECT', 'DELETE') $$, 'and what they could do is what the matrix says');

-- Every function that is not for the type system, by every role, called with nulls (not constants, for which
-- a strict function is not even looked up): it is refused before it looks at them.
CREATE TEMP TABLE called AS
SELECT r.name, f.signature,
       pg_temp.as_role(r.name, format('SELECT %I.%I(%s) FROM (SELECT %s OFFSET 0) AS x', f.schema, f.proname,
         (SELECT string_agg('a' || n, ', ' ORDER BY n) FROM unnest(f.proargtypes) WITH ORDINALITY AS t (a, n)),
         (SELECT string_agg(format('NULL::%s AS a%s', format_type(a, NULL), n), ', ') FROM unnest(f.proargtypes) WITH ORDINALITY AS t (a, n)))) AS verdict
FROM (SELECT name FROM role UNION ALL SELECT 'rxtrack_outsider') AS r, our_function f
WHERE NOT f.is_support AND f.prorettype <> 'trigger'::regtype;
SELECT set_eq($$ SELECT name::text, signature FROM called WHERE verdict <> 'may not' $$,
              $$ SELECT r, signature FROM function_grant, unnest(roles) AS r WHERE signature !~ '^rxtrack_internal' $$,
              'the functions that they could call are those of the matrix, but for internal ones, which only views reach');

CREATE TEMP TABLE deed (n serial, role text, verdict text, statement text);
INSERT INTO deed (role, verdict, statement) VALUES
  ('rxtrack_reader', 'may', $$ SELECT * FROM rxtrack.item_status WHERE prescription_id = '07A66F-A83008-1EEEA0' AND status > 'With Pharmacy' ORDER BY nhs_number, ods_code $$),
  ('rxtrack_reader', 'may', $$ SELECT ods_code::text, '9449304130'::rxtrack.nhs_number FROM rxtrack.item_status $$),
  ('rxtrack_reader', 'may', $$ SELECT * FROM rxtrack.status_history('07A66F-A83008-1EEEA0') $$),
  ('rxtrack_reader', 'may not', 'SELECT FROM rxtrack.status_update'),
  ('rxtrack_reader', 'may not', 'SELECT FROM rxtrack_internal.api_key'),
  ('rxtrack_reader', 'may not', 'SELECT FROM rxtrack.readiness_event'),
  ('rxtrack_reader', 'may not', $$ SELECT rxtrack.submit('{}', gen_random_uuid()::text, 'Supplier one') $$),
  ('rxtrack_listener', 'may not', 'SELECT FROM rxtrack.readiness_event'),
  ('rxtrack_listener', 'may', 'SELECT FROM rxtrack.subscription_lag'),
  ('rxtrack_listener', 'may, but has none', 'SELECT * FROM rxtrack.get_events(0)'),
  ('rxtrack_listener', 'may not', $$ SELECT * FROM rxtrack.own_updates('07A66F-A83008-1EEEA0') $$),
  ('rxtrack_listener', 'may not', 'UPDATE rxtrack.readiness_event SET released_at = NULL'),
  ('rxtrack_listener', 'may not', 'SELECT FROM rxtrack.item_status'),
  ('rxtrack_listener', 'may not', 'SELECT FROM rxtrack.event_grants'),
  ('rxtrack_listener', 'may not', 'SELECT FROM rxtrack.subscription'),
  ('rxtrack_listener', 'may not', $$ SELECT rxtrack.grant_events('rxtrack_listener') $$),
  ('rxtrack_listener', 'may, but has none', $$ SELECT rxtrack.add_subscription('mine') $$),
  ('rxtrack_application', 'may not', 'SELECT FROM rxtrack.status_update'),
  ('rxtrack_application', 'may, but has none', $$ SELECT * FROM rxtrack.own_updates('07A66F-A83008-1EEEA0') $$),
  ('rxtrack_application', 'may not', 'SELECT * FROM rxtrack.get_event(1)'),
  ('rxtrack_application', 'may not', 'SELECT FROM rxtrack.supply'),
  ('rxtrack_application', 'may not', 'SELECT FROM rxtrack.readiness_event'),
  ('rxtrack_application', 'may not', 'DELETE FROM rxtrack.status_update'),
  ('rxtrack_application', 'may not', 'SELECT FROM rxtrack.applications'),
  ('rxtrack_gateway', 'may not', $$ SELECT rxtrack_internal.accept_assertion('x.y.z') $$),
  ('rxtrack_gateway', 'may not', 'SELECT rxtrack_internal.give_token(1)'),
  ('rxtrack_gateway', 'may not', 'SELECT FROM rxtrack_internal.access_token'),
  ('rxtrack_gateway', 'may not', 'SET rxtrack.token_url = x'),
  ('rxtrack_admin', 'may not', 'SET rxtrack.token_url = x'),
  ('rxtrack_admin', 'may not', 'SET rxtrack.token_lifetime = 1'),
  ('rxtrack_admin', 'may not', 'DELETE FROM rxtrack.audit'),
  ('rxtrack_admin', 'may not', 'SELECT FROM rxtrack_internal.access_token'),
  ('rxtrack_admin', 'may', 'SELECT FROM rxtrack.audit, rxtrack.applications'),
  ('rxtrack_admin', 'may', $$ SELECT rxtrack.rotate_key('Supplier one') $$),
  ('rxtrack_gateway', 'may not', 'SELECT FROM rxtrack.item_status'),
  ('rxtrack_gateway', 'may not', $$ SELECT rxtrack.submit('{}', gen_random_uuid()::text, 'Supplier one') $$),
  ('rxtrack_gateway', 'may not', $$ SELECT rxtrack.add_application('x', '{}') $$),
  ('rxtrack_gateway', 'may not', $$ SELECT * FROM rxtrack.status_history('07A66F-A83008-1EEEA0') $$),
  ('rxtrack_gateway', 'may not', 'SET rxtrack.transition_policy = off'),
  ('rxtrack_gateway', 'may not', 'SET rxtrack.sandbox = on'),
  ('rxtrack_admin', 'may not', 'SET rxtrack.sandbox = on'),
  ('rxtrack_admin', 'may', $$ SELECT rxtrack.submit('{}', gen_random_uuid()::text, 'Supplier one') $$),
  ('rxtrack_admin', 'may', $$ SELECT rxtrack.add_application('Made by an admin', '{}') $$),
  ('rxtrack_admin', 'may', $$ SELECT rxtrack.check_transition('With Pharmacy', 'Collected') $$),
  ('rxtrack_admin', 'may', $$ INSERT INTO rxtrack.transition_rule (from_status, to_status, kind) VALUES ('Collected', 'Not Dispensed', 'correction'), ('With Pharmacy', 'Collected', 'correction') $$),
  ('rxtrack_admin', 'may', $$ UPDATE rxtrack.transition_rule SET kind = 'correction' $$),
  ('rxtrack_admin', 'may', $$ DELETE FROM rxtrack.transition_rule $$),
  ('rxtrack_admin', 'may not', 'SELECT FROM rxtrack_internal.api_key'),
  ('rxtrack_admin', 'may not', 'DELETE FROM rxtrack.status_update'),
  ('rxtrack_admin', 'may not', 'UPDATE rxtrack.supply SET receipts = 0'),
  ('rxtrack_admin', 'may not', 'DELETE FROM rxtrack.readiness_event'),
  ('rxtrack_admin', 'may not', 'INSERT INTO rxtrack_internal.api_key SELECT sha256(''x''), 1');
SELECT is(pg_temp.as_role(role, statement), verdict, format('%s %s: %s', role, verdict, left(statement, 70))) FROM deed ORDER BY n;
CREATE ROLE rxtrack_stranger;
SELECT is(pg_temp.as_role('rxtrack_stranger', statement), 'may not', 'a stranger: ' || left(statement, 70)) FROM deed WHERE verdict LIKE 'may%' AND verdict <> 'may not';

-- ---------- Comments ----------

SELECT isnt(obj_description(oid, 'pg_extension'), NULL, 'the extension says what it is') FROM pg_extension WHERE extname = 'rxtrack';
SELECT is_empty('SELECT nspname FROM our_schema WHERE obj_description(oid, ''pg_namespace'') IS NULL', 'so does every schema');
SELECT is_empty('SELECT signature FROM our_function WHERE obj_description(oid, ''pg_proc'') IS NULL', 'so does every function');
SELECT is_empty('SELECT relname FROM our_relation WHERE relkind <> ''S'' AND obj_description(oid, ''pg_class'') IS NULL', 'and every table and view');
SELECT is_empty($$ SELECT typname FROM pg_type t WHERE typnamespace IN (SELECT oid FROM our_schema) AND typelem = 0 AND obj_description(oid, 'pg_type') IS NULL
                   AND NOT EXISTS (SELECT FROM our_relation c WHERE c.oid = t.typrelid) $$, 'and every type');
SELECT is_empty($$ SELECT opcname, amname FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod WHERE opcnamespace IN (SELECT oid FROM our_schema) AND obj_description(c.oid, 'pg_opclass') IS NULL $$,
                'and every operator class');
SELECT is_empty($$ SELECT relname, attname FROM our_relation c JOIN pg_attribute a ON attrelid = c.oid
                   WHERE relkind = 'v' AND attnum > 0 AND col_description(c.oid, attnum) IS NULL
                     AND attname NOT IN ('prescription_id', 'line_item_id', 'nhs_number', 'ods_code', 'status') $$,
                'and every column of a view that its name does not say already');
SELECT is_empty($$ SELECT objid::regclass FROM pg_depend RIGHT JOIN our_relation c ON objid = c.oid AND classid = 'pg_class'::regclass AND deptype IN ('e', 'i', 'a') WHERE objid IS NULL $$,
                'all of it belongs to the extension');

SELECT * FROM finish();
ROLLBACK;
