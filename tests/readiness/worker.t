# The dispatcher at work: soon, on time, in order, once, beside manual calls, and with nothing skipped.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use RxTrack::Load;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = listening_node(conf => "track_commit_timestamp = on\nmax_prepared_transactions = 5\nlog_statement = none\n");

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

sub dispatcher { return sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'rxtrack dispatcher'") }

# What submits a task, for a session in which something else goes on too.
sub submission
{
	my (@tasks) = @_;
	return sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'Pharmacy')}, to_json(bundle(@tasks)), uuid();
}

sub ready { return task(business_status => 'Ready to Collect', @_) }

sub numbers_of
{
	my (@tasks) = @_;
	my $list = join ',', map { "'$_->{id}'" } @tasks;
	return sql("SELECT string_agg(coalesce(release_number::text, state), ' ' ORDER BY release_number) FROM ${\every_event()} WHERE task_id IN ($list)");
}

sub moment
{
	my ($seconds) = @_;
	return sql("SELECT to_char((now() + interval '1 s' * $seconds) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
}

like(dispatcher(), qr/^\d+$/, 'the dispatcher is there');

# ---------- Soon ----------

my @delays;
for (1 .. 20)
{
	my ($task) = make_ready($node, 1);
	wait_for_release($node) or die 'not released';
	push @delays, sql(<<"SQL");
SELECT 1000 * extract(epoch FROM e.released_at - pg_xact_commit_timestamp(u.xmin))
FROM rxtrack.readiness_event e JOIN rxtrack.status_update u USING (prescription_id, task_id) WHERE task_id = '$task->{id}'
SQL
}
@delays = sort { $a <=> $b } @delays;
note("released after the commit, in ms: @delays[0, 10, 19]");
cmp_ok($delays[10], '<', 250, 'an event is released at once');

# ---------- On time, without looking again and again ----------

my ($soon, $later) = (ready(last_modified => moment(6), set_at => moment(-1)), ready(last_modified => moment(7), set_at => moment(-1)));
is(sql(submission($later, $soon)), 201, 'two promises');
sleep 1;
is(sql("SELECT count(*) FROM rxtrack.readiness_event WHERE task_id IN ('$soon->{id}', '$later->{id}') AND due_at > clock_timestamp()"), 0,
	'are not released before their time');
my $looked = "SELECT state_change FROM pg_stat_activity WHERE backend_type = 'rxtrack dispatcher'";
my $before = sql($looked);
sleep 1;
is(sql($looked), $before, 'the dispatcher sleeps while nothing is due');
ok(wait_until(sub { numbers_of($soon, $later) =~ /^\d+ \d+$/ }), 'they are released');
is(sql("SELECT count(*) FROM rxtrack.readiness_event WHERE post_dated AND released_at - due_at BETWEEN interval '0' AND interval '1 s'"), 2,
	'when they are due');
my $kept = ready(last_modified => moment(3), set_at => moment(-1));
my %item = (prescription_id => $kept->{basedOn}[0]{identifier}{value}, line_item_id => $kept->{focus}{identifier}{value});
is(sql(submission($kept)), 201, 'another promise');
is(sql(submission(task(%item, business_status => 'With Pharmacy'))), 201, 'is withdrawn');
ok(wait_until(sub { numbers_of($kept) eq 'cancelled' }), 'and cancelled when it would have been due');

# ---------- An older event that commits later ----------

my $consumer = 'push';
sql("SELECT rxtrack.add_subscription('$consumer')");
sub fetch { return sql("SELECT string_agg(release_number || ':' || line_item_id, ' ' ORDER BY release_number) FROM rxtrack.fetch_events('$consumer')") }
my ($slow, $quick) = map { $node->background_psql('rxtrack') } 1 .. 2;
my ($first, $second) = (ready(), ready());
$slow->query_safe('BEGIN');
$slow->query_safe(submission($first));
is($quick->query_safe(submission($second)), 201, 'a later update commits first');
ok(wait_until(sub { numbers_of($second) =~ /^\d+$/ }), 'and is released');
my ($number, $item) = split /:/, fetch();
is($item, lc $second->{focus}{identifier}{value}, 'before the one that was recorded first');
is($slow->query_safe("SELECT e.due_at < o.due_at FROM rxtrack_internal.readiness_inbox e, rxtrack.readiness_event o"
	. " WHERE e.task_id = '$first->{id}' AND o.task_id = '$second->{id}'"), 't', 'and was due first');
is(sql("SELECT rxtrack.ack_events('$consumer', $number)"), $number, 'it is fetched and acknowledged');
is(fetch(), '', 'and there is nothing more');
$slow->query_safe('COMMIT');
ok(wait_until(sub { numbers_of($first) =~ /^\d+$/ }), 'then the other one commits');
is(fetch(), $number + 1 . ':' . lc $first->{focus}{identifier}{value}, 'and is delivered: nothing is skipped');
is(sql("SELECT rxtrack.ack_events('$consumer', $number + 1)"), $number + 1, 'acknowledged too');

# ---------- Transactions of all kinds ----------

my ($given_up, $stays) = (ready(), ready());
$quick->query_safe('BEGIN');
$quick->query_safe('SAVEPOINT s');
$quick->query_safe(submission($given_up));
$quick->query_safe('ROLLBACK TO s');
$quick->query_safe(submission($stays));
$quick->query_safe('COMMIT');
ok(wait_until(sub { numbers_of($stays) =~ /^\d+$/ }), 'an event after a savepoint is released');
is(numbers_of($given_up), '', 'one that was rolled back to it is not');
$quick->query_safe('BEGIN');
$quick->query_safe(submission(my $rolled_back = ready()));
$quick->query_safe('ROLLBACK');
$quick->query_safe('BEGIN');
$quick->query_safe(submission(my $prepared = ready()));
$quick->query_safe("PREPARE TRANSACTION 'supplier'");
make_ready($node, 1);
ok(wait_for_release($node), 'releases go on while a transaction is prepared');
is(numbers_of($prepared, $rolled_back), '', 'its event is not there');
sql("COMMIT PREPARED 'supplier'");
ok(wait_until(sub { numbers_of($prepared) =~ /^\d+$/ }), 'when it is committed its event is released');
is(sql('BEGIN ISOLATION LEVEL SERIALIZABLE; ' . submission(my $strict = ready()) . '; COMMIT'), 201, 'a serializable transaction');
ok(wait_until(sub { numbers_of($strict) =~ /^\d+$/ }), 'is like any other');

# subscribe() in a transaction that stays open
$quick->query_safe('BEGIN');
$quick->query_safe("SELECT rxtrack.add_subscription('unfinished')");
make_ready($node, 1);
ok(wait_for_release($node), 'a subscription being made keeps nobody waiting');
$quick->query_safe('ROLLBACK');
$_->quit for $slow, $quick;

# What a DBA sets for the database does not keep the dispatcher from its work.
sql(q{ALTER DATABASE rxtrack SET default_transaction_read_only = on; ALTER DATABASE rxtrack SET default_transaction_isolation = serializable;
	ALTER DATABASE rxtrack SET lock_timeout = 1; ALTER DATABASE rxtrack SET enable_indexscan = off});
kill 'TERM', dispatcher();
is(sql('SET default_transaction_read_only = off; ' . submission(my $odd = ready())), 201, 'in a database with settings of its own');
ok(wait_until(sub { numbers_of($odd) =~ /^\d+$/ }), 'events are released, while the dispatcher was ended and has yet to come again');
ok(wait_until(sub { dispatcher() ne '' }), 'it comes');
is(sql('SET default_transaction_read_only = off; ' . submission($odd = ready())), 201, 'another update');
ok(wait_until(sub { numbers_of($odd) =~ /^\d+$/ }), 'is released by it');
$node->safe_psql('postgres', 'ALTER DATABASE rxtrack RESET ALL');
kill 'TERM', dispatcher();
ok(wait_until(sub { dispatcher() ne '' }), 'and once more');

# ---------- The inbox ----------

# So many events in the inbox, due by as many seconds ago as their place in it.
my $queued = q{INSERT INTO rxtrack_internal.readiness_inbox (prescription_id, status, post_dated, nhs_number, task_id, line_item_id, ods_code, occurred_at, due_at, application_id, is_withdrawal, in_conflict)
	SELECT '24F5DA-A83008-7EFE6Z', 'Ready to Collect', false, '9449304130', gen_random_uuid(), gen_random_uuid(), 'Y12345', now(), now() - n * interval '1 s', 1, false, false
	FROM generate_series(1, %d) AS n};
my $stopped = dispatcher();
kill 'STOP', $stopped;
my @waiting = (ready(), ready());
make_ready($node, 1);
is(sql(submission(@waiting)), 201, 'while the dispatcher stands still, items become ready');
is(numbers_of(@waiting), 'pending pending', 'their events are pending');
is(sql('SELECT count(*) FROM rxtrack_internal.readiness_inbox'), 3, 'in the inbox');
sql(sprintf $queued, 3);
is(sql('SELECT rxtrack.release_events(2)'), 2, 'two are released by hand');
is(sql('SELECT rxtrack.release_events()'), 4, 'then all others');
is(sql('SELECT count(*) FROM rxtrack_internal.readiness_inbox'), 0, 'they leave the inbox');
like(numbers_of(@waiting), qr/^\d+ \d+$/, 'and have numbers');
is(sql(q{SELECT count(*) FROM (SELECT due_at < lag(due_at) OVER (ORDER BY release_number) AS wrong FROM rxtrack.readiness_event
	WHERE release_number > rxtrack_internal.last_release() - 4) x WHERE wrong}), 0, 'in the order in which they were due');
sql(sprintf $queued, 25_000);
is(sql('SELECT rxtrack.release_events(11500)'), 11_500, 'more than are held in memory');
is(sql('SELECT rxtrack.release_events(20000)'), 13_500, 'are released in pieces');

# In the order in which they were due, wherever they wait; of one transaction, in which they occurred.
my $one = q{INSERT INTO %s (prescription_id, status, post_dated, nhs_number, task_id, line_item_id, ods_code, occurred_at, due_at, application_id, is_withdrawal, in_conflict)
	VALUES ('24F5DA-A83008-7EFE6Z', 'Ready to Collect', false, '9449304130', gen_random_uuid(), gen_random_uuid(), '%s', now() + interval '%d s', now() - interval '1 min' + interval '%d s', 1, false, false)};
# The supplies of promises that are due.
my $supplies = q{INSERT INTO rxtrack.supply (prescription_id, line_item_id, issue_number, ods_code, nhs_number, status, completed, post_dated, asserted_at, last_modified,
	received_at, began_at, began_received_at, application_id, asserted_by, receipts, own_receipts, in_conflict)
	SELECT prescription_id, line_item_id, issue_number, ods_code, nhs_number, status, false, true, now() - interval '1 h', due_at,
		now() - interval '1 h', now() - interval '1 h', now() - interval '1 h', application_id, application_id, 1, 1, false FROM };
my ($inbox, $promises) = qw(rxtrack_internal.readiness_inbox rxtrack.readiness_promise);
sql(join '; ', 'BEGIN', map({ sprintf $one, @$_ } [ $inbox, 'A3', 9, 2 ], [ $promises, 'A4', 0, 4 ], [ $inbox, 'A5', 0, 5 ], [ $inbox, 'A2', 8, 2 ], [ $promises, 'A1', 0, 1 ]),
	# a promise is released where its supply is there
	"$supplies rxtrack.readiness_promise WHERE ods_code IN ('A1', 'A4')", 'COMMIT');
is(sql('SELECT rxtrack.release_events(4)') . sql('SELECT rxtrack.release_events()'), '41', 'from both tables');
is(sql('SELECT string_agg(ods_code::text, chr(32) ORDER BY release_number) FROM rxtrack.readiness_event WHERE release_number > rxtrack_internal.last_release() - 5'), 'A1 A2 A3 A4 A5', 'in one order');
kill 'CONT', $stopped;

# Rows that were taken back stay in the way, and one in use keeps VACUUM from giving their room back to the system.
sql('BEGIN; ' . sprintf($queued, 100_000) . '; ROLLBACK');
kill 'STOP', $stopped;
sql(sprintf $queued, 1);
sql('VACUUM rxtrack_internal.readiness_inbox');
cmp_ok(sql(q{SELECT pg_relation_size('rxtrack_internal.readiness_inbox') / 8192}), '>', 1100, 'an inbox that has grown large');
kill 'CONT', $stopped;
for my $what ('is read to its end', 'and again', 'and again, with room where it was read before')
{
	sleep 1.2;
	my $asked = time;
	is(sql(submission(my $task = ready())), 201, 'an item is ready');
	ok(wait_until(sub { numbers_of($task) =~ /^\d+$/ }), $what);
	cmp_ok(time - $asked, '<', 2.5, 'soon');
}

# ---------- Old promises, while there are new events ----------

my $begun = time;
sql(qq{WITH promise AS (INSERT INTO rxtrack.readiness_promise (prescription_id, status, post_dated, nhs_number, task_id, line_item_id, ods_code, occurred_at, due_at,
		application_id, is_withdrawal, in_conflict)
	SELECT '24F5DA-A83008-7EFE6Z', 'Ready to Collect', true, '9449304130', gen_random_uuid(), gen_random_uuid(), 'Y12345', now(), now() - interval '1 min', 1, false, false
	FROM generate_series(1, 50) RETURNING *)
	$supplies promise});
make_ready($node, 1) while time < $begun + 30 && sql("SELECT count(*) FROM rxtrack.pending_events WHERE due_at < now() - interval '50 s'") > 0;
cmp_ok(time - $begun, '<', 12, 'promises that came due long ago, as a restore brings them, are found while there is always something new');

# ---------- Everybody at once ----------

forget_updates($node);
my $load = RxTrack::Load->new($node, clients => 8, updates => 250);
my $last = sql('SELECT rxtrack_internal.last_release()');
append_to_file(my $script = PostgreSQL::Test::Utils::tempdir() . '/dispatch.sql', "SELECT rxtrack.release_events(7);\n");
my $manual = IPC::Run::start([ 'pgbench', '-n', '-f', $script, '-c', 4, '-T', 60, '-h', $node->host, '-p', $node->port, 'rxtrack' ],
	'<', \'', '>', \my $out, '2>', \my $errors);
is($load->run('Ready to Collect'), 2000, 'eight suppliers');
ok(wait_for_release($node), 'and a dispatcher, and four manual ones');
$manual->signal('TERM');
$manual->finish;
unlike($errors, qr/ERROR/, 'no manual call fails');
is(faults($node), '', 'no event is released twice or left; the numbers have no gap, and are in the order of commits');
is(sql("SELECT min(release_number) - 1 || ' ' || max(release_number) FROM rxtrack.readiness_event"), "$last " . ($last + 2000), 'they go on');
cmp_ok(sql('SELECT count(DISTINCT xmin::text) FROM rxtrack.readiness_event'), '>', 10, 'in many releases');

# ---------- The extension, and the database, go and come ----------

sql('DROP EXTENSION rxtrack');
is(sql('SELECT 1'), 1, 'the extension is dropped under the dispatcher');
sql(q{CREATE EXTENSION rxtrack; SELECT rxtrack.add_application('Pharmacy', '{updates:write}')});
my ($again) = make_ready($node, 1);
ok(wait_until(sub { numbers_of($again) eq '1' }), 'it is made anew, and served');
isnt(dispatcher(), '', 'the dispatcher is there');
my $writer = $node->background_psql('rxtrack');
$writer->query_safe('BEGIN');
$writer->query_safe(submission(ready()));
$writer->query_safe('DROP EXTENSION rxtrack');
is($writer->query_safe('COMMIT') // '', '', 'a transaction that records an event and drops the extension commits');
$writer->quit;

my ($code) = $node->psql('postgres', 'ALTER DATABASE rxtrack RENAME TO other');
isnt($code, 0, 'a database with a dispatcher cannot be renamed');
$node->safe_psql('postgres', 'DROP DATABASE rxtrack WITH (FORCE)');
$node->safe_psql('postgres', 'CREATE DATABASE rxtrack');
sql(q{CREATE EXTENSION rxtrack; SELECT rxtrack.add_application('Pharmacy', '{updates:write}')});
my ($anew) = make_ready($node, 1);
ok(wait_until(sub { numbers_of($anew) eq '1' }), 'a database of that name that is made later is served');

# Another database of the same server has no dispatcher: its transactions release their events themselves.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', q{CREATE EXTENSION rxtrack; SELECT rxtrack.add_application('Pharmacy', '{updates:write}')});
is($node->safe_psql('other', submission(ready()) . '; SELECT release_number FROM rxtrack.readiness_event'), "201\n1", 'another database releases at commit');

my $log = slurp_file($node->logfile);
unlike($log, qr/(?:PANIC|TRAP|terminated by signal)/, 'nothing crashed');
# it is ended by DROP DATABASE and by this test; an error of its own would end it too
my @ends = grep { /background worker "rxtrack dispatcher" .*exited/ } split /\n/, $log;
my @told = grep { /FATAL:.*(?:terminating background worker "rxtrack dispatcher"|database "rxtrack" does not exist)/ } split /\n/, $log;
is(scalar @ends, scalar @told, 'the dispatcher had no error') || diag(join "\n", @ends, @told);

done_testing();
