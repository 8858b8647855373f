-- Validation of date-times, of their limits, and of Task.status against the business status.
BEGIN;
SELECT plan(112);
\ir ../lib/bundles.sql

-- Submits a bundle, forgets what it stored, and returns its status and faulty fields; and what was stored.
CREATE FUNCTION pg_temp.try(bundle jsonb, OUT verdict text, OUT stored rxtrack.status_update) LANGUAGE plpgsql AS $$
DECLARE
  answer pg_temp.reply := pg_temp.submit(bundle);
BEGIN
  verdict := concat_ws(' ', answer.status,
    (SELECT string_agg(f, ' ' ORDER BY f COLLATE "C") FROM unnest(pg_temp.faults(answer)) AS f));
  SELECT * INTO stored FROM rxtrack.status_update;
  DELETE FROM rxtrack.status_update;
  DELETE FROM rxtrack.supply;
END $$;

CREATE FUNCTION pg_temp.right_one() RETURNS jsonb LANGUAGE sql AS
$$ SELECT pg_temp.bundle(pg_temp.task(1, set_at => '2026-01-05 08:00Z')) $$;

-- ---------- Date-times ----------

-- meaning: what PostgreSQL makes of the same moment, written another way; NULL: it is none.
CREATE TEMP TABLE date_time (n serial, text text, meaning timestamptz);
INSERT INTO date_time (text, meaning) VALUES
  ('2026-01-05T09:30:00Z', '2026-01-05 09:30 UTC'),
  ('2026-01-05t09:30:00z', '2026-01-05 09:30 UTC'),
  ('2026-01-05T09:30:00+00:00', '2026-01-05 09:30 UTC'),
  ('2026-01-05T09:30:00-00:00', '2026-01-05 09:30 UTC'),
  ('2026-01-05T00:30:00+01:00', '2026-01-04 23:30 UTC'),
  ('2025-12-31T23:30:00-05:45', '2026-01-01 05:15 UTC'),
  ('2026-01-05T09:30:00+23:59', '2026-01-04 09:31 UTC'),
  ('2026-01-05T09:30:00.1Z', '2026-01-05 09:30:00.1 UTC'),
  ('2026-01-05T09:30:00.123456Z', '2026-01-05 09:30:00.123456 UTC'),
  ('2026-01-05T09:30:00.1234569Z', '2026-01-05 09:30:00.123456 UTC'),
  ('2026-01-05T09:30:00.000000000000000000000000000001Z', '2026-01-05 09:30 UTC'),
  ('2026-01-05T23:59:59.999999999Z', '2026-01-05 23:59:59.999999 UTC'),
  ('2016-12-31T23:59:60Z', '2017-01-01 00:00 UTC'),
  ('2016-12-31T18:59:60.5-05:00', '2017-01-01 00:00:00.5 UTC'),
  ('2017-01-01T00:59:60.999999+01:00', '2017-01-01 00:00:00.999999 UTC'),
  ('1998-12-31T23:59:60Z', '1999-01-01 00:00 UTC'),
  ('2024-02-29T12:00:00Z', '2024-02-29 12:00 UTC'),
  ('2000-02-29T12:00:00Z', '2000-02-29 12:00 UTC'),
  ('1999-12-31T23:59:59.5Z', '1999-12-31 23:59:59.5 UTC'),
  ('1970-01-01T00:00:00Z', 'epoch'),
  ('1900-03-01T00:00:00Z', '1900-03-01 00:00 UTC'),
  ('0001-01-01T00:00:00Z', '0001-01-01 00:00 UTC'),
  ('0000-02-29T00:00:00Z', '0001-02-28 00:00 UTC BC'::timestamptz + interval '1 day'),
  ('2025-02-29T12:00:00Z', NULL),
  ('1900-02-29T12:00:00Z', NULL),
  ('2024-02-30T12:00:00Z', NULL),
  ('2025-04-31T12:00:00Z', NULL),
  ('2025-13-01T12:00:00Z', NULL),
  ('2025-00-01T12:00:00Z', NULL),
  ('2025-01-00T12:00:00Z', NULL),
  ('2025-01-32T12:00:00Z', NULL),
  ('2025-01-05T24:00:00Z', NULL),
  ('2025-01-05T09:60:00Z', NULL),
  ('2025-01-05T09:30:61Z', NULL),
  ('2016-12-31T12:00:60Z', NULL),
  ('2016-12-31T23:59:60-05:00', NULL),
  ('2025-01-05T09:30:00', NULL),
  ('2025-01-05T09:30:00.5', NULL),
  ('2025-01-05T09:30:00.Z', NULL),
  ('2025-01-05T09:30:00,5Z', NULL),
  ('2025-01-05T09:30Z', NULL),
  ('2025-01-05T09Z', NULL),
  ('2025-01-05', NULL),
  ('2025-01-05Z', NULL),
  ('2025-01-05 09:30:00Z', NULL),
  ('2025-01-05T09:30:00 Z', NULL),
  ('2025-01-05T09:30:00+0100', NULL),
  ('2025-01-05T09:30:00+01', NULL),
  ('2025-01-05T09:30:00+24:00', NULL),
  ('2025-01-05T09:30:00+01:60', NULL),
  ('2025-01-05T09:30:00+1:00', NULL),
  ('2025-01-05T09:30:00~01:00', NULL),
  ('2025-01-05T09:30:00ZZ', NULL),
  ('2025-01-05T09:30:00Z ', NULL),
  (' 2025-01-05T09:30:00Z', NULL),
  ('25-01-05T09:30:00Z', NULL),
  ('+2025-01-05T09:30:00Z', NULL),
  ('-2025-01-05T09:30:00Z', NULL),
  ('12025-01-05T09:30:00Z', NULL),
  ('20250105T093000Z', NULL),
  ('2025-1-5T09:30:00Z', NULL),
  ('2025-W01-5T09:30:00Z', NULL),
  ('2025-01-05T9:30:00Z', NULL),
  ('2025-01-05T-9:30:00Z', NULL),
  ('２０２５-01-05T09:30:00Z', NULL),
  ('yesterday', NULL),
  ('now', NULL),
  ('infinity', NULL),
  ('', NULL);

