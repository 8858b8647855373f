# What becomes of promises and withdrawals while others are at work: a dispatcher in the middle of a batch, locks, settlements.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use RxTrack::Load;
use RxTrack::Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = listening_node(conf => "log_statement = none\nmax_prepared_transactions = 5\n");
my $session = RxTrack::Session->new($node);

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

sub submission { return sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'Pharmacy')}, to_json(bundle(@_)), uuid() }

sub moment { return sql("SELECT to_char((now() + interval '1 s' * $_[0]) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')") }

# That the item of a supply will be ready in so many seconds.
sub promise
{
	my ($seconds, %supply) = @_;
	return task(%supply, business_status => 'Ready to Collect', last_modified => moment($seconds), set_at => moment(-1));
}

sub supply { return (prescription_id => random_prescription_id(), line_item_id => uuid(), nhs_number => random_nhs_number(), ods_code => 'Y12345', @_) }

# The events of a supply, in their order: "Ready to Collect, With Pharmacy withdraws".
sub events
{
	my (%supply) = @_;
	return sql("SELECT string_agg(status || CASE WHEN withdraws IS NULL THEN '' ELSE ' withdraws' END, ', ' ORDER BY release_number)
		FROM rxtrack.readiness_event WHERE line_item_id = '$supply{line_item_id}'");
}

sub dispatcher { return sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'rxtrack dispatcher'") }

my $dispatcher;
ok(wait_until(sub { ($dispatcher = dispatcher()) =~ /^\d+$/ }), 'the dispatcher is there') or BAIL_OUT('no dispatcher');

# ---------- A dispatcher in the middle of a batch ----------

# One promise makes it wait in a trigger, for a lock that this test has; three others of the batch come after it.
sql(q{CREATE FUNCTION public.wait_here() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(4711); RETURN NEW; END';
	CREATE TRIGGER wait_here BEFORE INSERT ON rxtrack.readiness_event FOR EACH ROW WHEN (NEW.ods_code = 'WAIT1') EXECUTE FUNCTION public.wait_here()});
$session->sql('SELECT pg_advisory_lock(4711)');
my %first = supply(ods_code => 'WAIT1');
my %told = map { $_ => { supply() } } qw(ready back put_off);
is(sql(submission(promise(2, %first), map { promise(3, %{ $told{$_} }) } sort keys %told)), 201, 'promises');
kill 'STOP', $dispatcher;
sleep 3.5;
kill 'CONT', $dispatcher;
ok(wait_until(sub { sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") eq '1' }), 'the first is being released');
is(sql(submission(task(%{ $told{ready} }, business_status => 'Ready to Collect'))), 201, 'a second is reported meanwhile');
is(sql(submission(task(%{ $told{back} }, business_status => 'With Pharmacy'))), 201, 'a third is taken back');
is(sql(submission(promise(3, %{ $told{put_off} }))), 201, 'and the last is put off');
$session->sql('SELECT pg_advisory_unlock(4711)');
ok(wait_for_release($node), 'the dispatcher goes on');
is(events(%first), 'Ready to Collect', 'the first is told');
is(events(%{ $told{ready} }), 'Ready to Collect', 'the second, which had begun, once');
is(events(%{ $told{back} }), 'Ready to Collect, With Pharmacy withdraws', 'the third, and that it is taken back');
is(events(%{ $told{put_off} }), 'Ready to Collect, Ready to Collect withdraws', 'the last likewise');
ok(wait_until(sub { events(%{ $told{put_off} }) eq 'Ready to Collect, Ready to Collect withdraws, Ready to Collect' }), 'and again at its new time');
is(dispatcher(), $dispatcher, 'the dispatcher has had no error');
sql('DROP FUNCTION public.wait_here() CASCADE');

# ---------- Locks ----------

my (%locked, %free);
%locked = (supply => { supply() }, promise => { supply() });
%free = supply();
is(sql(submission(map { promise(2, %$_) } values %locked, \%free)), 201, 'promises');
$session->sql('BEGIN');
$session->sql("SELECT FROM rxtrack.supply WHERE line_item_id = '$locked{supply}{line_item_id}' FOR UPDATE");
$session->sql("SELECT FROM rxtrack.readiness_promise WHERE line_item_id = '$locked{promise}{line_item_id}' FOR UPDATE");
ok(wait_until(sub { events(%free) eq 'Ready to Collect' }), 'one is told when it is due');
is(events(%{ $locked{$_} }), '', "one whose $_ is locked is not, and holds up nobody") for sort keys %locked;
make_ready($node, 1);
ok(wait_until(sub { sql(q{SELECT count(*) FROM rxtrack_internal.readiness_inbox}) eq '0' }), 'what comes meanwhile is told');
$session->sql('COMMIT');
ok(wait_until(sub { events(%{ $locked{$_} }) eq 'Ready to Collect' }), "when the $_ is free, it is") for sort keys %locked;

# A submission that holds the supply and replaces the promise, while it comes due.
my %busy = supply();
is(sql(submission(promise(2, %busy))), 201, 'a promise');
$session->sql('BEGIN');
$session->sql(submission(task(%busy, business_status => 'With Pharmacy')));
sleep 2.5;
is(events(%busy), '', 'comes due while what replaces it is being stored');
$session->sql('COMMIT');
ok(wait_until(sub { sql("SELECT count(*) FROM rxtrack.pending_events WHERE line_item_id = '$busy{line_item_id}'") eq '0' }), 'and is settled');
is(events(%busy), '', 'nothing is told');
%busy = supply();
is(sql(submission(promise(2, %busy))), 201, 'another one');
$session->sql('BEGIN');
$session->sql(submission(task(%busy, business_status => 'With Pharmacy')));
sleep 2.5;
$session->sql('ROLLBACK');
ok(wait_until(sub { events(%busy) eq 'Ready to Collect' }), 'where that is rolled back it is told');

# The same by a prepared transaction.
%busy = supply();
is(sql(submission(promise(2, %busy))), 201, 'another one');
$session->sql('BEGIN');
$session->sql(submission(task(%busy, business_status => 'With Pharmacy')));
$session->sql("PREPARE TRANSACTION 'p'");
sleep 2.5;
is(events(%busy), '', 'waits for a transaction that is prepared');
sql("COMMIT PREPARED 'p'");
ok(wait_until(sub { sql("SELECT count(*) FROM rxtrack.pending_events WHERE line_item_id = '$busy{line_item_id}'") eq '0' }), 'and is settled as that says');
is(events(%busy), '', 'nothing is told');

# Isolation that keeps a snapshot: what was released since is no reason to go wrong.
%busy = supply();
is(sql(submission(promise(2, %busy))), 201, 'another one');
for my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	$session->sql("BEGIN ISOLATION LEVEL $level");
	$session->sql('SELECT count(*) FROM rxtrack.supply');
	ok(wait_until(sub { events(%busy) eq 'Ready to Collect' }), "$level: it is told") if $level eq 'REPEATABLE READ';
	my $status = $session->sql(submission(task(%busy, business_status => $level eq 'SERIALIZABLE' ? 'Ready to Collect' : 'With Pharmacy')));
	$session->sql('COMMIT');
	like($status, qr/^(?:201|40001)$/, "$level: what comes in a transaction with an older snapshot is stored, or is to be sent again");
	is(sql(submission(task(%busy, business_status => $level eq 'SERIALIZABLE' ? 'Ready to Collect' : 'With Pharmacy'))), 201, "$level: as it is");
	wait_for_release($node);
}
is(events(%busy), 'Ready to Collect, With Pharmacy withdraws, Ready to Collect', 'all is told once');

# ---------- Settlements ----------

my %settled = supply();
my $other = random_nhs_number();
for my $status ('Ready to Collect', 'Collected', 'Ready to Collect') { is(sql(submission(task(%settled, business_status => $status))), 201, $status) }
wait_for_release($node);
sql("SELECT rxtrack.settle_patient('$settled{prescription_id}', '$settled{nhs_number}', 'asked again')");
sleep 0.5;
is(events(%settled), 'Ready to Collect, Ready to Collect', 'S5: a settlement on the same patient takes nothing back');
my $begun = time;
sql("SELECT rxtrack.settle_patient('$settled{prescription_id}', '$other', 'asked', force => true)");
ok(wait_until(sub { events(%settled) eq 'Ready to Collect, Ready to Collect, Ready to Collect withdraws' }), 'S5: one on another takes back what is ready');
cmp_ok(time - $begun, '<', 3, 'S5: at once');
is(sql("SELECT string_agg(DISTINCT nhs_number::text, ' ') FROM rxtrack.readiness_event WHERE line_item_id = '$settled{line_item_id}'"), $settled{nhs_number},
	'S5: and tells the one who was told');
is(sql(submission(task(%settled, nhs_number => $other, business_status => 'With Pharmacy'))), 201, 'With Pharmacy');
wait_for_release($node);
is(events(%settled), 'Ready to Collect, Ready to Collect, Ready to Collect withdraws', 'S5: nothing is taken back twice');
is(sql("BEGIN; SELECT rxtrack.settle_patient('$settled{prescription_id}', '$settled{nhs_number}', 'undone'); ROLLBACK; SELECT count(*) FROM rxtrack.pending_events WHERE NOT post_dated"), "\n0",
	'S5: of one that is rolled back nothing is left');

# Without a dispatcher, at its own commit.
my $plain = listening_node(name => 'plain', worker => 0, conf => "max_prepared_transactions = 5\n");
sub plain { return $plain->safe_psql('rxtrack', $_[0]) }
%settled = supply();
is(plain(submission(task(%settled, business_status => 'Ready to Collect'))), 201, 'without a dispatcher');
plain("SELECT rxtrack.settle_patient('$settled{prescription_id}', '$other', 'asked', force => true)");
is(plain("SELECT string_agg(release_number || coalesce(' withdraws ' || withdraws, ''), ', ' ORDER BY release_number) FROM rxtrack.readiness_event"), '1, 2 withdraws 1',
	'S5: what a settlement takes back is released at its commit');
# What it takes back is of a prepared transaction, and still in the inbox.
my %prepared = supply();
plain("BEGIN; ${\submission(task(%prepared, business_status => 'Ready to Collect'))}; PREPARE TRANSACTION 'q'");
plain("COMMIT PREPARED 'q'");
is(plain(submission(task(%prepared, business_status => 'Not Dispensed'))), 201, 'what was ready by a prepared transaction is not dispensed');
is(plain("SELECT string_agg(release_number || coalesce(' withdraws ' || withdraws, ''), ', ' ORDER BY release_number) FROM rxtrack.readiness_event WHERE release_number > 2"), '3, 4 withdraws 3',
	'S5: both are told, in their order');

# ---------- Many at once ----------

# Suppliers who promise, tell and take back items of a few supplies, while time goes by: at the end each is told as it stands.
my @supplies = map { { supply() } } 1 .. 6;
my @suppliers = map { RxTrack::Session->new($node) } 1 .. 4;
my @status = ('Ready to Collect', 'With Pharmacy', 'Ready to Collect - Partial');
srand(my $seed = $ENV{PROMISES_SEED} || int rand 1 << 31);
note("PROMISES_SEED=$seed");
my $refused = 0;
for my $round (1 .. 120)
{
	my $supply = $supplies[ rand @supplies ];
	my $task = rand() < 0.5 ? promise(rand 2, %$supply) : task(%$supply, business_status => $status[ rand @status ]);
	$task->{businessStatus}{coding}[0]{code} = 'With Pharmacy' if $task->{meta} && rand() < 0.3;
	my $answer = $suppliers[ rand @suppliers ]->sql(submission($task));
	$refused++ if $answer !~ /^(?:201|422)$/;
	sleep 0.02 + rand 0.05;
}
is($refused, 0, 'no call fails');
sleep 2.5;
ok(wait_for_release($node), 'all is settled');
is(dispatcher(), $dispatcher, 'the dispatcher has had no error');
is(sql('SELECT max(release_number) - min(release_number) + 1 - count(*) FROM rxtrack.readiness_event'), 0, 'numbers have no gap');
my $items = join ',', map { "'$_->{line_item_id}'" } @supplies;
is(sql(<<"SQL"), '', 'what was told last of each supply is whether it is ready');
SELECT s.line_item_id, s.status, e.status, e.withdraws FROM rxtrack.supply_status s
LEFT JOIN LATERAL (SELECT e.status, e.withdraws, e.release_number FROM rxtrack.readiness_event e WHERE e.line_item_id = s.line_item_id
	ORDER BY e.release_number DESC LIMIT 1) e ON true
WHERE s.line_item_id IN ($items) AND (s.status::text LIKE 'Ready%') <> (e.release_number IS NOT NULL AND e.withdraws IS NULL)
SQL
is(sql("SELECT count(*) FROM rxtrack.readiness_event w JOIN rxtrack.readiness_event e ON e.release_number = w.withdraws
	WHERE e.line_item_id IN ($items) AND (e.withdraws IS NOT NULL OR e.line_item_id <> w.line_item_id OR EXISTS (
		SELECT FROM rxtrack.readiness_event b WHERE b.line_item_id = e.line_item_id AND b.release_number > e.release_number AND b.release_number < w.release_number))"), 0,
	'and what was taken back is what was told just before');
unlike(slurp_file($node->logfile), qr/deadlock|PANIC|tuple concurrently/, 'nobody has been in another\'s way');

done_testing();
