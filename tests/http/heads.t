# Heads of all sizes, and small differences in them that mean nothing: what is stored is answered, what is refused is told so.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use Test::More;

my $node = node();
my $gateway = gateway($node, env => { RXTRACK_CLIENT_TIMEOUT => 5 });
my $key = add_application($node, 'A supplier', qw(updates:write updates:read events:read));
my %good = (Authorization => "Bearer $key", 'Content-Type' => 'application/fhir+json');

sub stored { return $node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update') }

sub ask
{
	my ($method, $target, $headers, $body) = @_;
	my $connection = RxTrack::Connection->new($gateway);
	$connection->request($method, $target, $headers, $body);
	return $connection->answer // { status => 'none', headers => {}, content => '' };
}

# POSTs an update with these headers beside, or in place of, the usual ones.
sub post
{
	my (%header) = @_;
	return ask('POST', '/', { %good, 'X-Request-ID' => uuid(), %header }, to_json(bundle(task())));
}

# ---------- Heads that are large ----------

# Each adds so many bytes to the head of a request.
my %large = (
	'one header' => sub { 'X-Large: ' . 'x' x ($_[0] - 11) . "\r\n" },
	'many headers' => sub { join '', map { "X-$_: y\r\n" } 1 .. $_[0] / 10 },
	'the smallest headers' => sub { "a:b\r\n" x ($_[0] / 5) },
	'a cookie' => sub { 'Cookie: ' . 'c=d; ' x ($_[0] / 5) . "e=f\r\n" });
my ($count, $wrong, %seen) = (stored(), '');
for my $what (sort keys %large)
{
	for my $size (map { $_ * 500 } 1 .. 45)
	{
		my $body = to_json(bundle(task()));
		my $connection = RxTrack::Connection->new($gateway);
		$connection->transmit("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: @{[uuid()]}\r\n"
			. $large{$what}->($size) . 'Content-Length: ' . length($body) . "\r\n\r\n$body");
		my $status = ($connection->answer // { status => 'none' })->{status};
		$seen{$status}++;
		$count++ if $status eq '201';
		$wrong .= "$what, $size bytes: $status\n" if $status !~ /^(?:201|431|413)$/;
	}
}
is($wrong, '', 'each is answered, 201 or 431');
cmp_ok($seen{$_} // 0, '>', 10, "$_ many times") for 201, 431;
is(stored(), $count, 'and what was answered 201 is what is stored');
my $answer = post('X-Large' => 'x' x 16_000, 'X-Correlation-ID' => 'c-1');
is_outcome($answer, 431, 'too-long', '16,000 bytes and the usual ones');
is($answer->{headers}{'x-correlation-id'}, 'c-1', 'with the id that is mirrored');
is_outcome(ask('GET', '/_ping?' . 'a&' x $_), 431, 'too-long', "$_ arguments") for 300, 5000;
is_outcome(ask('GET', '/' . 'u' x 17_000), 431, 'too-long', 'an address of 17,000 bytes');
for my $value (qw(%zz A% %4 A1%g0))
{
	$answer = ask('GET', "/checkprescriptionstatusupdates?prescriptionid=07A66F-A83008-1EEEA0&odscode=$value", \%good);
	is_outcome($answer, 400, 'value', "odscode=$value");
	like((issues($answer))[0]{diagnostics}, qr/^odscode must be/, 'is malformed, and not dropped');
}
is(post('X-Large' => 'x' x 14_000)->{status}, 201, '14,000 bytes are taken');

# What follows a chunked body is a part of the head too.
for my $size (map { $_ * 700 } 1 .. 30)
{
	my $body = to_json(bundle(task()));
	my $connection = RxTrack::Connection->new($gateway);
	$connection->request('POST', '/', { %good, 'X-Request-ID' => uuid(), 'Transfer-Encoding' => 'chunked' },
		sprintf("%x\r\n%s\r\n0\r\n", length $body, $body) . $large{'many headers'}->($size) . "\r\n");
	my $status = ($connection->answer // { status => 'none' })->{status};
	$count++ if $status eq '201';
	$wrong .= "$size bytes: $status\n" if $status !~ /^(?:201|4\d\d)$/;
}
is($wrong, '', 'headers behind a chunked body');
is(stored() - $count, 1, 'and nothing is stored whose answer was another');

# Several at once: those that wait for their turn take memory, too.
my $pipeline = RxTrack::Connection->new($gateway);
my $large = 'X-Large: ' . 'x' x 12_000 . "\r\n";
$pipeline->transmit(join '', map { "GET /_ping HTTP/1.1\r\nHost: x\r\n$large\r\n" } 1 .. 20);
is_deeply([ map { ($pipeline->answer // { status => 'none' })->{status} } 1 .. 20 ], [ (200) x 20 ], 'twenty of 12,000 bytes, sent at once');

# ---------- HEAD ----------

for my $path ('/_ping', '/_status', '/metadata', '/checkprescriptionstatusupdates?prescriptionid=07A66F-A83008-1EEEA0', '/checkprescriptionstatusupdates?odscode=!',
	'/checkprescriptionstatusupdates?x=y', '/nowhere', '/events?ods=!')
{
	my ($get, $head) = map { $gateway->request($_, $path, { Authorization => "Bearer $key" }) } qw(GET HEAD);
	is("$head->{status} $head->{content}", "$get->{status} ", "HEAD $path: $get->{status} without a body");
	for my $name (qw(content-type cache-control allow))
	{
		is($head->{headers}{$name}, $get->{headers}{$name}, "and with the same $name");
	}
	cmp_ok(abs($head->{headers}{'content-length'} - $get->{headers}{'content-length'}), '<', 20, 'and as long as that is');
}
my $stream = RxTrack::Connection->new($gateway);
$stream->request('HEAD', '/events', \%good);
$answer = $stream->answer;
is("$answer->{status} $answer->{headers}{'content-type'}", '200 text/event-stream', 'HEAD /events: what a stream would be');
my $kept = RxTrack::Connection->new($gateway);
$kept->request('HEAD', $_) for '/_ping', '/nowhere';
$kept->request('GET', '/_ping');
is_deeply([ map { $kept->answer->{status} } 1 .. 3 ], [ 200, 404, 200 ], 'the connection goes on');
$answer = $gateway->request('HEAD', '/');
is("$answer->{status} $answer->{headers}{allow}", '405 POST', 'HEAD where only POST goes: 405');
is(ask('HEAD', '/checkprescriptionstatusupdates?odscode=A1')->{status}, 401, 'HEAD without a credential: 401');

# ---------- Compressed ----------

for my $encoding ('gzip', 'br', 'GZIP', 'deflate', 'zstd', 'identity, gzip', 'x')
{
	$answer = post('Content-Encoding' => $encoding);
	is_outcome($answer, 415, 'not-supported', "Content-Encoding: $encoding");
	like((issues($answer))[0]{diagnostics}, qr/Content-Encoding/, 'which says what is wrong');
	is($answer->{headers}{'accept-encoding'}, 'identity', 'and what would be right');
}
is(post('Content-Encoding' => $_)->{status}, 201, "Content-Encoding: '$_' is none") for 'identity', 'Identity ', '';
$answer = ask('POST', '/oauth2/token', { 'Content-Encoding' => 'gzip' }, 'grant_type=x');
is("$answer->{status} $answer->{json}{error}", '415 invalid_request', 'of a form, too');
is(ask('GET', '/_ping', { 'Content-Encoding' => 'gzip' })->{status}, 200, 'where there is no body it means nothing');

# ---------- A byte order mark ----------

my %format_1 = (MessageType => 'Other');
is(ask('POST', '/', { %good, 'X-Request-ID' => uuid() }, "\xef\xbb\xbf" . to_json(bundle(task())))->{status}, 201, 'before a Bundle it is taken');
is(ask('POST', '/format-1', { %good, 'X-Request-ID' => uuid() }, "\xef\xbb\xbf" . to_json(\%format_1))->{status}, 202, 'before a message as well');
for my $body ("\xef\xbb\xbf", "\xef\xbb\xbf" x 2 . '{}', "\xfe\xff\0{\0}", "{}\xef\xbb\xbf")
{
	like((issues(ask('POST', '/', { %good, 'X-Request-ID' => uuid() }, $body)))[0]{diagnostics}, qr/not JSON/, 'one alone, two, of UTF-16, or behind: no JSON');
}

# ---------- Blanks around values ----------

my $id = uuid();
$answer = post('X-Request-ID' => " \t$id \t ", 'X-Correlation-ID' => ' c-2  ');
is_response($answer, 201, [201], 'X-Request-ID between blanks');
is("$answer->{headers}{'x-request-id'} $answer->{headers}{'x-correlation-id'}", "$id c-2", 'is mirrored without them');
is(post($_->[0] => $_->[1])->{status}, 201, "$_->[0] between blanks") for [ Authorization => "  Bearer \t$key \t" ], [ 'Content-Type' => " application/json \t" ],
	[ 'Content-Type' => "\tapplication/fhir+json ; charset=utf-8 " ], [ Host => ' x ' ];
is(ask('POST', '/format-1', { apikey => " $key\t", 'X-Request-ID' => uuid() }, to_json(\%format_1))->{status}, 202, 'apikey between blanks');
my %start = ('ExclusiveStartKey-PrescriptionID' => '07A66F-A83008-1EEEA0 ', 'ExclusiveStartKey-TaskID' => ' ' . uuid() . "\t");
is(ask('GET', '/checkprescriptionstatusupdates?odscode=A1', { %good, %start })->{status}, 404, 'ExclusiveStartKey between blanks');
is(ask('HEAD', '/events', { %good, 'Last-Event-ID' => " 0 \t" })->{status}, 200, 'Last-Event-ID between blanks');
is_one_fault(post('X-Request-ID' => substr($id, 0, 8) . ' ' . substr($id, 8)), 400, 'value', 'a blank inside is a fault');
is(post(Authorization => "Bearer $key x")->{status}, 401, 'in a credential too');
is_healthy($gateway, 'all is well');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
