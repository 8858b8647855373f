# What a page of GET /checkprescriptionstatusupdates costs, in pages of the tables and indexes that are looked at, does not
# grow with the table.
use strict;
use warnings;
use RxTrack;
use RxTrack::Session;
use Test::More;

use constant { SMALL => 3_000, LARGE => 300_000, RATIO => 2, LEAST => 25 };

my $node = node(conf => "max_wal_size = 4GB\nautovacuum = off\nshared_buffers = 256MB\nfsync = off\n");
add_application($node, $_) for 'A pharmacy system', 'Another';

# Update n is the (n % 3)th of an item of prescription n / 6: two items each with three updates. The patient 9449304130 and
# the pharmacy BUSY have ever more of them, the others have a few prescriptions each; a third is another application's.
$node->safe_psql('rxtrack', <<'SQL');
CREATE SCHEMA test;
CREATE FUNCTION test.with_check(id text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	letters text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+';
	total int := 0;
BEGIN
	FOREACH id IN ARRAY regexp_split_to_array(replace(id, '-', ''), '') LOOP
		total := (total + strpos(letters, id) - 1) * 2 % 37;
	END LOOP;
	RETURN substr(letters, (38 - total) % 37 + 1, 1);
END $$;
CREATE TABLE test.patient AS
SELECT row_number() OVER (ORDER BY n) AS n, (n::text || d)::rxtrack.nhs_number AS id
FROM generate_series(999000000, 999099999) n, LATERAL (SELECT (11 - (SELECT sum(substr(n::text, i, 1)::int * (11 - i))
	FROM generate_series(1, 9) i) % 11) % 11 AS d) c
WHERE d < 10 LIMIT 20000;
CREATE UNIQUE INDEX ON test.patient (n);
CREATE FUNCTION test.load(first int, last int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
	CREATE TEMP TABLE batch ON COMMIT DROP AS
	SELECT n, p, i, CASE WHEN p % 20 = 0 THEN '9449304130' ELSE (SELECT id::text FROM test.patient t
		WHERE t.n = 1 + p % 20000) END::rxtrack.nhs_number AS patient,
		   CASE WHEN p % 10 < 3 THEN 'BUSY' ELSE 'P' || p % 5000 END::rxtrack.ods_code AS pharmacy,
		       1 + (p % 3 = 2)::int AS application,
		   (short || test.with_check(short))::rxtrack.prescription_id AS prescription
	FROM (SELECT n, n / 6 AS p, n / 3 % 2 AS i, format('%s-A83008-%s', upper(substr(md5((n / 6)::text), 1, 6)),
		upper(substr(md5((n / 6)::text), 7, 5))) AS short
		  FROM generate_series(first, last) n) AS numbers;
	INSERT INTO rxtrack.status_update (prescription_id, status, completed, nhs_number, task_id, line_item_id,
		request_id, ods_code, last_modified,
		received_at, application_id, receipt, kind, changes_status, other_patient, warned, overtaken)
	SELECT prescription, (ARRAY['With Pharmacy', 'Ready to Dispatch',
		'Dispatched'])[1 + n % 3]::rxtrack.business_status, n % 3 = 2, patient, md5('t' || n)::uuid,
		   md5('i' || p || '/' || i)::uuid, md5('r' || n)::uuid, pharmacy,
		       now() - interval '1 year' + n * interval '1 s', now() - interval '1 month', application,
		   1 + n % 3, CASE n % 3 WHEN 0 THEN 'first' ELSE 'forward' END::rxtrack.transition_kind, true, false, false, false
	FROM batch;
	INSERT INTO rxtrack.supply (prescription_id, status, completed, nhs_number, line_item_id, issue_number, ods_code, asserted_at,
		last_modified, received_at, began_at, began_received_at, application_id, asserted_by, receipts, own_receipts, post_dated, in_conflict)
	SELECT prescription, 'Dispatched', true, patient, md5('i' || p || '/' || i)::uuid, 0, pharmacy, now(), now(), now(), now(), now(),
		application, application, 3, 3, false, false FROM batch WHERE n % 3 = 2;
	INSERT INTO rxtrack.prescription_patient (prescription_id, hidden, nhs_number, application_id)
	SELECT DISTINCT ON (prescription) prescription, false, patient, application FROM batch WHERE n % 3 = 2 ON CONFLICT DO NOTHING;
END $$;
SQL

sub load_to
{
	my ($from, $to) = @_;
	for (my $n = $from; $n < $to; $n += 50_000)
	{
		$node->safe_psql('rxtrack', sprintf 'SELECT test.load(%d, %d)', $n,
			($n + 50_000 < $to ? $n + 50_000 : $to) - 1);
	}
	return;
}

# ---------- Searches ----------

my %search;

# A search and a later page of it, which begins where so many of its updates have been seen.
sub add_search
{
	my ($name, $parameters, $condition, $skip) = @_;
	$search{$name} = { %$parameters };
	my ($prescription, $task) = split /\|/, $node->safe_psql('rxtrack', <<"SQL") or die "no search: $name";
SELECT prescription_id, task_id FROM rxtrack.status_update WHERE application_id = 1 AND $condition
ORDER BY 1, 2 OFFSET $skip LIMIT 1
SQL
	$search{"$name, later"} = { %$parameters, 'exclusivestartkey-prescriptionid' => $prescription,
		'exclusivestartkey-taskid' => $task };
	return;
}

# Shared buffers looked at by one call, and the number of updates that it found; the second of two calls, in which nothing
# is planned and no catalogue is read.
sub cost
{
	my ($session, $parameters) = @_;
	my $json = to_json($parameters);
	my $call = "rxtrack_http.check_updates('updates:read', ARRAY[(SELECT key_hash FROM rxtrack_internal.api_key
		WHERE application_id = 1)], ARRAY[NULL], ARRAY['$json'], ARRAY[NULL::bytea])";
	my $found = $session->sql("SELECT jsonb_array_length(convert_from(body, 'UTF8')::jsonb -> 'items') FROM $call");
	my $plan = from_json($session->sql("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM $call"))->[0]{Plan};
	return ($plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'}, $found);
}

