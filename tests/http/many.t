# A thousand clients that stay connected and do nothing, and 64 that are busy, served by a few threads and connections.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Process;
use Test::More;

my ($idle_count, $busy_count, $rounds) = (1000, 64, 10);

# Each connection is a descriptor here and one in the gateway, which inherits the limit; tests/run raises it if it may.
my $needed = $idle_count + $busy_count + 200;
my ($files) = PostgreSQL::Test::Utils::slurp_file('/proc/self/limits') =~ /^Max open files\s+(\w+)/m;
plan skip_all => "no more than $files files may be open, and $needed are needed" if $files ne 'unlimited' && $files < $needed;

my $node = node();
my $gateway = gateway($node, env => { RXTRACK_HTTP_THREADS => 2 });
my $key = add_application($node, 'A supplier');
my $gateway_connections = "FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%'";

# The statuses that these connections get for the next answer of each, with how often.
sub statuses
{
	my %count;
	$count{ ($_->answer // { status => 'none' })->{status} }++ for @_;
	return \%count;
}

my $threads = threads($gateway->pid);
my $memory = memory($gateway->pid);
my @idle = map { RxTrack::Connection->new($gateway) } 1 .. $idle_count;
$_->request('GET', '/_ping') for @idle;
is_deeply(statuses(@idle), { 200 => $idle_count }, "$idle_count clients are connected and have been answered");
cmp_ok((memory($gateway->pid) - $memory) / $idle_count, '<', 32, 'each costs less than 32 KiB');

my @busy = map { RxTrack::Connection->new($gateway) } 1 .. $busy_count;
my (%seen, @ids);
for (1 .. $rounds)
{
	for my $connection (@busy)
	{
		my $task = task();
		push @ids, $task->{id};
		$connection->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, to_json(bundle($task)));
	}
	my $statuses = statuses(@busy);
	$seen{$_} += $statuses->{$_} for keys %$statuses;
}
is_deeply(\%seen, { 201 => $busy_count * $rounds }, "$busy_count clients at once, $rounds times: 201 each time");
is($node->safe_psql('rxtrack', "SELECT count(DISTINCT task_id) FROM rxtrack.status_update WHERE task_id IN ('" . join("','", @ids) . "')"), scalar @ids,
	'and all of it is stored');

# Now with all the requests of one moment waiting for the database.
my $holder = $node->background_psql('rxtrack');
$holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE');
$_->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, to_json(bundle(task()))) for @busy;
$node->poll_query_until('rxtrack', "SELECT count(*) > 0 $gateway_connections AND wait_event_type = 'Lock'");
is($node->safe_psql('rxtrack', "SELECT count(*) $gateway_connections"), 4, 'they wait in four connections to the database');
cmp_ok($threads, '<=', 8, 'and in a handful of threads');
$_->request('GET', '/_ping') for @idle[ 0 .. 99 ];
is_deeply(statuses(@idle[ 0 .. 99 ]), { 200 => 100 }, 'while other clients are answered');
$holder->query_safe('ROLLBACK');
is_deeply(statuses(@busy), { 201 => $busy_count }, 'and then they are stored');
$holder->quit;

$_->request('GET', '/_ping') for @idle;
is_deeply(statuses(@idle), { 200 => $idle_count }, 'the idle clients are served as ever');
$_->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, to_json(bundle(task()))) for @idle[ 100 .. 399 ];
is_deeply(statuses(@idle[ 100 .. 399 ]), { 201 => 300 }, 'and when 300 of them post at once, they are stored');
is(threads($gateway->pid), $threads, 'no thread was made for any of them');
$_->close for @idle, @busy;
is_healthy($gateway, 'all is well when they have gone');
is($gateway->stop, 0, 'the gateway ends well');

# libmicrohttpd takes 128 events at a time from epoll, and by itself waits on where there were no fewer.
for my $count (127 .. 129, 256)
{
	my $gateway = gateway($node, env => { RXTRACK_HTTP_THREADS => 1 });
	my @clients = map { RxTrack::Connection->new($gateway) } 1 .. $count;
	$_->request('GET', '/_ping') for @clients;
	statuses(@clients);
	kill 'STOP', $gateway->pid;
	$_->request('GET', '/_ping') for @clients;
	kill 'CONT', $gateway->pid;
	is_deeply(statuses(@clients), { 200 => $count }, "$count requests that a thread finds all at once are answered");
	$_->close for @clients;
}

done_testing();
