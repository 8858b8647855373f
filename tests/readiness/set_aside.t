# One event that can't be released, because of a trigger of a DBA's or a lock, keeps no other one waiting: it is set aside, tried
# again later, and shown. The dispatcher's process stays, whatever fails.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use RxTrack::Load;
use RxTrack::Session;
use Test::More;

my $node = listening_node(conf => "log_statement = none\n");

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

sub dispatcher { return sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'rxtrack dispatcher'") }

sub state_of
{
	my (@tasks) = @_;
	my $list = join ',', map { "'$_->{id}'" } @tasks;
	return sql("SELECT string_agg(DISTINCT state, ' ') FROM ${\every_event()} WHERE task_id IN ($list)");
}

sub comes_to { my ($state, @tasks) = @_; return wait_until(sub { state_of(@tasks) eq $state }) }

sub checks
{
	my $checks = from_json(sql('SELECT rxtrack_internal.health()'))->{checks};
	return join ' ', map { "$_ $checks->{$_}[0]{status}" } grep { $checks->{$_}[0]{status} ne 'pass' } sort keys %$checks;
}

sub retry { sql('UPDATE rxtrack_internal.readiness_inbox SET retry_at = now(); UPDATE rxtrack.readiness_promise SET retry_at = now()'); return }

sub moment { return sql("SELECT to_char((now() + interval '1 s' * $_[0]) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')") }

my $pid = dispatcher();

# ---------- Triggers of a DBA's that raise ----------

sql(q{CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF coalesce(NEW.ods_code, OLD.ods_code) = 'BAD1' THEN RAISE EXCEPTION 'not this one' USING ERRCODE = 'P4242'; END IF;
		RETURN coalesce(NEW, OLD);
	END $$});
my %trigger = (
	'before an insert' => 'CREATE TRIGGER refuse BEFORE INSERT ON rxtrack.readiness_event FOR EACH ROW EXECUTE FUNCTION public.refuse()',
	'after it' => 'CREATE TRIGGER refuse AFTER INSERT ON rxtrack.readiness_event FOR EACH ROW EXECUTE FUNCTION public.refuse()',
	'deferred to the commit' =>
		'CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON rxtrack.readiness_event INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse()',
	'of the inbox' => 'CREATE TRIGGER refuse BEFORE DELETE ON rxtrack_internal.readiness_inbox FOR EACH ROW EXECUTE FUNCTION public.refuse()');
for my $kind (sort keys %trigger)
{
	sql($trigger{$kind});
	my @bad = map { make_ready($node, 1, ods_code => 'BAD1') } 1 .. 3;
	my @good = make_ready($node, 3, ods_code => 'GOOD1');
	ok(comes_to('released', @good), "$kind: the others are released");
	ok(wait_until(sub { sql("SELECT count(*) FROM rxtrack.pending_events WHERE failures > 0 AND retry_at > due_at AND error = 'P4242: not this one'") eq '3' }),
		'those that fail are set aside, and say why');
	is(checks(), 'events warn', 'the health shows it');
	is(sql('SELECT set_aside FROM rxtrack.dispatcher'), 3, 'so does the view');
	make_ready($node, 1);
	ok(wait_until(sub { sql('SELECT count(*) FROM rxtrack.pending_events WHERE failures IS NULL') eq '0' }), 'what comes is released, too');
	sql('DROP TRIGGER refuse ON ' . ($kind eq 'of the inbox' ? 'rxtrack_internal.readiness_inbox' : 'rxtrack.readiness_event'));
	retry() if $kind eq 'after it';
	is(sql('SELECT rxtrack.release_events()'), 3, 'mended, they are released by hand before their time') if $kind eq 'before an insert';
	ok(comes_to('released', @bad), 'they are released, when the trigger is mended');
}
is(checks(), '', 'and all is well');
is(faults($node), '', 'numbers have no gap');

# Its withdrawal comes behind it; a promise is set aside, too.
sql($trigger{'after it'});
my ($ready) = make_ready($node, 1, ods_code => 'BAD1');
take_back($node, $ready);
my ($promise) = make_ready($node, 1, ods_code => 'BAD1', set_at => moment(-1), last_modified => moment(1));
my ($other) = make_ready($node, 1, set_at => moment(-1), last_modified => moment(1));
ok(comes_to('released', $other), 'a promise is released, past one that fails');
ok(wait_until(sub { sql("SELECT failures > 1 FROM rxtrack.pending_events WHERE task_id = '$promise->{id}'") eq 't' }), 'which is tried again and again');
sql('DROP TRIGGER refuse ON rxtrack.readiness_event');
retry();
ok(wait_for_release($node), 'then it is released');
is(sql(qq{SELECT string_agg(CASE WHEN w.withdraws IS NULL THEN 'ready' ELSE 'withdrawn' END, ' ' ORDER BY w.release_number) FROM rxtrack.readiness_event w
	WHERE w.line_item_id = '$ready->{focus}{identifier}{value}'}), 'ready withdrawn', 'and what takes back another, after that');

# All fail: none is lost, and the log is not flooded.
my $logged = () = slurp_file($node->logfile) =~ /could not be released/g;
sql($trigger{'before an insert'});
my @many = make_ready($node, 300, ods_code => 'BAD1');
ok(wait_until(sub { sql('SELECT set_aside FROM rxtrack.dispatcher') eq '300' }), 'three hundred fail');
my $lines = () = slurp_file($node->logfile) =~ /could not be released/g;
cmp_ok($lines - $logged, '<', 20, 'which is a few lines in the log');
unlike(slurp_file($node->logfile), qr/not this one/, 'that quote no message, which may name a patient');
sql('DROP TRIGGER refuse ON rxtrack.readiness_event');
is(sql('SELECT rxtrack.release_events()'), 300, 'when they do no longer, they are released');

# ---------- Locks on events ----------

kill 'STOP', $pid;
my @two = map { make_ready($node, 1) } 1 .. 2;
my $locker = RxTrack::Session->new($node);
$locker->sql('BEGIN');
is($locker->sql("SELECT ods_code FROM rxtrack_internal.readiness_inbox WHERE task_id = '$two[0]{id}' FOR UPDATE"), 'Y12345', 'somebody locks an event');
kill 'CONT', $pid;
ok(comes_to('released', $two[1]), 'another is released');
ok(comes_to('released', make_ready($node, 1)), 'so is what comes');
is(state_of($two[0]), 'pending', 'this one waits');
is(sql('SELECT rxtrack.release_events()'), 0, 'a call by hand does not wait for it either');

my $second = RxTrack::Session->new($node);
my ($promised) = make_ready($node, 1, set_at => moment(-1), last_modified => moment(1));
$second->sql('BEGIN');
$second->sql("SELECT FROM rxtrack.readiness_promise WHERE task_id = '$promised->{id}' FOR UPDATE");
sleep 1;
ok(comes_to('released', make_ready($node, 1)), 'a lock on a promise keeps no other one waiting either');
$second->sql('COMMIT');
ok(comes_to('released', $promised), 'and it is released');

# What an event's trigger waits for.
sql(q{CREATE TABLE public.log (task uuid);
	CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.ods_code = ''BAD1'' THEN INSERT INTO public.log VALUES (NEW.task_id); END IF; RETURN NEW; END';
	CREATE TRIGGER note AFTER INSERT ON rxtrack.readiness_event FOR EACH ROW EXECUTE FUNCTION public.note()});
$second->sql('BEGIN; LOCK TABLE public.log');
my ($stuck) = make_ready($node, 1, ods_code => 'BAD1');
ok(comes_to('released', make_ready($node, 1)), 'where an event\'s trigger waits for a lock, the others are released');
ok(wait_until(sub { sql("SELECT error ~ '^55P03' FROM rxtrack.pending_events WHERE task_id = '$stuck->{id}'") eq 't' }), 'and that one is set aside');
$second->sql('COMMIT');
ok(comes_to('released', $stuck), 'until it can be had');
sql('DROP FUNCTION public.note() CASCADE');

is(state_of($two[0]), 'pending', 'the first one waits still');
ok(wait_until(sub { checks() eq 'events warn' }), 'after a while the health shows it');
ok(wait_until(sub { slurp_file($node->logfile) =~ /WARNING:  \d+ readiness events are overdue, since / }), 'so does the log');
$locker->sql('COMMIT');
ok(comes_to('released', $two[0]), 'its turn comes');

# ---------- What concerns all of them ----------

$locker->sql('BEGIN; LOCK TABLE rxtrack.readiness_event IN ACCESS EXCLUSIVE MODE');
make_ready($node, 2);
is(sql('SELECT count(*) FROM rxtrack_internal.readiness_inbox WHERE failures IS NULL'), 2, 'a table is locked: events wait, and updates do not');
$locker->sql('COMMIT');
ok(wait_for_release($node), 'they are released when it is not');

sql('ALTER TABLE rxtrack_internal.release_history RENAME TO gone');
$node->psql('rxtrack', sprintf(q{SELECT rxtrack.submit('%s', '%s', 'Pharmacy')}, to_json(bundle(my $waiting = task(business_status => 'Ready to Collect'))), uuid()), stderr => \my $ignored);
ok(wait_until(sub { sql('SELECT state FROM rxtrack.dispatcher') eq 'failing' }), 'a table is missing: the dispatcher says that it fails');
is(sql('SELECT problem FROM rxtrack.dispatcher'), '42P01', 'and why');
like(checks(), qr/dispatcher warn/, 'so does the health');
make_ready($node, 1);
pass('updates are stored');
sleep 3;
my $failures = () = slurp_file($node->logfile) =~ /LOG:  relation .*release_history/g;
ok($failures >= 1 && $failures <= 3, "the log says so $failures times in some seconds");
sql('ALTER TABLE rxtrack_internal.gone RENAME TO release_history');
ok(comes_to('released', $waiting), 'when it is there again, events are released');
ok(wait_until(sub { sql('SELECT state FROM rxtrack.dispatcher') eq 'present' }), 'and all is well');

$locker->sql('BEGIN');
is($locker->sql('SELECT rxtrack.release_events()'), 0, 'a release by hand stays open');
make_ready($node, 1);
is(sql("SET lock_timeout = '50ms'; SELECT state FROM rxtrack.dispatcher"), 'present', 'the dispatcher waits for it');
my ($code, undef, $refused) = $node->psql('rxtrack', "SET lock_timeout = '50ms'; SELECT rxtrack.release_events()");
like($refused, qr/another release of readiness events, or a lock on their tables, is in the way/, 'as does another by hand, for so long as it wants to');
$locker->sql('COMMIT');
ok(wait_for_release($node), 'then it is its turn');

# ---------- A notification queue that is nearly full ----------

my $idler = RxTrack::Session->new($node);
$idler->sql('LISTEN rxtrack_ready; BEGIN; SELECT 1');
sql(q{ALTER SYSTEM SET rxtrack.notification_queue_limit = 0.00001; SELECT pg_reload_conf()});
sql(q{SELECT pg_notify('x', repeat('x', 7000) || n) FROM generate_series(1, 40) AS n});
cmp_ok(sql('SELECT pg_notification_queue_usage()'), '>=', 0.00001, 'a session that listens idles in a transaction, and the queue fills');
ok(wait_until(sub { checks() eq 'notifications warn' }), 'the health shows it');
sleep 1;
my $heard = RxTrack::Session->new($node);
$heard->sql('LISTEN rxtrack_ready');
make_ready($node, 1);
ok(wait_for_release($node), 'events are released');
$heard->sql('SELECT 1');
is($heard->notifications, 0, 'without NOTIFY');
ok(wait_until(sub { slurp_file($node->logfile) =~ /WARNING: .*released without NOTIFY/ }), 'which the log says');
$idler->sql('COMMIT');
ok(wait_until(sub { checks() eq '' }), 'when it has been emptied, all is well');
ok(wait_until(sub { make_ready($node, 1); wait_for_release($node); $heard->sql('SELECT 1'); $heard->notifications > 0 }), 'and listeners are notified');

is(dispatcher(), $pid, 'it was the same process all the time');
unlike(slurp_file($node->logfile), qr/rxtrack dispatcher.*exited|PANIC|TRAP/, 'and none ended');
is(faults($node), '', 'all events are as they should be');

done_testing();