sub costs
{
	my ($session) = @_;
	return { map { my ($buffers, $found) = cost($session, $search{$_}); $_ =>
		{ buffers => $buffers, found => $found } } keys %search };
}

load_to(0, SMALL);
my ($some) = split /\n/, $node->safe_psql('rxtrack',
	'SELECT prescription_id FROM rxtrack.status_update WHERE application_id = 1');
my ($few, $at) = split /\|/, $node->safe_psql('rxtrack', "SELECT nhs_number, ods_code FROM rxtrack.status_update
	WHERE application_id = 1 AND nhs_number <> '9449304130' AND ods_code <> 'BUSY' LIMIT 1");
add_search('a prescription', { prescriptionid => $some }, "prescription_id = '$some'", 2);
add_search('a patient with few', { nhsnumber => $few }, "nhs_number = '$few'", 2);
add_search('a patient with many', { nhsnumber => '9449304130' }, "nhs_number = '9449304130'", 60);
add_search('a pharmacy with few', { odscode => $at }, "ods_code = '$at'", 2);
add_search('a pharmacy with many', { odscode => 'BUSY' }, "ods_code = 'BUSY'", 300);
add_search('a patient at a pharmacy', { nhsnumber => '9449304130', odscode => 'BUSY' },
	"nhs_number = '9449304130' AND ods_code = 'BUSY'", 30);

my $old = RxTrack::Session->new($node);
my $small = costs($old);
load_to(SMALL, LARGE);
my %large = ('a session that knew it small' => costs($old));
$large{'a new session, without statistics'} = costs(RxTrack::Session->new($node));
$node->safe_psql('rxtrack', 'VACUUM ANALYZE');
$large{'a new session, with statistics'} = costs(RxTrack::Session->new($node));
$large{'the old session, with statistics'} = costs($old);

for my $name (sort keys %search)
{
	for my $session (sort keys %large)
	{
		my ($before, $after) = ($small->{$name}, $large{$session}{$name});
		# of few updates there may be a page later, and indexes get a level deeper
		my $bound = RATIO * ($before->{buffers} > LEAST ? $before->{buffers} : LEAST);
		ok($after->{found} > 0 && $after->{buffers} <= $bound,
			"$name, $session: $before->{buffers} buffers for $before->{found} updates, "
			  . "then $after->{buffers} for $after->{found}");
	}
}

# The view and the history of one prescription are as cheap, and so is storing one more update.
my $session = RxTrack::Session->new($node);
for my $query ("SELECT * FROM rxtrack.item_status WHERE prescription_id = '$some'",
	"SELECT * FROM rxtrack.status_history('$some')",
	"SELECT status FROM rxtrack.submit('" . to_json(bundle(task(prescription_id => $some))) . "', gen_random_uuid()::text,
		'A pharmacy system')")
{
	$session->sql($query);
	my $plan = from_json($session->sql("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) $query"))->[0]{Plan};
	my $buffers = $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
	cmp_ok($buffers, '<=', 60, substr($query, 0, 40) . "... looks at $buffers buffers");
}

done_testing();
