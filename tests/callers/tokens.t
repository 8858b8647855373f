# Signed tokens: what is accepted, and that everything else is refused with one and the same answer.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);
use RxTrack;
use RxTrack::Session;
use RxTrack::Token;
use Test::More;

my $url = 'https://tracking.example/oauth2/token';
my $node = node(conf => "log_statement = none\n");
$node->safe_psql('rxtrack', "ALTER DATABASE rxtrack SET rxtrack.token_url = '$url'; ALTER DATABASE rxtrack SET rxtrack.token_lifetime = '5 min'");
add_application($node, $_) for 'A', 'B';

my %key = (rsa => make_key('RSA', 2048), p256 => make_key('EC', 'P-256'), p384 => make_key('EC', 'P-384'),
	other => make_key('RSA', 2048), late => make_key('EC', 'P-256'), old => make_key('EC', 'P-256'));
my %client;
$client{A} = add_key('A', $_) for qw(rsa p256 p384);
$client{B} = add_key('B', 'other');
add_key('A', 'late', q{now() + interval '1 hour'});
add_key('A', 'old', q{now() - interval '2 hours', now() - interval '1 hour'});

sub add_key
{
	my ($application, $name, $valid) = @_;
	return $node->safe_psql('rxtrack', "SELECT rxtrack.add_public_key('$application', '$name', '$key{$name}{public}'" . ($valid ? ", $valid" : '') . ')');
}

# The answers to a batch of forms, each "status body" with the token taken out; the tokens are in @given.
my @given;

sub ask
{
	my (@forms) = @_;
	my $bodies = join ',', map { "'\\x" . unpack('H*', $_) . "'" } @forms;
	my $nulls = join ',', ('NULL') x @forms;
	my $rows = $node->safe_psql('rxtrack', <<"SQL");
SELECT concat_ws(' ', status, application, convert_from(body, 'UTF8'))
FROM rxtrack_http.token(NULL, ARRAY[$nulls]::bytea[], ARRAY[$nulls]::text[], ARRAY[$nulls]::text[], ARRAY[$bodies]::bytea[])
SQL
	@given = $rows =~ /(rxtrack_[0-9a-f]{64})/g;
	$rows =~ s/rxtrack_[0-9a-f]{64}/TOKEN/g;
	return split /\n/, $rows;
}

my $good = '200 A {"scope": "updates:write updates:read", "expires_in": 300, "token_type": "Bearer", "access_token": "TOKEN"}';
my $refused = '401 {"error": "invalid_client"}';

sub token
{
	my (%claim) = @_;
	return sign($key{p256}, 'ES256', { kid => 'p256' }, claims($client{A}, $url, %claim));
}

# ---------- What is accepted ----------

my @accepted = (
	[ RS256 => sign($key{rsa}, 'RS256', { kid => 'rsa' }, claims($client{A}, $url)) ],
	[ RS512 => sign($key{rsa}, 'RS512', { kid => 'rsa' }, claims($client{A}, $url)) ],
	[ ES256 => token() ],
	[ ES384 => sign($key{p384}, 'ES384', { kid => 'p384' }, claims($client{A}, $url)) ],
	[ 'an audience of several' => token(aud => [ 'https://other.example', $url ]) ],
	[ 'the client id in upper case' => token(iss => uc $client{A}, sub => uc $client{A}) ],
	[ 'expired, within the leeway' => token(exp => time - 10) ],
	[ 'five minutes ahead' => token(exp => time + 300) ],
	[ 'issued ahead, within the leeway' => token(iat => time + 15, nbf => time + 15) ],
	[ 'issued long ago' => token(iat => 0, nbf => 0) ],
	[ 'claims that nobody knows' => token(name => 'x', roles => [1]) ],
	[ 'a fraction of a second' => token(exp => time + 100.5) ]);
