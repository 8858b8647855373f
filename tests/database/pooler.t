# A pooler between gateway and server, in whatever mode, is refused, with a line that says so.
use strict;
use warnings;
use Cwd ();
use IO::Socket::INET;
use POSIX ();
use RxTrack;
use RxTrack::Answers;
use Test::More;
use Time::HiRes qw(sleep);

my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '.pgbouncer/usr/sbin';
plan skip_all => 'there is no pgbouncer: scripts/dependencies test unpacks it' unless $pgbouncer;
$pgbouncer = Cwd::abs_path($pgbouncer);
local $ENV{LD_LIBRARY_PATH} = join ':', map { Cwd::abs_path($_) } glob '.pgbouncer/usr/lib/*-linux-gnu* .pgbouncer/lib/*-linux-gnu*' if $pgbouncer =~ /\.pgbouncer/;

my $node = node();
my $key = add_application($node, 'A supplier');
my $directory = $PostgreSQL::Test::Utils::tmp_check;

# Starts it in that mode; returns its port and process.
sub start_pooler
{
	my ($mode) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $file = "$directory/pgbouncer-$mode.ini";
	PostgreSQL::Test::Utils::append_to_file($file, sprintf <<'CONF', $node->host, $node->port, $port, $mode);
[databases]
rxtrack = host=%s port=%d user=rxtrack_test_gateway
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
CONF
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$file.log";
		open STDERR, '>&', \*STDOUT;
		exec $pgbouncer, '-q', $file or POSIX::_exit(127);
	}
	for (1 .. 100)
	{
		return ($port, $pid) if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
		sleep 0.1;
	}
	die "pgbouncer does not listen:\n" . PostgreSQL::Test::Utils::slurp_file("$file.log");
}

for my $mode (qw(session transaction))
{
	my ($port, $pid) = start_pooler($mode);
	my $gateway = gateway($node, wait => 'listening', database => "host=127.0.0.1 port=$port dbname=rxtrack user=rxtrack_test_gateway");
	sleep 0.5;
	is_outcome($gateway->post(bundle(task()), key => $key), 503, 'transient', "pgbouncer, by $mode: nothing is served");
	is($gateway->request('GET', '/_status')->{status}, 503, 'and _status says so');
	my @said = grep { ($_->{event} // '') eq 'database_host_failed' } $gateway->log_events;
	is(scalar @said, 1, 'one line in the log');
	like($said[0]{reason}, qr/pooler.*connect to the server directly/, 'says what to do');
	is($said[0]{port}, $port, 'and where');
	is($gateway->stop, 0, 'the gateway ends well');
	kill 'TERM', $pid;
	waitpid $pid, 0;
}
is($node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update'), 0, 'nothing was stored');

done_testing();
