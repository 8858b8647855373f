# Slow clients, clients that do not read, and more connections than there may be: none of them keeps others from being served.
# tests/http/refusals.t has the 408 for half-sent requests, tests/database/overload.t what waits for the database.
use strict;
use warnings;
use IO::Select;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Process;
use Test::More;
use Time::HiRes qw(sleep time);

my $limit = 40;
my $node = node();
my $key = add_application($node, 'A supplier');
my $gateway = gateway($node, env => { RXTRACK_CONNECTION_LIMIT => $limit, RXTRACK_CLIENT_TIMEOUT => 2, RXTRACK_IDLE_TIMEOUT => 30 });
my $before = descriptors($gateway->pid);
my $head = "Host: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: " . uuid() . "\r\n";

sub comes_true
{
	my ($condition, $seconds) = @_;
	my $until = time + ($seconds // 10);
	sleep 0.05 while !$condition->() && time < $until;
	return $condition->();
}

# ---------- Slow-loris: a byte now and then ----------

my %loris = (
	'nothing' => '',
	'blank lines' => "\r\n" x 100,
	'a first line' => 'GET /_ping HTTP/1.1',
	'a long path' => 'GET /' . 'x' x 100,
	'headers' => "GET /_ping HTTP/1.1\r\nHost: x\r\nX-Slow: " . 'y' x 100,
	'more and more headers' => "GET /_ping HTTP/1.1\r\nHost: x\r\n" . "X: y\r\n" x 30,
	'a body' => "POST / HTTP/1.1\r\n${head}Content-Length: 1000\r\n\r\n" . ' ' x 100,
	'a chunked body' => "POST / HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n" . "1\r\n \r\n" x 30,
	'chunk extensions' => "POST / HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n1;" . 'e' x 100,
	'a form' => "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n" . 'a' x 100);
my %at = map { my $connection = RxTrack::Connection->new($gateway);
	# the first half at once, the rest a byte at a time
	my $half = int(length($loris{$_}) / 2);
	$connection->transmit(substr $loris{$_}, 0, $half);
	$_ => { connection => $connection, rest => substr $loris{$_}, $half } } keys %loris;
my $began = time;
my %took;
while (keys %took < keys %at && time - $began < 8)
{
	for my $what (grep { !$took{$_} } keys %at)
	{
		my $one = $at{$what};
		$took{$what} = time - $began, next if IO::Select->new($one->{connection}->socket)->can_read(0);
		$one->{connection}->transmit(substr $one->{rest}, 0, 1, '');
	}
	sleep 0.1;
}
ok($took{$_} && $took{$_} < 4, "a client that drips $_ is cut off: " . ($took{$_} // 'never')) for sort keys %loris;
undef %at;

# ---------- Clients that do not read ----------

# A short body whose answer is long: a fault for each entry.
my $body = '{"resourceType":"Bundle","type":"transaction","entry":[' . join(',', (1) x 5000) . ']}';
my @deaf = map { RxTrack::Connection->new($gateway) } 1 .. 5;
for my $connection (@deaf)
{
	my $asked = "POST / HTTP/1.1\r\n${head}Content-Length: " . length($body) . "\r\n\r\n$body";
	$connection->socket->blocking(0);
	syswrite $connection->socket, $asked x 20;
}
is($gateway->request('GET', '/_ping')->{status}, 200, 'others are answered meanwhile');
ok(comes_true(sub { descriptors($gateway->pid) <= $before }, 15), 'clients that ask and do not read are cut off');
undef @deaf;

# ---------- Idle ----------

my $idle = RxTrack::Connection->new($gateway);
$idle->request('GET', '/_ping');
is($idle->answer->{status}, 200, 'a client has been answered');
sleep 3.2;
$idle->request('GET', '/_ping');
is($idle->answer->{status}, 200, 'between two requests it has more time than for one');

# ---------- More connections than there may be ----------

# Some say nothing, some have asked once and stay.
my @flood = map { RxTrack::Connection->new($gateway) } 1 .. 4 * $limit;
$_->request('GET', '/_ping') for @flood[ 0 .. 14 ];
ok(comes_true(sub { descriptors($gateway->pid) >= $before + $limit - 5 }), 'a flood of connections takes all there are');
# those that have been accepted at one moment are counted a moment later
cmp_ok(descriptors($gateway->pid), '<', $before + 3 * $limit, 'and few more');
$began = time;
my $answer = $gateway->post(bundle(task()), key => $key);
is($answer->{status}, 201, 'who comes after them is served');
cmp_ok(time - $began, '<', 30, sprintf 'within seconds: %.1f s', time - $began);
undef @flood;
ok(comes_true(sub { descriptors($gateway->pid) <= $before + 2 }), 'no connection of the flood is left');
my @statuses = map { $gateway->post(bundle(task()), key => $key)->{status} } 1 .. 5;
is("@statuses", '201 201 201 201 201', 'and all is as before');
is_healthy($gateway, 'all is well');
is($gateway->stop, 0, 'the gateway ends well');

# ---------- Who makes room ----------

# All connections are taken, by clients that would be waited for by the half minute. A new one is let in soon, and told of once.
my %taker = (
	'say nothing' => '',
	'send half a head' => "POST / HTTP/1.1\r\nHost: x\r\nX-Half: ",
	'were answered and stay' => "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
for my $what (sort keys %taker)
{
	$gateway = gateway($node, env => { RXTRACK_CONNECTION_LIMIT => 200 });
	$before = descriptors($gateway->pid);
	my @takers;
	comes_true(sub { push @takers, RxTrack::Connection->new($gateway); $takers[-1]->transmit($taker{$what}); @takers >= 210 && descriptors($gateway->pid) >= $before + 200 });
	$began = time;
	is($gateway->request('GET', '/_ping')->{status}, 200, '200 that ' . $what . ': a new one is served');
	cmp_ok(time - $began, '<', 8, sprintf 'soon: %.1f s', time - $began);
	is($gateway->stop, 0, 'it ends well');
}
# Those whose request has arrived, and waits, are not asked to.
$gateway = gateway($node, env => { RXTRACK_CONNECTION_LIMIT => 20, RXTRACK_REQUEST_TIMEOUT => 20 });
my $holder = $node->background_psql('rxtrack');
$holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE');
my @waiting = map { RxTrack::Connection->new($gateway) } 1 .. 5;
$_->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, to_json(bundle(task()))) for @waiting;
my @silent = map { RxTrack::Connection->new($gateway) } 1 .. 30;
is($gateway->request('GET', '/_ping')->{status}, 200, 'beside some that wait for their answers a new one is served as well');
$holder->query_safe('ROLLBACK');
$holder->quit;
is_deeply([ map { ($_->answer // { status => 'none' })->{status} } @waiting ], [ (201) x 5 ], 'and those get them');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
