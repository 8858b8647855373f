# A call that is about to be committed is followed by the next one, on the same connection: each is answered for itself, and
# an answer of 201 is one that is stored.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Audit;
use RxTrack::Connection;
use RxTrack::Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node();
my $key = add_application($node, 'A supplier');
my $gateway = gateway($node, env => { RXTRACK_DATABASE_CONNECTIONS => 2 });

# The commit of an update for one of these pharmacies waits until nobody holds that lock; for FAIL1 it then fails. For HOLD1
# it is another lock: a commit is not cut off, as a statement would be.
my ($lock, $other_lock) = (4711, 4712);
$node->safe_psql('rxtrack', <<SQL);
CREATE FUNCTION public.hold_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \$\$
BEGIN
	IF NEW.ods_code = 'HOLD1' THEN
		PERFORM pg_advisory_xact_lock_shared($other_lock);
	END IF;
	IF NEW.ods_code IN ('SLOW1', 'FAIL1') THEN
		PERFORM pg_advisory_xact_lock_shared($lock);
	END IF;
	IF NEW.ods_code = 'FAIL1' THEN
		RAISE EXCEPTION 'not now';
	END IF;
	RETURN NULL;
END \$\$;
CREATE CONSTRAINT TRIGGER hold_commit AFTER INSERT ON rxtrack.status_update DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION public.hold_commit();
SQL

my ($first_holder, $commit_holder) = map { RxTrack::Session->new($node) } 1 .. 2;

# What waits for such a lock.
sub waiting_for
{
	my ($what) = @_;
	return "FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $what";
}

sub post
{
	my ($connection, $ods_code) = @_;
	$connection->{body} = to_json(bundle(task(ods_code => $ods_code)));
	$connection->{id} = uuid();
	return again($connection);
}

sub again
{
	my ($connection) = @_;
	$connection->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => $connection->{id} }, $connection->{body});
	return;
}

sub statuses
{
	my %count;
	$count{ ($_->answer // { status => 'none' })->{status} }++ for @_;
	return \%count;
}

sub stored
{
	my ($ods_code) = @_;
	return $node->safe_psql('rxtrack', "SELECT count(*) FROM rxtrack.status_update WHERE ods_code = '$ods_code'");
}

# While both connections are blocked, thirteen requests gather, and eleven behind them: half of all there are make up the next
# call, whose commit is held, and the others follow it. Then something happens.
sub follow
{
	my ($first_code, $then_code, $happens) = @_;
	my ($one, $other, @first, @then) = map { RxTrack::Connection->new($gateway) } 1 .. 26;
	@then = splice @first, 13;
	$commit_holder->sql("SELECT pg_advisory_lock($lock)");
	$first_holder->sql("SELECT pg_advisory_lock($other_lock)");
	for ([ $one, 1 ], [ $other, 2 ])
	{
		my ($opener, $count) = @$_;
		post($opener, 'HOLD1');
		$node->poll_query_until('rxtrack', "SELECT count(*) = $count " . waiting_for($other_lock)) or die 'a connection is not blocked';
	}
	post($_, $first_code) for @first;
	sleep 0.3;    # until the gateway has them
	post($_, $then_code) for @then;
	sleep 0.3;
	$first_holder->sql("SELECT pg_advisory_unlock($other_lock)");
	$node->poll_query_until('rxtrack', 'SELECT count(*) > 0 ' . waiting_for($lock)) or die 'no commit is held';
	$happens->();
	my @told = map { statuses(@$_) } [ $one, $other ], \@first, \@then;
	return (\@told, \@first, \@then);
}

sub release { return $commit_holder->sql("SELECT pg_advisory_unlock($lock)") }

my ($told) = follow('SLOW1', 'FREE2', \&release);
is_deeply($told, [ { 201 => 2 }, { 201 => 13 }, { 201 => 11 } ], 'a call that follows is answered, as is the one that it follows');
is(stored('SLOW1') . '+' . stored('FREE2'), '13+11', 'and both are stored');

($told) = follow('FAIL1', 'FREE3', \&release);
is_deeply($told, [ { 201 => 2 }, { 500 => 13 }, { 201 => 11 } ], 'where a commit fails, what follows is stored all the same');
is(stored('FAIL1') . '+' . stored('FREE3'), '0+11', 'and nothing else');

# The other connection is free: what was not sent behind that call would go over it after 10 ms, and be stored. On a busy
# machine the call may have taken longer than that, and then nothing follows it.
my ($first, $then, @before);
for (1 .. 5)
{
	@before = map { stored($_) } 'SLOW1', 'FREE4';
	($told, $first, $then) = follow('SLOW1', 'FREE4', sub {
		$node->safe_psql('rxtrack', 'SELECT pg_terminate_backend(pid) ' . waiting_for($lock));
		release();
	});
	last if $told->[2]{503};
	again($_) for @$first;
	statuses(@$first);
}
is_deeply($told, [ { 201 => 2 }, { 503 => 13 }, { 503 => 11 } ], 'where the session is ended, both may be tried again');
is_deeply([ map { stored($_) } 'SLOW1', 'FREE4' ], \@before, 'and nothing of them is stored');
$gateway->wait_until_ready;
again($_) for @$first, @$then;
is_deeply(statuses(@$first, @$then), { 201 => 24 }, 'when they are tried again, they are stored');
is_deeply([ map { stored($_) } 'SLOW1', 'FREE4' ], [ $before[0] + 13, $before[1] + 11 ], 'once');

is(audit($node), '', 'the books balance');
is_healthy($gateway, 'all is well');
is($gateway->stop, 0, 'the gateway ends well');

# ---------- Commits that hang ----------

$gateway = gateway($node, env => { RXTRACK_DATABASE_CONNECTIONS => 4 });
$commit_holder->sql("SELECT pg_advisory_lock($lock)");
my @hanging = map { RxTrack::Connection->new($gateway) } 1 .. 24;
post($_, 'SLOW1') for @hanging;
$node->poll_query_until('rxtrack', 'SELECT count(*) > 0 ' . waiting_for($lock)) or die 'no commit is held';
sleep 0.3;
my $began = time;
is_healthy($gateway, 'while commits hang, who asks for something else is answered');
cmp_ok(time - $began, '<', 3, 'at once, by another connection');
release();
is_deeply(statuses(@hanging), { 201 => 24 }, 'and they are answered when they can be');
is($gateway->stop, 0, 'the gateway ends well');

# ---------- The message ----------

# What psql says of a call of so many requests that have no credential.
sub said
{
	my ($settings, $count) = @_;
	my $nothing = join ',', ('NULL') x $count;
	my (undef, undef, $said) = $node->psql('rxtrack', "\\set VERBOSITY verbose\n$settings; SELECT count(*) FROM rxtrack_http.submit('updates:write',
		ARRAY[$nothing]::bytea[], ARRAY[$nothing]::text[], ARRAY[$nothing]::text[], ARRAY[$nothing]::bytea[])");
	return $said;
}

is(said('SELECT 1', 4), '', 'nobody is told of a commit who has not asked');
like(said('SET rxtrack.announce_commit = on', 4), qr/^\S*\s*INFO:\s+RX001:/, 'who has asked is');
is(said('SET rxtrack.announce_commit = on', 3), '', 'but not for a few requests');

done_testing();
