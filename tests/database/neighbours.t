# A quiet application is served as ever, whatever another one does: it posts every 50 ms, none is refused, and the 99th
# percentile of its times stays under 100 ms and twice what it is without that neighbour.
use strict;
use warnings;
use IO::Select;
use POSIX ();
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $every = 0.05;
my $seconds = 7;
my $node = node();
my ($connection_limit, $stream_limit) = (300, 100);
my %key = map { $_ => add_application($node, $_, 'updates:write', 'updates:read', 'events:read') } qw(Quiet Noisy);
my $gateway = gateway($node, env => { RXTRACK_CONNECTION_LIMIT => $connection_limit, RXTRACK_STREAM_LIMIT => $stream_limit });

# As bytes, so that a client costs little.
sub request_bytes
{
	my ($method, $target, $key, $json) = @_;
	$json //= '';
	return "$method $target HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: " . uuid() . "\r\nContent-Length: " . length($json) . "\r\n\r\n$json";
}

# A process that does what the function says, until it is killed.
sub start_noise
{
	my ($do) = @_;
	my $pid = fork // die "fork: $!";
	return $pid if $pid;
	srand; # ids of its own
	eval { $do->() };
	warn $@ if $@;
	POSIX::_exit(1);
}

# So many clients, each of which sends what the function makes, and again when it has its answer.
sub ask_on
{
	my ($clients, $make) = @_;
	my %open = map { my $c = RxTrack::Connection->new($gateway); fileno($c->socket) => $c } 1 .. $clients;
	my $select = IO::Select->new(map { $_->socket } values %open);
	$_->send($make->()) for values %open;
	for (;;)
	{
		for my $ready ($select->can_read(10))
		{
			my $connection = $open{ fileno $ready };
			my $answer = $connection->answer(10, 1) // die 'no answer';
			sleep 0.01 if $answer->{status} != 201 && $answer->{status} != 200;
			$connection->send($make->());
		}
	}
}

# So many connections that send a piece and never more; one that is closed is opened again.
sub hold_open
{
	my ($connections, $piece) = @_;
	my %open;
	my $select = IO::Select->new;
	for (;;)
	{
		while (keys %open < $connections)
		{
			my $connection = eval { RxTrack::Connection->new($gateway) } or last;
			$connection->send($piece);
			$open{ fileno $connection->socket } = $connection;
			$select->add($connection->socket);
		}
		for my $ready ($select->can_read(0.02))
		{
			next if sysread $ready, my $unused, 65536;
			$select->remove($ready);
			delete $open{ fileno $ready };
		}
	}
}

sub end_noise
{
	my ($pid) = @_;
	kill 'KILL', $pid;
	waitpid $pid, 0;
	return;
}