my @answers = ask(map { token_form($_->[1]) } @accepted);
is($answers[$_], $good, "accepted: $accepted[$_][0]") for 0 .. $#accepted;
is(scalar(keys %{ { map { $_ => 1 } @given } }), @accepted, 'each gets a token of its own');
my $access = $given[0];

# ---------- What is refused ----------

my $payload = encode_part(claims($client{A}, $url));
my ($h, $p, $s) = split /\./, token();
my $flipped = decode_base64url($s);
substr($flipped, 20, 1) ^= "\1";
my ($rh, $rp, $rs) = split /\./, $accepted[0][1];
my @wrong = (
	[ 'alg none' => encode_part({ alg => 'none', kid => 'rsa' }) . ".$payload." ],
	map({ [ "alg $_, any signature" => encode_part({ alg => $_, kid => 'rsa' }) . ".$payload." . encode_part('x') ] } qw(none None NONE nOnE)),
	[ 'no alg' => encode_part({ kid => 'rsa' }) . ".$payload." . encode_part('x') ],
	[ 'alg null' => encode_part({ alg => undef, kid => 'rsa' }) . ".$payload." . encode_part('x') ],
	[ 'alg a number' => encode_part({ alg => 5, kid => 'rsa' }) . ".$payload." . encode_part('x') ],
	[ 'alg a list' => sign($key{rsa}, 'RS256', { alg => ['RS256'], kid => 'rsa' }, claims($client{A}, $url)) ],
	[ 'alg in lower case' => sign($key{rsa}, 'RS256', { alg => 'rs256', kid => 'rsa' }, claims($client{A}, $url)) ],
	[ 'HS256 with the public key as the secret' => sign($key{rsa}, 'HS256', { kid => 'rsa' }, claims($client{A}, $url)) ],
	[ 'HS256 with an EC key as the secret' => sign($key{p256}, 'HS256', { kid => 'p256' }, claims($client{A}, $url)) ],
	[ 'RS384' => sign($key{rsa}, 'RS384', { kid => 'rsa' }, claims($client{A}, $url)) ],
	[ 'PS256' => sign($key{rsa}, 'PS256', { kid => 'rsa' }, claims($client{A}, $url)) ],
	[ 'PSS called RS256' => sign($key{rsa}, 'PS256', { alg => 'RS256', kid => 'rsa' }, claims($client{A}, $url)) ],
	[ 'RS256 called RS512' => sign($key{rsa}, 'RS256', { alg => 'RS512', kid => 'rsa' }, claims($client{A}, $url)) ],
	[ 'RS256 called ES256' => sign($key{rsa}, 'RS256', { alg => 'ES256', kid => 'rsa' }, claims($client{A}, $url)) ],
	[ 'RS256 by a key that is EC' => sign($key{rsa}, 'RS256', { kid => 'p256' }, claims($client{A}, $url)) ],
	[ 'ES256 by P-384' => sign($key{p256}, 'ES256', { kid => 'p384' }, claims($client{A}, $url)) ],
	[ 'ES256 of zeros' => "$h.$p." . encode_base64url("\0" x 64) ],
	[ 'no such kid' => sign($key{rsa}, 'RS256', { kid => 'rsa2' }, claims($client{A}, $url)) ],
	[ 'no kid' => sign($key{rsa}, 'RS256', {}, claims($client{A}, $url)) ],
	[ 'another application\'s key' => sign($key{other}, 'RS256', { kid => 'other' }, claims($client{A}, $url)) ],
	[ 'another application\'s name' => sign($key{other}, 'RS256', { kid => 'rsa' }, claims($client{A}, $url)) ],
	[ 'a key that is not valid yet' => sign($key{late}, 'ES256', { kid => 'late' }, claims($client{A}, $url)) ],
	[ 'a key that is not valid any more' => sign($key{old}, 'ES256', { kid => 'old' }, claims($client{A}, $url)) ],
	[ 'a key in the header' => sign($key{other}, 'RS256', { kid => 'rsa', jwk => { kty => 'RSA' }, jku => $url, x5u => $url }, claims($client{A}, $url)) ],
	[ 'crit' => sign($key{p256}, 'ES256', { kid => 'p256', crit => ['exp'] }, claims($client{A}, $url)) ],
	[ 'expired' => token(exp => time - 60) ],
	[ 'ten minutes ahead' => token(exp => time + 600) ],
	[ 'six minutes ahead' => token(exp => time + 360) ],
	[ 'never expiring' => token(exp => undef) ],
	[ 'exp a text' => token(exp => '' . (time + 100)) ],
	[ 'exp beyond all bounds' => sign($key{p256}, 'ES256', { kid => 'p256' }, to_json(claims($client{A}, $url)) =~ s/"exp":\d+/"exp":1e100000/r) ],
	[ 'nbf ahead' => token(nbf => time + 120) ],
	[ 'nbf a text' => token(nbf => 'soon') ],
	[ 'nbf minus infinity' => token(nbf => '-Infinity') ],
	[ 'iat ahead' => token(iat => time + 120) ],
	[ 'another audience' => token(aud => 'https://other.example/oauth2/token') ],
	[ 'the audience with a slash' => token(aud => "$url/") ],
	[ 'no audience' => token(aud => undef) ],
	[ 'an audience of none' => token(aud => []) ],
	[ 'an audience that has ours inside' => token(aud => [ [$url] ]) ],
	[ 'an audience that is an object' => token(aud => { $url => 1 }) ],
	[ 'iss is not sub' => token(sub => $client{B}) ],
	[ 'no iss' => token(iss => undef) ],
	[ 'neither iss nor sub' => token(iss => undef, sub => undef) ],
	[ 'an unknown client' => token(iss => uuid(), sub => uuid()) ],
	[ 'a name for the client id' => token(iss => 'A', sub => 'A') ],
	[ 'no jti' => token(jti => undef) ],
	[ 'jti empty' => token(jti => '') ],
	[ 'jti a number' => token(jti => 5) ],
	[ 'jti too long' => token(jti => 'x' x 257) ],
	[ 'a NUL in jti' => token(jti => "a\0b") ],
	[ 'used before' => $accepted[2][1] ],
	[ 'used before, RSA' => $accepted[0][1] ],
	[ 'the payload of another' => "$h.$rp.$s" ],
	[ 'the header of another' => "$rh.$p.$s" ],
	[ 'one bit of the signature' => "$h.$p." . encode_base64url($flipped) ],
	[ 'a signature cut short' => "$h.$p." . substr($s, 0, 60) ],
	[ 'a signature with more' => "$h.$p.${s}AAAA" ],
	[ 'DER where it should be two numbers' => "$h.$p." . encode_base64url("\x30\x44" . 'x' x 68) ],
	[ 'four parts' => "$h.$p.$s.$s" ],
	[ 'padding' => "$h.$p.$s==" ],
	[ 'header not an object' => sign($key{p256}, 'ES256', '["ES256"]', claims($client{A}, $url)) ],
	[ 'claims not an object' => sign($key{p256}, 'ES256', { kid => 'p256' }, '"x"') ],
	[ 'claims very deep' => encode_part({ alg => 'RS256', kid => 'rsa' }) . '.' . encode_base64url('[' x 12_000) . '.eA' ],
	[ 'very long' => encode_part({ alg => 'RS256', kid => 'rsa' }) . '.' . encode_base64url('x' x 20_000) . '.eA' ]);
