-- What a DBA does with applications: keys, suspension, restriction, public keys, database roles and listeners; and that
-- all of it is in the audit.
BEGIN;
SELECT plan(91);
\ir ../lib/bundles.sql

SELECT rxtrack.add_application('Supplier', '{updates:write,updates:read,events:read}') AS key_1 \gset

-- What a request with a key comes to: its status and whose it is.
CREATE FUNCTION pg_temp.ask(key text, scope text DEFAULT 'updates:read') RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', status, application)
  FROM rxtrack_http.check_updates(scope, ARRAY[sha256(key::bytea)], '{NULL}', ARRAY['{"odscode": "A"}'], '{NULL}')
$$;
CREATE FUNCTION pg_temp.audited() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(action, ', ' ORDER BY at) FROM rxtrack.audit WHERE at > coalesce(current_setting('test.since', true), '-infinity')::timestamptz
$$;
CREATE FUNCTION pg_temp.from_now() RETURNS void LANGUAGE sql AS $$ SELECT set_config('test.since', clock_timestamp()::text, true) $$;

-- ---------- Keys ----------

SELECT is(pg_temp.ask(:'key_1'), '404 Supplier', 'a new key is good');
SELECT pg_temp.from_now();
SELECT rxtrack.rotate_key('Supplier') AS key_2 \gset
SELECT is(pg_temp.audited(), 'UPDATE api_key, INSERT api_key', 'a rotation is audited');
SELECT is(pg_temp.ask(:'key_1'), '404 Supplier', 'after a rotation the old key is good');
SELECT is(pg_temp.ask(:'key_2'), '404 Supplier', 'and the new one');
SELECT is(api_keys, 2::bigint, 'two are valid at once') FROM rxtrack.applications WHERE application = 'Supplier';
SELECT is(max(valid_until) FILTER (WHERE valid_until < 'infinity'), now() + interval '7 days', 'the old one for a week')
FROM rxtrack_internal.api_key JOIN rxtrack_internal.application USING (application_id) WHERE name = 'Supplier';
SELECT rxtrack.rotate_key('Supplier', '1 hour') AS key_3 \gset
SELECT is(pg_temp.ask(key), answer, 'after the next one: ' || what)
FROM (VALUES ('the first is dropped', :'key_1', '401'), ('the second is good', :'key_2', '404 Supplier'), ('and the third', :'key_3', '404 Supplier')) AS v (what, key, answer);
SELECT rxtrack.rotate_key('Supplier', '0') AS key_4 \gset
SELECT is(pg_temp.ask(key), answer, 'without overlap: ' || what)
FROM (VALUES ('the second is dropped', :'key_2', '401'), ('so is the third', :'key_3', '401'), ('only the fourth is good', :'key_4', '404 Supplier')) AS v (what, key, answer);
SELECT throws_ok($$ SELECT rxtrack.rotate_key('Nobody') $$, '42704', 'application "Nobody" does not exist', 'an application that is not there');

-- ---------- Suspension and scopes ----------

INSERT INTO rxtrack_internal.access_token SELECT sha256('token'), application_id, now() + interval '1 hour' FROM rxtrack_internal.application WHERE name = 'Supplier';
SELECT is(pg_temp.ask('token'), '404 Supplier', 'an access token is good');
SELECT pg_temp.from_now();
SELECT rxtrack.alter_application('Supplier', suspended => true);
SELECT is(pg_temp.ask(:'key_4'), '403 Supplier', 'a suspended application is refused at once');
SELECT is(pg_temp.ask('token'), '403 Supplier', 'by its access token as well');
SELECT is(pg_temp.ask(:'key_4', NULL), '403 Supplier', 'whatever it asks for');
SELECT rxtrack.alter_application('Supplier', suspended => false);
SELECT is(pg_temp.ask(:'key_4'), '404 Supplier', 'resumed, it is let in at once');
SELECT is(pg_temp.audited(), 'UPDATE application, UPDATE application', 'both are audited');
SELECT rxtrack.alter_application('Supplier', scopes => '{updates:write}', requests_per_minute => 7);
SELECT is(pg_temp.ask(:'key_4'), '403 Supplier', 'a scope that was taken away is missed at once');
SELECT is(requests_per_minute, 7, 'the gateway is told the rate')
FROM rxtrack_http.submit('updates:write', ARRAY[sha256(:'key_4')], '{NULL}', '{NULL}', '{NULL}');
SELECT throws_ok($$ SELECT rxtrack.alter_application('Supplier', requests_per_minute => 0) $$, '23514', NULL, 'a rate of none');
SELECT throws_ok($$ SELECT rxtrack.alter_application('Nobody', suspended => true) $$, '42704', NULL, 'an application that is not there');
SELECT rxtrack.alter_application('Supplier', scopes => '{updates:write,updates:read,events:read}');

