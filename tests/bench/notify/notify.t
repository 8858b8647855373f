# What readiness events cost those who submit, and how soon listeners hear of them. `make bench-notify` runs it.
#
#   BENCH_CLIENTS (32)     pgbench's clients
#   BENCH_UPDATES (2500)   updates of each client in a repetition
#   BENCH_ROUNDS (5)       repetitions
#   BENCH_SECONDS (20)     of the run at half the peak, at most
#   BENCH_STREAMS (2000)   clients of GET /events
#
# Two servers with fsync and synchronous_commit: one with the dispatcher, one without, whose transactions notify
# themselves. Each transaction is one call of rxtrack_http.submit with one bundle of one update. A repetition
# begins with empty tables and submits as many updates as any other. Within it, by turns of half a second, no update
# raises an event, and then every one does: so both kinds have the same sessions, tables of the same size, and the same
# machine. (The server without dispatcher is given half of the updates.)
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use RxTrack::Load;
use RxTrack::Process;
use RxTrack::Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $clients = $ENV{BENCH_CLIENTS} || 32;
my $each = $ENV{BENCH_UPDATES} || 2500;
my $rounds = $ENV{BENCH_ROUNDS} || 5;
my $seconds = $ENV{BENCH_SECONDS} || 20;
my $streams = $ENV{BENCH_STREAMS} || 2000;
my $period = 500;    # ms
my $directory = PostgreSQL::Test::Utils::tempdir();

# Few WAL buffers: a session that lives for seconds would else be mapping them for the first time for most of its life.
my $conf = <<'CONF';
fsync = on
synchronous_commit = on
log_statement = none
log_min_messages = warning
max_connections = 200
shared_buffers = 512MB
wal_buffers = 1MB
max_wal_size = 4GB
checkpoint_timeout = 1h
autovacuum = off
jit = off
CONF

# ---------- Servers, bundles, listeners ----------

sub build
{
	my ($name) = @_;
	chomp(my @flags = map { `pg_config --$_` } qw(includedir libdir));
	system_or_bail('cc', '-O2', '-Wall', '-o', "$directory/$name", "tests/bench/notify/$name.c", "-I$flags[0]", "-L$flags[1]", '-lpq');
	return "$directory/$name";
}

# A program that writes what it hears into a file, once it hears; what stops it.
sub hear
{
	my ($heard, @command) = @_;
	my $pid = fork // die "fork: $!";
	unless ($pid)
	{
		open STDOUT, '>', $heard or die "$heard: $!";
		exec('setpriv', '--pdeathsig', 'KILL', @command) or die "$command[0]: $!";
	}
	wait_until(sub { -s $heard }) or die "$command[0] does not hear";
	return sub { kill 'TERM', $pid; waitpid $pid, 0; return };
}

sub listener
{
	my ($node, $program, $heard) = @_;
	return hear($heard, $program, $node->connstr('rxtrack'));
}

# ---------- Submitting ----------

sub server
{
	my ($name, $updates, %option) = @_;
	my $node = node(name => $name, conf => $conf, %option);
	return ($node, RxTrack::Load->new($node, clients => $clients, updates => $updates));
}

# Whole turns, by number, and how many updates began in each; without the first second and the last, in which sessions begin
# and end. One that is received in the turn after the one that it began in tells so by its kind.
my $turns = <<'SQL';
WITH stored AS (
	SELECT (extract(epoch FROM received_at) * 1000)::bigint / PERIOD AS number, (status = 'Ready to Collect')::integer AS kind FROM rxtrack.status_update
), turn AS (
	SELECT number - abs(number % 2 - kind) AS number, count(*) AS updates FROM stored GROUP BY 1)
SELECT number, updates FROM turn
WHERE number > (SELECT min(number) + 1000 / PERIOD FROM turn) AND number < (SELECT max(number) - 1000 / PERIOD FROM turn) ORDER BY number
SQL

