-- Applications: what may be registered, and that a key is shown once and kept only as a hash.
BEGIN;
SELECT plan(24);

SELECT rxtrack.add_application('Supplier A', '{updates:write,updates:read}') AS key_a,
       rxtrack.add_application('Supplier B', '{}') AS key_b \gset

SELECT matches(:'key_a'::text, '^rxtrack_[0-9a-f]{64}$', 'a key is a prefix and 256 bits in hex');
SELECT isnt(:'key_a'::text, :'key_b', 'no two are the same');
SELECT results_eq($$ SELECT name, scopes FROM rxtrack_internal.application ORDER BY name $$,
                  $$ VALUES ('Supplier A', '{updates:write,updates:read}'::text[]), ('Supplier B', '{}') $$,
                  'name and scopes are kept');
SELECT results_eq($$ SELECT key_hash, name FROM rxtrack_internal.api_key JOIN rxtrack_internal.application USING (application_id)
  ORDER BY name $$,
                  format($$ VALUES (sha256(%L), 'Supplier A'), (sha256(%L), 'Supplier B') $$, :'key_a', :'key_b'),
                  'of a key, the SHA-256 of its text is kept');
SELECT is_empty(format($$ SELECT FROM rxtrack_internal.api_key k, rxtrack_internal.application a
                          WHERE strpos(k::text || a::text, substr(%L, 9, 20)) > 0 $$, :'key_a'),
                'and the key itself is in no table');
SELECT is((SELECT created_at FROM rxtrack_internal.application WHERE name = 'Supplier A'), now(),
  'when it was registered is kept');

SELECT throws_ok($$ SELECT rxtrack.add_application('Supplier A', '{}') $$, '23505', NULL, 'a name is taken once');
SELECT throws_ok(format($$ SELECT rxtrack.add_application('X', %L) $$, scopes), '23514', NULL,
  format('scopes %s', scopes))
FROM unnest(ARRAY['{updates:writ}', '{updates:write,everything}', '{NULL}', '{""}', '{Updates:Write}']) AS scopes;
SELECT lives_ok($$ SELECT rxtrack.add_application('Supplier C',
  '{updates:write,updates:read,patient:read,events:read,metrics:read}') $$,
                'all scopes that there are');
SELECT throws_ok(format($$ SELECT rxtrack.add_application(%L, '{}') $$, name), '23514', NULL,
  format('name %s', to_json(left(name, 20))))
FROM unnest(ARRAY['', E'A\nB', E'A\n', E'A\tB', repeat('n', 129)]) AS name;
SELECT lives_ok(format($$ SELECT rxtrack.add_application(%L, '{}') $$, name),
  format('name %s', to_json(left(name, 20))))
FROM unnest(ARRAY['x', repeat('n', 128), 'Société d''Été "quoted" \ % _']) AS name;
SELECT throws_ok($$ SELECT rxtrack.add_application(NULL, '{}') $$, '22004', 'application must not be null', 'without a name nothing is registered');
SELECT throws_ok($$ SELECT rxtrack.add_application('Supplier D', NULL) $$, '22004', 'scopes must not be null', 'nor without scopes');
SELECT is((SELECT count(*) FROM rxtrack_internal.application), (SELECT count(*) FROM rxtrack_internal.api_key),
  'each application has one key');

SELECT * FROM finish();
ROLLBACK;