-- ---------- Pharmacies ----------

CREATE FUNCTION pg_temp.post(key text, request integer, bundle jsonb) RETURNS pg_temp.reply LANGUAGE sql AS $$
  SELECT (status, convert_from(body, 'UTF8')::jsonb)::pg_temp.reply
  FROM rxtrack_http.submit('updates:write', ARRAY[sha256(key::bytea)], ARRAY[pg_temp.uuid(request)], '{NULL}', ARRAY[convert_to(bundle::text, 'UTF8')])
$$;
CREATE FUNCTION pg_temp.at_pharmacy(task jsonb, code text) RETURNS jsonb LANGUAGE sql AS
$$ SELECT jsonb_set(task, '{owner,identifier,value}', to_jsonb(code)) $$;
SELECT rxtrack.restrict_application('Supplier', '{fx123,AB1}');
SELECT is(pg_temp.status(pg_temp.post(:'key_4', 1, pg_temp.bundle(pg_temp.task(1, item => 1)))), 201, 'a pharmacy that it may send for');
CREATE TEMP TABLE mixed AS SELECT * FROM pg_temp.post(:'key_4', 2, pg_temp.bundle(
  pg_temp.task(2, item => 2), pg_temp.at_pharmacy(pg_temp.task(3, item => 3), 'ZZ9'), pg_temp.at_pharmacy(pg_temp.task(4, item => 4), 'ab1')));
SELECT is(status, 403, 'one that it may not, among others: 403') FROM mixed;
SELECT is(pg_temp.fates((status, body)), '{200 OK: informational,403 Forbidden: forbidden,200 OK: informational}', 'which entry it is') FROM mixed;
SELECT is_empty($$ SELECT FROM rxtrack.status_update WHERE task_id IN (SELECT pg_temp.uuid(n)::uuid FROM generate_series(2, 4) AS n) $$, 'nothing is stored');
SELECT is(pg_temp.status(pg_temp.post(:'key_4', 3, pg_temp.bundle(pg_temp.at_pharmacy(pg_temp.task(5, item => 5), 'ZZ9'), pg_temp.task(6, item => 6) - 'owner'))),
          400, 'a fault comes first');
-- the same whether or not that task is stored by another
SELECT is(pg_temp.status(pg_temp.submit(pg_temp.bundle(pg_temp.at_pharmacy(pg_temp.task(7, item => 7), 'ZZ9')))), 201, 'another stores a task');
SELECT is(pg_temp.status(pg_temp.post(:'key_4', 4, pg_temp.bundle(pg_temp.at_pharmacy(pg_temp.task(n, item => n), 'ZZ9')))), 403,
          'of which it is told nothing: ' || n) FROM generate_series(7, 8) AS n;
CREATE FUNCTION pg_temp.listen_to(key text, parameters text) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', status, array_to_string(stream_ods_codes, ','))
  FROM rxtrack_http.events('events:read', ARRAY[sha256(key::bytea)], '{NULL}', ARRAY[parameters], '{NULL}')
$$;
SELECT is(pg_temp.listen_to(:'key_4', parameters), answer, 'its stream: ' || coalesce(parameters, 'of all'))
FROM (VALUES (NULL, '200 FX123,AB1'), ('{"ods": "ab1"}', '200 AB1'), ('{"ods": "ZZ9,FX123,A"}', '200 FX123'), ('{"ods": "ZZ9"}', '403'),
             ('{"ods": "ZZ9,!"}', '400'), ('{"ods": "AB1", "last-event-id": "0"}', '200 AB1')) AS v (parameters, answer);
