# The database goes and comes, freezes, is locked, or is not what this gateway knows: clients are told, and it passes.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use Test::More;
use Time::HiRes qw(sleep time);

my $timeout = 2;
my $node = node();
my $key = add_application($node, 'A supplier');
my @frozen;

END
{
	kill 'CONT', @frozen if @frozen;
}

sub ids_of_server
{
	return split /\n/, $node->safe_psql('rxtrack', "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%'");
}

# Whether the service says that all is well, within so many seconds.
sub recovers
{
	my ($gateway, $seconds) = @_;
	my $until = time + ($seconds // 15);
	sleep 0.05 while $gateway->request('GET', '/_status')->{status} != 200 && time < $until;
	return is_healthy($gateway, 'it recovers by itself');
}

# The tests of a gateway that has no database to ask.
sub is_away
{
	my ($gateway, $reason, $when) = @_;
	my $began = time;
	my $answer = $gateway->post(bundle(task()), key => $key, request_id => my $id = uuid());
	is_outcome($answer, 503, 'transient', "$when: 503");
	like($answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After');
	is($answer->{headers}{'x-request-id'}, $id, 'and the request id');
	is($gateway->request('GET', '/metadata')->{status}, 503, 'the same for another endpoint');
	is($gateway->request('GET', '/_ping')->{status}, 200, 'while _ping says that the gateway is alive');
	my $status = $gateway->request('GET', '/_status');
	is("$status->{status} $status->{headers}{'content-type'} $status->{json}{status}", '503 application/health+json fail', '_status says that not all is well');
	like($status->{json}{output}, $reason, 'and why');
	is_outcome($gateway->request('GET', '/nowhere'), 404, 'not-found', 'what needs no database is answered');
	cmp_ok(time - $began, '<', 2, 'none of it takes long');
	return;
}

# ---------- Away ----------

$node->stop;
my $gateway = gateway($node, wait => 'listening', env => { RXTRACK_REQUEST_TIMEOUT => $timeout });
is_away($gateway, qr/away/, 'a gateway that starts without its database');
$node->start;
recovers($gateway);
my $bundle = bundle(task(business_status => 'Ready to Collect'));
my %same = (key => $key, request_id => uuid());
is_response($gateway->post($bundle, %same), 201, [201], 'and an update is stored');
for my $mode ('fast', 'immediate')
{
	my $kept = RxTrack::Connection->new($gateway);
	$kept->request('GET', '/_ping');
	is($kept->answer->{status}, 200, 'a client is connected');
	$node->stop($mode);
	is_away($gateway, qr/away/, "the server has stopped ($mode)");
	sleep 1;
	$node->start;
	recovers($gateway);
	is_response($gateway->post($bundle, %same), 201, [201], 'what was sent before is still there: a retry is a retry');
	$kept->request('GET', '/_ping');
	is($kept->answer->{status}, 200, 'the client\'s connection has stayed');
}
is($node->safe_psql('rxtrack', 'SELECT (SELECT count(*) FROM rxtrack.status_update), (SELECT count(*) FROM rxtrack.readiness_event)'), '1|1', 'once, with one event');

# It goes while requests are in it.
my $holder = $node->background_psql('rxtrack', on_error_stop => 0);
$holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE');
my @waiting = map { RxTrack::Connection->new($gateway) } 1 .. 8;
my @bundles = map { to_json(bundle(task())) } @waiting;
my @headers = map { { Authorization => "Bearer $key", 'X-Request-ID' => uuid() } } @waiting;
$waiting[$_]->request('POST', '/', $headers[$_], $bundles[$_]) for 0 .. $#waiting;
sleep 0.3;
$node->stop('immediate');
my @statuses = map { my $answer = $_->answer; $answer->{status} . (exists $answer->{headers}{'retry-after'} ? ' later' : '') } @waiting;
is_deeply(\@statuses, [ ('503 later') x @waiting ], 'the server stops under requests: 503 and Retry-After');
eval { $holder->quit };
$node->start;
recovers($gateway);
$waiting[$_]->request('POST', '/', $headers[$_], $bundles[$_]) for 0 .. $#waiting;
is_deeply([ map { $_->answer->{status} } @waiting ], [ (201) x @waiting ], 'the same sent again: 201');
is($node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update'), 1 + @waiting, 'all of it is stored, nothing twice');

# Sessions are ended under it, as by a DBA.
$node->safe_psql('rxtrack', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%'");
recovers($gateway);

# ---------- Slow ----------

# Sends this and takes the time: a 504 in bounded time, and the same sent again, once all is well, a 201.
sub is_slow
{
	my ($what, $before, $after) = @_;
	my %request = (key => $key, request_id => uuid());
	my $slow = bundle(task());
	$before->();
	my $began = time;
	my $answer = $gateway->post($slow, %request);
	my $took = time - $began;
	is_outcome($answer, 504, 'timeout', "$what: 504");
	cmp_ok($took, '>=', $timeout - 0.1, 'not before its time');
	cmp_ok($took, '<', $timeout + 2, 'and soon after');
	is($gateway->request('GET', '/_ping')->{status}, 200, '_ping is quick');
	$after->();
	recovers($gateway);
	is_response($gateway->post($slow, %request), 201, [201], 'sent again: 201');
	is($node->safe_psql('rxtrack', "SELECT count(*) FROM rxtrack.status_update WHERE task_id = '$slow->{entry}[0]{resource}{id}'"), 1, 'stored once');
	return;
}

$holder = $node->background_psql('rxtrack');
is_slow('another session holds a lock',
	sub { $holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE') },
	sub { $holder->query_safe('ROLLBACK') });
$holder->quit;
is_slow('the server is frozen',
	sub { @frozen = (ids_of_server(), PostgreSQL::Test::Utils::slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/); kill 'STOP', @frozen },
	sub { kill 'CONT', splice @frozen });

# ---------- Another schema ----------

sub replace_interface
{
	my ($number) = @_;
	$node->safe_psql('rxtrack', "CREATE OR REPLACE FUNCTION rxtrack_http.interface_number() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $number'");
	$node->safe_psql('rxtrack', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%'");
	sleep 0.7;
	return;
}

replace_interface(4);
is_away($gateway, qr/schema does not suit/, 'the extension is of another interface');
replace_interface(3);
recovers($gateway);

# The same while its sessions go on: a call is not carried out, and _status finds out even without one.
for my $found_by ('a call', '_status')
{
	my $stored = $node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update');
	$node->safe_psql('rxtrack', "CREATE OR REPLACE FUNCTION rxtrack_http.interface_number() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 4'");
	is($gateway->request('GET', '/_status')->{status}, 503, 'the extension becomes one of another interface: _status says so') if $found_by eq '_status';
	is_away($gateway, qr/schema does not suit/, "that is found by $found_by");
	$node->safe_psql('rxtrack', "CREATE OR REPLACE FUNCTION rxtrack_http.interface_number() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 3'");
	recovers($gateway);
	is($node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update'), $stored, 'and nothing was stored');
}
my $function = 'rxtrack_http.check_updates(text, bytea[], text[], text[], bytea[])';
my %loss = (
	'a function of a route goes' => [ "ALTER FUNCTION $function RENAME TO gone", 'ALTER FUNCTION ' . $function =~ s/check_updates/gone/r . ' RENAME TO check_updates' ],
	'a function of a route is forbidden' => [ "REVOKE EXECUTE ON FUNCTION $function FROM rxtrack_gateway", "GRANT EXECUTE ON FUNCTION $function TO rxtrack_gateway" ]);
for my $what (sort keys %loss)
{
	$node->safe_psql('rxtrack', $loss{$what}[0]);
	is($gateway->request('GET', '/_status')->{status}, 503, "$what: _status says so");
	is_away($gateway, qr/schema does not suit/, 'and nothing else is served either');
	$node->safe_psql('rxtrack', $loss{$what}[1]);
	recovers($gateway);
}
$node->safe_psql('rxtrack', 'DROP EXTENSION rxtrack CASCADE');
like($gateway->post(bundle(task()), key => $key)->{status}, qr/^503$/, 'the extension is dropped: 503');
sleep 0.7;
is_away($gateway, qr/schema does not suit/, 'and from then on');
$node->safe_psql('rxtrack', 'CREATE EXTENSION rxtrack');
recovers($gateway);
$key = add_application($node, 'A supplier');
is_response($gateway->post(bundle(task()), key => $key), 201, [201], 'an update is stored in the new one');

$node->safe_psql('postgres', 'REVOKE rxtrack_gateway FROM rxtrack_test_gateway');
$node->safe_psql('rxtrack', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%'");
sleep 0.7;
is_away($gateway, qr/schema does not suit/, 'its role may not call the functions');
$node->safe_psql('postgres', 'GRANT rxtrack_gateway TO rxtrack_test_gateway');
recovers($gateway);

my %events = map { $_->{event} // '' => 1 } $gateway->log_events;
ok($events{$_}, "its log has said: $_") for qw(database_away database_connected database_lost database_unsuitable);
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
