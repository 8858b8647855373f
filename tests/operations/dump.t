# pg_dump and pg_restore: a database comes back as it was, silently, and goes on from there.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Session;
use Test::More;

my $source = node(conf => "max_connections = 30\n");
my $key = add_application($source, 'A pharmacy system');
add_application($source, "Another's", 'updates:read');

# ---------- What is to be saved ----------

my %item = (prescription_id => random_prescription_id(), line_item_id => uuid(), nhs_number => random_nhs_number());
my $old = [ uuid(), bundle(task(%item, business_status => 'Ready to Collect', last_modified => '2026-01-01T10:00:00.123456Z', issue_number => 3)) ];

sub sql { my ($node, $database, $sql) = @_; return $node->safe_psql($database, $sql) }

# A request as the gateway would put it; what it is told.
sub request
{
	my ($node, $database, $request_id, $bundle) = @_;
	return sql($node, $database, sprintf q{SELECT status FROM rxtrack_http.submit('updates:write', ARRAY['\x%s'::bytea], ARRAY['%s'], ARRAY[NULL], ARRAY[convert_to('%s', 'UTF8')])},
		sha256_hex($key), $request_id, to_json($bundle));
}

my $tomorrow = sql($source, 'rxtrack', q{SELECT to_char((now() + interval '1 day') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')});
my @told = map { request($source, 'rxtrack', @$_) } $old,
  [ uuid(), bundle(task(%item, business_status => 'Collected', last_modified => '2026-01-01T11:00:00Z')) ],
  [ uuid(), bundle(task(%item, business_status => 'With Pharmacy', last_modified => '2026-01-01T12:00:00+01:00')) ],
  [ uuid(), bundle(task(%item, business_status => 'With Pharmacy', last_modified => '2026-01-01T09:00:00Z')) ],
  [ uuid(), bundle(task(%item, business_status => 'Ready to Collect - Partial', last_modified => $tomorrow, set_at => '2026-01-01T14:00:00Z')) ],
  [ uuid(), bundle(task(%item, business_status => 'Ready to Collect - Partial', last_modified => $tomorrow, set_at => '2026-01-01T15:00:00Z')) ];
is("@told", '201 ' x 5 . '201', 'updates are stored');
sql($source, 'rxtrack', <<"SQL");
ALTER DATABASE rxtrack SET rxtrack.transition_policy = 'warn';
ALTER DATABASE rxtrack SET rxtrack.sandbox = on;
CREATE ROLE analyst;
GRANT SELECT ON rxtrack.item_status TO analyst;
UPDATE rxtrack.transition_rule SET kind = 'correction' WHERE from_status = 'With Pharmacy' AND to_status = 'Collected';
UPDATE rxtrack.transition_rule SET kind = 'forward' WHERE from_status = 'Collected' AND to_status = 'Dispatched';
INSERT INTO rxtrack.transition_rule VALUES ('Dispatched', 'Not Dispensed', 'forward');
INSERT INTO rxtrack.transition_rule VALUES ('Dispatched', 'Ready to Dispatch', 'forward');
DELETE FROM rxtrack.transition_rule WHERE from_status = 'Not Dispensed';
DELETE FROM rxtrack.transition_rule WHERE from_status = 'Dispatched' AND to_status = 'Ready to Dispatch';
INSERT INTO rxtrack.transition_rule VALUES ('Not Dispensed', 'Dispatched', 'correction');
INSERT INTO rxtrack_internal.public_key (application_id, kid, pem) SELECT application_id, 'k', 'a key' FROM rxtrack_internal.application;
INSERT INTO rxtrack_internal.used_assertion SELECT application_id, 'j', 'infinity' FROM rxtrack_internal.application;
INSERT INTO rxtrack.last_removed_release VALUES (1);
SELECT rxtrack.enable_alerts(ods_codes => '{A1}'), rxtrack.block_alerts('{B2}', 'wrong patients'), rxtrack.enable_alerts(application => 'A pharmacy system');
SELECT rxtrack.grant_events('rxtrack_listener', '{A1,B2}');
SELECT rxtrack.add_subscription('all');
INSERT INTO rxtrack.rehearsal VALUES ('${\random_prescription_id()}', 503, 2), ('${\random_prescription_id()}', 429, NULL);
SQL
is(request($source, 'rxtrack', uuid(), bundle(task(%item, business_status => 'Not Dispensed', last_modified => '2026-01-02T00:00:00Z'),
	task(%item, business_status => 'Ready to Collect', last_modified => '2026-01-02T00:00:01Z'))), 201, 'one of them against the rules');
is(sql($source, 'rxtrack', 'SELECT count(DISTINCT kind) FROM rxtrack.status_update'), 6, 'there are updates of all kinds');

# One that waits in the inbox, and a patient whom another application has named.
sql($source, 'rxtrack', <<'SQL');
INSERT INTO rxtrack_internal.readiness_inbox (prescription_id, status, post_dated, nhs_number, task_id, line_item_id, issue_number, ods_code, occurred_at, due_at,
	application_id, is_withdrawal, in_conflict)
SELECT prescription_id, status, post_dated, nhs_number, gen_random_uuid(), line_item_id, issue_number, ods_code, occurred_at, now(), application_id, false, false
FROM rxtrack.readiness_event LIMIT 1;
SQL
my $other_patient = bundle(task(%item, nhs_number => random_nhs_number(), business_status => 'Ready to Collect', last_modified => '2026-01-01T08:00:00Z'));
is(sql($source, 'rxtrack', sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'Another''s')}, to_json($other_patient), uuid()), 201, 'another patient');

# ---------- What is compared ----------

my @tables = split /\n/, sql($source, 'rxtrack', <<'SQL');
SELECT c.oid::regclass FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' ORDER BY 1::text
SQL

my %question = (
	(map { $_ => qq{SELECT t FROM $_ t ORDER BY t::text COLLATE "C"} } @tables),
	sequences => "SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE schemaname ~ '^rxtrack' ORDER BY 1",
	judgements => "WITH status AS (SELECT DISTINCT from_status AS s FROM rxtrack.transition_rule UNION SELECT 'Not Dispensed')"
	  . ' SELECT f.s, t.s, rxtrack.check_transition(f.s::text, t.s::text) FROM status f, status t ORDER BY 1, 2',
	status => 'SELECT * FROM rxtrack.item_status',
	granted => "SELECT has_table_privilege('analyst', 'rxtrack.item_status', 'SELECT')");

sub contents
{
	my ($node, $database) = @_;
	my $answers = sql($node, $database, join "\n", map { "\\echo == $_\n$question{$_};" } sort keys %question);
	return { $answers =~ /^== (\S+)\n(.*?)(?=^== |\z)/msg };
}

my $saved = contents($source, 'rxtrack');
my $last = sql($source, 'rxtrack', 'SELECT rxtrack_internal.last_release()');
ok(keys %$saved == keys %question && !(grep { $_ eq '' } values %$saved), 'no table is empty') or diag(explain($saved));

sub listener
{
	my ($node, $database) = @_;
	my $listener = RxTrack::Session->new($node, $database);
	$listener->sql('LISTEN rxtrack_ready; LISTEN rxtrack_ready_y12345');
	return $listener;
}

# It is as it was, and goes on.
sub check_restored
{
	my ($what, $node, $database, $listener) = @_;
	is_deeply(contents($node, $database), $saved, "$what: all is as it was");
	if ($listener)
	{
		$listener->sql('SELECT 1');
		is($listener->notifications, 0, "$what: nobody was notified");
	}
	is(request($node, $database, @$old), 201, "$what: a retry of an old request is one still");
	is_deeply(contents($node, $database), $saved, "$what: and stores nothing");
	is(request($node, $database, uuid(), $old->[1]), 409, "$what: the task is a duplicate for any other");
	is(request($node, $database, uuid(), bundle(task(business_status => 'Ready to Collect'))), 201, "$what: a new update is stored");
	ok($listener->sql('SELECT 1') eq '1' && $listener->notifications > 0, "$what: and notified") if $listener;
	my ($count, $first, $highest) = split /\|/, sql($node, $database, "SELECT count(*), min(release_number), max(release_number) FROM rxtrack.readiness_event WHERE release_number > $last");
	is($count, 2, "$what: it is released, and that in the inbox too");
	cmp_ok($first, '>=', $last + 10_000_000, "$what: with a number that the first place can not have given");
	is($highest, $first + 1, "$what: and the next one");
	like(sql($node, $database, "SELECT rxtrack.add_application('A third', '{}')"), qr/^rxtrack_/, "$what: so are applications");
	return;
}

my $file = PostgreSQL::Test::Utils::tempdir() . '/dump';

sub dump_source
{
	$source->command_ok([ 'pg_dump', '-d', $source->connstr('rxtrack'), '-f', $file, @_ ], "pg_dump @_");
	return;
}

# ---------- Into databases of the same server ----------

dump_source('-Fc');
sql($source, 'postgres', 'CREATE DATABASE restored TEMPLATE template0');
my $listener = listener($source, 'restored');
command_ok([ 'pg_restore', '--exit-on-error', '-d', $source->connstr('restored'), $file ], 'pg_restore');
check_restored('in another database', $source, 'restored', $listener);

sql($source, 'postgres', 'CREATE DATABASE parallel TEMPLATE template0');
command_ok([ 'pg_restore', '-j', 3, '-d', $source->connstr('parallel'), $file ], 'pg_restore by many hands');
check_restored('by many hands', $source, 'parallel');

dump_source('-Fp');
sql($source, 'postgres', 'CREATE DATABASE plain TEMPLATE template0');
$listener = listener($source, 'plain');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $source->connstr('plain'), '-f', $file ], 'psql');
check_restored('by psql', $source, 'plain', $listener);