# Posts every 50 ms for so long over a connection; the times that it took, from when each was due, sorted, and how many
# were no 201.
sub quietly
{
	my ($connection) = @_;
	my $began = time;
	my ($refused, @took) = (0);
	for my $n (0 .. $seconds / $every - 1)
	{
		my $due = $began + $n * $every;
		my $bytes = request_bytes('POST', '/', $key{Quiet}, to_json(bundle(task())));
		sleep $due - time if $due > time;
		$connection->send($bytes);
		$refused++ if ($connection->answer(20, 1) // { status => 'none' })->{status} != 201;
		push @took, time - $due;
	}
	return ($refused, sort { $a <=> $b } @took);
}

sub p99 { return $_[ int($#_ * 0.99) ] * 1000 }

$gateway->post(bundle(task()), key => $key{$_}) for qw(Quiet Noisy); # so that both are known
my ($refused, @alone) = quietly(RxTrack::Connection->new($gateway));
is($refused, 0, 'alone it is served');
my $bound = 100 + 2 * p99(@alone);
note(sprintf "alone: p99 %.0f ms, the longest %.0f ms", p99(@alone), $alone[-1] * 1000);

# What the neighbour does, and how it is set up and ended.
my $known = task();
is($gateway->post(bundle($known), key => $key{Noisy})->{status}, 201, 'an item is known');
my %item = (prescription_id => $known->{basedOn}[0]{identifier}{value}, line_item_id => $known->{focus}{identifier}{value});
my $holder = RxTrack::Session->new($node);
my $faulty = to_json({ resourceType => 'Bundle', type => 'transaction', entry => [ map { { resource => { meta => 1, input => 1 } } } 1 .. 5000 ] });
my @neighbours = (
	{
		name => '20 clients post to an item that a session has locked',
		begin => sub { $holder->sql("BEGIN; SELECT 1 FROM rxtrack.supply WHERE prescription_id = '$item{prescription_id}' FOR UPDATE") },
		do => sub { ask_on(20, sub { request_bytes('POST', '/', $key{Noisy}, to_json(bundle(task(%item, business_status => 'Ready to Collect')))) }) },
		end => sub { $holder->sql('ROLLBACK') },
	},
	{
		name => 'a tenth of the posts of 20 clients are to such an item',
		begin => sub { $holder->sql("BEGIN; SELECT 1 FROM rxtrack.supply WHERE prescription_id = '$item{prescription_id}' FOR UPDATE") },
		do => sub { ask_on(20, sub { request_bytes('POST', '/', $key{Noisy}, to_json(bundle(task(rand() < 0.1 ? %item : ())))) }) },
		end => sub { $holder->sql('ROLLBACK') },
	},
	{
		name => '64 clients search, and each search takes half a second',
		begin => sub {
			$node->safe_psql('rxtrack', q{ALTER FUNCTION rxtrack_http.check_updates(text, bytea[], text[], text[], bytea[]) RENAME TO quick;
				CREATE FUNCTION rxtrack_http.check_updates(text, bytea[], text[], text[], bytea[]) RETURNS SETOF rxtrack_http.answer LANGUAGE plpgsql SECURITY DEFINER AS
				'BEGIN PERFORM pg_sleep(0.5 * cardinality($3)); RETURN QUERY SELECT * FROM rxtrack_http.quick($1, $2, $3, $4, $5); END';
				GRANT EXECUTE ON FUNCTION rxtrack_http.check_updates(text, bytea[], text[], text[], bytea[]) TO rxtrack_gateway});
		},
		do => sub { ask_on(64, sub { request_bytes('GET', '/checkprescriptionstatusupdates?odscode=Y12345', $key{Noisy}) }) },
		end => sub {
			$node->safe_psql('rxtrack', q{DROP FUNCTION rxtrack_http.check_updates(text, bytea[], text[], text[], bytea[]);
				ALTER FUNCTION rxtrack_http.quick(text, bytea[], text[], text[], bytea[]) RENAME TO check_updates});
		},
	},
	{
		name => '4 clients post bundles of 5,000 faulty entries',
		do => sub { ask_on(4, sub { request_bytes('POST', '/', $key{Noisy}, $faulty) }) },
	},
	{
		name => '8 clients without a key post forms of 5,000 fields',
		do => sub { ask_on(8, sub { "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 20000\r\n\r\n" . 'a=b&' x 5000 }) },
	},
	{
		name => "$connection_limit connections never end a request",
		do => sub { hold_open($connection_limit, "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Be") },
	},
	{
		name => "$stream_limit streams are opened, and as many more tried",
		do => sub { hold_open(2 * $stream_limit, "GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key{Noisy}\r\n\r\n") },
	});
for my $neighbour (@neighbours)
{
	$neighbour->{begin}->() if $neighbour->{begin};
	my $connection = RxTrack::Connection->new($gateway);
	my $noise = start_noise($neighbour->{do});
	sleep 0.2;
	my ($not_served, @took) = quietly($connection);
	end_noise($noise);
	$neighbour->{end}->() if $neighbour->{end};
	is($not_served, 0, "$neighbour->{name}: the quiet one is served");
	cmp_ok(p99(@took), '<', $bound, sprintf 'and waits no longer: p99 %.0f ms, the longest %.0f ms (alone %.0f and %.0f)', p99(@took), $took[-1] * 1000, p99(@alone), $alone[-1] * 1000);
}
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