SELECT rxtrack.restrict_application('Supplier', '{}');
SELECT is(pg_temp.listen_to(:'key_4', NULL), '403', 'with no pharmacy left it hears nothing');
SELECT is(pg_temp.status(pg_temp.post(:'key_4', 5, pg_temp.bundle(pg_temp.task(9, item => 9)))), 403, 'and sends nothing');
SELECT throws_ok($$ SELECT rxtrack.restrict_application('Supplier', '{AB1,NULL}') $$, '22004', NULL, 'NULL is no pharmacy');
SELECT throws_ok($$ SELECT rxtrack.restrict_application('Supplier', NULL) $$, '22004', 'ods_codes must not be null', 'nor does it lift a restriction');
SELECT rxtrack.unrestrict_application('Supplier');
SELECT is(pg_temp.listen_to(:'key_4', NULL), '200', 'restricted no more');
SELECT is(pg_temp.status(pg_temp.post(:'key_4', 6, pg_temp.bundle(pg_temp.at_pharmacy(pg_temp.task(10, item => 10), 'ZZ9')))), 201, 'it sends for all');

-- ---------- Public keys ----------

CREATE TEMP TABLE pem (name text, pem text);
INSERT INTO pem VALUES
  ('rsa2048', '-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuSqUVaAKPiB67uJGa5wE
QyL7bhhYasqJ0oE2CospMLASOzPWllWnFgKbCqWeccPF5lDpp/B4YpHHg6DIIFnG
lcTtqjb2ExSw3E+LZC42JVR6ryBOvOIrhzkm7ot3AcePiblvnQNzZ+w3BVOJkNQp
r2pIeM6Yc9telBT0PCz6cATU+dxzKjFeUryxwxCZqY+xoc5xVH9JqpWM3Pjpwi6F
FjePkwKe9k7uqAJ1c0Uq5w3GxmL3hE9CnBnak+j3ZrxkVum4e/WcsrswpwRhhwHn
V5SYhbvOMuNTg580B5aM0ZVO0leK12kl2IEKeuAQ5UDS31e7nOEYRQgfEOThqhkW
8wIDAQAB
-----END PUBLIC KEY-----'),
  ('rsa1024', '-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDjDHDwH0eTzfWSU/5ag8XhluIu
Pp0hDx+OYV22a6jQQwkDWUydTr0OJ1CDZHEbk4tHA3ldN1eoY0/giEmiFqxC632F
w2jQzF3etyZ6alB02X9AjLTU1rs9XFl5UHuL9AB7n9x7lhtdH42pv9TUyfEPeGVz
PIKph7umCobTa4fflwIDAQAB
-----END PUBLIC KEY-----'),
  ('p256', '-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2arDySVnXJUJPFGnACdKuUpIogEe
7AQ6/5W3Oc2hvtrgN5A1zkjz7DtHXl3NlAwCZ7IijBVZ6Yrir+p2WEEpew==
-----END PUBLIC KEY-----'),
  ('p384', '-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEM+vVkeKPW1gqHg+wvzLzY6mNVLHe000Q
BprTe6sYQFCH9zbMPOAw4rCvxxPlYkF/xkTVo8iXV9i+292xm93F8K49KSSlq5RL
NlZXI5EAuSfqpcPUNmCthokLbEj3fIAp
-----END PUBLIC KEY-----'),
  ('p521', '-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBKeOv1V97VwmYDPP/Tf4YvAok+5R3
tALXhdiHgNbnlqUF1L41zxXpVF94d/j/cTkli5NW5YiE1+QlOiacVaW8Ru4AjtZh
Yjp2JHkBEi66MgyqIwGpsrjHbEHLPkZKVAx+oWX8bIoyTSxPL4ZHb0OsYNj1Yioe
JqxospoPs66PwslnEmA=
-----END PUBLIC KEY-----'),
  ('k256', '-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEnZCvIZHmJWXwvwx1RyW6dppIG/epELsg
xZVbpRWHlSwiORCtKJLjvqqfMxu7iFyumuVToP0+nU8W//jkXTNAeQ==
-----END PUBLIC KEY-----'),
  ('ed25519', '-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA/B532lQhlRx1hwgii9T0j/8HbFaOXdTf7T++vMULRQ0=
-----END PUBLIC KEY-----'),
  ('x25519', '-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEAqiTeN7Zi3290JA1ll0QRY4nyJuRpTAT8NYpr68IZExo=
-----END PUBLIC KEY-----'),
  ('pss', '-----BEGIN PUBLIC KEY-----
MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBAJh60OuehM/7F2hNr6rPF50u
wggEv7n3zTNhE4cSlHv3PTPVszxftOAWZKNLYsWTx04kT0URn//v+zFwWVWS5V5N
NxHZGVWLZ1BYtZ7uGwV9vmrng7Wjiv7WTFEO7wfqwh15Hvkl9W6qmxme95bbPsQF
PRdx0ikjvPBEfYsfS0a0OuSqQ3gSBjgvoZmV+PU1JrDghMx8DogeG3Ze5fBsKMgO
a0pgcAaOEiPjrymfw4nbB08XzKDqznoEUco3o9ri9Ux93S5sEwxxPittDQtFdAOT
5kIk6dh/Ix2FFqfj0UA4KoJv/A/PA4VSRFk4xQJR0pII15LzArpt28/cn47YjmMC
AwEAAQ==
-----END PUBLIC KEY-----');
SELECT pg_temp.from_now();
SELECT is(rxtrack.add_public_key('Supplier', pem.name, pem.pem), client_id, 'accepted: ' || pem.name)
FROM pem, rxtrack_internal.application a WHERE pem.name IN ('rsa2048', 'p256', 'p384') AND a.name = 'Supplier';
SELECT is(pg_temp.audited(), 'INSERT public_key, INSERT public_key, INSERT public_key', 'which is audited');
SELECT is(kids, '{p256,p384,rsa2048}', 'and listed') FROM rxtrack.applications WHERE application = 'Supplier';
SELECT results_eq('SELECT name, rxtrack_internal.public_key_algorithms(pem) FROM pem WHERE rxtrack_internal.public_key_algorithms(pem) IS NOT NULL ORDER BY 1',
                  $$ VALUES ('p256', '{ES256}'::text[]), ('p384', '{ES384}'), ('rsa2048', '{RS256,RS512}') $$, 'each for its algorithms');
SELECT throws_ok(format('SELECT rxtrack.add_public_key(%L, %L, %L)', 'Supplier', 'bad', pem), '22023', 'not a public key of an accepted kind', 'refused: ' || name)
FROM (SELECT * FROM pem WHERE name NOT IN ('rsa2048', 'p256', 'p384')
      UNION ALL VALUES ('an RSA private key', '-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC5KpRVoAo+IHru
4kZrnARDIvtuGFhqyonSgTYKiykwsBI7M9aWVacWApsKpZ5xw8XmUOmn8HhikceD
oMggWcaVxO2qNvYTFLDcT4tkLjYlVHqvIE684iuHOSbui3cBx4+JuW+dA3Nn7DcF
U4mQ1Cmvakh4zphz216UFPQ8LPpwBNT53HMqMV5SvLHDEJmpj7GhznFUf0mqlYzc
+OnCLoUWN4+TAp72Tu6oAnVzRSrnDcbGYveET0KcGdqT6PdmvGRW6bh79ZyyuzCn
BGGHAedXlJiFu84y41ODnzQHlozRlU7SV4rXaSXYgQp64BDlQNLfV7uc4RhFCB8Q
5OGqGRbzAgMBAAECggEABWOvYJShZ7CDU3ujiBNI7nlQryInRKhzfXyESadGQiQF
y9JU7xg8HkBiKdurMm17z5nQSzKNFnVexL6DxKlIReiu8DLcU67Y/PiVuos7yTdd
wMYkdIvyr2Ni9jN5+cPIsj4C+SN2EvLFoTKOwPfj5LanuFhvCIQ8ivvXJf87JNJ6
fKkiW1iThmeHllyQchFhtt2XzPjBzssEWxoE28elrGQdX7nlHf2L1E+EmL3tOVJr
nvqPzEhxevx370p+5YL0d/dI1Y7tX7cfjBS7nIl/1ZcimuLneM0aRrMZHAKhhia1
SBhLKDJ1o3JeF762nBMRDiK/2QpzjwLPvoOtBktN6QKBgQDmbmlUyl76RvtCpzfy
LCxFkkQiHqtuLFPb40S/BEE4ZyacChCxBffFhDKmdYe1Ml2XF26sQGPZYcQ8OuDz
7JAqDR9XjWNyjEUWoidD7NFUNdJ8pumfSU86Rf04vXFaNN0kFlal//4fwfwMj2zt
o4KsaA+bo/El3Si4yJSEH22C+QKBgQDNtmEzHKkBVtZN6Dkszoorin/0AgQRPITG
XZIVbhKut4y4xgpPHsETA9LoY3dGKcO4lpI39diFBKiRso6H8EuAJ1UbxO6CGpWa
5cHYhDtlScGLuqam7t6j5zhi4gkTo7vvCeaONkltTkgfqF9LacepW5gdUQELge0f
G+bwxVd4SwKBgQDZyZ8KAZ8U40OU8qDA5ZkORDjbGquiHIlBuSJ/e1D9Mxjdv/GY
rnBIoTKR+2FBE5I7PG1gphb5HRswZeG5CWwUIoTt5fcJC6Q8yRNdcpVCBwCiycri
vpIAHKhBGWPqAy7Dbc2FZVbUwy4q3N/yFmlp84xU6PUBeW6EfydHXMDPWQKBgFhb
LpKai8jEeJXL2cryB4y+F0lCGGci3FCrXhSQS7v5oJq4jTMAnaNCMDOajV94jtVY
7wLUOKShpJm33NpsjrFDs52Sz3LYYku+xazu1ughbt1KVUw8KyqxJJnsRkPGPvFk
CkAo9w7Y4cefNRcaHyUR71sgMNe1fZiwDlh6GqDTAoGAdr3DHb/6vnj4mDl2FnDd
NNuscxTH9ZbP05tIf1x78sQSiCNdf4IcQjJfHaCBwM1np7eHPTbTLolSPfXXVwvS
/bS1ZAvqjENqryLhsByJW3XVzmm6dTB+CXdVhtZADSl4X438GfPfTLsctItSwJWe
8fWXbQ0KEKwHVyvxx8ceyIQ=
-----END PRIVATE KEY-----
'), ('an EC private key', '-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgu0psniFqB0nrm1lC
jCMhiYHQLcgCpR7bsk2FXGWl/V6hRANCAAR3ya0CbVD/VuneeqTBi8n12aIX7SU+
tVhbLtfqWvVEtOZI6KTxrk5DVqTss4ILZt9vOAU+QF/UWbCrVeg2EOBU
-----END PRIVATE KEY-----
'), ('an Ed25519 private key', '-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJiW6TdkyNoGqUcxnrLucU0y4EUxkVucvG5ilfRmb+KU
-----END PRIVATE KEY-----
'), ('nothing', ''), ('words', 'a key')
      UNION ALL SELECT 'garbage in armour', E'-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'
      UNION ALL SELECT 'a password', E'-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-CBC,0011223344556677\n\nAAAA\n-----END PUBLIC KEY-----'
      UNION ALL SELECT 'a private key behind a public one', pem || E'\n' || '-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC5KpRVoAo+IHru
4kZrnARDIvtuGFhqyonSgTYKiykwsBI7M9aWVacWApsKpZ5xw8XmUOmn8HhikceD
oMggWcaVxO2qNvYTFLDcT4tkLjYlVHqvIE684iuHOSbui3cBx4+JuW+dA3Nn7DcF
U4mQ1Cmvakh4zphz216UFPQ8LPpwBNT53HMqMV5SvLHDEJmpj7GhznFUf0mqlYzc
+OnCLoUWN4+TAp72Tu6oAnVzRSrnDcbGYveET0KcGdqT6PdmvGRW6bh79ZyyuzCn
BGGHAedXlJiFu84y41ODnzQHlozRlU7SV4rXaSXYgQp64BDlQNLfV7uc4RhFCB8Q
5OGqGRbzAgMBAAECggEABWOvYJShZ7CDU3ujiBNI7nlQryInRKhzfXyESadGQiQF
y9JU7xg8HkBiKdurMm17z5nQSzKNFnVexL6DxKlIReiu8DLcU67Y/PiVuos7yTdd
wMYkdIvyr2Ni9jN5+cPIsj4C+SN2EvLFoTKOwPfj5LanuFhvCIQ8ivvXJf87JNJ6
fKkiW1iThmeHllyQchFhtt2XzPjBzssEWxoE28elrGQdX7nlHf2L1E+EmL3tOVJr
nvqPzEhxevx370p+5YL0d/dI1Y7tX7cfjBS7nIl/1ZcimuLneM0aRrMZHAKhhia1
SBhLKDJ1o3JeF762nBMRDiK/2QpzjwLPvoOtBktN6QKBgQDmbmlUyl76RvtCpzfy
LCxFkkQiHqtuLFPb40S/BEE4ZyacChCxBffFhDKmdYe1Ml2XF26sQGPZYcQ8OuDz
7JAqDR9XjWNyjEUWoidD7NFUNdJ8pumfSU86Rf04vXFaNN0kFlal//4fwfwMj2zt
o4KsaA+bo/El3Si4yJSEH22C+QKBgQDNtmEzHKkBVtZN6Dkszoorin/0AgQRPITG
XZIVbhKut4y4xgpPHsETA9LoY3dGKcO4lpI39diFBKiRso6H8EuAJ1UbxO6CGpWa
5cHYhDtlScGLuqam7t6j5zhi4gkTo7vvCeaONkltTkgfqF9LacepW5gdUQELge0f
G+bwxVd4SwKBgQDZyZ8KAZ8U40OU8qDA5ZkORDjbGquiHIlBuSJ/e1D9Mxjdv/GY
rnBIoTKR+2FBE5I7PG1gphb5HRswZeG5CWwUIoTt5fcJC6Q8yRNdcpVCBwCiycri
vpIAHKhBGWPqAy7Dbc2FZVbUwy4q3N/yFmlp84xU6PUBeW6EfydHXMDPWQKBgFhb
LpKai8jEeJXL2cryB4y+F0lCGGci3FCrXhSQS7v5oJq4jTMAnaNCMDOajV94jtVY
7wLUOKShpJm33NpsjrFDs52Sz3LYYku+xazu1ughbt1KVUw8KyqxJJnsRkPGPvFk
CkAo9w7Y4cefNRcaHyUR71sgMNe1fZiwDlh6GqDTAoGAdr3DHb/6vnj4mDl2FnDd
NNuscxTH9ZbP05tIf1x78sQSiCNdf4IcQjJfHaCBwM1np7eHPTbTLolSPfXXVwvS
/bS1ZAvqjENqryLhsByJW3XVzmm6dTB+CXdVhtZADSl4X438GfPfTLsctItSwJWe
8fWXbQ0KEKwHVyvxx8ceyIQ=
-----END PRIVATE KEY-----
' FROM pem WHERE name = 'rsa2048'
      UNION ALL SELECT 'a private key before a public one', '-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC5KpRVoAo+IHru
4kZrnARDIvtuGFhqyonSgTYKiykwsBI7M9aWVacWApsKpZ5xw8XmUOmn8HhikceD
oMggWcaVxO2qNvYTFLDcT4tkLjYlVHqvIE684iuHOSbui3cBx4+JuW+dA3Nn7DcF
U4mQ1Cmvakh4zphz216UFPQ8LPpwBNT53HMqMV5SvLHDEJmpj7GhznFUf0mqlYzc
+OnCLoUWN4+TAp72Tu6oAnVzRSrnDcbGYveET0KcGdqT6PdmvGRW6bh79ZyyuzCn
BGGHAedXlJiFu84y41ODnzQHlozRlU7SV4rXaSXYgQp64BDlQNLfV7uc4RhFCB8Q
5OGqGRbzAgMBAAECggEABWOvYJShZ7CDU3ujiBNI7nlQryInRKhzfXyESadGQiQF
y9JU7xg8HkBiKdurMm17z5nQSzKNFnVexL6DxKlIReiu8DLcU67Y/PiVuos7yTdd
wMYkdIvyr2Ni9jN5+cPIsj4C+SN2EvLFoTKOwPfj5LanuFhvCIQ8ivvXJf87JNJ6
fKkiW1iThmeHllyQchFhtt2XzPjBzssEWxoE28elrGQdX7nlHf2L1E+EmL3tOVJr
nvqPzEhxevx370p+5YL0d/dI1Y7tX7cfjBS7nIl/1ZcimuLneM0aRrMZHAKhhia1
SBhLKDJ1o3JeF762nBMRDiK/2QpzjwLPvoOtBktN6QKBgQDmbmlUyl76RvtCpzfy
LCxFkkQiHqtuLFPb40S/BEE4ZyacChCxBffFhDKmdYe1Ml2XF26sQGPZYcQ8OuDz
7JAqDR9XjWNyjEUWoidD7NFUNdJ8pumfSU86Rf04vXFaNN0kFlal//4fwfwMj2zt
o4KsaA+bo/El3Si4yJSEH22C+QKBgQDNtmEzHKkBVtZN6Dkszoorin/0AgQRPITG
XZIVbhKut4y4xgpPHsETA9LoY3dGKcO4lpI39diFBKiRso6H8EuAJ1UbxO6CGpWa
5cHYhDtlScGLuqam7t6j5zhi4gkTo7vvCeaONkltTkgfqF9LacepW5gdUQELge0f
G+bwxVd4SwKBgQDZyZ8KAZ8U40OU8qDA5ZkORDjbGquiHIlBuSJ/e1D9Mxjdv/GY
rnBIoTKR+2FBE5I7PG1gphb5HRswZeG5CWwUIoTt5fcJC6Q8yRNdcpVCBwCiycri
vpIAHKhBGWPqAy7Dbc2FZVbUwy4q3N/yFmlp84xU6PUBeW6EfydHXMDPWQKBgFhb
LpKai8jEeJXL2cryB4y+F0lCGGci3FCrXhSQS7v5oJq4jTMAnaNCMDOajV94jtVY
7wLUOKShpJm33NpsjrFDs52Sz3LYYku+xazu1ughbt1KVUw8KyqxJJnsRkPGPvFk
CkAo9w7Y4cefNRcaHyUR71sgMNe1fZiwDlh6GqDTAoGAdr3DHb/6vnj4mDl2FnDd
NNuscxTH9ZbP05tIf1x78sQSiCNdf4IcQjJfHaCBwM1np7eHPTbTLolSPfXXVwvS
/bS1ZAvqjENqryLhsByJW3XVzmm6dTB+CXdVhtZADSl4X438GfPfTLsctItSwJWe
8fWXbQ0KEKwHVyvxx8ceyIQ=
-----END PRIVATE KEY-----
' || pem FROM pem WHERE name = 'rsa2048'
      UNION ALL SELECT 'text behind a public key', pem || E'\nx' FROM pem WHERE name = 'rsa2048'
      UNION ALL SELECT 'two keys', pem || E'\n' || pem FROM pem WHERE name = 'rsa2048'
      UNION ALL SELECT 'cut short', left(pem, 200) FROM pem WHERE name = 'rsa2048') AS bad;
SELECT throws_ok($$ SELECT rxtrack.add_public_key('Supplier', 'p256', pem) FROM pem WHERE name = 'p256' $$, '23505', NULL, 'a kid is taken once');
SELECT throws_ok($$ SELECT rxtrack.add_public_key('Nobody', 'k', pem) FROM pem WHERE name = 'p256' $$, '42704', NULL, 'nobody''s key');
SELECT is(rxtrack.drop_public_key('Supplier', 'p384'), true, 'one is removed');
SELECT is(rxtrack.drop_public_key('Supplier', 'p384'), false, 'once');

-- ---------- Dropping ----------

CREATE ROLE rxtrack_test_mistake;
SELECT rxtrack.add_application('Mistake', '{events:read}') AS mistake_key \gset
SELECT rxtrack.add_public_key('Mistake', 'k', pem) FROM pem WHERE name = 'p256' \gset
SELECT rxtrack.bind_role('Mistake', 'rxtrack_test_mistake');
INSERT INTO rxtrack_internal.access_token SELECT sha256('of a mistake'), application_id, 'infinity' FROM rxtrack.applications WHERE application = 'Mistake';
INSERT INTO rxtrack_internal.used_assertion SELECT application_id, 'j', 'infinity' FROM rxtrack.applications WHERE application = 'Mistake';
INSERT INTO rxtrack_internal.alert_application SELECT application_id FROM rxtrack.applications WHERE application = 'Mistake';
CREATE TEMP TABLE mistake AS SELECT application_id FROM rxtrack.applications WHERE application = 'Mistake';
SELECT pg_temp.from_now();
SELECT rxtrack.drop_application('Mistake');
SELECT is_empty(format('SELECT FROM %s JOIN mistake USING (application_id)', relation), 'what was dropped is gone from ' || relation)
FROM unnest('{rxtrack.applications,rxtrack_internal.api_key,rxtrack_internal.public_key,rxtrack_internal.access_token,
              rxtrack_internal.used_assertion,rxtrack_internal.alert_application}'::text[]) AS relation;
SELECT ok(NOT pg_has_role('rxtrack_test_mistake', 'rxtrack_application', 'MEMBER'), 'its role is a member no more');
SELECT is(pg_temp.audited(), 'DELETE api_key, DELETE public_key, UPDATE application, DELETE application', 'all of which is audited');
SELECT is_empty($$ SELECT FROM rxtrack.audit WHERE action ~ '^DELETE' AND application IS NULL $$, 'with whose it was');
SELECT is(pg_temp.ask(:'mistake_key', 'events:read'), '401', 'its key is nobody''s');
SELECT isnt(rxtrack.add_application('Mistake', '{}'), NULL, 'the name may be taken again');
SELECT throws_ok($$ SELECT rxtrack.drop_application('Supplier') $$, '55006', 'application "Supplier" cannot be dropped: updates of it are stored', 'not where updates are stored');
SELECT throws_ok(format('SELECT rxtrack.drop_application(%L)', name), state, NULL, 'nor ' || coalesce(name, 'NULL')) FROM (VALUES ('Nobody', '42704'), (NULL, '22004')) AS v (name, state);

-- ---------- The audit ----------

CREATE ROLE rxtrack_test_dba LOGIN IN ROLE rxtrack_admin;
SET SESSION AUTHORIZATION rxtrack_test_dba;
SELECT rxtrack.alter_application('Supplier', requests_per_minute => 100);
RESET SESSION AUTHORIZATION;
SELECT results_eq($$ SELECT who, action, application, detail ->> 'requests_per_minute' FROM rxtrack.audit ORDER BY at DESC LIMIT 1 $$,
                  $$ VALUES ('rxtrack_test_dba', 'UPDATE application', 'Supplier', '100') $$, 'who, what, of which, and what it is now');
SELECT pg_temp.from_now();
UPDATE rxtrack_internal.application SET suspended = true WHERE name = 'Supplier';
DELETE FROM rxtrack_internal.public_key;
DELETE FROM rxtrack_internal.api_key WHERE key_hash = sha256(:'key_4');
DELETE FROM rxtrack_internal.application WHERE name = 'Supplier';
TRUNCATE rxtrack_internal.public_key;
SELECT is(pg_temp.audited(), 'UPDATE application, DELETE public_key, DELETE public_key, DELETE api_key, DELETE application, TRUNCATE public_key', 'changes by hand are audited as well');
-- also where they say that they are older, as what a restore brings is
SELECT pg_temp.from_now();
INSERT INTO rxtrack_internal.application (application_id, name, scopes, created_at) VALUES (4711, 'By hand', '{}', '2020-01-01'), (4712, 'By hand too', '{}', '-infinity');
INSERT INTO rxtrack_internal.api_key (key_hash, application_id, created_at) VALUES (sha256('by hand'), 4711, '2020-01-01');
INSERT INTO rxtrack_internal.public_key (application_id, kid, pem, created_at) VALUES (4711, 'k', 'none', '2020-01-01');
INSERT INTO rxtrack_internal.event_grant (role, created_at) VALUES ('rxtrack_test_dba', '2020-01-01');
SELECT is(pg_temp.audited(), 'INSERT application, INSERT application, INSERT api_key, INSERT public_key, INSERT event_grant', 'rows made by hand are, whatever their date');
SELECT pg_temp.from_now();
COPY rxtrack_internal.api_key (key_hash, application_id) FROM stdin;
\\x0000000000000000000000000000000000000000000000000000000000000001	4711
\.
COPY rxtrack_internal.api_key (key_hash, application_id, created_at) FROM stdin;
\\x0000000000000000000000000000000000000000000000000000000000000002	4711	2020-01-01
\.
SELECT is(pg_temp.audited(), 'INSERT api_key', 'only what COPY brings and is older is taken for restored');
SELECT is_empty($$ SELECT FROM rxtrack.audit WHERE who <> session_user AND who <> 'rxtrack_test_dba' OR at NOT BETWEEN now() AND clock_timestamp() $$, 'with who and when');
SELECT is_empty(format($$ SELECT FROM rxtrack.audit a WHERE a::text ~ '(PUBLIC KEY|\\x|hash|%s|%s)' $$, substr(:'key_1', 9, 30), encode(sha256(:'key_4'), 'hex')),
                'and without a secret, or what one could be searched by');

SELECT * FROM finish();
ROLLBACK;
