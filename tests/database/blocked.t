# A request that hangs at a lock is the only one that has to wait, whoever shares its way to the database.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $timeout = 5;
my $node = node();
my $key = add_application($node, 'A supplier');
my $holder = RxTrack::Session->new($node);
my @locked = map { task() } 1 .. 2;
is($node->safe_psql('rxtrack', sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'A supplier')}, to_json(bundle(@locked)), uuid()),
	201, 'items are known');

# A Task of that item.
sub next_of
{
	my ($task) = @_;
	return task(business_status => 'Ready to Collect', prescription_id => $task->{basedOn}[0]{identifier}{value},
		line_item_id => $task->{focus}{identifier}{value});
}

sub send_all
{
	my ($gateway, @tasks) = @_;
	my @connections = map { RxTrack::Connection->new($gateway) } @tasks;
	my @bodies = map { to_json(bundle($_)) } @tasks;
	$connections[$_]->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, $bodies[$_]) for 0 .. $#tasks;
	return @connections;
}

# With one connection to the database and one request that hangs; and with as many connections as by default and two such
# requests, there a second time, with sessions that have been through it.
for my $case ([ 1, 1, 1 ], [ 4, 2, 2 ])
{
	my ($connections, $hanging, $rounds) = @$case;
	my $gateway = gateway($node, env => { RXTRACK_REQUEST_TIMEOUT => $timeout, RXTRACK_DATABASE_CONNECTIONS => $connections });
	for (1 .. $rounds)
	{
		$holder->sql('BEGIN');
		$holder->sql(sprintf q{SELECT 1 FROM rxtrack.supply WHERE prescription_id = '%s' FOR UPDATE}, $_->{basedOn}[0]{identifier}{value}) for @locked;
		my $began = time;
		my @clients = send_all($gateway, (map { task() } 1 .. 49), (map { next_of($_) } @locked[ 0 .. $hanging - 1 ]), map { task() } 1 .. 49);
		my @hanging = splice @clients, 49, $hanging;
		my %seen;
		$seen{ ($_->answer // { status => 'none' })->{status} }++ for @clients;
		my $took = time - $began;
		is_deeply(\%seen, { 201 => 98 }, "$connections connections, $hanging locked items: the requests that need none of them are stored");
		cmp_ok($took, '<', $timeout - 0.5, 'well in time');
		is_outcome($_->answer, 504, 'timeout', 'another is told that it took too long') for @hanging;
		$took = time - $began;
		cmp_ok($took, '>=', $timeout - 0.1, 'which is not before their time');
		cmp_ok($took, '<', $timeout + 2, 'and soon after');
		$holder->sql('ROLLBACK');
	}

	# A call that lasts is not waited for, where there is another connection.
	if ($connections > 1)
	{
		$holder->sql('BEGIN');
		$holder->sql(sprintf q{SELECT 1 FROM rxtrack.supply WHERE prescription_id = '%s' FOR UPDATE}, $locked[0]{basedOn}[0]{identifier}{value});
		my ($hanging) = send_all($gateway, next_of($locked[0]));
		sleep 0.1;
		my $began = time;
		my ($other) = send_all($gateway, task());
		is_response($other->answer, 201, [201], 'while one request hangs, another is stored');
		cmp_ok(time - $began, '<', $timeout / 8, 'and need not wait until the first is cut off');
		$holder->sql('ROLLBACK');
		is_response($hanging->answer, 201, [201], 'which is stored too');
	}

	# A lock that is held for longer than a first attempt may take, but not for all the time.
	$holder->sql('BEGIN');
	$holder->sql(sprintf q{SELECT 1 FROM rxtrack.supply WHERE prescription_id = '%s' FOR UPDATE}, $locked[0]{basedOn}[0]{identifier}{value});
	my ($client) = send_all($gateway, next_of($locked[0]));
	sleep $timeout * 0.45;
	$holder->sql('ROLLBACK');
	is_response($client->answer, 201, [201], 'a lock that is let go in time delays an update, and no more');
	is($gateway->stop, 0, 'the gateway ends well');
}

done_testing();
