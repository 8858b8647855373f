# What the gateway refuses, and how: the status, the shape, the headers.
use strict;
use warnings;
use IO::Select;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use Test::More;
use Time::HiRes qw(sleep time);

my $limit = 64 * 1024;
my $node = node();
my $gateway = gateway($node, env => { RXTRACK_BODY_LIMIT => $limit, RXTRACK_CLIENT_TIMEOUT => 2, RXTRACK_IDLE_TIMEOUT => 4 });
my $key = add_application($node, 'A supplier');
my $reader = add_application($node, 'A reader', 'updates:read');
my %good = (Authorization => "Bearer $key", 'Content-Type' => 'application/fhir+json');

sub stored
{
	return $node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update');
}

sub connection { return RxTrack::Connection->new($gateway) }

# POSTs a good Bundle with these headers, whatever bytes they hold.
sub post_with
{
	my (%header) = @_;
	my $connection = connection();
	$connection->request('POST', '/', { 'X-Request-ID' => uuid(), %header }, to_json(bundle(task())));
	return $connection->answer;
}

# ---------- 401 and 403 ----------

my %credentials = ('no credential' => undef, 'an unknown key' => 'Bearer rxtrack_unknown', 'another scheme' => "Basic $key",
	'a key without a scheme' => $key, 'a scheme without a key' => 'Bearer', 'a scheme and blanks' => 'Bearer   ',
	'two keys' => "Bearer $key $key", 'the key in another case' => 'Bearer ' . uc $key, 'a part of the key' => 'Bearer ' . substr($key, 0, -1),
	'the hash of the key' => 'Bearer ' . $node->safe_psql('rxtrack', "SELECT encode(sha256('$key'), 'hex')"),
	'bytes that are no text' => "Bearer \xff\xfe", 'a key of 8,000 characters' => 'Bearer ' . 'k' x 8000);
for my $what (sort keys %credentials)
{
	my %authorization = defined $credentials{$what} ? (Authorization => $credentials{$what}) : ();
	my $answer = post_with(%authorization);
	is_outcome($answer, 401, 'processing', "$what: 401");
	like($answer->{headers}{'www-authenticate'}, qr/^Bearer\b/, "$what: WWW-Authenticate");
}
my $twice = connection();
$twice->send("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nAuthorization: Bearer $reader\r\nContent-Length: 2\r\n\r\n{}");
is_outcome($twice->answer, 400, 'value', 'two credentials are none');
is($gateway->post(bundle(task()), headers => { Authorization => "bEARER   $key" })->{status}, 201, 'the scheme is in any case');
is_outcome($gateway->post('no JSON at all'), 401, 'processing', 'without a credential nothing is said about the body');
is_one_fault($gateway->post(bundle(task()), key => $reader), 403, 'forbidden', 'without the scope: 403');
is(stored(), 1, 'nothing of it was stored');

# ---------- 404 and 405 ----------

for my $path ('/nowhere', '//', '/_ping/', '/_PING', '/./_ping', '/%2F', '/oauth2%2Ftoken', '/_ping%2F', '/index.html', '/;x', '/_ping' . '/' x 20, '/' . 'x' x 300)
{
	is_outcome($gateway->request('GET', $path), 404, 'not-found', "$path: 404");
}
for my $path ('/%', '/%zz', '/%00', '/_ping%00', '/_ping%4')
{
	is_outcome($gateway->request('GET', $path), 400, 'value', "$path: 400");
}
is_outcome($gateway->post(bundle(task()), key => $key, path => '/Task'), 404, 'not-found', 'POST /Task: 404');
is($gateway->request('GET', '/_pin%67?')->{status}, 200, 'an escaped letter and an empty query do not hide a path');

# ---------- Parameters ----------