@answers = ask(map { token_form($_->[1]) } @wrong);
is($answers[$_], $refused, "refused: $wrong[$_][0]") for 0 .. $#wrong;
is(scalar @given, 0, 'none of them got a token');

# ---------- Malformed ----------

my $whole = token();
my @malformed = map { substr $whole, 0, $_ } 1 .. length($whole) - 1;
srand 5;
push @malformed, join('', map { chr(33 + int rand 94) } 1 .. 1 + int rand 300) =~ s/[&%+]/_/gr while @malformed < 700;
push @malformed, join('.', map { encode_base64url(join '', map { chr int rand 256 } 1 .. 1 + int rand 60) } 1 .. 3) while @malformed < 1000;
push @malformed, do { my $t = $whole; substr($t, int rand length $t, 1) = ('A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_', '.')[int rand 65]; $t } while @malformed < 1300;
@malformed = grep { $_ ne $whole } @malformed;
my %kinds;
$kinds{$_}++ for ask(map { token_form($_) } @malformed);
is_deeply([ keys %kinds ], [$refused], scalar(@malformed) . ' malformed tokens are refused alike') or diag explain \%kinds;
is((ask(token_form($whole)))[0], $good, 'and the whole one is still good');

# ---------- Replay by many at once ----------

my $raced = token();
my @sessions = map { RxTrack::Session->new($node) } 1 .. 2;
my $call = sprintf q{SELECT status FROM rxtrack_http.token(NULL, '{NULL}', '{NULL}', '{NULL}', ARRAY['\x%s'::bytea])}, unpack 'H*', token_form($raced);
$sessions[0]->sql('BEGIN');
is($sessions[0]->sql($call), 200, 'one has used it, and not committed yet');
is($sessions[1]->sql($call), 401, 'another is refused, and does not wait');
my @two = map { unpack 'H*', token_form(token()) } 1 .. 2;
my $crossed = q{SELECT status FROM rxtrack_http.token(NULL, '{NULL}', '{NULL}', '{NULL}', ARRAY['\x%s'::bytea])};
$sessions[1]->sql('BEGIN');
is($sessions[0]->sql(sprintf $crossed, $two[0]) . $sessions[1]->sql(sprintf $crossed, $two[1]), '200200', 'two use one each');
is($sessions[0]->sql(sprintf $crossed, $two[1]) . $sessions[1]->sql(sprintf $crossed, $two[0]), '401401', 'and then the other\'s: no deadlock');
$_->sql('COMMIT') for @sessions;
@sessions = ();
is((ask(token_form($raced)))[0], $refused, 'later as well');
my @both = ask((token_form(my $twice = token())) x 3);
is_deeply(\@both, [ $good, $refused, $refused ], 'three times in one batch: one wins');
my $script = "$ENV{TESTDIR}/race-$$.sql";
open my $out, '>', $script or die $!;
print {$out} (map { sprintf "SELECT 'won' FROM rxtrack_http.token(NULL, '{NULL}', '{NULL}', '{NULL}', ARRAY['\\x%s'::bytea]) WHERE status = 200;\n", unpack 'H*', token_form($_) }
	  map { token() } 1 .. 20);
