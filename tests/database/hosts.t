# Several servers in the connection string: each gets its connect_timeout, in their order, and what fails is said by name.
use strict;
use warnings;
use IO::Socket::INET;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use Test::More;
use Time::HiRes qw(sleep time);

my @frozen;

END
{
	kill 'CONT', @frozen if @frozen;
}

# Accepts, and says nothing.
sub silent_server
{
	return IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1') // die "listen: $!";
}

# Drops the packets of whoever connects: a queue of connections to be accepted that is full.
sub dropping_server
{
	my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') // die "listen: $!";
	my @waiting = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport, Blocking => 0) } 1 .. 4;
	sleep 0.2;
	return ($server, @waiting);
}

# A port that nobody listens on.
sub closed_port
{
	my $server = silent_server();
	return $server->sockport;
}

sub failures
{
	my ($gateway) = @_;
	return map { ($_->{host} // '') . ":$_->{port} $_->{reason}" } grep { ($_->{event} // '') eq 'database_host_failed' } $gateway->log_events;
}

my $node = node(streaming => 1);
my $key = add_application($node, 'A supplier', qw(updates:write updates:read events:read));
my $role = 'dbname=rxtrack user=rxtrack_test_gateway';

# ---------- The first ones do not serve ----------

my $silent = silent_server();
my ($dropping, @waiting) = dropping_server();
my %bad = (
	'a server that drops packets' => [ $dropping->sockport, qr/no answer within 2 s/ ],
	'a server that accepts and is silent' => [ $silent->sockport, qr/no answer within 2 s/ ],
	'a port that is closed' => [ closed_port(), qr/refused/ ]);
for my $what (sort keys %bad)
{
	my ($port, $reason) = @{ $bad{$what} };
	my $began = time;
	my $gateway = gateway($node, database => "$role host=127.0.0.1," . $node->host . " port=$port," . $node->port . ' target_session_attrs=read-write connect_timeout=2');
	cmp_ok(time - $began, '<', 2 + 2, "$what is passed by in time");
	is_response($gateway->post(bundle(task()), key => $key), 201, [201], 'and the next one serves');
	my ($failure) = grep { /^127\.0\.0\.1:$port / } failures($gateway);
	like($failure, $reason, 'the log names the host and says why');
	is(scalar(failures($gateway)), 1, 'once');
	my $stream = RxTrack::Connection->new($gateway);
	$stream->request('GET', '/events', { Authorization => "Bearer $key" });
	ok($stream->take_to("\r\n\r\n", time + 5), 'a stream is opened');
	is_response($gateway->post(bundle(task(business_status => 'Ready to Collect')), key => $key), 201, [201], 'an item is ready');
	ok($stream->take_to('data: ', time + 5), 'and the stream says so');
	is($gateway->stop, 0, 'the gateway ends well');
}

# ---------- Where the hosts stand elsewhere ----------

my $services = "$PostgreSQL::Test::Utils::tmp_check/services";
my $port = closed_port();
PostgreSQL::Test::Utils::append_to_file($services, sprintf "[several]\nhost=127.0.0.1,%s\nport=%d,%d\nconnect_timeout=2\n", $node->host, $port, $node->port);
my %elsewhere = (
	'a service' => [ "$role service=several", { PGSERVICEFILE => $services } ],
	'a service of the environment' => [ $role, { PGSERVICEFILE => $services, PGSERVICE => 'several' } ],
	'the environment' => [ $role, { PGHOST => '127.0.0.1,' . $node->host, PGPORT => "$port," . $node->port } ],
	'a URI' => [ "postgresql://rxtrack_test_gateway\@127.0.0.1:$port," . ($node->host =~ s{/}{%2F}gr) . ':' . $node->port . '/rxtrack', {} ]);
for my $where (sort keys %elsewhere)
{
	my ($database, $environment) = @{ $elsewhere{$where} };
	my $gateway = gateway($node, database => $database, env => $environment);
	is_response($gateway->post(bundle(task()), key => $key), 201, [201], "hosts that $where names");
	like(join("\n", failures($gateway)), qr/^127\.0\.0\.1:$port .*refused/m, 'are tried in their order');
	is($gateway->stop, 0, 'the gateway ends well');
}
my $lost = gateway($node, wait => 'listening', database => "$role service=nowhere", env => { PGSERVICEFILE => $services });
is($lost->request('GET', '/_status')->{status}, 503, 'a service that is not there');
like(join("\n", failures($lost)), qr/definition of service "nowhere" not found/, 'is said');
is($lost->stop, 0, 'the gateway ends well');
my $confused = gateway($node, wait => 'nothing', database => "$role host=a,b,c port=1,2");
isnt($confused->wait_for_exit(5), 0, 'two ports of three hosts: it does not start');
like($confused->log, qr/different numbers of servers/, 'and says why');

# ---------- A server that answers, and then hangs, while its standby is promoted ----------

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
my $timeout = 3;
my $gateway = gateway($node, database => "$role host=" . $node->host . ',' . $standby->host . ' port=' . $node->port . ',' . $standby->port . " connect_timeout=$timeout");
is_response($gateway->post(bundle(task()), key => $key), 201, [201], 'the primary serves');
my ($postmaster) = PostgreSQL::Test::Utils::slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
@frozen = ($postmaster, split ' ', `ps -o pid= --ppid $postmaster`);
$node->wait_for_catchup($standby);
kill 'STOP', @frozen;
my $began = time;
$standby->promote;
my $stored = 0;
until ($stored or time - $began > 30)
{
	$stored = $gateway->post(bundle(task()), key => $key)->{status} == 201;
	sleep 0.05;
}
my $took = time - $began;
ok($stored, 'it freezes, and its standby is promoted: that one serves');
cmp_ok($took, '<', $timeout + 2, sprintf 'soon: after %.1f s', $took);
my $frozen = $node->port;
like(join("\n", failures($gateway)), qr/:$frozen no answer/, 'the log says which one does not answer');
kill 'CONT', splice @frozen;
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
