# Commits hang, since a synchronous standby is away: there are never more sessions than configured, and it passes.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node(streaming => 1);
my $key = add_application($node, 'A supplier');
my $connections = 3;
my $gateway = gateway($node, env => { RXTRACK_REQUEST_TIMEOUT => 1, RXTRACK_DATABASE_CONNECTIONS => $connections });

sub wait_for_standby
{
	my ($names) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = '$names'");
	$node->reload;
	return;
}

sub sessions
{
	return $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%'");
}

my @known = map { +{ task => task(), id => uuid() } } 1 .. 40;
wait_for_standby('nobody');
sleep 0.3;
my ($most, %statuses) = (0);
my @clients;
for my $one (@known)
{
	my $client = RxTrack::Connection->new($gateway);
	$client->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => $one->{id} }, to_json(bundle($one->{task})));
	push @clients, $client;
	sleep 0.2;
	my $now = sessions();
	$most = $now if $now > $most;
}
$statuses{ ($_->answer // { status => 'none' })->{status} }++ for @clients;
is(join(' ', grep { !/^50[34]$/ } keys %statuses), '', 'while a synchronous standby is away requests get 504, or 503');
is($most, $connections, 'and there are never more sessions than configured');
my ($given_up) = grep { ($_->{event} // '') eq 'database_call_given_up' } $gateway->log_events;
ok($given_up, 'the log says that calls were given up');

wait_for_standby('');
my $until = time + 10;
sleep 0.05 while $gateway->request('GET', '/_status')->{status} != 200 && time < $until;
is_healthy($gateway, 'it recovers by itself');
my @again = map { $gateway->post(bundle($_->{task}), key => $key, request_id => $_->{id})->{status} } @known;
is_deeply(\@again, [ (201) x @known ], 'the same sent again: 201');
is($node->safe_psql('rxtrack', 'SELECT count(*), count(DISTINCT task_id) FROM rxtrack.status_update'), @known . '|' . @known, 'each is stored once');
cmp_ok(sessions(), '<=', $connections, 'with as many sessions as configured');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
