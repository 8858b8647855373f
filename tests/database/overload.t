# More comes in than can be served: one application floods, and another one's requests are answered as ever.
use strict;
use warnings;
use IO::Select;
use POSIX ();
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Process;
use Test::More;
use Time::HiRes qw(sleep time);

# A database that takes ten milliseconds for each update, so that it is easily asked too much.
my $node = node();
$node->safe_psql('rxtrack', <<'SQL');
CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END';
CREATE TRIGGER dawdle BEFORE INSERT ON rxtrack.status_update FOR EACH ROW EXECUTE FUNCTION public.dawdle();
SQL
my %key = map { $_ => add_application($node, $_) } qw(Flooding Polite Other);
my $limit = 60;
my $gateway = gateway($node, env => { RXTRACK_DATABASE_CONNECTIONS => 1, RXTRACK_BATCH_LIMIT => 8, RXTRACK_WAITING_LIMIT => $limit, RXTRACK_REQUEST_TIMEOUT => 4 });

sub post_bytes
{
	my ($key) = @_;
	my $json = to_json(bundle(task()));
	return "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: " . uuid() . "\r\nContent-Length: " . length($json) . "\r\n\r\n$json";
}

# A process that floods over so many connections, each with a request at all times, until it is told to stop; then it says
# which statuses it got, and whether every 503 and 429 had Retry-After.
sub flood
{
	my ($key, $connections) = @_;
	pipe my $stop_read, my $stop_write or die $!;
	pipe my $said_read, my $said_write or die $!;
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		srand; # ids of its own
		$_->close for $stop_write, $said_read;
		my %count = map { $_ => 0 } 201, 503, 'other', 'without Retry-After';
		my %open = map { my $c = RxTrack::Connection->new($gateway); fileno($c->socket) => { connection => $c, bytes => post_bytes($key) } } 1 .. $connections;
		my $select = IO::Select->new($stop_read, map { $_->{connection}->socket } values %open);
		$_->{connection}->send($_->{bytes}) for values %open;
		FLOOD: for (;;)
		{
			for my $ready ($select->can_read(10))
			{
				last FLOOD if $ready == $stop_read;
				my $one = $open{ fileno $ready };
				my $answer = $one->{connection}->answer(10, 1);
				my $status = $answer ? $answer->{status} : 'none';
				$count{ exists $count{$status} ? $status : 'other' }++;
				$count{'without Retry-After'}++ if $status eq '503' && !$answer->{headers}{'retry-after'};
				$one->{bytes} = post_bytes($key) if $status ne '503';
				sleep 0.001 if $status eq '503'; # two processors have to do for all of us
				$one->{connection}->send($one->{bytes});
			}
		}
		print {$said_write} join ' ', map { s/ /_/gr . "=$count{$_}" } sort keys %count;
		close $said_write;
		POSIX::_exit(0);
	}
	$_->close for $stop_read, $said_write;
	return { pid => $pid, stop => $stop_write, said => $said_read };
}

sub end_flood
{
	my ($flood) = @_;
	print { $flood->{stop} } '.';
	close $flood->{stop};
	my $said = readline $flood->{said};
	waitpid $flood->{pid}, 0;
	return map { s/_/ /gr } map { split /=/ } split ' ', $said;
}