for my $case ([ '/_ping?x=y', 'x is no parameter of this path' ], [ '/metadata?odscode=A1', 'odscode is no parameter of this path' ],
	[ '/checkprescriptionstatusupdates?nhsnumber=9449304130&ods=A1', 'ods is no parameter of this path' ],
	[ '/checkprescriptionstatusupdates?odscode=A1&odscode=B2', 'odscode must not come more than once' ],
	[ '/checkprescriptionstatusupdates?odscode=A1&ODSCode=A1', 'ODSCode must not come more than once' ],
	[ '/checkprescriptionstatusupdates?odscode=A1&%C3%A9=1', '? is no parameter of this path' ],
	[ '/events?odscode=A1', 'odscode is no parameter of this path' ], [ '/events?last-event-id=1&last-event-id=2', 'last-event-id must not come more than once' ])
{
	my ($path, $diagnostics) = @$case;
	my $answer = $gateway->request('GET', $path, { Authorization => "Bearer $key" });
	is_outcome($answer, 400, 'value', "$path: 400");
	is((issues($answer))[0]{diagnostics}, $diagnostics, 'which names it');
}
is_outcome($gateway->post(bundle(task()), key => $key, path => '/?dryrun=1'), 400, 'value', 'POST /?dryrun=1: 400');
is($gateway->request('GET', '/checkprescriptionstatusupdates?PRESCRIPTIONID=07A66F-A83008-1EEEA0', { Authorization => "Bearer $key" })->{status}, 404, 'a name is in any case');
for my $header ('X-Request-ID', 'ExclusiveStartKey-TaskID')
{
	my ($connection, $id) = (connection(), uuid());
	$connection->send("GET /checkprescriptionstatusupdates?odscode=A1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\n$header: $id\r\n$header: $id\r\n\r\n");
	my $answer = $connection->answer;
	is_outcome($answer, 400, 'value', "$header twice: 400");
	like((issues($answer))[0]{diagnostics}, qr/^\Q$header\E must not come more than once/i, 'which names it');
}
my %allow = ('/' => 'POST', '/format-1' => 'POST', '/_ping' => 'GET, HEAD', '/_status' => 'GET, HEAD', '/metadata' => 'GET, HEAD', '/checkprescriptionstatusupdates' => 'GET, HEAD');
for my $path (sort keys %allow)
{
	for my $method (grep { $allow{$path} !~ /\b$_\b/ } qw(GET POST PUT DELETE PATCH OPTIONS PROPFIND get))
	{
		my $answer = $gateway->request($method, $path, { %good, 'X-Request-ID' => uuid() }, $method =~ /^P/ ? '{}' : undef);
		is_outcome($answer, 405, 'not-supported', "$method $path: 405");
		is($answer->{headers}{allow}, $allow{$path}, "$method $path: Allow");
	}
}
my $head = $gateway->request('HEAD', '/');
is("$head->{status} $head->{content}", '405 ', 'HEAD is refused where GET is, without a body');

# ---------- 415 and 413 ----------

for my $type ('text/plain', 'application/xml', 'application/fhir+xml', 'application/jsonp', 'application/json+x', 'json', '', 'multipart/form-data; boundary=x',
	'application/x-www-form-urlencoded', 'application/fhir+json, application/json')
{
	is_outcome($gateway->post(bundle(task()), key => $key, headers => { 'Content-Type' => $type }), 415, 'not-supported', "Content-Type '$type': 415");
}
my $untyped = connection();
$untyped->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, to_json(bundle(task())));
is_response($untyped->answer, 201, [201], 'without a Content-Type the body is JSON');

# A valid body of exactly so many bytes.
sub body_of
{
	my ($length) = @_;
	my $body = to_json(bundle(task()));
	return $body . ' ' x ($length - length $body);
}

sub chunked
{
	my ($body, $size) = @_;
	return join '', (map { sprintf "%x\r\n%s\r\n", length, $_ } unpack "(a$size)*", $body), "0\r\n\r\n";
}

is_response($gateway->post(body_of($limit), key => $key), 201, [201], 'exactly at the limit: 201');
is_outcome($gateway->post(body_of($limit + 1), key => $key), 413, 'too-long', 'a byte more: 413');
is_outcome($gateway->post(body_of(2 * 1024 * 1024), key => $key), 413, 'too-long', 'much more: 413');
for my $excess (0, 1, 200_000)
{
	my $connection = connection();
	$connection->request('POST', '/', { %good, 'X-Request-ID' => uuid(), 'Transfer-Encoding' => 'chunked' }, chunked(body_of($limit + $excess), 4000));
	my $answer = $connection->answer;
	$excess ? is_outcome($answer, 413, 'too-long', "in chunks, $excess bytes over: 413") : is_response($answer, 201, [201], 'in chunks, at the limit: 201');
	$connection->request('GET', '/_ping');
	is($connection->answer->{status}, 200, 'and the connection goes on');
}
my $endless = connection();
ok(!($endless->request('POST', '/', { %good, 'Content-Length' => 1 << 40 }) && $endless->send('x' x (64 * 1024 * 1024)) && !$endless->answer(3)),
	'a body without end is not read to its end');

