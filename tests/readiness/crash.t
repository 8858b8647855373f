# Crashes, a standby that is promoted: no event is lost, none is released twice, and the dispatcher comes back by itself.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use RxTrack::Load;
use Test::More;
use Time::HiRes qw(sleep);

my $node = listening_node(init => [], conf => <<'CONF');
fsync = on
log_statement = none
restart_after_crash = on
wal_level = replica
max_wal_senders = 5
hot_standby = on
CONF

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

# The server may be away for a moment.
sub sql_at_last
{
	my ($sql) = @_;
	my $out;
	wait_until(sub { $node->psql('rxtrack', $sql, stdout => \$out, stderr => \my $ignored) == 0 });
	return $out;
}

sub dispatcher
{
	return sql_at_last("SELECT pid FROM pg_stat_activity WHERE backend_type = 'rxtrack dispatcher'");
}

my $load = RxTrack::Load->new($node, clients => 4, updates => 1500);
sql("SELECT rxtrack.add_subscription('push')");

# What a consumer has, in the order in which it came; each batch is acknowledged, but where the server goes away before.
my @got;

sub consume
{
	my $batch;
	while ($node->psql('rxtrack', "SELECT release_number || ' ' || task_id FROM rxtrack.fetch_events('push', 200) e
			JOIN rxtrack.readiness_event USING (release_number) ORDER BY e.release_number", stdout => \$batch, stderr => \my $ignored) == 0 && $batch ne '')
	{
		my @lines = split /\n/, $batch;
		push @got, @lines;
		my ($number) = $lines[-1] =~ /^(\d+)/;
		last if $node->psql('rxtrack', "SELECT rxtrack.ack_events('push', $number)", stderr => \$ignored) != 0;
	}
	return;
}

# All that was stored has come, in order, and a number always meant the same.
sub consumed_well
{
	my ($name) = @_;
	ok(wait_for_release($node), "$name: all is released");
	is(faults($node), '', "$name: events are as they should be");
	consume();
	my (%task, %number, $highest);
	my $wrong = 0;
	for my $line (@got)
	{
		my ($number, $task) = split / /, $line;
		$wrong++ if ($task{$number} // $task) ne $task || ($number{$task} // $number) ne $number;
		($task{$number}, $number{$task}) = ($task, $number);
	}
	is($wrong, 0, "$name: no event is released twice, no number given twice");
	is(keys %number, sql("SELECT count(*) FROM rxtrack.status_update WHERE status = 'Ready to Collect'"), "$name: no event is lost");
	return;
}

# Clients that lose the server are told so, and stop; how many they got through does not matter.
sub begin { my $wait = $load->start('Ready to Collect', @_); return sub { eval { $wait->() } } }

# ---------- The dispatcher is killed, and with it all sessions ----------

my $wait = begin();
sleep 0.4;
consume();
kill 'KILL', dispatcher();
$wait->();
ok(wait_until(sub { (sql_at_last('SELECT 1') // '') eq '1' && dispatcher() =~ /^\d/ }), 'after kill -9 of the dispatcher the server starts it again');
consumed_well('killed dispatcher');
$load->forget;
@got = ();

# ---------- The server stops at once ----------

for my $round (1 .. 2)
{
	$wait = begin('-t', 700, '-D', 'i=' . (700 * ($round - 1)));
	sleep 0.3 + rand 0.4;
	consume();
	$node->stop('immediate');
	$wait->();
	$node->start;
	ok(wait_until(sub { dispatcher() =~ /^\d/ }), "round $round: it starts again, with a dispatcher");
	consumed_well("immediate stop, round $round");
}

# Due while the server is away.
my $promise = task(business_status => 'Ready to Collect', set_at => '2026-01-01T00:00:00Z',
	last_modified => sql(q{SELECT to_char((now() + interval '1 s') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')}));
is(sql(sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'Pharmacy')}, to_json(bundle($promise)), uuid()), 201, 'a promise');
$node->stop('immediate');
sleep 1;
$node->start;
ok(wait_until(sub { sql_at_last("SELECT count(*) FROM rxtrack.readiness_event WHERE task_id = '$promise->{id}'") eq '1' }),
	'which comes due while the server is away, is released when it is back');

# ---------- A standby ----------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "log_statement = none\n");
$standby->start;
make_ready($node, 20);
ok(wait_for_release($node), 'the primary goes on');
my $later = sql("SELECT rxtrack_internal.last_release()");
$node->wait_for_catchup($standby);
is($standby->safe_psql('rxtrack', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'rxtrack dispatcher'"), 0, 'on a standby it waits');
is($standby->safe_psql('rxtrack', 'SELECT rxtrack_internal.last_release()'), $later, 'the standby has the events');
isnt($standby->psql('rxtrack', 'SELECT rxtrack.release_events()', stderr => \my $refused), 0, 'and releases none');
# One that nobody has released yet when the primary is lost.
sql("SET session_replication_role = replica; WITH moved AS (DELETE FROM rxtrack.readiness_event WHERE release_number = $later RETURNING *)
	INSERT INTO rxtrack.readiness_promise (prescription_id, status, post_dated, nhs_number, task_id, line_item_id, ods_code, occurred_at, due_at,
		application_id, is_withdrawal, in_conflict)
	SELECT prescription_id, status, true, nhs_number, task_id, line_item_id, ods_code, occurred_at, now() + interval '3 s', application_id, false, false FROM moved");
$node->wait_for_catchup($standby);
$node->stop('immediate');
$standby->promote;
$node = $standby;
ok(wait_until(sub { dispatcher() =~ /^\d/ }), 'after its promotion it works');
make_ready($node, 1);
ok(wait_until(sub { sql('SELECT count(*) FROM rxtrack.pending_events') eq '0' }), 'what the primary had left, and what comes');
my ($first, $last) = split /\|/, sql("SELECT min(release_number), max(release_number) FROM rxtrack.readiness_event WHERE release_number > $later");
cmp_ok($first, '>=', $later + 10_000_000, 'numbers go on where the primary cannot have come');
is($last, $first + 1, 'and from there without a gap');
is(faults($node), '', 'events are as they should be');
consume();
is(sql("SELECT acknowledged FROM rxtrack.subscription WHERE name = 'push'"), $last, 'subscriptions go on, too');

done_testing();