# Posts so many, one after the other: the statuses with how often, and the longest time in seconds.
sub politely
{
	my ($key, $count) = @_;
	my $connection = RxTrack::Connection->new($gateway);
	my (%statuses, $longest);
	$longest = 0;
	for (1 .. $count)
	{
		my $began = time;
		$connection->send(post_bytes($key));
		$statuses{ ($connection->answer // { status => 'none' })->{status} }++;
		$longest = time - $began if time - $began > $longest;
	}
	return (\%statuses, $longest);
}

my ($alone, $usual) = politely($key{Polite}, 10);
is_deeply($alone, { 201 => 10 }, 'the polite one is served');
$gateway->post(bundle(task()), key => $key{$_}) for qw(Flooding Other); # so that all are known
my $memory = memory($gateway->pid);
my $flood = flood($key{Flooding}, 200);
sleep 1;

my ($statuses, $longest) = politely($key{Polite}, 25);
is_deeply($statuses, { 201 => 25 }, 'and is served while another one floods over 200 connections');
cmp_ok($longest, '<', 2, sprintf 'in bearable time: at most %.3f s (%.3f s alone)', $longest, $usual);
my ($others) = politely($key{Other}, 5);
is_deeply($others, { 201 => 5 }, 'so is a third one');
is($gateway->request('GET', '/_status')->{status}, 200, 'and who asks whether the service is well');
is($gateway->post(bundle(task()), key => 'wrong')->{status}, 401, 'a stranger gets its answer, too');
SKIP:
{
	skip 'with the sanitizers memory grows', 1 if PostgreSQL::Test::Utils::slurp_file('/proc/' . $gateway->pid . '/maps') =~ /libasan/;
	cmp_ok(memory($gateway->pid) - $memory, '<', 12 * 1024, 'memory stays bounded');
}
my %count = end_flood($flood);
note(join ', ', map { "$_: $count{$_}" } sort keys %count);
cmp_ok($count{201}, '>', 20, 'the flooding one is served as well');
cmp_ok($count{503}, '>', 20, 'and turned away beyond that');
is("$count{other} $count{'without Retry-After'}", '0 0', 'with 503 and Retry-After, and nothing else');
my $until = time + 10; # what it has left behind in the queue is carried out first
sleep 0.1 while $gateway->post(bundle(task()), key => $key{Flooding})->{status} == 503 && time < $until;
($statuses, $longest) = politely($key{Flooding}, 10);
is_deeply($statuses, { 201 => 10 }, 'after the flood it is served as ever');
is($node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update') >= 10 + 2 + 25 + 5 + 10 + $count{201}, 1, 'what was acknowledged is stored');
my @refused = grep { ($_->{status} // 0) == 503 } $gateway->log_events;
is_deeply([ keys %{ { map { $_->{application} // 'nobody' => 1 } @refused } } ], ['Flooding'], 'the log says who was turned away');

# ---------- Who waits without hope is turned away at once ----------

my $holder = $node->background_psql('rxtrack');
$holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE');
my @waiting = map { my $connection = RxTrack::Connection->new($gateway); $connection->send(post_bytes($key{Polite})); $connection } 1 .. 12;
sleep 2.3;
my $began = time;
my $answer = $gateway->post(bundle(task()), key => $key{Polite});
is_outcome($answer, 503, 'transient', 'behind requests that have waited for half of the time there is: 503');
cmp_ok(time - $began, '<', 1, 'at once');
is($answer->{headers}{'retry-after'}, 1, 'with Retry-After');
$holder->query_safe('ROLLBACK');
$holder->quit;
is_deeply([ map { $_->answer->{status} } @waiting ], [ (201) x 12 ], 'those that waited are served');
is_response($gateway->post(bundle(task()), key => $key{Polite}), 201, [201], 'and so are new ones');
is($gateway->stop, 0, 'the gateway ends well');

# ---------- Large bodies that arrive slowly ----------

$node->safe_psql('rxtrack', 'DROP TRIGGER dawdle ON rxtrack.status_update');
$gateway = gateway($node, env => { RXTRACK_BODY_MEMORY => 2_000_000, RXTRACK_CLIENT_TIMEOUT => 20 });
$gateway->post(bundle(task()), key => $key{Polite});
my ($piece, $rest) = (200_000, 50_000);
$memory = memory($gateway->pid);
my @slow = map { RxTrack::Connection->new($gateway) } 1 .. 60;
$_->send("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key{Flooding}\r\nX-Request-ID: " . uuid() . "\r\nContent-Length: " . ($piece + $rest) . "\r\n\r\n" . ' ' x $piece) for @slow;
sleep 0.5;
SKIP:
{
	skip 'with the sanitizers memory grows', 1 if PostgreSQL::Test::Utils::slurp_file('/proc/' . $gateway->pid . '/maps') =~ /libasan/;
	cmp_ok(memory($gateway->pid) - $memory, '<', 7 * 1024, 'sixty half-sent large bodies: memory stays bounded');
}
is($gateway->post(bundle(task()), key => $key{Polite})->{status}, 201, 'an ordinary update finds room');
$_->send(' ' x $rest) for @slow;
my %got;
$got{ $_->answer->{status} }++ for @slow;
is(join(' ', sort keys %got), '400 503', 'of the large ones some are read to their end, and the others told to come later');
cmp_ok($got{400}, '>', 3, 'as many as there is memory for');
my $large = to_json(bundle(map { task() } 1 .. 300));
cmp_ok(length $large, '>', 200_000, 'a large bundle');
is($gateway->post($large, key => $key{Polite})->{status}, 201, 'is stored as soon as there is room again');
is($gateway->stop, 0, 'and that gateway ends well');

done_testing();
