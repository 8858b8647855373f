# Requests a minute, for each application: 429 with Retry-After beyond them, and nobody else's business.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Process;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node();
my %key = map { $_ => add_application($node, $_) } 'Slow', 'Quick', 'Steady';
rate(Slow => 5);
rate(Steady => 1200);
my $gateway = gateway($node);

sub rate
{
	my ($name, $a_minute) = @_;
	return $node->safe_psql('rxtrack', "SELECT rxtrack.alter_application('$name', requests_per_minute => $a_minute)");
}

# So many access tokens of an application.
sub tokens
{
	my ($name, $count) = @_;
	$node->safe_psql('rxtrack', "INSERT INTO rxtrack_internal.access_token SELECT sha256(('$name-' || n)::bytea), application_id, 'infinity'
		FROM rxtrack.applications, generate_series(1, $count) AS n WHERE application = '$name'");
	return map { "$name-$_" } 1 .. $count;
}

sub search { return $gateway->request('GET', '/checkprescriptionstatusupdates?odscode=NOBODY', { Authorization => "Bearer $_[0]" }) }

# How many of so many posts in a row are stored; the first answer of another kind is in $refused.
my $refused;

sub stored
{
	my ($key, $count) = @_;
	my @answers = map { $gateway->post(bundle(task()), key => $key) } 1 .. $count;
	($refused) = grep { $_->{status} != 201 } @answers;
	return scalar grep { $_->{status} == 201 } @answers;
}

my $count = stored($key{Slow}, 10);
is($count, 5, 'five a minute');
is_one_fault($refused, 429, 'throttled', 'the next is answered 429, in the shape of a transaction\'s answer');
like($refused->{headers}{'retry-after'}, qr/^(?:9|1[0-2])$/, 'with the seconds to wait: a fifth of a minute');
is($refused->{json}{entry}[0]{response}{outcome}{issue}[0]{severity}, 'error', 'which is an error');
is($node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update'), $count, 'nothing of it was stored');
is_outcome(search($key{Slow}), 429, 'throttled', 'a search as well: a bare OperationOutcome');
my $message = { MessageType => 'PrescriptionStatusChanged' };
is_one_fault($gateway->post($message, key => $key{Slow}, path => '/format-1'), 429, 'throttled', 'and a message of Format 1');
is($gateway->request('GET', $_)->{status}, 200, "$_ needs no application") for '/_ping', '/_status', '/metadata';
is(stored($key{Quick}, 30), 30, 'another application is not concerned');
my $other = $node->safe_psql('rxtrack', q{SELECT rxtrack.rotate_key('Slow')});
is_one_fault($gateway->post(bundle(task()), key => $other), 429, 'throttled', 'another key of the same application has no rate of its own, not even once');
is_outcome($gateway->post(bundle(task()), key => 'wrong'), 401, 'processing', 'a wrong key is a 401') for 1 .. 10;

# ---------- Waiting helps, and so does the operator ----------

my $began = time;
$count = stored($key{Steady}, 1) + stored($key{Steady}, 1300);
my $took = time - $began;
my $allowed = 1201 + int($took * 20) + 2;
ok($count <= $allowed, "1200 a minute: $count of 1301 in $took seconds, at most $allowed");
SKIP:
{
	skip 'this machine is too slow to call so often', 2 if !$refused;
	is($refused->{headers}{'retry-after'}, 1, 'Retry-After is a whole second at least');
	sleep 1.2;
	is($gateway->post(bundle(task()), key => $key{Steady})->{status}, 201, 'after it there is room again');
}
my ($last) = grep { ($_->{status} // 0) == 429 } reverse $gateway->log_events;
ok(defined $last->{application}, 'the log says whose the refused request was');
is($gateway->stop, 0, 'the gateway ends well');
rate(Slow => 1_000_000);
$gateway = gateway($node);
is(stored($key{Slow}, 50), 50, 'a higher rate, in a new gateway');
rate(Slow => 60);
stored($key{Slow}, 1);
cmp_ok(stored($key{Slow}, 100), '<=', 75, 'a lower one holds from the next answer on');
is($gateway->stop, 0, 'that gateway ends well, too');

# ---------- A fresh credential for each request ----------

add_application($node, 'Fresh');
rate(Fresh => 10);
$gateway = gateway($node);
my @tokens = tokens('Fresh', 41);
is(scalar(grep { stored($_, 1) } @tokens[ 0 .. 39 ]), 10, 'ten a minute, with a fresh access token for each');
is_one_fault($refused, 429, 'throttled', 'the next is answered 429');
my ($line) = grep { ($_->{status} // 0) == 429 } $gateway->log_events;
is($line->{application}, 'Fresh', 'and the log says whose it was');
is(search($tokens[40])->{status}, 429, 'a search as well');
my @at_once = map { RxTrack::Connection->new($gateway) } 1 .. 20;
rate(Quick => 10);
my @quick = tokens('Quick', 20);
$at_once[$_]->request('GET', '/checkprescriptionstatusupdates?odscode=NOBODY', { Authorization => "Bearer $quick[$_]" }) for 0 .. 19;
my %got;
$got{ $_->answer->{status} }++ for @at_once;
is_deeply(\%got, { 404 => 10, 429 => 10 }, 'twenty at once as well');
is($gateway->stop, 0, 'that gateway ends well');
rate(Quick => 20000);

# ---------- Several gateways ----------

rate(Slow => 12);
my @gateways = map { gateway($node, env => { RXTRACK_GATEWAYS => 3 }) } 1 .. 2;
$count = 0;
for my $one (@gateways)
{
	$gateway = $one;
	$count += stored($key{Slow}, 10);
}
is($count, 2 * 4, 'of three gateways each lets a third through');
$_->stop for @gateways;

# ---------- Wrong keys in great number take no memory ----------

$gateway = gateway($node);
my $connection = RxTrack::Connection->new($gateway);
my $number = 0;
my $wrong = sub
{
	$connection->send(join '', map { "GET /checkprescriptionstatusupdates?odscode=A HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong-" . ++$number . "\r\n\r\n" } 1 .. 400);
	my @statuses = map { $connection->answer(20, 1)->{status} } 1 .. 400;
	return scalar grep { $_ != 401 } @statuses;
};
does_not_grow($gateway->pid, 8, $wrong, 'thousands of wrong keys do not make the gateway grow');
is($wrong->(), 0, 'each of them is a 401');
is($gateway->post(bundle(task()), key => $key{Quick})->{status}, 201, 'a right one is served as ever');
is($gateway->stop, 0, 'and the gateway ends well');

done_testing();
