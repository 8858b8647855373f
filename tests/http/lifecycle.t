# The gateway's life: how it is configured, what it says of mistakes, how it starts and how it stops.
use strict;
use warnings;
use IO::Socket::INET;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node();
my $key = add_application($node, 'A supplier');
my $directory = PostgreSQL::Test::Utils::tempdir();
my $written = 0;

# Runs the gateway to its end: exit code, standard output, standard error.
sub run_gateway
{
	my ($environment, @arguments) = @_;
	local %ENV = (%ENV, %$environment);
	my ($out, $err) = ('', '');
	IPC::Run::run([ $ENV{RXTRACK_GATEWAY}, @arguments ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(20));
	return ($? >> 8, $out, $err);
}

sub file_of
{
	my ($text) = @_;
	my $path = "$directory/" . ++$written . '.conf';
	PostgreSQL::Test::Utils::append_to_file($path, $text);
	return $path;
}

# ---------- --help, --version ----------

my ($code, $out, $err) = run_gateway({}, '--help');
is("$code $err", '0 ', '--help ends well');
for my $option (qw(listen port database_connections http_threads body_limit batch_limit batch_bytes request_timeout client_timeout idle_timeout
	connection_limit shutdown_timeout))
{
	my $variable = 'RXTRACK_' . uc $option;
	my $long = '--' . $option =~ tr/_/-/r;
	ok($out =~ /\Q$long\E\b/ && $out =~ /\b$variable\b/, "--help names $long and $variable");
}
like($out, qr/RXTRACK_DATABASE\b/, 'and the one that is not for the command line');
my $example = PostgreSQL::Test::Utils::slurp_file("$ENV{RXTRACK_EXAMPLES}/../../gateway/rxtrack-gateway.conf.example");
my %in_help = map { lc $_ => 1 } grep { $_ ne 'CONFIG' } $out =~ /RXTRACK_([A-Z_]+)/g;
my %in_file = map { $_ => 1 } $example =~ /^;?([a-z_]+) = /mg;
is_deeply(\%in_file, \%in_help, 'the example file names the same options');
($code, $out, $err) = run_gateway({}, '--version');
like("$code $out$err", qr/^0 rxtrack-gateway \d+\.\d+\.\d+\n$/, '--version says which');

# ---------- Mistakes ----------

my $bad = file_of("port = 1\nbody_limits = 5\n");
my %mistakes = (
	'an unknown option' => [ {}, ['--no-such-thing'], qr/no-such-thing/ ],
	'an argument' => [ {}, ['serve'], qr/serve/ ],
	'a port that is no number' => [ {}, ['--port=http'], qr/command line: port must be a number from 0 to 65535/ ],
	'a port out of range' => [ { RXTRACK_PORT => 65536 }, [], qr/environment variable RXTRACK_PORT: port must be/ ],
	'a negative limit' => [ { RXTRACK_BODY_LIMIT => -1 }, [], qr/RXTRACK_BODY_LIMIT/ ],
	'a number and more' => [ { RXTRACK_PORT => '8480x' }, [], qr/RXTRACK_PORT/ ],
	'a number beyond all' => [ { RXTRACK_IDLE_TIMEOUT => '9' x 30 }, [], qr/RXTRACK_IDLE_TIMEOUT.*86400 seconds/ ],
	'a file that is not there' => [ {}, [ '--config', "$directory/none" ], qr{\Q$directory\E/none: No such file} ],
	'the same by the environment' => [ { RXTRACK_CONFIG => "$directory/none" }, [], qr{\Q$directory\E/none: No such file} ],
	'a directory' => [ {}, [ '--config', $directory ], qr/\Q$directory\E/ ],
	'an unknown option in the file' => [ {}, [ '--config', $bad ], qr/\Q$bad\E, line 2: there is no option body_limits/ ],
	'a section in the file' => [ {}, [ '--config', file_of("[server]\nport = 1\n") ], qr/section/ ],
	'a line without =' => [ {}, [ '--config', file_of("; fine\nport 8480\n") ], qr/line 2: not of the form/ ],
	'an option given twice' => [ {}, [ '--config', file_of("port = 1\nport = 2\n") ], qr/line 2: given a second time/ ],
	'a line that is too long' => [ {}, [ '--config', file_of('database = host=' . 'x' x 500 . "\n") ], qr/line 1: the line is too long/ ],
	'a bad connection string' => [ { RXTRACK_DATABASE => 'host=x password=hunter2 nonsense' }, [], qr/RXTRACK_DATABASE: the value of database is not valid/ ],
	'a password on the command line' => [ {}, ['--database=password=hunter2'], qr/database/ ]);
for my $what (sort keys %mistakes)
{
	my ($environment, $arguments, $expected) = @{ $mistakes{$what} };
	($code, $out, $err) = run_gateway($environment, @$arguments);
	is("$code $out", '2 ', "$what: exit 2, and nothing on standard output");
	like($err, qr/^\S*rxtrack-gateway: /, "$what: its name before all");
	like($err, $expected, "$what: what is wrong");
	unlike($err, qr/hunter2/, "$what: no password") unless @$arguments;
}

# ---------- File, environment, command line ----------

my $connection_string = $node->connstr('rxtrack') . ' user=rxtrack_test_gateway';
my $file = file_of("; a comment\ndatabase = $connection_string\nport = 1\nbody_limit = 2000 ; and another\nhttp_threads = 1\nclient_timeout=7\n\n");

# How many bytes of body a gateway takes.
sub body_limit
{
	my ($gateway) = @_;
	my ($limit) = grep { $gateway->post(' ' x ($_ + 1), key => $key)->{status} == 413 } 1000, 2000, 3000, 1048576;
	return $limit;
}

for my $case ([ 2000, 'the file', {}, [ '--config', $file ] ], [ 2000, 'the file that the environment names', { RXTRACK_CONFIG => $file }, [] ],
	[ 3000, 'the environment before the file', { RXTRACK_BODY_LIMIT => 3000 }, [ '-c', $file ] ], [ 2000, 'an empty variable is none', { RXTRACK_BODY_LIMIT => '' }, [ '-c', $file ] ],
	[ 1000, 'the command line before both', { RXTRACK_BODY_LIMIT => 3000 }, [ '-c', $file, '--body-limit=1000' ] ], [ 1048576, 'the default', {}, [] ])
{
	my ($limit, $what, $environment, $arguments) = @$case;
	my %database = @$arguments || $environment->{RXTRACK_CONFIG} ? (env => { RXTRACK_DATABASE => '', %$environment }) : ();
	my $gateway = gateway($node, %database, arguments => $arguments);
	is(body_limit($gateway), $limit, $what);
	is($gateway->stop, 0, 'and it ends well');
}

# ---------- Where it listens ----------

my $gateway = gateway($node);
my ($listening) = grep { ($_->{event} // '') eq 'listening' } $gateway->log_events;
is("$listening->{address} $listening->{pid}", '127.0.0.1 ' . $gateway->pid, 'its log says where it listens, and its process id');
my $sockets = join ' ', map { PostgreSQL::Test::Utils::slurp_file("/proc/net/$_") } 'tcp', -e '/proc/net/tcp6' ? 'tcp6' : ();
my $port = sprintf '%04X', $gateway->port;
is_deeply([ $sockets =~ /: ([0-9A-F]+):$port [0-9A-F]+:0000 0A/g ], ['0100007F'], 'on the loopback address, and on no other');
is(IO::Socket::INET->new(PeerAddr => '127.0.0.2', PeerPort => $gateway->port, Timeout => 2), undef, 'another address is refused');
($code, $out, $err) = run_gateway({ RXTRACK_PORT => $gateway->port, RXTRACK_DATABASE => $connection_string });
is($code, 1, 'a port in use: exit 1');
like($err, qr/^rxtrack-gateway: cannot listen on 127\.0\.0\.1 port $listening->{port}: Address already in use$/m, 'and why');
($code, undef, $err) = run_gateway({ RXTRACK_LISTEN => '192.0.2.1', RXTRACK_PORT => 0, RXTRACK_DATABASE => $connection_string });
is($code, 1, 'an address that is not this machine\'s: exit 1');
my $everywhere = gateway($node, env => { RXTRACK_LISTEN => '0.0.0.0', RXTRACK_ALLOW_PLAIN_HTTP => 'yes' });
isnt(IO::Socket::INET->new(PeerAddr => '127.0.0.2', PeerPort => $everywhere->port, Timeout => 2), undef, 'told to, it listens elsewhere');
is($everywhere->stop, 0, 'and ends well');

# ---------- SIGTERM ----------

my $holder = $node->background_psql('rxtrack');
my $item = task(business_status => 'With Pharmacy');
my %same_item = (prescription_id => $item->{basedOn}[0]{identifier}{value}, line_item_id => $item->{focus}{identifier}{value});
is($gateway->post(bundle($item), key => $key)->{status}, 201, 'an item is known');
$holder->query_safe("BEGIN; SELECT 1 FROM rxtrack.supply WHERE prescription_id = '$same_item{prescription_id}' FOR UPDATE");
my $idle = RxTrack::Connection->new($gateway);
$idle->request('GET', '/_ping');
is($idle->answer->{status}, 200, 'a client is idle');
my $held = RxTrack::Connection->new($gateway);
$held->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, to_json(bundle(task(%same_item, business_status => 'Collected'))));
$node->poll_query_until('rxtrack', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%' AND wait_event_type = 'Lock'");
kill 'TERM', $gateway->pid;
ok($idle->is_closed(3), 'at SIGTERM the idle client is let go');
my $until = time + 3;
my $late;
sleep 0.05 while ($late = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $gateway->port)) && time < $until;
is($late, undef, 'and new ones are refused');
ok($gateway->is_running, 'but a request in flight is waited for');
$holder->query_safe('COMMIT');
my $answer = $held->answer;
is_response($answer, 201, [201], 'and finished: 201');
is($answer->{headers}{connection}, 'close', 'with word that it is the last');
is($gateway->wait_for_exit(5), 0, 'the gateway exits 0');
is($node->safe_psql('rxtrack', "SELECT status FROM rxtrack.item_status WHERE prescription_id = '$same_item{prescription_id}'"), 'Collected', 'and what it said is so');

# What does not finish in time, and a second signal.
$gateway = gateway($node, env => { RXTRACK_SHUTDOWN_TIMEOUT => 1, RXTRACK_REQUEST_TIMEOUT => 60 });
$holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE');
$held = RxTrack::Connection->new($gateway);
$held->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, to_json(bundle(task())));
sleep 0.3;
my $began = time;
is($gateway->stop, 0, 'a request that does not finish in time does not hold the gateway up');
cmp_ok(time - $began, '<', 5, 'for long');
is_outcome($held->answer(1), 503, 'transient', 'and its client is told');
$gateway = gateway($node, env => { RXTRACK_REQUEST_TIMEOUT => 60 }, wait => 'listening');
$held = RxTrack::Connection->new($gateway);
$held->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, to_json(bundle(task())));
sleep 0.3;
kill 'INT', $gateway->pid;
sleep 0.3;
kill 'INT', $gateway->pid;
is($gateway->wait_for_exit(5), 1, 'a second signal ends it at once, with 1');
$holder->quit;

done_testing();
