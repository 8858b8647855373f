# rxtrack-listen with a gateway's stream: what it prints, where it begins, what it keeps in its state file, how it comes back
# when the gateway or the server was away, and what it does about answers that are none.
use strict;
use warnings;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use Test::More;
use Time::HiRes qw(sleep);

my $node = listening_node();
my %env = (RXTRACK_STREAM_HEARTBEAT => 1);
my $gateway = gateway($node, env => \%env);
my $key = add_application($node, 'Listener', 'events:read');
my $directory = PostgreSQL::Test::Utils::tempdir();
my $state = "$directory/position";

sub follow
{
	my (@arguments) = @_;
	return RxTrack::Listener->start([ '--url', $gateway->url, @arguments ], env => { RXTRACK_API_KEY => $key, OUT => $directory });
}

sub wait_for_state
{
	my ($number) = @_;
	return wait_until(sub { -e $state && slurp_file($state) eq "$number\n" });
}

# ---------- Printing ----------

my $listener = follow('--state', $state);
ok(wait_for_state(0), 'a stream begins with what comes from now on, and keeps where that is');
my ($task) = make_ready($node, 1, ods_code => 'A1B2');
my ($line) = $listener->wait_for_lines(1);
is(join(' ', sort keys %$line), 'alert id issue item occurred origin patient pharmacy prescription reason released status withdraws withdraws_alert',
	'a line has what a subscription\'s has');
is("$line->{id} $line->{pharmacy} $line->{patient}", "1 A1B2 $task->{for}{identifier}{value}", 'it is the event');
make_ready($node, 150);
make_ready($node, 1) for 1 .. 5;
$listener->wait_for_lines(156);
is($listener->numbers, join(' ', 1 .. 156), 'each event once, in the order of release');
ok(wait_for_state(156), 'the position is kept');
is($listener->stop, 0, 'SIGTERM ends it, with status 0');
is($listener->messages, '', 'and it had nothing to complain of');

# ---------- The same event by both ways in ----------

$node->safe_psql('rxtrack', q{SET ROLE rxtrack_test_listener; SELECT rxtrack.add_subscription('app')});
make_ready($node, 2);
my $subscriber = RxTrack::Listener->start([ '--subscription', 'app', '--max', 2 ],
	database => $node->connstr('rxtrack') . ' user=rxtrack_test_listener');
$subscriber->wait_for_exit;
$listener = follow('--state', $state, '--once');
is($listener->wait_for_exit, 0, '--once ends when it has caught up');
is_deeply([ $listener->lines ], [ $subscriber->lines ], 'with the same lines as a subscription');
is($listener->numbers, '157 158', 'and it went on where it was');

# ---------- Where it begins ----------

$listener = follow('--since', 150, '--once');
is($listener->wait_for_exit, 0, '--since');
is($listener->numbers, join(' ', 151 .. 158), 'begins after that release');
is(follow('--since', 0, '--max', 3)->wait_for_exit, 0, '--since 0 --max 3');
$listener = follow('--since', 0, '--max', 3, '--batch', 2, '--state', "$directory/other");
$listener->wait_for_exit;
is($listener->numbers . '|' . slurp_file("$directory/other"), "1 2 3|3\n", 'ends after the third, wherever the batch ends');
$listener = follow('--since', 1, '--max', 2, '--state', "$directory/other");
$listener->wait_for_exit;
is($listener->numbers, '4 5', 'the state goes before --since');
$listener = follow('--once');
is($listener->wait_for_exit, 0, '--once without a position');
is($listener->numbers, '', 'has nothing to catch up with');

# ---------- Filters ----------

$node->safe_psql('rxtrack', q{SELECT rxtrack.enable_alerts(ods_codes => '{A1B2, C3}')});
make_ready($node, 1, ods_code => $_) for qw(A1B2 C3 D4 A1B2 D4);
wait_until(sub { $node->safe_psql('rxtrack', 'SELECT max(release_number) FROM rxtrack.readiness_event') == 163 });
$listener = follow('--since', 158, '--once', '--ods', ' d4,c3');
$listener->wait_for_exit;
is(join(' ', map { $_->{pharmacy} } $listener->lines), 'C3 D4 D4', '--ods: these pharmacies');
$listener = follow('--state', $state, '--once', '--alerts-only');
$listener->wait_for_exit;
is($listener->numbers, '159 160 162', '--alerts-only: what is to alert');
ok(wait_for_state(163), 'and the position passes over the rest');

# ---------- The command ----------

$listener = follow('--since', 160, '--max', 3, '--batch', 2, '--exec',
	'cat >>$OUT/tries; echo >>$OUT/count; [ $(wc -l <$OUT/count) -ge 2 ]', '--state', "$directory/tries.state");
is($listener->wait_for_exit, 0, 'a command that fails is run again');
is(join(' ', slurp_file("$directory/tries") =~ /"id":(\d+)/g), '161 162 161 162 163', 'with the same events, and then with the next');
like($listener->messages, qr/the command exited with 1/, 'which is said');