SELECT is(row(t.verdict, (t.stored).last_modified)::text,
          CASE WHEN meaning IS NULL THEN row('400 0 Task.lastModified', NULL) ELSE row('201', meaning) END::text,
          format('lastModified %L', text))
FROM date_time, LATERAL pg_temp.try(pg_temp.changed(pg_temp.right_one(), 'Task.lastModified', to_jsonb(text))) AS t
ORDER BY n;

SELECT is_empty(
  $$ SELECT text, meaning, t.verdict, (t.stored).post_dated_set_at
     FROM date_time, LATERAL pg_temp.try(pg_temp.changed(pg_temp.right_one(), 'Task.meta.lastUpdated',
                                                         to_jsonb(text))) AS t
     WHERE row(t.verdict, (t.stored).post_dated_set_at)::text <>
           CASE WHEN meaning IS NULL THEN row('400 0 Task.meta.lastUpdated', NULL)
             ELSE row('201', meaning) END::text $$,
  'meta.lastUpdated is read like lastModified');

-- ---------- How far ahead ----------

-- ahead of the clock; set_at likewise, or NULL where the update is not post-dated
CREATE FUNCTION pg_temp.try_ahead(modified interval, set_at interval DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
  SELECT verdict FROM pg_temp.try(pg_temp.bundle(
    pg_temp.task(1, at => clock_timestamp() + modified, set_at => clock_timestamp() + set_at)))
$$;

SELECT is(left(pg_temp.try_ahead('23:59:55'), 3), '201', 'lastModified 5 seconds short of 24 hours ahead');
SELECT is(pg_temp.try_ahead('24:00:05'), '400 0 Task.lastModified', 'lastModified 5 seconds more than 24 hours ahead');
SELECT is(pg_temp.try_ahead('998:59:55'), '400 0 Task.lastModified',
  '999 hours are not for an update that is not post-dated');
SELECT is(pg_temp.try_ahead('998:59:55', '-1 s'), '201', 'post-dated: 5 seconds short of 999 hours ahead');
SELECT is(pg_temp.try_ahead('999:00:05', '-1 s'), '400 0 Task.lastModified', 'post-dated: 5 seconds more');
SELECT is(pg_temp.try_ahead('-1 s', '23:59:55'), '201', 'meta.lastUpdated 5 seconds short of 24 hours ahead');
SELECT is(pg_temp.try_ahead('-1 s', '24:00:05'), '400 0 Task.meta.lastUpdated', 'meta.lastUpdated 5 seconds more');
SELECT is(pg_temp.try_ahead('999:00:05', '24:00:05'), '400 0 Task.lastModified 0 Task.meta.lastUpdated',
          'both too far ahead: both are faults');
SELECT is(pg_temp.try_ahead('-900 years'), '201', 'the past has no limit');
SELECT is(pg_temp.try_ahead('-900 years', '-901 years'), '201', 'nor on a post-dated update');
SELECT is((pg_temp.try(pg_temp.changed(pg_temp.right_one(), 'Task.lastModified', '"9999-12-31T23:59:59Z"'))).verdict,
          '400 0 Task.lastModified', 'the last of all dates is too far ahead');
SELECT is((pg_temp.try(pg_temp.changed(pg_temp.bundle(pg_temp.task(1, at => clock_timestamp() + interval '40 hours')),
                                       'Task.meta', '{"lastUpdated": "soon"}'))).verdict,
          '400 0 Task.meta.lastUpdated', 'a malformed meta.lastUpdated makes an update post-dated, and is a fault');
SELECT is((pg_temp.try(pg_temp.changed(pg_temp.bundle(pg_temp.task(1, at => clock_timestamp() + interval '40 hours')),
                                       'Task.meta', '{"lastUpdated": null}'))).verdict,
          '400 0 Task.lastModified', 'a meta.lastUpdated of null does not');

-- ---------- Statuses ----------

CREATE FUNCTION pg_temp.try_status(code text, task_status text) RETURNS text LANGUAGE sql AS $$
  SELECT t.verdict || coalesce(' ' || (t.stored).status::text || ' ' || (t.stored).completed::text, '')
  FROM pg_temp.try(pg_temp.changed(pg_temp.changed(pg_temp.right_one(), 'Task.status', to_jsonb(task_status)),
                                   'Task.businessStatus.coding[0].code', to_jsonb(code))) AS t
$$;

-- From the contract's table.
SELECT is(pg_temp.try_status(pg_temp.status_name(short), task_status),
          CASE WHEN task_status = ANY (allowed)
               THEN format('201 %s %s', pg_temp.status_name(short), (task_status = 'completed')::text)
               ELSE '400 0 Task.status' END::text, short || ' ' || task_status)
FROM (VALUES ('WP', '{in-progress}'::text[]), ('WPR', '{in-progress}'), ('RC', '{in-progress,completed}'),
             ('RCP', '{in-progress}'), ('RD', '{in-progress,completed}'), ('RDP', '{in-progress}'),
             ('C', '{completed}'), ('D', '{completed}'), ('ND', '{completed}')) AS v (short, allowed),
     unnest('{in-progress,completed}'::text[]) AS task_status;

SELECT is(pg_temp.try_status(spelling, 'in-progress'), '201 With Pharmacy - Preparing Remainder false', spelling)
FROM unnest('{WITH PHARMACY - PREPARING REMAINDER,with pharmacy - preparing remainder,wITH Pharmacy - pREPARING rEMAINDER}'
            ::text[]) AS spelling;
SELECT is(pg_temp.try_status(spelling, 'completed'), '400 0 Task.businessStatus.coding[0].code', format('%L', spelling))
FROM unnest(ARRAY['', ' Collected', 'Collected ', 'Collecte', 'Collectedd', 'With  Pharmacy', 'C',
  'collec' || chr(8203) || 'ted'])
     AS spelling;

SELECT * FROM finish();
ROLLBACK;
