# An answer is final with the end of its transaction, not with its rows: PostgreSQL sends these before it commits, and what
# then goes wrong (a deferred trigger, a full queue of notifications, a server that dies in mid-commit) is no 201.
use strict;
use warnings;
use POSIX ();
use RxTrack;
use RxTrack::Answers;
use RxTrack::Audit;
use RxTrack::Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node();
my $key = add_application($node, 'A supplier');
my $gateway = gateway($node);

# Fails, or lingers, in the commit of an update for that pharmacy.
$node->safe_psql('rxtrack', <<'SQL');
CREATE FUNCTION public.hold_commit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	IF NEW.ods_code = 'FAIL1' THEN
		RAISE EXCEPTION 'not now';
	ELSIF NEW.ods_code = 'SLOW1' THEN
		PERFORM pg_sleep(60);
	END IF;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER hold_commit AFTER INSERT ON rxtrack.status_update DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION public.hold_commit();
SQL

sub stored
{
	my ($ods_code) = @_;
	return $node->safe_psql('rxtrack', "SELECT count(*) FROM rxtrack.status_update WHERE ods_code = '$ods_code'");
}

# Posts an update whose commit lingers, and does something to the server meanwhile; the status that the client is told.
sub post_while
{
	my ($accident) = @_;
	my $body = to_json(bundle(task(ods_code => 'SLOW1')));
	pipe my $reader, my $writer or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	unless ($pid)
	{
		print $writer $gateway->post($body, key => $key)->{status};
		close $writer;
		POSIX::_exit(0);
	}
	close $writer;
	$node->poll_query_until('rxtrack', q{SELECT true FROM pg_stat_activity WHERE wait_event = 'PgSleep'})
	  or die 'the commit does not linger';
	$accident->();
	my $status = <$reader>;
	waitpid $pid, 0;
	return $status;
}

is($gateway->post(bundle(task()), key => $key)->{status}, 201, 'an update is stored');
is($gateway->post(bundle(task(ods_code => 'FAIL1')), key => $key)->{status}, 500, 'one whose commit fails is a fault of ours');
is(stored('FAIL1'), 0, 'and not there');

is(post_while(sub { $node->safe_psql('rxtrack', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'}) }),
	503, 'one whose session is ended in mid-commit may be tried again');
is(stored('SLOW1'), 0, 'and is not there');

is(post_while(sub { $node->stop('immediate') }), 503, 'one whose server stops at once in mid-commit may be tried again');
$node->start;
is(stored('SLOW1'), 0, 'and is not there');
is(audit($node), '', 'the books balance');

# ---------- On disk ----------

# What the gateway's sessions wait for at their commits, whatever the server's default is meanwhile.
$node->safe_psql('rxtrack', <<'SQL');
CREATE TABLE public.waited_for (setting text);
CREATE FUNCTION public.note_setting() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	INSERT INTO public.waited_for VALUES (current_setting('synchronous_commit'));
	RETURN NULL;
END $$;
CREATE TRIGGER note_setting AFTER INSERT ON rxtrack.status_update FOR EACH ROW EXECUTE FUNCTION public.note_setting();
SQL

sub is_waited_for
{
	my ($setting, $when) = @_;
	$node->safe_psql('rxtrack', 'TRUNCATE public.waited_for');
	is($gateway->post(bundle(task()), key => $key)->{status}, 201, "$when: stored");
	is($node->safe_psql('rxtrack', 'SELECT DISTINCT setting FROM public.waited_for'), $setting, "and the commit has waited: $setting");
	return;
}

# Changes the server's default, and waits until a session that was there before has heard of it.
sub set_default
{
	my ($session, $setting) = @_;
	$node->safe_psql('rxtrack', "ALTER SYSTEM SET synchronous_commit = $setting");
	$node->reload;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	sleep 0.02 while $session->sql('SHOW synchronous_commit') ne $setting && time < $until;
	return;
}

my $session = RxTrack::Session->new($node);
$gateway->wait_until_ready;
is_waited_for('on', 'by default');
set_default($session, 'off');
is_waited_for('on', 'where others no longer wait');
set_default($session, 'remote_apply');
is($gateway->stop, 0, 'the gateway ends well');
$gateway = gateway($node);
is_waited_for('remote_apply', 'where others wait for more');
set_default($session, 'off');
is_waited_for('remote_apply', 'and no longer do');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
