-- Applications that are bound to client certificates: who is let in by what, and how that is changed. The gateway puts the
-- SHA-256 of a connection's certificate behind that of the key.
BEGIN;
SELECT plan(36);

SELECT rxtrack.add_application('Bound', '{updates:read}') AS key \gset
SELECT rxtrack.add_application('Free', '{updates:read}') AS free_key \gset
INSERT INTO rxtrack_internal.access_token SELECT sha256('token'), application_id, now() + interval '1 hour' FROM rxtrack_internal.application WHERE name = 'Bound';

CREATE FUNCTION pg_temp.hex(certificate text) RETURNS text LANGUAGE sql AS $$ SELECT encode(sha256(certificate::bytea), 'hex') $$;
-- What a request with a key comes to, over a connection that has shown a certificate, or none.
CREATE FUNCTION pg_temp.ask(key text, certificate text) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', status, application)
  FROM rxtrack_http.check_updates('updates:read', ARRAY[sha256(key::bytea) || coalesce(sha256(certificate::bytea), '')], '{NULL}', ARRAY['{"odscode": "A"}'], '{NULL}')
$$;

SELECT is(pg_temp.ask(:'key', NULL), '404 Bound', 'without a binding no certificate is needed');
SELECT is(pg_temp.ask(:'key', 'one'), '404 Bound', 'nor does one harm');
SELECT is(fingerprints, NULL, 'none is listed') FROM rxtrack.applications WHERE application = 'Bound';

SELECT rxtrack.bind_certificate('Bound', pg_temp.hex('one'));
SELECT is(pg_temp.ask(:'key', certificate), answer, 'bound to one certificate: ' || what)
FROM (VALUES ('the key with it', 'one', '404 Bound'), ('with another', 'two', '401'), ('without', NULL, '401')) AS v (what, certificate, answer);
SELECT is(pg_temp.ask('token', certificate), answer, 'an access token: ' || what)
FROM (VALUES ('with it', 'one', '404 Bound'), ('with another', 'two', '401'), ('without', NULL, '401')) AS v (what, certificate, answer);
SELECT is(pg_temp.ask('guessed', 'one'), '401', 'the certificate alone is no credential');
SELECT is(pg_temp.ask(:'free_key', certificate), '404 Free', format('another application is as before (%s)', certificate))
FROM (VALUES (NULL), ('one'), ('two')) AS v (certificate);
SELECT is((SELECT convert_from(body, 'UTF8') ~ 'The credential is not valid' AND headers ~ 'invalid_token'
           FROM rxtrack_http.check_updates('updates:read', ARRAY[sha256(:'key')], '{NULL}', ARRAY['{"odscode": "A"}'], '{NULL}')),
          true, 'who does not show it is told the same as with a wrong key');

-- One decision a request, whatever its neighbours in the batch are.
SELECT results_eq(format($$ SELECT status FROM rxtrack_http.check_updates('updates:read',
  (SELECT array_agg(sha256(%L) || coalesce(sha256(c::bytea), '') ORDER BY n) FROM unnest('{one,two,one,NULL,one,one,NULL,two}'::text[]) WITH ORDINALITY AS v (c, n)),
  array_fill(NULL::text, '{8}'), array_fill('{"odscode": "A"}'::text, '{8}'), array_fill(NULL::bytea, '{8}')) $$, :'key'),
  '{404,401,404,401,404,404,401,401}'::integer[], 'in a batch each is judged by its own certificate');
SELECT is((SELECT string_agg(status::text, ' ') FROM rxtrack_http.check_updates('updates:read',
            ARRAY[sha256(:'key') || substr(sha256('one'), 1, 31), sha256(:'key') || sha256('one') || '\x00', sha256('one') || sha256(:'key'), sha256(:'key') || sha256(:'key'), ''],
            array_fill(NULL::text, '{5}'), array_fill('{"odscode": "A"}'::text, '{5}'), array_fill(NULL::bytea, '{5}'))),
          '401 401 401 401 401', 'a certificate that is cut short, too long, or in the wrong place');

-- ---------- A second one, for the change-over ----------

SELECT set_config('test.since', clock_timestamp()::text, true);
SELECT rxtrack.bind_certificate('Bound', 'sha256 Fingerprint=' || regexp_replace(upper(pg_temp.hex('two')), '(..)(?=.)', '\1:', 'g'));
SELECT is(pg_temp.ask(:'key', certificate), answer, 'with two: ' || certificate)
FROM (VALUES ('one', '404 Bound'), ('two', '404 Bound'), ('three', '401')) AS v (certificate, answer);
SELECT is(fingerprints, ARRAY[pg_temp.hex('one'), pg_temp.hex('two')], 'both are listed') FROM rxtrack.applications WHERE application = 'Bound';
SELECT rxtrack.bind_certificate('Bound', ' ' || upper(pg_temp.hex('two')) || ' ');
SELECT is(cardinality(fingerprints), 2, 'binding one again changes nothing') FROM rxtrack.applications WHERE application = 'Bound';
SELECT is(rxtrack.unbind_certificate('Bound', pg_temp.hex('one')), true, 'the old one is taken away');
SELECT is(rxtrack.unbind_certificate('Bound', pg_temp.hex('one')), false, 'which can be done once');
SELECT is(pg_temp.ask(:'key', certificate), answer, 'then: ' || certificate) FROM (VALUES ('one', '401'), ('two', '404 Bound')) AS v (certificate, answer);
SELECT is((SELECT array_agg(jsonb_array_length(detail->'certificates') ORDER BY at) FROM rxtrack.audit
           WHERE at > current_setting('test.since')::timestamptz AND application = 'Bound' AND who = session_user), '{2,1}', 'each change is audited');

-- ---------- The last one, and none ----------

SELECT is(rxtrack.unbind_certificate('Bound', pg_temp.hex('two')), true, 'the last one is taken away');
SELECT is(pg_temp.ask(:'key', certificate), '401', format('then nobody gets in (%s)', certificate)) FROM (VALUES (NULL), ('one'), ('two')) AS v (certificate);
SELECT is(fingerprints, '{}', 'which the list shows') FROM rxtrack.applications WHERE application = 'Bound';
SELECT rxtrack.waive_certificate('Bound');
SELECT is(pg_temp.ask(:'key', NULL), '404 Bound', 'until it is said that none is needed');

-- ---------- Mistakes ----------

SELECT throws_ok(format('SELECT rxtrack.bind_certificate(%L, %L)', 'Bound', fingerprint), '22023', 'not the SHA-256 fingerprint of a certificate', 'refused: ' || fingerprint)
FROM (VALUES ('abcd'), (repeat('a', 63)), (repeat('g', 64))) AS v (fingerprint);
SELECT throws_ok($$ SELECT rxtrack.bind_certificate('Nobody', repeat('a', 64)) $$, '42704', 'application "Nobody" does not exist', 'an application that is not there');

SELECT * FROM finish();
ROLLBACK;