$listener = follow('--since', 160, '--exec', 'cat >>$OUT/killed; exec sleep 3', '--state', "$directory/killed.state");
wait_until(sub { -s "$directory/killed" });
$listener->kill9;
is(slurp_file("$directory/killed.state"), "160\n", 'kill -9 in mid-batch: the position stays before it');
$listener = follow('--state', "$directory/killed.state", '--once');
$listener->wait_for_exit;
is($listener->numbers, '161 162 163', 'and the next one gets all of it again');

# ---------- Away, and back ----------

$listener = follow('--state', $state);
make_ready($node, 1);
$listener->wait_for_lines(1);
my $port = $gateway->port;
is($gateway->stop, 0, 'the gateway is stopped');
make_ready($node, 3);
$listener->wait_for_message(qr/trying again/);
$gateway = gateway($node, env => \%env, port => $port);
$listener->wait_for_lines(4);
is($listener->numbers, '164 165 166 167', 'and started: the stream goes on, with what was released meanwhile');
$gateway->kill9;
make_ready($node, 1);
$gateway = gateway($node, env => \%env, port => $port);
$listener->wait_for_lines(5);
is($listener->numbers, '164 165 166 167 168', 'likewise after kill -9');
$node->restart;
make_ready($node, 1);
$listener->wait_for_lines(6);
is($listener->numbers, '164 165 166 167 168 169', 'and after a restart of the server');
is($listener->stop, 0, 'SIGTERM ends it');

# A listener that was never told of an event still knows where it was.
$listener = follow('--state', "$directory/quiet.state");
wait_until(sub { -e "$directory/quiet.state" });
$gateway->kill9;
make_ready($node, 2);
$gateway = gateway($node, env => \%env, port => $port);
$listener->wait_for_lines(2);
is($listener->numbers, '170 171', 'a stream without any event yet misses none while the gateway is away');
is($listener->stop, 0, 'and ends');

# ---------- Standard output ----------

pipe my $reader, my $writer or die "pipe: $!";
$listener = RxTrack::Listener->start([ '--url', $gateway->url, '--since', 170, '--state', "$directory/pipe.state" ],
	env => { RXTRACK_API_KEY => $key }, stdout => $writer);
