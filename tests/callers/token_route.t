# POST /oauth2/token over HTTP: a signed token for an access token, with which the gateway then lets its holder in.
# tests/callers/tokens.t has every way in which a signed token can be wrong.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Process;
use RxTrack::Token;
use Test::More;
use Time::HiRes qw(sleep time);

my $url = 'https://tracking.example/oauth2/token';
my $node = node(conf => "log_statement = none\nrxtrack.token_url = '$url'\nrxtrack.token_lifetime = 300\n");
add_application($node, $_) for 'A', 'B';
my %key = (rsa => make_key('RSA', 2048), ec => make_key('EC', 'P-256'), other => make_key('EC', 'P-256'));
my %client = (A => add_key('A', 'rsa'), B => add_key('B', 'other'));
add_key('A', 'ec');
my $gateway = gateway($node, env => { RXTRACK_REQUEST_TIMEOUT => 2 });
my %form = ('Content-Type' => 'application/x-www-form-urlencoded');

sub add_key
{
	my ($application, $name) = @_;
	return $node->safe_psql('rxtrack', "SELECT rxtrack.add_public_key('$application', '$name', '$key{$name}{public}')");
}

sub ask
{
	my ($token, %header) = @_;
	return $gateway->request('POST', '/oauth2/token', { %form, %header }, token_form($token));
}

sub signed
{
	my (%claim) = @_;
	return sign($key{ec}, 'ES256', { kid => 'ec' }, claims($client{A}, $url, %claim));
}