close $out;
my @racing = map { open my $pipe, '-|', 'psql', '-XqAt', '-d', $node->connstr('rxtrack'), '-f', $script or die $!; $pipe } 1 .. 4;
my $won = 0;
for my $pipe (@racing) { $won += () = <$pipe>; close $pipe }
is($won, 20, 'four at once with the same twenty: each is good exactly once');

# ---------- The access token ----------

sub checked
{
	my ($credential) = @_;
	return $node->safe_psql('rxtrack', sprintf
		q{SELECT concat_ws(' ', status, application) FROM rxtrack_http.check_updates('updates:read', ARRAY['\x%s'::bytea], '{NULL}', '{"{\"odscode\": \"A\"}"}', '{NULL}')}, sha256_hex($credential));
}

is(checked($access), '404 A', 'an access token is a credential');
is(checked($access . 'x'), '401', 'and no other text is');
is($node->safe_psql('rxtrack', "SELECT count(*) FROM rxtrack_internal.access_token t WHERE t::text LIKE '%" . substr($access, 8) . "%'"), 0, 'it is kept nowhere');
$node->safe_psql('rxtrack', q{SELECT rxtrack.alter_application('A', suspended => true)});
is(checked($access), '403 A', 'of a suspended application it is refused');
is((ask(token_form(token())))[0], $refused, 'which gets no other one');
$node->safe_psql('rxtrack', q{SELECT rxtrack.alter_application('A', suspended => false)});
is(checked($access), '404 A', 'until it is resumed');
$node->safe_psql('rxtrack', sprintf q{UPDATE rxtrack_internal.access_token SET valid_until = now() WHERE token_hash = '\x%s'}, sha256_hex($access));
is(checked($access), '401', 'one that has expired is nobody\'s');
$node->safe_psql('rxtrack', q{SELECT rxtrack.drop_public_key('A', 'p256')});
is((ask(token_form(token())))[0], $refused, 'a key that was removed signs nothing any more');

