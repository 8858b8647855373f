# Two sessions in step: a change of the transition rules is seen at once after its commit and never before, whatever the
# other session was doing, and an error leaves a session as usable as it was.
use strict;
use warnings;
use RxTrack;
use RxTrack::Audit;
use RxTrack::Session;
use Test::More;

my $node = node();
my $key = add_application($node, 'A pharmacy system');
my %item = (prescription_id => random_prescription_id(), line_item_id => uuid(), nhs_number => random_nhs_number());

my $minutes = 0;

sub submit_sql
{
	my ($status) = @_;
	my $bundle = to_json(bundle(task(%item, business_status => $status,
		last_modified => sprintf '2026-01-01T10:%02d:00Z', ++$minutes)));
	return "SELECT status FROM rxtrack.submit('$bundle', gen_random_uuid()::text, 'A pharmacy system')";
}

sub wait_until_blocked
{
	$node->poll_query_until('rxtrack', "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'
		AND datname = 'rxtrack'")
	  or die 'nobody waits';
	return;
}

my ($dba, $other) = map { RxTrack::Session->new($node) } 1 .. 2;
my $may = "SELECT rxtrack.check_transition('Collected', 'Not Dispensed')";
my $allow = "INSERT INTO rxtrack.transition_rule VALUES ('Collected', 'Not Dispensed', 'forward')";
my $forbid = "DELETE FROM rxtrack.transition_rule WHERE from_status = 'Collected' AND to_status = 'Not Dispensed'";

# ---------- A change of the rules ----------

is($other->sql($may), 'unexpected', 'the session has read the rules');
$dba->sql('BEGIN');
$dba->sql($allow);
is($dba->sql($may), 'forward', 'who changes a rule sees the change');
is($other->sql($may), 'unexpected', 'before the commit nobody else does');
$dba->sql('COMMIT');
is($other->sql($may), 'forward', 'after it, everybody');

for my $end ('ROLLBACK', 'ROLLBACK TO s; COMMIT')
{
	$dba->sql($_) for 'BEGIN', 'SAVEPOINT s', $forbid;
	is($dba->sql($may), 'unexpected', 'who deletes a rule misses it');
	$dba->sql($end);
	is($dba->sql($may), 'forward', "and has it back after $end");
	is($other->sql($may), 'forward', 'which nobody else has noticed');
}

$other->sql($_) for 'BEGIN', $may;
$dba->sql($forbid);
is($other->sql($may), 'unexpected', 'a change is seen in the middle of a transaction');
$other->sql('COMMIT');

$other->sql($_) for 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM rxtrack.supply';
$dba->sql($allow);
$other->sql('SELECT count(*) FROM rxtrack.readiness_event');	# a lock, with which it hears of the change
is($other->sql($may), 'unexpected', 'but not by a transaction that keeps to its snapshot');
$other->sql('COMMIT');
is($other->sql($may), 'forward', 'nor is what that one read kept for the next');

$dba->sql($_) for 'BEGIN', 'TRUNCATE rxtrack.transition_rule';
is($dba->sql("SELECT rxtrack.check_transition('With Pharmacy', 'Collected')"), 'unexpected',
	'TRUNCATE is a change too');
$dba->sql('ROLLBACK');
$dba->sql($forbid);

my $third = RxTrack::Session->new($node);
$dba->sql($_) for 'BEGIN', 'LOCK TABLE rxtrack.transition_rule';
is($third->sql("LOAD 'rxtrack'; SET lock_timeout = '100ms'; $may"), '55P03', 'rules that cannot be read are an error');
$dba->sql('COMMIT');
is($third->sql($may), 'unexpected', 'and are read the next time');

# ---------- Waiting for an item's lock ----------

is($other->sql(submit_sql('Collected')), '201', 'an item is collected');
is($other->sql(submit_sql('Not Dispensed')), '422', 'and cannot be undispensed');
my $lock = "SELECT count(*) FROM (SELECT FROM rxtrack.supply FOR UPDATE) AS locked";
$dba->sql($_) for 'BEGIN', $lock;
$other->send(submit_sql('Not Dispensed'));
wait_until_blocked();
$dba->sql($_) for $allow, 'COMMIT';
is($other->answer, '201', 'what waits for a lock is judged by the rules of when it gets it');

$dba->sql('BEGIN');
is($dba->sql(submit_sql('Ready to Collect')), '201', 'an update that is yet to be committed');
$other->send(submit_sql('Collected'));
wait_until_blocked();
$dba->sql('COMMIT');
is($other->answer, '201', 'is what the next one is judged against');
is($node->safe_psql('rxtrack', 'SELECT string_agg(kind::text, chr(32) ORDER BY receipt) FROM rxtrack.status_update'),
	'first forward correction forward', 'and all are of the right kinds');

# ---------- A name of an application ----------

# Who an update is from: the application's id.
my $empty = q('{"resourceType": "Bundle", "type": "transaction"}');
my $known = "SELECT status FROM rxtrack.submit($empty, gen_random_uuid()::text, 'A pharmacy system')";
my $rename = "UPDATE rxtrack_internal.application SET name = 'A renamed system' WHERE name = 'A pharmacy system'";
is($other->sql($known), '200', 'a session names an application');
for my $end ('ROLLBACK', 'ROLLBACK TO s; COMMIT')
{
	$dba->sql($_) for 'BEGIN', 'SAVEPOINT s', $rename;
	is($dba->sql("SAVEPOINT t; $known"), '42704', 'who renames it misses it');
	is($other->sql($known), '200', 'before the commit nobody else does');
	$dba->sql($end);
	is($dba->sql($known), '200', "and has it back after $end");
}
$dba->sql($_) for $rename, "SELECT rxtrack.add_application('A pharmacy system', '{updates:write}')";
is($other->sql("SELECT application_id FROM rxtrack_internal.application WHERE name = 'A pharmacy system'"), '2', 'another one gets its name');
$other->sql(submit_sql('Not Dispensed') =~ s/\Q$item{prescription_id}\E/random_prescription_id()/er);
is($node->safe_psql('rxtrack', 'SELECT string_agg(DISTINCT application_id::text, chr(32)) FROM rxtrack.status_update'), '1 2',
	'and what is submitted in that name is from then on its own');

# What a session has read of an old snapshot, between two that it reads of today.
$dba->sql('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $snapshot = $dba->sql('SELECT pg_export_snapshot()');
$node->safe_psql('rxtrack', q{UPDATE rxtrack_internal.application SET name = 'A short-lived one' WHERE application_id = 2;
	SELECT rxtrack.add_application('A pharmacy system', '{updates:write}')});
is($other->sql($known =~ s/A pharmacy system/A renamed system/r), '200', 'a session names one');
$other->sql($_) for 'BEGIN ISOLATION LEVEL REPEATABLE READ', "SET TRANSACTION SNAPSHOT '$snapshot'";
is($other->sql($known), '200', 'then another, by a snapshot in which the name was an application\'s of before');
$_->sql('COMMIT') for $other, $dba;
$other->sql(submit_sql('Not Dispensed') =~ s/\Q$item{prescription_id}\E/random_prescription_id()/er);
is($node->safe_psql('rxtrack', 'SELECT string_agg(DISTINCT application_id::text, chr(32)) FROM rxtrack.status_update'), '1 2 3',
	'and after it the name is that of today');
$dba->sql($_) for "UPDATE rxtrack_internal.application SET name = 'Another short-lived one' WHERE application_id = 3",
	"UPDATE rxtrack_internal.application SET name = 'A pharmacy system' WHERE application_id = 1";
$node->safe_psql('rxtrack', "DELETE FROM rxtrack.$_ WHERE application_id IN (2, 3)") for qw(status_update supply prescription_patient);

# ---------- An error in the middle ----------

$dba->sql($_) for 'BEGIN', $lock;
$other->sql("SET lock_timeout = '100ms'");
is($other->sql(submit_sql('Collected')), '55P03', 'a wait that takes too long is an error');
is($other->sql('SELECT 1'), '1', 'which leaves the session usable');
is($other->sql("DO \$\$ BEGIN PERFORM rxtrack.submit('{}', gen_random_uuid()::text, 'nobody');
	EXCEPTION WHEN undefined_object THEN NULL; END \$\$"), '', 'as it does in a block');

my $gateway = gateway($node, env => { RXTRACK_DATABASE_CONNECTIONS => 1, RXTRACK_REQUEST_TIMEOUT => 1 });
my $task = task(%item, business_status => 'Collected', last_modified => '2026-01-02T00:00:00Z');
my $request_id = uuid();
is($gateway->post(bundle($task), key => $key, request_id => $request_id)->{status}, 504, 'the gateway says so');
$dba->sql('COMMIT');
is($gateway->post(bundle($task), key => $key, request_id => $request_id)->{status}, 201, 'and its connection goes on');
is($other->sql(submit_sql('Collected')), '201', 'as does the session');
is(audit($node, kinds => 0), '', 'the books balance');

done_testing();