# "status error" of an answer in the shape of RFC 6749; what else there is, is wrong.
sub refusal
{
	my ($answer) = @_;
	my ($type, $caching) = map { $_ // 'none' } @{ $answer->{headers} }{ 'content-type', 'cache-control' };
	return "$type $caching" if "$type $caching" ne 'application/json no-store';
	return "$answer->{status} " . ($answer->{json}{error} // 'none');
}

# ---------- What is given ----------

my $answer = ask(sign($key{rsa}, 'RS512', { kid => 'rsa' }, claims($client{A}, $url)));
is("$answer->{status} $answer->{headers}{'content-type'} $answer->{headers}{'cache-control'} $answer->{headers}{pragma}", '200 application/json no-store no-cache',
	'RS512: an access token, without a Bearer and without X-Request-ID');
is_deeply([ sort keys %{ $answer->{json} } ], [qw(access_token expires_in scope token_type)], 'what RFC 6749 wants, and the scope');
is("@{ $answer->{json} }{qw(token_type expires_in scope)}", 'Bearer 300 updates:write updates:read', 'with these values');
my $access = $answer->{json}{access_token};
is(ask(signed(), 'Content-Type' => 'Application/X-WWW-Form-URLEncoded; charset=UTF-8')->{status}, 200, 'ES256, and a Content-Type with parameters');
is(ask(signed(), Authorization => 'Bearer nonsense', 'X-Request-ID' => 'no UUID')->{status}, 200, 'headers that other routes need are not looked at');
my $plain = RxTrack::Connection->new($gateway);
$plain->request('POST', '/oauth2/token', {}, token_form(signed()));
is($plain->answer->{status}, 200, 'a body without a Content-Type is taken for a form');

# ---------- What the access token is good for ----------

my $task = task();
is_response($gateway->post(bundle($task), key => $access), 201, [201], 'it is a Bearer: an update is stored');
my $prescription = $task->{basedOn}[0]{identifier}{value} =~ s/\+/%2B/r;
sub search { return $gateway->request('GET', "/checkprescriptionstatusupdates?prescriptionid=$prescription", { Authorization => "Bearer $_[0]" }) }
is(search($access)->{json}{items}[0]{ApplicationName}, 'A', 'in its application\'s name');
is_outcome(search($access . '0'), 401, 'processing', 'another text is none');
is_outcome(search(signed()), 401, 'processing', 'nor is the signed token itself');
$node->safe_psql('rxtrack', q{SELECT rxtrack.alter_application('A', suspended => true)});
is_outcome(search($access), 403, 'forbidden', 'of a suspended application: 403');
is(refusal(ask(signed())), '401 invalid_client', 'which gets no new one');
$node->safe_psql('rxtrack', q{SELECT rxtrack.alter_application('A', suspended => false)});
is(search($access)->{status}, 200, 'until it is resumed');
$node->safe_psql('rxtrack', sprintf q{UPDATE rxtrack_internal.access_token SET valid_until = now() WHERE token_hash = '\x%s'}, sha256_hex($access));
$answer = search($access);
is_outcome($answer, 401, 'processing', 'one that has expired: 401');
like($answer->{headers}{'www-authenticate'}, qr/^Bearer\b.*invalid_token/, 'which says so');

# ---------- What is refused ----------

my $used = signed();
is(ask($used)->{status}, 200, 'a signed token is good once');
my ($header, $payload, $signature) = split /\./, signed();
my %refused = (
	'used before' => $used,
	'alg none' => encode_part({ alg => 'none', kid => 'ec' }) . ".$payload.",
	'HS256 with the public key as the secret' => sign($key{rsa}, 'HS256', { kid => 'rsa' }, claims($client{A}, $url)),
	'RS256 called ES256' => sign($key{rsa}, 'RS256', { alg => 'ES256', kid => 'rsa' }, claims($client{A}, $url)),
	'RS256 by a key that is EC' => sign($key{rsa}, 'RS256', { kid => 'ec' }, claims($client{A}, $url)),
	'another application\'s key' => sign($key{other}, 'ES256', { kid => 'other' }, claims($client{A}, $url)),
	'another audience' => signed(aud => 'https://other.example/oauth2/token'),
	'expired' => signed(exp => time - 60),
	'six minutes ahead' => signed(exp => time + 360),
	'a clock that is two minutes ahead' => signed(nbf => int(time) + 120, iat => int(time) + 120),
	'iss is not sub' => signed(sub => $client{B}),
	'no jti' => signed(jti => undef),
	'a payload of one and a signature of another' => "$header.$payload." . (split /\./, signed())[2],
	'no token at all' => 'x');
my %words;
for my $what (sort keys %refused)
{
	$answer = ask($refused{$what});
	is(refusal($answer), '401 invalid_client', "$what: refused");
	$words{ $answer->{content} . join ',', sort grep { $_ ne 'date' } keys %{ $answer->{headers} } } = 1;
}
is(scalar keys %words, 1, 'and all alike');
is(ask(signed(exp => int(time) - 20))->{status}, 200, 'clocks may differ by half a minute');

# ---------- The client's id, and the audience ----------

is(ask(signed(aud => $_))->{status}, 200, 'the audience is the issuer: ' . to_json($_)) for 'https://tracking.example', [ 'https://tracking.example', 'x' ];
is(refusal(ask(signed(aud => $_))), '401 invalid_client', 'not ' . (defined $_ ? to_json($_) : 'none')) for 'https://tracking.example/', 'https://tracking.example/oauth2', 'https://tracking.exampl', { 'https://tracking.example' => 1 }, [], 1, undef;
for my $case ([ $client{A}, 200 ], [ uc $client{A}, 200 ], [ '', 200 ], [ $client{B}, '401 invalid_client' ], [ 'x', '401 invalid_client' ])
{
	my ($id, $expected) = @$case;
	my $signed = signed();
	$answer = $gateway->request('POST', '/oauth2/token', \%form, token_form($signed) . "&client_id=$id");
	is($expected eq '200' ? $answer->{status} : refusal($answer), $expected, "client_id '$id': $expected");
	is(ask($signed)->{status}, 200, 'and the signed token was not used up') if $expected ne '200';
}
is(refusal($gateway->request('POST', '/oauth2/token', \%form, token_form(signed()) . "&client_id=$client{A}&client_id=$client{A}")), '400 invalid_request', 'client_id twice');

# ---------- Discovery ----------

my $discovered = $gateway->request('GET', '/.well-known/oauth-authorization-server');
is("$discovered->{status} $discovered->{headers}{'content-type'}", '200 application/json', 'the metadata of RFC 8414');
is("@{ $discovered->{json} }{qw(issuer token_endpoint)}", "https://tracking.example $url", 'issuer and token URL');
is_deeply($discovered->{json}{token_endpoint_auth_methods_supported}, ['private_key_jwt'], 'and how a client shows who it is');
is_deeply([ sort @{ $discovered->{json}{token_endpoint_auth_signing_alg_values_supported} } ], [qw(ES256 ES384 RS256 RS512)], 'and by which signatures');

# ---------- Replay by many at once ----------

my $wins = 0;
for (1 .. 5)
{
	my $raced = token_form(signed());
	my @connections = map { RxTrack::Connection->new($gateway) } 1 .. 16;
	$_->request('POST', '/oauth2/token', \%form, $raced) for @connections;
	my @statuses = map { $_->answer->{status} } @connections;
	$wins++ if grep({ $_ == 200 } @statuses) == 1 && grep({ $_ == 401 } @statuses) == 15;
}
is($wins, 5, 'of sixteen at once with the same signed token one gets an access token');

# ---------- The form and the gateway's own errors ----------

sub post { return $gateway->request('POST', '/oauth2/token', { %form, %{ $_[1] // {} } }, $_[0]) }
is(refusal(post('')), '400 invalid_request', 'nothing');
is(refusal(post('grant_type=password')), '400 unsupported_grant_type', 'another grant type');
is(refusal(post(token_form(signed()) . '&grant_type=client_credentials')), '400 invalid_request', 'a field twice');
is(refusal(post('{}', { 'Content-Type' => $_ })), '415 invalid_request', "$_ is no form") for 'application/json', 'multipart/form-data; boundary=x', 'text/plain', '';
my $full = token_form(signed());
$full .= '&x=' . 'x' x (32 * 1024 - 3 - length $full);
is(post($full)->{status}, 200, 'a form of 32 KiB');
is(refusal(post("${full}x")), '413 invalid_request', 'a byte more');
for my $case ([ 'grant_type=&' => 'grant_type must not come more than once' ], [ 'x&' => 'a parameter has no equals sign' ], [ '&' => 'grant_type is missing' ],
	[ 'x=%zz&' => 'a percent sign is not followed by two hex digits' ], [ 'x=%41&' => 'grant_type is missing' ], [ 'x=%ff&' => 'a parameter is not UTF-8, or holds a NUL' ])
{
	my ($piece, $description) = @$case;
	my $many = $piece x (32 * 1024 / length $piece);
	$answer = post($many);
	is(refusal($answer), '400 invalid_request', "32 KiB of $piece");
	is($answer->{json}{error_description}, $description, 'which says what is wrong');
	is(refusal(post($many x 32)), '413 invalid_request', 'a mebibyte of it');
}
my $flood = sub { return scalar grep { post('grant_type=&' x 87_000)->{status} != 413 || post('x=%41&' x 5_000)->{status} != 400 } 1 .. 20 };
does_not_grow($gateway->pid, 8, $flood, 'forms that are too large do not make the gateway grow');
is($flood->(), 0, 'each is refused');
is_outcome($gateway->request('GET', '/oauth2/token'), 405, 'not-supported', 'another method');
is($gateway->request('GET', '/oauth2/token')->{headers}{allow}, 'POST', 'with word of the right one');
like(post('x' x 40_000)->{json}{error_description}, qr/over the limit/, 'with a description');
my $holder = $node->background_psql('rxtrack');
$holder->query_safe('BEGIN; LOCK TABLE rxtrack_internal.application IN ACCESS EXCLUSIVE MODE');
is(refusal(ask(signed())), '504 temporarily_unavailable', 'a database that is too slow');
$holder->quit;
is(ask(signed())->{status}, 200, 'and again');
$node->stop('fast');
my $until = time + 20;
sleep 0.1 while ($answer = ask(signed()))->{status} != 503 && time < $until;
is(refusal($answer), '503 temporarily_unavailable', 'a database that is away');
like($answer->{headers}{'retry-after'}, qr/^\d+$/, 'with Retry-After');

# ---------- What the logs say ----------

is($gateway->stop, 0, 'the gateway ends well');
my $logs = $gateway->log . PostgreSQL::Test::Utils::slurp_file($node->logfile);
my @secret = ($access, sha256_hex($access), $used, $signature, $key{ec}{private} =~ /\n(.{40})/);
is(scalar(grep { index($logs, $_) >= 0 } @secret), 0, 'no token and no key is in a log');
my @given = grep { ($_->{path} // '') eq '/oauth2/token' && $_->{status} == 200 } $gateway->log_events;
is_deeply([ sort keys %{ { map { $_->{application} => 1 } @given } } ], ['A'], 'who got one is');

done_testing();
