# Broken and odd HTTP, at random, against a gateway with AddressSanitizer and UBSan: nothing is found, nothing leaks, and the
# service goes on. `make fuzz-http SECONDS=1200` takes its time; in `make test` a few seconds show that it works.
use strict;
use warnings;
use lib 'tests/fuzz/lib';
use IO::Handle;
use IO::Select;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Fuzz::Bytes;
use RxTrack::Token;
use Socket qw(SHUT_WR);
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{FUZZ_SECONDS} || 8;
my $seed = $ENV{FUZZ_SEED} || time;
srand $seed;
diag "seed $seed, $seconds seconds";

# In `make test` the gateway is the ordinary one; here it is built with the sanitizers, beside it, unless they are not there.
sub sanitized_gateway
{
	return $ENV{RXTRACK_GATEWAY} if `nm -D '$ENV{RXTRACK_GATEWAY}' 2>&1` =~ /__asan_/;
	my $said = `make -s -j2 -C gateway SANITIZE=1 build/sanitize/rxtrack-gateway 2>&1`;
	diag "no sanitizers here, the ordinary gateway has to do:\n$said" if $?;
	return $? ? $ENV{RXTRACK_GATEWAY} : "$ENV{PWD}/gateway/build/sanitize/rxtrack-gateway";
}

local $ENV{RXTRACK_GATEWAY} = sanitized_gateway();
my $url = 'https://tracking.example/oauth2/token';
my $node = node(conf => "log_statement = none\nrxtrack.token_url = '$url'\n");
my %key = map { $_ => add_application($node, $_, qw(updates:write updates:read events:read)) } 'Fuzzer', 'Bystander', 'Slow';
$node->safe_psql('rxtrack', "SELECT rxtrack.alter_application('Fuzzer', requests_per_minute => 10000000); SELECT rxtrack.alter_application('Slow', requests_per_minute => 30)");
my $signing = make_key('EC', 'P-256');
my $client = $node->safe_psql('rxtrack', "SELECT rxtrack.add_public_key('Fuzzer', 'k', '$signing->{public}')");
my @forms = (map({ token_form(sign($signing, 'ES256', { kid => 'k' }, claims($client, $url))) } 1 .. 10), token_form('x.y.z'), 'grant_type=password');
my $gateway = gateway($node, env => { RXTRACK_CLIENT_TIMEOUT => 1, RXTRACK_IDLE_TIMEOUT => 2, RXTRACK_STREAM_LIMIT => 20, RXTRACK_BODY_MEMORY => 1_000_000, RXTRACK_WAITING_LIMIT => 40,
	RXTRACK_BODY_LIMIT => 200_000 });
my $bytes = RxTrack::Fuzz::Bytes->new(keys => [ $key{Fuzzer}, $key{Fuzzer}, $key{Slow}, 'wrong' ], forms => \@forms);

my ($sent, %statuses, %odd) = (0);

# What is strange about all that came back on a connection.
sub look_at
{
	my ($received, $what) = @_;
	while ($received =~ s{\AHTTP/1\.[01] (\d{3}) [^\r]*\r\n(.*?)\r\n\r\n}{}s)
	{
		my ($status, $head) = ($1, "$2\r\n");
		$statuses{$status}++;
		next if $status == 100;
		my ($length) = $head =~ /^Content-Length: (\d+)/mi;
		# the library's own 500, for headers that find no room, has no type
		$odd{"a $status to $what"} = 1 if $status == 500 && $head =~ /^Content-Type: application/mi;
		return if !defined $length || $head =~ /^Transfer-Encoding/mi;
		my $body = substr $received, 0, $length, '';
		return if length $body < $length; # cut off, or the answer to a HEAD
		return if $body =~ /\AHTTP/; # an answer to HEAD says a length and has no body
		$odd{"a body that is no JSON, after a $status to $what"} = 1 if length $body && $head =~ /json/ && !eval { from_json($body); 1 };
	}
	return;
}

sub received
{
	my ($socket) = @_;
	my $received = '';
	$socket->blocking(0);
	1 while length $received < 1_000_000 && sysread $socket, $received, 65536, length $received;
	return $received;
}

my @open;

sub let_go
{
	my $one = shift @open;
	look_at(received($one->{connection}->socket), substr($one->{bytes} =~ s/\n.*//sr, 0, 80) =~ s/[^ -~]/?/gr);
	return $one->{connection}->close(rand() < 0.3);
}

# Sends some bytes, whole or in pieces, and goes on to the next client: this one gets its time to be answered, or none.
sub one_client
{
	my $connection = RxTrack::Connection->new($gateway);
	my $all = $bytes->bytes;
	$connection->socket->blocking(0);
	my $rest = $all;
	while (length $rest)
	{
		my $piece = substr $rest, 0, rand() < 0.3 ? 1 + int rand 2000 : length $rest, '';
		local $SIG{PIPE} = 'IGNORE';
		defined syswrite $connection->socket, $piece or last;
	}
	shutdown $connection->socket, SHUT_WR if rand() < 0.1;
	push @open, { connection => $connection, bytes => $all };
	$sent++;
	return rand() < 0.15 ? pop(@open)->{connection}->close(rand() < 0.5) : undef;
}

my ($good, $bad) = (0, 0);

# A bystander's update, all the while.
sub bystander
{
	my $answer = $gateway->post(bundle(task()), key => $key{Bystander});
	$answer->{status} == 201 ? $good++ : $bad++;
	$odd{"a bystander's update gets $answer->{status}"} = 1 if $answer->{status} != 201;
	return;
}

my $until = time + $seconds;
my $next = 0;
while (time < $until && $gateway->is_running && keys %odd < 20)
{
	one_client();
	let_go() if @open > 24;
	if (time > $next)
	{
		bystander();
		$next = time + 0.5;
	}
}
let_go() while @open;
diag "$sent clients, $good updates of a bystander; answers: " . join ', ', map { "$_: $statuses{$_}" } sort keys %statuses;

ok($gateway->is_running, 'the gateway is there');
is(join("\n", sort keys %odd), '', 'no answer was odd');
cmp_ok($good, '>', $seconds, 'a bystander was served all the while');
is($bad, 0, 'and never refused');
cmp_ok($sent, '>', 20 * $seconds, 'clients of all sorts have called');
is(join(' ', grep { !$statuses{$_} } 200, 201, 400, 401, 404, 405, 415), '', 'and got answers of all sorts');
ok(!(grep { $_ < 100 || $_ > 599 } keys %statuses), 'of which each is one of HTTP');
is_healthy($gateway, 'all is well at the end');
is_response($gateway->post(bundle(task()), key => $key{Bystander}), 201, [201], 'and an update is stored');
is($gateway->stop, 0, 'the gateway ends well: nothing was found, and nothing has leaked');
my @findings = grep { /AddressSanitizer|LeakSanitizer|runtime error|SUMMARY:|panic|Fatal/i } split /\n/, $gateway->log;
is(join("\n", @findings), '', 'nor does its log have a finding');
my @server = grep { /PANIC|FATAL|TRAP|terminated by signal|ERROR/ } split /\n/, PostgreSQL::Test::Utils::slurp_file($node->logfile);
is(join("\n", splice @server, 0, 5), '', 'no error has reached the server\'s log');
is($node->safe_psql('rxtrack', q{SELECT count(*) FROM rxtrack.applications a
	JOIN rxtrack.status_update u ON a.application = 'Bystander' AND a.application_id = u.application_id}), $good + 1, 'what was acknowledged to the bystander is stored');

done_testing();