close $writer;
like(scalar <$reader>, qr/^\{"id":171,/, 'a line comes through a pipe at once');
close $reader;
is($listener->wait_for_exit, 3, 'when its reader goes, it ends with status 3');
is(slurp_file("$directory/pipe.state"), "171\n", 'with the position of what was read');
SKIP:
{
	skip 'there is no /dev/full', 2 unless -c '/dev/full';
	open my $full, '>', '/dev/full' or die "/dev/full: $!";
	$listener = RxTrack::Listener->start([ '--url', $gateway->url, '--since', 170, '--state', "$directory/full.state" ],
		env => { RXTRACK_API_KEY => $key }, stdout => $full);
	is($listener->wait_for_exit, 3, 'an output that takes nothing: status 3');
	is(slurp_file("$directory/full.state"), "170\n", 'and the position stays');
}

# ---------- Events that are gone ----------

$node->safe_psql('rxtrack', 'DELETE FROM rxtrack.readiness_event WHERE release_number < 169');
$gateway->kill9;
$gateway = gateway($node, env => \%env, port => $port);
$listener = follow('--since', 100, '--once');
is($listener->wait_for_exit, 0, 'a position from before what is kept');
is($listener->numbers, '169 170 171', 'gets what is kept');
like($listener->messages, qr/events 101 to 168 are no longer kept by the server/, 'and says what is gone');

# ---------- What is taken back ----------

sub last_release { return $node->safe_psql('rxtrack', 'SELECT max(release_number) FROM rxtrack.readiness_event') }

my @ready = map { make_ready($node, 1, ods_code => $_) } qw(C3 D4);
take_back($node, reverse @ready);
wait_until(sub { last_release() == 175 });
$listener = follow('--since', 173, '--once');
is($listener->wait_for_exit, 0, 'what takes an event back');
is(join(' ', map { "$_->{id}:$_->{withdraws}" } $listener->lines), '174:173 175:172', 'is an event that names it');
is(join(' ', map { join ',', $_->{status}, $_->{alert} + 0, $_->{reason} // 'none', $_->{withdraws_alert} + 0 } $listener->lines),
	'With Pharmacy,0,none,0 With Pharmacy,0,none,1', 'says what the status is now, and whether the patient was to be alerted, but does not alert');
$listener = follow('--since', 171, '--once', '--alerts-only');
$listener->wait_for_exit;
is($listener->numbers, '172 175', '--alerts-only: with what takes an alert back');

# ---------- Another history of the database ----------

$node->safe_psql('rxtrack', 'SELECT rxtrack.begin_new_history()');
make_ready($node, 2);
wait_until(sub { last_release() > 10_000_000 });
my $last = last_release();
$listener = follow('--since', 174, '--once');
is($listener->wait_for_exit, 0, 'a position from before another history');
is($listener->numbers, join(' ', 175, $last - 1, $last), 'goes on with what is new');
like($listener->messages, qr/events go on with ${\($last - 1)}: another history of the database has begun/, 'and says so');
$listener = follow('--since', 4711, '--once');
$listener->wait_for_exit;
is($listener->numbers, join(' ', $last - 1, $last), 'so does one from a history that is lost');

# ---------- What does not get better ----------

sub ends_with
{
	my ($status, $regex, $name, $arguments, %env) = @_;
	my $refused = RxTrack::Listener->start($arguments, env => \%env);
	is($refused->wait_for_exit, $status, "$name: status $status");
	like($refused->messages, $regex, "$name: why");
	return;
}

my @url = ('--url', $gateway->url);
ends_with(1, qr/status 401/, 'no key', \@url);
ends_with(1, qr/status 401/, 'an unknown key', \@url, RXTRACK_API_KEY => 'rxtrack_0');
ends_with(1, qr/status 403.*events:read/, 'a key without the scope', \@url, RXTRACK_API_KEY => add_application($node, 'Writer'));
ends_with(1, qr/status 404/, 'another path', [ '--url', $gateway->url . '/elsewhere' ], RXTRACK_API_KEY => $key);
append_to_file("$directory/key", "$key\n");
my $once = RxTrack::Listener->start([ '--url', $gateway->url . '/', '--once', '--key-file', "$directory/key" ]);
is($once->wait_for_exit, 0, 'a key from a file, and a URL that ends with a slash');
is($gateway->stop, 0, 'the gateway ends well');
ends_with(4, qr/127\.0\.0\.1/, '--once, and no gateway', [ @url, '--once' ], RXTRACK_API_KEY => $key);

# ---------- Servers that are no gateway ----------

# Answers each connection with the bytes, and closes it.
sub pretend
{
	my ($bytes, %option) = @_;
	my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5, Proto => 'tcp') // die "listen: $!";
	my $pid = fork // die "fork: $!";
	return ($pid, 'http://127.0.0.1:' . $server->sockport) if $pid;
	$SIG{ALRM} = 'DEFAULT';
	alarm 120;
	while (my $client = $server->accept)
	{
		local $/ = "\r\n\r\n";
		readline $client;
		for my $byte ($option{slowly} ? split //, $bytes : $bytes)
		{
			syswrite $client, $byte;
			sleep 0.001 if $option{slowly};
		}
		sleep($option{linger} // 0);
		close $client;
	}
	POSIX::_exit(0);
}

sub against
{
	my ($bytes, $arguments, %option) = @_;
	my ($pid, $url) = pretend($bytes, %option);
	my $client = RxTrack::Listener->start([ '--url', $url, @$arguments ]);
	my $status = $client->wait_for_exit(30);
	kill 'KILL', $pid;
	waitpid $pid, 0;
	$client->kill9;
	return ($client, $status);
}

my $ok = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n";
my ($client, $status) = against("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nHi\n\n", []);
is($status, 1, 'a page of HTML: status 1');
like($client->messages, qr/no event stream/, 'and why');
($client, $status) = against("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", ['--once']);
is($status, 4, '503 is for later');
($client, $status) = against($ok . "id: x\ndata: {}\n\n", ['--once']);
is($status, 4, 'an id that is no number');
like($client->messages, qr/without a release number/, 'is complained of');
($client, $status) = against($ok . "id: 7\ndata: [1]\n\n", ['--once']);
like($client->messages, qr/no event, as number 7/, 'data that is no object too');
is(join('', $client->lines), '', 'and is not printed');
($client, $status) = against($ok . ':' . 'x' x (1024 * 1024 + 1), ['--once']);
like($client->messages, qr/more than 1048576 bytes/, 'a line without end too');

# The same events in every spelling that the standard allows, in one piece and byte by byte.
my $spellings = "\xEF\xBB\xBFid: 1\nevent: ready\ndata: {\"a\":1}\n\n"
  . ": comment\r\nid:2\r\ndata:{\r\ndata: \"a\": \"\xC3\xA9\"}\r\n\r\n"
  . "retry: 1\rnothing\rid: 3\rdata: {\"a\":3}\r\r"
  . "event: other\nid: 4\ndata: not for us\n\n"
  . "data: {\"a\":\ndata\ndata: 5}\nid: 5\n\n"
  . "id: 6\ndata: {\"a\": 6}\n";
for my $slowly (0, 1)
{
	($client, $status) = against($ok . $spellings, ['--once'], slowly => $slowly);
	is_deeply([ map { "$_->{id} $_->{a}" } $client->lines ], [ '1 1', "2 \x{e9}", '3 3', '5 5' ],
		'all spellings of the standard' . ($slowly ? ', byte by byte' : ''));
	is($status, 4, 'and the end is noticed, though it comes with the last bytes');
}

done_testing();