# Submits all, the two kinds by turns; returns how many there were in each turn, and how long (ms) the last event took after the last commit.
sub submit_all
{
	my ($node, $load) = @_;
	$load->forget;
	$node->safe_psql('rxtrack', 'CHECKPOINT');
	my $done = $load->run_by_turns($period);
	my $submitted = time;
	wait_for_release($node, $node->{bench_session} //= RxTrack::Session->new($node));
	my $late = time - $submitted;
	my $stored = $node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update');
	BAIL_OUT("$stored updates of $done are stored") if $stored != $done;
	(my $sql = $turns) =~ s/PERIOD/$period/g;
	my %updates;
	for (split /\n/, $node->safe_psql('rxtrack', $sql))
	{
		my ($number, $updates) = split /\|/;
		$updates{$number} = $updates;
	}
	return (\%updates, 1000 * $late);
}

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return ($sorted[ $#sorted / 2 ] + $sorted[ @sorted / 2 ]) / 2;
}

sub report
{
	my ($what, @values) = @_;
	my ($least, $most) = (sort { $a <=> $b } @values)[ 0, -1 ];
	note(sprintf '%-58s %8.0f /s   (%.0f to %.0f)', $what, median(@values), $least, $most);
	return;
}

# One server's two kinds by turns. Each turn with events is compared with those on either side of it; the ratio is the median.
sub compare
{
	my ($node, $load, $name) = @_;
	my (%rate, @ratio, @late);
	submit_all($node, $load);
	for my $round (1 .. $rounds)
	{
		my ($updates, $late) = submit_all($node, $load);
		push @late, $late;
		for my $number (keys %$updates)
		{
			push @{ $rate{ $number % 2 } }, $updates->{$number} * 1000 / $period;
			my ($before, $after) = @{$updates}{ $number - 1, $number + 1 };
			push @ratio, 2 * $updates->{$number} / ($before + $after) if $number % 2 && $before && $after;
		}
	}
	report("$name: updates that raise no event", @{ $rate{0} });
	report("$name: every update raises one", @{ $rate{1} });
	my @sorted = sort { $a <=> $b } @ratio;
	note(sprintf '%-58s %8.3f      (half of %d turns between %.3f and %.3f)', "$name: ratio", median(@ratio), scalar @ratio, @sorted[ @sorted / 4, @sorted * 3 / 4 ]);
	note(sprintf '%-58s %8.0f ms', "$name: the last event released after the last commit", median(@late));
	return (median(@ratio), median(@{ $rate{1} }));
}

# ---------- From commit to receipt ----------

# The time of a commit is that in its record, before the flush. The first second is left out: 32 sessions begin in it, and
# do for their first update what they then need not do again.
my $distribution = <<'SQL';
CREATE TEMP TABLE heard (release_number bigint, at bigint);
\copy heard FROM 'HEARD'
CREATE TEMP TABLE delay AS
SELECT c.at AS committed, h.at / 1000.0 - c.at AS ms
FROM heard h JOIN rxtrack.readiness_event e USING (release_number) JOIN rxtrack.status_update u USING (prescription_id, task_id),
	LATERAL (SELECT 1000 * extract(epoch FROM pg_xact_commit_timestamp(u.xmin)) AS at) c;
SELECT (SELECT count(*) FROM delay), round(100.0 * (SELECT count(*) FROM delay) / (SELECT count(*) FROM rxtrack.readiness_event), 1),
	percentile_cont('{0.01,0.1,0.25,0.5,0.75,0.9,0.95,0.99,0.999,1}'::float[]) WITHIN GROUP (ORDER BY ms)
FROM delay WHERE committed > (SELECT min(committed) + 1000 FROM delay)
SQL

sub latency
{
	my ($node, $load, $program, $rate) = @_;
	my $heard = "$directory/heard";
	$load->forget;
	my $stop = listener($node, $program, $heard);
	# some clients get more to do than others, and none may run out of bundles
	my $most = 0.6 * $clients * $each / $rate;
	my $run = $most < $seconds ? int $most : $seconds;
	my $done = $load->run('Ready to Collect', '-T', $run, '-R', int $rate);
	sleep 1;
	$stop->();
	(my $sql = $distribution) =~ s/HEARD/$heard/;
	system_or_bail('sed', '-i', '/^listening$/d', $heard);
	my ($count, $percent, $list) = split /\|/, $node->safe_psql('rxtrack', $sql);
	my @percentile = $list =~ /([-0-9.]+)/g;
	note(sprintf '%d updates at %.0f/s: %s%% of their events heard; from commit to receipt, after the first second, in ms:', $done, $done / $run, $percent);
	note(percentiles(@percentile));
	is($count, $done, 'each event was heard once');
	return @percentile;
}

sub percentiles
{
	return join '  ', map { sprintf '%s %.2f', $_, shift } qw(p1 p10 p25 p50 p75 p90 p95 p99 p99.9 max);
}

# ---------- Streams ----------

# From the commit until a stream has the event, of all streams; and until the last of them has it, of all events.
my $distribution_of_streams = <<'SQL';
CREATE TEMP TABLE heard (release_number bigint, at bigint);
\copy heard FROM 'HEARD'
CREATE TEMP TABLE delay AS
SELECT h.release_number, h.at / 1000.0 - 1000 * extract(epoch FROM pg_xact_commit_timestamp(u.xmin)) AS ms
FROM heard h JOIN rxtrack.readiness_event e USING (release_number) JOIN rxtrack.status_update u USING (prescription_id, task_id);
SELECT percentile_cont('{0.01,0.1,0.25,0.5,0.75,0.9,0.95,0.99,0.999,1}'::float[]) WITHIN GROUP (ORDER BY ms) FROM delay;
SELECT percentile_cont('{0,0.5,1}'::float[]) WITHIN GROUP (ORDER BY last) FROM (SELECT max(ms) AS last FROM delay GROUP BY release_number) l;
SQL

sub count_lines { return slurp_file($_[0]) =~ tr/\n// }

# Events one by one to many clients of the gateway; returns how long (ms) it takes until all of them have one, in the median.
sub stream
{
	my ($node, $program) = @_;
	my ($heard, $events) = ("$directory/streamed", 20);
	my $gateway = gateway($node, env => { RXTRACK_CONNECTION_LIMIT => 2 * $streams, RXTRACK_STREAM_LIMIT => $streams });
	$node->safe_psql('rxtrack', q{SELECT rxtrack.add_application('Pharmacy', '{updates:write}')});
	local $ENV{RXTRACK_API_KEY} = add_application($node, 'Streams', 'events:read');
	my $stop = hear($heard, $program, $gateway->port, $streams);
	for my $n (1 .. $events)
	{
		make_ready($node, 1);
		wait_until(sub { count_lines($heard) > $n * $streams });
	}
	note(sprintf '%d streams of GET /events: the gateway has %.1f MiB of its own, and %d threads', $streams, memory($gateway->pid) / 1024, threads($gateway->pid));
	$stop->();
	is(count_lines($heard) - 1, $events * $streams, "each of $streams streams has got each event once");
	(my $sql = $distribution_of_streams) =~ s/HEARD/$heard/;
	system_or_bail('sed', '-i', '/^open$/d', $heard);
	my ($all, $last) = map { [ /([-0-9.]+)/g ] } split /\n/, $node->safe_psql('rxtrack', $sql);
	note("from commit to receipt by a stream, in ms, of $events events:");
	note(percentiles(@$all));
	note(sprintf 'until all have it, in ms: %.1f median (%.1f to %.1f)', @{$last}[ 1, 0, 2 ]);
	$gateway->stop;
	return $last->[1];
}

# ---------- The measurements ----------

my $program = build('listen');
note("$clients clients, $rounds rounds of " . $clients * $each . ' updates, by turns of ' . $period . ' ms, fsync and synchronous_commit on');

my ($dispatched, $load) = server('dispatched', $each, worker => 1);
my $stop = listener($dispatched, $program, "$directory/ignored");
my ($ratio, $peak) = compare($dispatched, $load, 'dispatcher');
$stop->();
$dispatched->append_conf('postgresql.conf', 'track_commit_timestamp = on');
$dispatched->restart;
my @runs = map { [ latency($dispatched, $load, $program, $peak / 2) ] } 1 .. 3;
my ($half, $most) = map { my $which = $_; median(map { $_->[$which] } @runs) } 3, 7;
my $streamed = stream($dispatched, build('streams'));
$dispatched->stop;

my ($notifying, $other_load) = server('notifying', int($each / 2) || 1);
$stop = listener($notifying, $program, "$directory/ignored.2");
my ($ratio_within) = compare($notifying, $other_load, 'NOTIFY in the transaction');
$stop->();
$notifying->stop;

cmp_ok($ratio, '>=', 0.9, 'with the dispatcher: at least 0.9 of the throughput without events');
cmp_ok($ratio, '>', $ratio_within, 'and more than with NOTIFY in the transaction');
cmp_ok($half, '<', 5, 'from commit to receipt: median below 5 ms, in the middle one of three runs');
cmp_ok($most, '<', 50, '99th percentile below 50 ms, likewise');
cmp_ok($streamed, '<', 250, "$streams streams: all have an event within 250 ms, in the median");
done_testing();
