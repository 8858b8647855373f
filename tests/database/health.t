# GET /_status is 200 only where an update can be stored now, and says by name what is wrong.
use strict;
use warnings;
use POSIX ();
use RxTrack;
use RxTrack::Answers;
use RxTrack::Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node(streaming => 1);
my $key = add_application($node, 'A supplier');
my $gateway = gateway($node);

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

# A test: its HTTP status, its own, and the checks that do not pass.
sub health_is
{
	my ($expected, $name, $among) = @_;
	my $answer = ($among // $gateway)->request('GET', '/_status');
	my $checks = $answer->{json}{checks};
	my @wrong = map { "$_ $checks->{$_}[0]{status}" } grep { $checks->{$_}[0]{status} ne 'pass' } sort keys %$checks;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join(' ', $answer->{status}, $answer->{json}{status}, @wrong), $expected, $name);
	return;
}

sub post { return $gateway->post(bundle(task(@_)), key => $key)->{status} }

health_is('200 pass', 'all is well');
is(join(' ', sort keys %{ $gateway->request('GET', '/_status')->{json}{checks} }), 'database dispatcher events gateway notifications schema writes', 'each check has a name');

# ---------- Writes that fail ----------

my %fails = (
	53100 => [ 'a full disk', '503 fail writes fail' ],
	58030 => [ 'a file that cannot be written', '503 fail writes fail' ],
	23514 => [ 'a check that an update does not pass', '200 pass' ],
	P0001 => [ 'a trigger that raises', '200 pass' ]);
for my $sqlstate (sort keys %fails)
{
	my ($what, $expected) = @{ $fails{$sqlstate} };
	sql("CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '$sqlstate'; END \$\$;
		CREATE TRIGGER fail BEFORE INSERT ON rxtrack.status_update FOR EACH ROW EXECUTE FUNCTION public.fail()");
	like(post(), qr/^50[03]$/, "$what: an update is not stored");
	health_is($expected, 'and the health is as it is');
	sql('DROP TRIGGER fail ON rxtrack.status_update; DROP FUNCTION public.fail');
	is(post(), 201, 'when it has passed: stored');
	health_is('200 pass', 'and all is well');
}

# ---------- Nothing is written for a while: it is tried ----------

sleep 5.2;
my $written = sql('SELECT pg_current_wal_insert_lsn()');
health_is('200 pass', 'a write on trial');
isnt(sql('SELECT pg_current_wal_insert_lsn()'), $written, 'is one');

my $holder = RxTrack::Session->new($node);
$holder->sql('BEGIN; LOCK TABLE rxtrack.supply IN ACCESS EXCLUSIVE MODE');
my $began = time;
health_is('503 fail writes fail', 'a table is locked');
cmp_ok(time - $began, '<', 3.5, 'which is said soon');
$holder->sql('ROLLBACK');
health_is('200 pass', 'and it passes');

sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
$node->reload;
sleep 0.3;
$began = time;
health_is('503 fail writes fail', 'a synchronous standby is away');
cmp_ok(time - $began, '<', 4, 'which is said soon');
$began = time;
health_is('503 fail writes fail', 'and again') for 1 .. 5;
cmp_ok(time - $began, '<', 1, 'at once');
sql("ALTER SYSTEM SET synchronous_standby_names = ''");
$node->reload;
my $until = time + 10;
sleep 0.05 while $gateway->request('GET', '/_status')->{status} != 200 && time < $until;
health_is('200 pass', 'it passes by itself');

sql('ALTER SYSTEM SET default_transaction_read_only = on');
$node->reload;
sleep 0.3;
health_is('503 fail database fail', 'a server that is read-only');
sql('SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only');
$node->reload;
$until = time + 10;
sleep 0.05 while $gateway->request('GET', '/_status')->{status} != 200 && time < $until;
health_is('200 pass', 'one that no longer is');

# ---------- What is warned of ----------

my ($yesterday, $tomorrow) = map { POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $_ * 86400)) } -1, 1;
is(post(business_status => 'Ready to Collect', set_at => $yesterday, last_modified => $tomorrow), 201, 'an event is promised');
health_is('200 pass', 'which is not due');
sql(q{UPDATE rxtrack.readiness_promise SET due_at = now() - interval '1 minute'});
health_is('200 warn events warn', 'an event is overdue');
is($gateway->stop, 0, 'the gateway ends well');

$node->append_conf('postgresql.conf', preloaded() . "max_worker_processes = 0\n");
$node->restart;
$gateway = gateway($node);
health_is('200 warn dispatcher warn events warn', 'the dispatcher is not there');
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$node->restart;
$until = time + 20;
sleep 0.1 while ($gateway->request('GET', '/_status')->{json}{status} // '') ne 'pass' && time < $until;
health_is('200 pass', 'it is back, and has released what was overdue');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