# What was restored can be dumped and restored again.
my $again = contents($source, 'plain');
sql($source, 'postgres', 'CREATE DATABASE again TEMPLATE template0');
command_ok([ 'pg_dump', '-Fc', '-d', $source->connstr('plain'), '-f', $file ], 'pg_dump of what was restored');
command_ok([ 'pg_restore', '--exit-on-error', '--single-transaction', '-d', $source->connstr('again'), $file ], 'pg_restore, in one transaction');
is_deeply(contents($source, 'again'), $again, 'all is as it was again');

# ---------- Into another server ----------

dump_source('-Fc');
my $target = node(name => 'target', database => 0);
sql($target, 'postgres', 'CREATE ROLE analyst');
command_ok([ 'pg_restore', '--exit-on-error', '--create', '-d', $target->connstr('postgres'), $file ], 'pg_restore --create');
check_restored('in another server', $target, 'rxtrack');
is(sql($target, 'rxtrack', "SELECT rxtrack.check_transition('Collected', 'Collected'); SHOW rxtrack.transition_policy; SHOW rxtrack.sandbox"),
	"repeat\nwarn\non", 'settings of the database are in force there');

# The key and the data serve through a gateway.
create_gateway_role($target);
my $gateway = gateway($target);
is($gateway->post($old->[1], key => $key, request_id => $old->[0])->{status}, 201, 'the retry through a gateway');
is($gateway->post(bundle(task()), key => $key)->{status}, 201, 'and a new update');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
