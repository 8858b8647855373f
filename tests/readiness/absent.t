# A dispatcher that is configured and not at work: transactions release their events, and it is seen. So is one that is paused, for
# which the database may be dropped, or be a template.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use RxTrack::Load;
use RxTrack::Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = listening_node(conf => "log_statement = none\nmax_worker_processes = 1\n");

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

sub state_is { my ($expected, $name) = @_; return is(sql('SELECT state FROM rxtrack.dispatcher'), $expected, $name) }

sub becomes { my ($expected, $name) = @_; return ok(wait_until(sub { sql('SELECT state FROM rxtrack.dispatcher') eq $expected }), $name) }

sub check { return from_json(sql('SELECT rxtrack_internal.health()'))->{checks}{ $_[0] }[0] }

sub pending { return sql('SELECT count(*) FROM rxtrack.pending_events') }

sub dispatcher { return sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'rxtrack dispatcher' AND datname = 'rxtrack'") }

# ---------- No room for it ----------

is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'rxtrack dispatcher'"), 0, 'the server has no room for a dispatcher');
make_ready($node, 2);
is(pending(), 0, 'events are released by their own transactions');
state_is('absent', 'the view says that it is not there');
is(check('dispatcher')->{status}, 'warn', 'the health warns');
is(check('events')->{status}, 'pass', 'and says that no event is overdue');
like(slurp_file($node->logfile), qr/LOG:  the dispatcher of readiness events is not at work: transactions release their own\n.*HINT: .*max_worker_processes/, 'so does the log');
unlike(slurp_file($node->logfile), qr/STATEMENT|9{3}\d{7}/, 'without a patient');
my ($late) = make_ready($node, 1, set_at => '2026-01-01T00:00:00Z', last_modified => sql(q{SELECT to_char((now() + interval '1 s') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')}));
sql(qq{UPDATE rxtrack.readiness_promise SET due_at = now() - interval '11 s' WHERE task_id = '$late->{id}'});
is(join(' ', @{ check('events') }{qw(status output)}), 'warn Events are overdue by more than 10 seconds', 'one that is due later, and that nobody releases, is overdue');
like(sql('SELECT overdue, overdue_since FROM rxtrack.dispatcher'), qr/^1\|\d/, 'which the view shows');
make_ready($node, 1);
is(pending(), 0, 'until the next transaction');

# A trigger that raises, a release that stays open, and a table that is locked: updates are stored.
sql(q{CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.ods_code = 'BAD1' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$;
	CREATE TRIGGER refuse BEFORE INSERT ON rxtrack.readiness_event FOR EACH ROW EXECUTE FUNCTION public.refuse()});
make_ready($node, 1, ods_code => 'BAD1');
is(sql('SELECT failures, error FROM rxtrack.pending_events'), '1|P0001: no', 'an event that fails is set aside, and its update is stored');
make_ready($node, 1);
is(pending(), 1, 'the next one is released');
sql('DROP TRIGGER refuse ON rxtrack.readiness_event');
is(sql('SELECT rxtrack.release_events()'), 1, 'and that one, when it is mended');
my $holder = RxTrack::Session->new($node);
my %hold = (
	'another release is under way' => 'SELECT rxtrack.release_events()',
	'the table of events is locked' => 'LOCK TABLE rxtrack.readiness_event IN ACCESS EXCLUSIVE MODE');
for my $case (sort keys %hold)
{
	$holder->sql("BEGIN; $hold{$case}");
	my $began = time;
	make_ready($node, 1);
	cmp_ok(time - $began, '<', 5, "$case: an update does not wait for it");
	is(sql('SELECT count(*) FROM rxtrack_internal.readiness_inbox'), 1, 'its event stays due');
	$holder->sql('COMMIT');
	make_ready($node, 1);
	is(pending(), 0, 'and is released with the next one');
}
is(faults($node), '', 'all events are as they should be');

# ---------- One that stands still ----------

$node->adjust_conf('postgresql.conf', 'max_worker_processes', 8);
$node->restart;
becomes('present', 'with room for it, it is there');
is(check('dispatcher')->{status}, 'pass', 'and all is well');
my $pid = dispatcher();
kill 'STOP', $pid;
make_ready($node, 1);
is(pending(), 1, 'it is stopped: at first, events wait for it');

# ---------- Paused ----------

# it does not leave while it is stopped
my $pausing = RxTrack::Session->new($node);
$pausing->send(q{SELECT rxtrack.pause_dispatcher('1 h') > now() + interval '50 min'});
ok(wait_until(sub { sql('SELECT paused_until IS NOT NULL FROM rxtrack.dispatcher') eq 't' }), 'it is told to pause');
is(dispatcher(), $pid, 'and is there still');
becomes('paused', 'the view says so');
kill 'CONT', $pid;
is($pausing->answer, 't', 'the call returns');
is(dispatcher(), '', 'when it has left');
is(pending(), 0, 'and what was due is released');
make_ready($node, 1);
is(pending(), 0, 'transactions release their own events');
is(check('dispatcher')->{status}, 'warn', 'the health warns');
is(sql('SELECT paused_until - now() BETWEEN interval \'59 min\' AND interval \'1 h\' FROM rxtrack.dispatcher'), 't', 'the view says until when');
# these are sessions of the database, too
undef $_ for $pausing, $holder;
my $why;
is($node->psql('postgres', 'CREATE DATABASE copy TEMPLATE rxtrack', stderr => \$why), 0, 'the database is a template') || diag($why);
is($node->psql('postgres', 'ALTER DATABASE rxtrack RENAME TO other', stderr => \$why), 0, 'is renamed') || diag($why);
is($node->psql('postgres', 'DROP DATABASE other', stderr => \$why), 0, 'and is dropped') || diag($why);
is($node->safe_psql('copy', 'SELECT state FROM rxtrack.dispatcher'), 'none', 'to another database it does not belong');
make_ready_in('copy');
is($node->safe_psql('copy', 'SELECT count(*) FROM rxtrack.pending_events'), 0, 'whose transactions release their own events');

# ---------- Without its database ----------

my $length = length slurp_file($node->logfile);
$node->safe_psql('copy', 'SELECT rxtrack.resume_dispatcher()');
is($node->safe_psql('copy', q{SELECT string_agg(action, ' ' ORDER BY audit_id) FROM rxtrack.audit WHERE action ~ 'dispatcher'}), 'pause_dispatcher resume_dispatcher', 'both are audited');
sleep 5;
my $lines = () = substr(slurp_file($node->logfile), $length) =~ /database "rxtrack" does not exist/g;
ok($lines >= 1 && $lines <= 3, "in five seconds without its database it tries it $lines times");
$node->safe_psql('postgres', 'CREATE DATABASE rxtrack TEMPLATE copy');
make_ready($node, 1);
is(pending(), 0, 'the database is there again');
becomes('present', 'and so is the dispatcher, as it is called by who commits an event');

# ---------- A pause that ends by itself, privileges ----------

sql(q{SET ROLE rxtrack_admin; SELECT rxtrack.pause_dispatcher('2 s')});
is(sql(q{SET ROLE rxtrack_admin; SELECT state FROM rxtrack.dispatcher}), 'paused', 'an administrator pauses it, and sees that');
becomes('present', 'a pause ends after its time');
for my $refused ('SET ROLE rxtrack_listener; SELECT rxtrack.pause_dispatcher()', 'SET ROLE rxtrack_gateway; SELECT rxtrack.resume_dispatcher()',
	q{SELECT rxtrack.pause_dispatcher('-1 s')}, q{SELECT rxtrack.pause_dispatcher('2 days')})
{
	isnt($node->psql('rxtrack', $refused, stderr => \$why), 0, "refused: $refused");
}
$node->restart;
becomes('present', 'after a restart it is there');

# Stopped for long, it counts as gone.
kill 'STOP', $pid = dispatcher();
make_ready($node, 1);
becomes('silent', 'one that gives no sign of life for ten seconds is said to be silent');
make_ready($node, 1);
is(pending(), 0, 'and transactions release their events, also those that were left to it');
kill 'CONT', $pid;
becomes('present', 'it goes on');
make_ready($node, 1);
ok(wait_for_release($node), 'and is served by it');
is(faults($node), '', 'all events are as they should be');

sub make_ready_in
{
	my ($database) = @_;
	return $node->safe_psql($database, sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'Pharmacy')}, to_json(bundle(task(business_status => 'Ready to Collect'))), uuid());
}

done_testing();
