# What is no good HTTP, and clients that vanish: each gets its 4xx or is cut off, and the service goes on.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Description;
use RxTrack::Process;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node();
my $gateway = gateway($node, env => { RXTRACK_HTTP_THREADS => 2, RXTRACK_CLIENT_TIMEOUT => 2, RXTRACK_REQUEST_TIMEOUT => 5 });
my $key = add_application($node, 'A supplier');
my $body = to_json(bundle(task()));
my $length = length $body;
my $head = "Host: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: " . uuid() . "\r\n";
my $ping = "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n";

# ---------- Bytes that are hardly HTTP, and what the statuses of all answers may be ----------

# 'cut': no answer, the connection closes.
my @cases = (
	# methods
	(map { [ "method $_", "$_ / HTTP/1.1\r\nHost: x\r\n\r\n", qr/^405$/ ] } 'TRACE', 'PROPFIND', 'CONNECT', 'GARBAGE', 'p0st', '!#$%', "\xff\xfe", 'M' x 5000),
	[ 'no method', " / HTTP/1.1\r\nHost: x\r\n\r\n", qr/^(?:4\d\d|cut)$/ ],
	[ 'a method of 100,000 letters', 'M' x 100_000 . " / HTTP/1.1\r\nHost: x\r\n\r\n", qr/^(?:4\d\d|cut)$/ ],
	[ 'CONNECT to a host', "CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", qr/^4\d\d$/ ],
	[ 'OPTIONS of all', "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", qr/^4\d\d$/ ],
	# request lines
	(map { [ "the line '" . substr($_, 0, 40) =~ s/[^ -~]/?/gr . "'", "$_\r\nHost: x\r\n\r\n", qr/^(?:4\d\d|505|cut)$/ ] } 'GET', 'GET /', '/ HTTP/1.1', 'GET / HTTP/9.9',
		'GET / HTTP/1.', 'GET / FTP/1.1', "GET /\0 HTTP/1.1", "\0\0\0\0", 'SSH-2.0-OpenSSH_9.2', "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 'GET http://x HTTP/1.1'),
	[ 'a blank in the path', "GET /_ping x HTTP/1.1\r\nHost: x\r\n\r\n", qr/^(?:4\d\d|cut)$/ ],
	[ 'nothing but line ends', "\r\n" x 10_000, qr/^(?:4\d\d|cut)$/ ],
	[ 'no Host', "GET /_ping HTTP/1.1\r\n\r\n", qr/^400$/ ],
	[ 'two Hosts', "GET /_ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", qr/^400$/ ],
	# URIs
	(map { [ "a URI of $_ bytes", 'GET /' . 'u' x $_ . " HTTP/1.1\r\nHost: x\r\n\r\n", qr/^4(?:04|14|31)$/ ] } 5_000, 20_000, 1_000_000),
	[ 'a query of 1,000,000 bytes', 'GET /_ping?' . 'q' x 1_000_000 . " HTTP/1.1\r\nHost: x\r\n\r\n", qr/^4(?:14|31)$/ ],
	[ '5,000 arguments', 'GET /_ping?' . 'a&' x 5_000 . " HTTP/1.1\r\nHost: x\r\n\r\n", qr/^(?:200|4\d\d)$/ ],
	[ 'a path upwards', "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", qr/^404$/ ],
	(map { [ "an absolute URI: $_", "GET $_ HTTP/1.1\r\nHost: x\r\n\r\n", qr/^200$/ ] } 'http://elsewhere/_ping', 'HTTPS://x:8480/_ping?'),
	[ 'an absolute URI without a path', "GET http://elsewhere HTTP/1.1\r\nHost: x\r\n\r\n", qr/^405$/ ],
	[ 'an absolute URI of another kind', "GET ftp://elsewhere/_ping HTTP/1.1\r\nHost: x\r\n\r\n", qr/^404$/ ],
	[ 'a URI of invalid UTF-8', "GET /\xff\xfe%ff%c0%80 HTTP/1.1\r\nHost: x\r\n\r\n", qr/^4\d\d$/ ],
	# headers
	[ '10,000 headers', "GET /_ping HTTP/1.1\r\nHost: x\r\n" . join('', map { "X-$_: y\r\n" } 1 .. 10_000) . "\r\n", qr/^4(?:13|31)$/ ],
	[ 'a header of 1,000,000 bytes', "GET /_ping HTTP/1.1\r\nHost: x\r\nX: " . 'h' x 1_000_000 . "\r\n\r\n", qr/^4(?:13|31)$/ ],
	[ 'headers without end', "GET /_ping HTTP/1.1\r\nHost: x\r\n" . "X: y\r\n" x 200_000, qr/^4(?:13|31)$/ ],
	[ 'a header without a colon', "GET /_ping HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", qr/^(?:400|200|cut)$/ ],
	[ 'a header with a NUL', "GET /_ping HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", qr/^(?:400|200|cut)$/ ],
	[ 'a header without a name', "GET /_ping HTTP/1.1\r\nHost: x\r\n: v\r\n\r\n", qr/^(?:400|200|cut)$/ ],
	[ 'a header with a blank before the colon', "GET /_ping HTTP/1.1\r\nHost : x\r\nHost: x\r\n\r\n", qr/^400$/ ],
	# where a body ends
	(map { [ "Content-Length: $_", "POST / HTTP/1.1\r\n${head}Content-Length: $_\r\n\r\n$body$ping", qr/^(?:4\d\d|cut)$/ ] } '-1', "-$length", "$length,$length", '0x10', 'ten',
		"$length $length", '99999999999999999999999', "+$length", ''),
	[ 'two Content-Lengths', "POST / HTTP/1.1\r\n${head}Content-Length: $length\r\nContent-Length: 5\r\n\r\n$body$ping", qr/^400$/ ],
	[ 'two of the same', "POST / HTTP/1.1\r\n${head}Content-Length: $length\r\nContent-Length: $length\r\n\r\n$body$ping", qr/^400$/ ],
	[ 'Content-Length and Transfer-Encoding', "POST / HTTP/1.1\r\n${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n$ping", qr/^400$/ ],
	[ 'the same the other way round', "POST / HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n$ping", qr/^400$/ ],
	(map { [ "Transfer-Encoding: $_", "POST / HTTP/1.1\r\n${head}Transfer-Encoding: $_\r\n\r\n0\r\n\r\n$ping", qr/^400$/ ] } 'gzip', 'gzip, chunked', 'chunked, chunked', 'xchunked', 'identity', "\x0bchunked"),
	[ 'two Transfer-Encodings', "POST / HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n$ping", qr/^400$/ ],
	[ 'Transfer-Encoding before a blank', "POST / HTTP/1.1\r\n${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n$ping", qr/^400$/ ],
	(map { [ "a chunk of the size '$_'", "POST / HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n$_\r\n$body\r\n0\r\n\r\n$ping", qr/^(?:4\d\d|cut)$/ ] } 'zz', '-1', '', ' ', '0x10', 'f' x 20, '1' x 4000,
		'8000000000000000'),
	[ 'a chunk that is longer than it says', "POST / HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n2\r\n$body\r\n0\r\n\r\n$ping", qr/^(?:4\d\d|cut)$/ ],
	[ 'a chunk extension of 100,000 bytes', "POST / HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n2;" . 'e' x 100_000 . "\r\n{}\r\n0\r\n\r\n", qr/^(?:[45]\d\d|cut)$/ ],
	[ 'half a body', "POST / HTTP/1.1\r\n${head}Content-Length: $length\r\n\r\n" . substr($body, 0, 100), qr/^408$/ ]);

# All that comes back for each case, until the gateway closes or there is time no more; all at once.
sub exchange
{
	my (@bytes) = @_;
	my @connections = map { my $connection = RxTrack::Connection->new($gateway); $connection->send($_); $connection } @bytes;
	my $until = time + 4;
	my @answers;
	for my $connection (@connections)
	{
		my @statuses;
		while (my $answer = $connection->answer($until - time > 0.2 ? $until - time : 0.2, 1))
		{
			push @statuses, $answer->{status};
			last if ($answer->{headers}{connection} // '') =~ /close/i || $answer->{status} == 200 || $answer->{status} =~ /^40[45]$/;
		}
		push @answers, @statuses ? join ' ', @statuses : $connection->is_closed(0.2) ? 'cut' : 'open';
	}
	return @answers;
}

my @answers = exchange(map { $_->[1] } @cases);
like($answers[$_], $cases[$_][2], $cases[$_][0]) for 0 .. $#cases;
is_healthy($gateway, 'all is well after all that');
is($node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update'), 0, 'and nothing of it was stored');

# ---------- What the HTTP library answers by itself ----------

my %unreadable = map { $_ => 1 } @{ description()->{'x-unreadable-request'}{statuses} };
my ($told) = PostgreSQL::Test::Utils::slurp_file("$ENV{RXTRACK_EXAMPLES}/../supplier.md") =~ /^(- [^\n]*\n(?:  [^\n]*\n)*  [^\n]*HTTP library.*?)^(?=\S|$)/ms;
for my $case ([ 505, 'another HTTP', "GET / HTTP/3.0\r\nHost: x\r\n\r\n" ], [ 400, 'a header without a colon', "GET /_ping HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n" ],
	[ 400, 'a chunk that is none', "POST / HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{" ],
	[ 400, 'a length that is none', "POST / HTTP/1.1\r\n${head}Content-Length: x\r\n\r\n" ],
	[ 413, 'a length beyond all', "POST / HTTP/1.1\r\n${head}Content-Length: " . '9' x 30 . "\r\n\r\n" ],
	[ 414, 'a long address', 'GET /' . 'u' x 40_000 . " HTTP/1.1\r\nHost: x\r\n\r\n" ],
	[ 431, 'a long header', "GET /_ping HTTP/1.1\r\nHost: x\r\nX: " . 'x' x 40_000 . "\r\n\r\n" ])
{
	my ($status, $what, $bytes) = @$case;
	my ($first) = $gateway->raw($bytes) =~ /^(.*?\r\n)\r\n/s;
	like($first, qr{^HTTP/1\.1 $status }, "$what: $status");
	is(join(' ', sort map { lc } $first =~ /^([\w-]+):/mg), 'connection content-length date', 'with no other headers than HTTP\'s own');
	ok($unreadable{$status}, 'the description says so');
	like($told // '', qr/\b$status\b/, 'and the word to suppliers');
}

# ---------- Many requests in one go ----------

my $pipeline = RxTrack::Connection->new($gateway);
my @ids = map { uuid() } 1 .. 50;
$pipeline->send(join '', map { my $json = to_json(bundle(task()));
	"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: $_\r\nContent-Length: " . length($json) . "\r\n\r\n$json$ping" } @ids);
my @mirrored;
for (@ids)
{
	my ($stored, $alive) = ($pipeline->answer, $pipeline->answer);
	push @mirrored, $stored->{headers}{'x-request-id'} if $stored->{status} == 201 && $alive->{status} == 200;
}
is_deeply(\@mirrored, \@ids, 'a hundred pipelined requests are answered in their order');
undef $pipeline;

# ---------- Clients that vanish ----------

# A session that holds a lock which every submission needs.
my $holder = $node->background_psql('rxtrack');
my $before = descriptors($gateway->pid);

sub post_and_vanish
{
	my ($bytes, $reset) = @_;
	my $connection = RxTrack::Connection->new($gateway);
	$connection->send($bytes);
	return $connection->close($reset);
}

my $whole = "POST / HTTP/1.1\r\n${head}Content-Length: $length\r\n\r\n$body";
for my $reset (0, 1)
{
	my $how = $reset ? 'with a reset' : 'quietly';
	post_and_vanish($_, $reset) for map { ($_) x 20 } '', 'GET', substr($whole, 0, 60), substr($whole, 0, -100),
		"POST / HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nff\r\n{", $ping, $ping x 20;
	is_healthy($gateway, "clients that leave $how in the middle of a request");
}
$holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE');
post_and_vanish($whole =~ s/(X-Request-ID: )\S+/$1 . uuid()/er, $_ % 2) for 1 .. 40;
sleep 0.5;
is($gateway->request('GET', '/_ping')->{status}, 200, 'the gateway answers while their requests are in the database');
$holder->query_safe('ROLLBACK');
is_healthy($gateway, 'clients that leave while their requests are in the database');
is($gateway->post(bundle(task()), key => $key)->{status}, 201, 'others are served');
is($node->safe_psql('rxtrack', "SELECT count(*) FROM rxtrack.status_update WHERE task_id = '" . bundle_id($body) . "'"), 1, 'what they had sent is stored once');
ok(comes_true(sub { descriptors($gateway->pid) <= $before }), 'no connection of theirs is left');
$holder->quit;

sub bundle_id { return from_json($_[0])->{entry}[0]{resource}{id} }

sub comes_true
{
	my ($condition) = @_;
	my $until = time + 5;
	sleep 0.05 while !$condition->() && time < $until;
	return $condition->();
}

# ---------- And again, with an eye on memory ----------

my @quick = grep { $cases[$_][2] ne qr/^408$/ && length $cases[$_][1] < 200_000 && $answers[$_] !~ /408/ } 0 .. $#cases;
my $all_again = sub
{
	for my $n (@quick, @quick, @quick)
	{
		post_and_vanish($cases[$n][1], $n % 2);
	}
	post_and_vanish(substr($whole, 0, 60 + $_ * 4), $_ % 2) for 1 .. 150;
	my @large = exchange(map { $_->[1] } grep { length $_->[1] >= 200_000 } @cases);
	sleep 0.3;
};
does_not_grow($gateway->pid, 20, $all_again, 'thousands of such clients do not make the gateway grow');
ok(comes_true(sub { descriptors($gateway->pid) <= $before }), 'and none of their connections is left');
is_healthy($gateway, 'all is well');
is($gateway->stop, 0, 'and the gateway ends well');
# but for a first attempt that was cut off to be tried by itself
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|ERROR:  (?!canceling statement due to statement timeout)/, 'no error has reached the server\'s log');

done_testing();
