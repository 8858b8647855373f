# Who waits for whom: writers on two issues of an item for nobody, ten on one supply in turn and without a deadlock, and a settlement for
# who begins another supply of the prescription, and he for it, so that none is shown to the wrong patient.
use strict;
use warnings;
use RxTrack;
use Test::More;

my $node = node();
add_application($node, 'A pharmacy system');
$node->safe_psql('rxtrack', 'CREATE SCHEMA test; CREATE TABLE test.told (status integer)');
my @sessions = map { $node->background_psql('rxtrack') } 1 .. 10;
my @patients = map { random_nhs_number() } 1 .. 2;

sub submission
{
	my (@tasks) = @_;
	return sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'A pharmacy system');}, to_json(bundle(@tasks)), uuid();
}

# A prescription that is known, of the first patient's.
sub known_prescription
{
	my $id = random_prescription_id();
	$node->safe_psql('rxtrack', submission(task(prescription_id => $id, nhs_number => $patients[0], business_status => 'Ready to Collect')));
	return $id;
}

# Lets a session begin a statement, and goes on.
sub begin
{
	my ($session, $statement) = @_;
	$session->query_until(qr/begun/, "\\echo begun\n$statement\n");
	return;
}

sub somebody_waits
{
	my ($name) = @_;
	ok($node->poll_query_until('rxtrack', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}), $name);
	return;
}

sub conflicts
{
	my ($id) = @_;
	return $node->safe_psql('rxtrack', "SELECT ods_code, named, patient, shown FROM rxtrack.patient_conflicts WHERE prescription_id = '$id' AND ods_code = 'NEW'");
}

sub shown
{
	my ($id) = @_;
	return $node->safe_psql('rxtrack', "SELECT count(*) FROM rxtrack.supply_status WHERE prescription_id = '$id' AND ods_code = 'NEW'");
}

# ---------- Two issues ----------

my ($id, $item) = (known_prescription(), uuid());
my @issue = map { { prescription_id => $id, line_item_id => $item, nhs_number => $patients[0], issue_number => $_ } } 1, 2;
$_->query_safe("SET lock_timeout = '10s'") for @sessions[ 0, 1 ];
for my $what ('begin', 'go on')
{
	$_->query_safe('BEGIN') for @sessions[ 0, 1 ];
	is($sessions[$_]->query_safe(submission(task(%{ $issue[$_] }))), 201, 'a writer on an issue') for 0, 1;
	is($node->safe_psql('rxtrack', q{SELECT count(*) FROM pg_locks WHERE NOT granted}), 0, "two issues of an item $what without waiting");
	$_->query_safe('COMMIT') for @sessions[ 0, 1 ];
}
$_->query_safe('SET lock_timeout = 0') for @sessions[ 0, 1 ];

# ---------- Ten on one supply ----------

for my $round (1 .. 3)
{
	my ($supply, $another) = map { { prescription_id => random_prescription_id(), line_item_id => uuid(), nhs_number => $patients[0] } } 1 .. 2;
	for my $n (0 .. 9)
	{
		my @tasks = map { task(%$_) } $n % 2 ? ($supply, $another, $supply) : ($another, $supply, $supply);
		begin($sessions[$n], join '', map { "INSERT INTO test.told $_" } submission(@tasks), submission(map { task(%$_) } $another, $supply));
	}
	$_->query_safe('SELECT') for @sessions;
	is($node->safe_psql('rxtrack', 'WITH told AS (DELETE FROM test.told RETURNING status) SELECT count(*), min(status), max(status) FROM told'), '20|201|201', 'all ten are told 201, twice');
	is($node->safe_psql('rxtrack', "SELECT max(receipt), count(*) FROM rxtrack.status_update WHERE prescription_id = '$supply->{prescription_id}'"), '30|30', 'and nothing is lost');
}
is($node->safe_psql('rxtrack', 'SELECT sum(deadlocks) FROM pg_stat_database'), 0, 'without a deadlock');

# ---------- A settlement ----------

my ($writer, $operator) = @sessions;

sub settlement
{
	my ($id) = @_;
	return "SELECT rxtrack.settle_patient('$id', '$patients[1]', 'a telephone call', force => true);";
}

$id = known_prescription();
$writer->query_safe('BEGIN');
$writer->query_safe(submission(task(prescription_id => $id, nhs_number => $patients[0], ods_code => 'NEW')));
begin($operator, settlement($id));
somebody_waits('who settles waits for who begins a supply');
$writer->query_safe('COMMIT');
$operator->query_safe('SELECT 1');
is(conflicts($id), "NEW|$patients[0]|$patients[1]|f", 'which is in conflict then');
is(shown($id), 0, 'and shown to nobody');

$id = known_prescription();
$operator->query_safe('BEGIN');
$operator->query_safe(settlement($id));
begin($writer, submission(task(prescription_id => $id, nhs_number => $patients[0], ods_code => 'NEW')));
somebody_waits('who begins a supply waits for who settles');
$operator->query_safe('COMMIT');
$writer->query_safe('SELECT 1');
is(conflicts($id), "NEW|$patients[0]|$patients[1]|f", 'and is in conflict with the new patient');
is(shown($id), 0, 'and shown to nobody');

# Where the updates of a supply were deleted, its row knows whom they named.
$id = known_prescription();
$node->safe_psql('rxtrack', submission(task(prescription_id => $id, nhs_number => $patients[0], ods_code => 'NEW')));
$node->safe_psql('rxtrack', "DELETE FROM rxtrack.status_update WHERE prescription_id = '$id' AND ods_code = 'NEW'");
$node->safe_psql('rxtrack', settlement($id));
is(conflicts($id), "NEW|$patients[0]|$patients[1]|f", 'a supply without updates is in conflict as well');
is(shown($id), 0, 'and shown to nobody');
$node->safe_psql('rxtrack', "SELECT rxtrack.settle_patient('$id', '$patients[0]', 'a mistake')");
is(shown($id), 1, 'until it is settled the other way');

$_->quit for @sessions;
done_testing();