# ---------- The form ----------

my $type = 'client_assertion_type=urn%3aietf%3Aparams:oauth:client-assertion-type:jwt-bearer';
my $fresh = sub { 'client_assertion=' . sign($key{p384}, 'ES384', { kid => 'p384' }, claims($client{A}, $url)) };
my @forms = (
	[ "grant_type=client_credentials&$type&" . $fresh->(), 200 ],
	[ "$type&" . $fresh->() . '&x=y&grant_type=client%5Fcredentials&', 200 ],
	[ "&&$type&grant_type=client_credentials&" . $fresh->() =~ s/\./%2E/gr, 200 ],
	[ "x=&x=&client_id=&grant%5Ftype=client_credentials&$type&" . $fresh->(), 200 ],
	[ "grant_type=password&$type&" . $fresh->(), '400 unsupported_grant_type' ],
	[ "grant_type=client+credentials&$type&" . $fresh->(), '400 unsupported_grant_type' ],
	map({ [ $_, '400 invalid_request' ] } '', '&', '=', 'grant_type', "$type&" . $fresh->(),
		"grant_type=client_credentials&grant_type=client_credentials&$type&" . $fresh->(), "grant_type=&grant_type=client_credentials&$type&" . $fresh->(),
		"x&grant_type=client_credentials&$type&" . $fresh->(), "%zz=x&grant_type=client_credentials&$type&" . $fresh->(),
		"grant_type=client_credentials&$type&" . $fresh->() . '&x=' . 'x' x 32768,
		"grant_type=client_credentials&$type&" . $fresh->() . '&' . $fresh->(),
		"grant_type=client_credentials&$type", 'grant_type=client_credentials&' . $fresh->(),
		"grant_type=client_credentials&client_assertion_type=other&" . $fresh->(),
		"grant_type=client_credentials%&$type&" . $fresh->(), "grant_type=client_credentials%4&$type&" . $fresh->(),
		"grant_type=%zz&$type&" . $fresh->(), "grant_type=\xff\xfe&$type&" . $fresh->(), "grant_type=%ff&$type&" . $fresh->(),
		"grant_type=%00&$type&" . $fresh->(), "grant_type=client_credentials%00&$type&" . $fresh->(),
		"Grant_Type=client_credentials&$type&" . $fresh->(), '{"grant_type": "client_credentials"}'));
@answers = ask(map { $_->[0] } @forms);
is($answers[$_] =~ s/^200.*/200/r =~ s/\{"error": "(\w+)"(?:, "error_description": "[^"]+")?\}/$1/r, $forms[$_][1], 'form: ' . ($forms[$_][0] =~ s/[^ -~]/?/gr =~ s/(client_assertion=.{4})[^&]*/$1.../gr)) for 0 .. $#forms;

$node->safe_psql('rxtrack', q{ALTER DATABASE rxtrack RESET rxtrack.token_url});
is((ask("grant_type=client_credentials&$type&" . $fresh->()))[0], $refused, 'without a token URL none is accepted');
is($node->safe_psql('rxtrack', q{SELECT status FROM rxtrack_http.authorization_server(NULL, '{NULL}', '{NULL}', '{NULL}', '{NULL}')}), 404, 'and nothing is to be discovered');
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/ERROR/, 'none of this was an error');

done_testing();