# ---------- Expect: 100-continue ----------

my %expect = (%good, 'X-Request-ID' => uuid(), Expect => '100-continue');
my $waiting = connection();
my $body = to_json(bundle(task()));
$waiting->request('POST', '/', { %expect, 'Content-Length' => length $body });
is($waiting->answer->{status}, 100, 'a client that asks first is told to go on');
$waiting->send($body);
is_response($waiting->answer, 201, [201], 'and then stored');
for my $case ([ 413, 'too-long', { 'Content-Length' => $limit + 1 } ], [ 401, 'processing', { Authorization => 'Basic x' } ],
	[ 415, 'not-supported', { 'Content-Type' => 'text/plain' } ])
{
	my $connection = connection();
	$connection->request('POST', '/', { %expect, 'Content-Length' => 100, %{ $case->[2] } });
	is_outcome($connection->answer, $case->[0], $case->[1], "or refused at once: $case->[0]");
}

# ---------- 400 for a request id ----------

for my $case ([ 'none', undef ], [ 'an empty one', '' ], [ 'no UUID', 'order-66' ], [ 'a short one', substr uuid(), 1 ], [ 'one in braces', '{' . uuid() . '}' ],
	[ 'one without hyphens', uuid() =~ tr/-//dr ], [ 'letters beyond f', 'g' . substr uuid(), 1 ], [ 'a long one', uuid() x 100 ],
	[ 'bytes that are no text', "\xff\xfe" ], [ 'two in one', uuid() . ',' . uuid() ])
{
	my $answer = defined $case->[1] ? post_with(%good, 'X-Request-ID' => $case->[1]) : $gateway->post(bundle(task()), key => $key, request_id => undef);
	is_one_fault($answer, 400, 'value', "X-Request-ID: $case->[0]: 400");
	like((issues($answer))[0]{diagnostics}, qr/^X-Request-ID /, 'which names the header');
}
is_response($gateway->post(bundle(task()), key => $key, request_id => uc uuid()), 201, [201], 'in upper case it is good');

# ---------- 408 ----------

my $count = stored();
my %slow = (
	'headers that do not end' => "POST / HTTP/1.1\r\nHost: x\r\n",
	'a body that does not come' => "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: 5f2f6d2e-7f0c-4b8e-9d57-000000000001\r\nContent-Length: 10\r\n\r\n",
	'a chunk that does not end' => "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nX-Request-ID: 5f2f6d2e-7f0c-4b8e-9d57-000000000001\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{");
my %connections = map { $_ => connection() } keys %slow;
my $dripping = connection();
my $idle = connection();
my $silent = connection();
$idle->request('GET', '/_ping');
is($idle->answer->{status}, 200, 'a client that will be idle');
$connections{$_}->send($slow{$_}) for keys %slow;
$dripping->send("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nContent-Length: 1000\r\n\r\n");
my $began = time;
$dripping->send(' ') while time < $began + 4 && sleep(0.1) && !IO::Select->new($dripping->socket)->can_read(0);
cmp_ok(time - $began, '<', 3.5, 'a client that drips is cut off too');
is_outcome($dripping->answer(1), 408, 'timeout', 'with a 408');
for my $what (sort keys %slow)
{
	my $answer = $connections{$what}->answer(1);
	is_outcome($answer, 408, 'timeout', "$what: 408");
	is($answer->{headers}{'x-request-id'}, '5f2f6d2e-7f0c-4b8e-9d57-000000000001', 'and the request id is mirrored') if $slow{$what} =~ /X-Request/;
	ok($connections{$what}->is_closed, 'and the connection is closed');
}
$idle->request('GET', '/_ping');
is($idle->answer->{status}, 200, 'an idle client is not slow');
ok($silent->is_closed(5), 'but not kept for ever');
ok($idle->is_closed(6), 'nor is one that was answered before');
is(stored(), $count, 'nothing of what was slow is stored');
is_healthy($gateway, 'all is well afterwards');

done_testing();
