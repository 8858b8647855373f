# Without a dispatcher the submitting transaction releases its events itself, at its commit.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use RxTrack::Load;
use Test::More;

my $node = listening_node(worker => 0, conf => "track_commit_timestamp = on\nlog_statement = none\nmax_prepared_transactions = 5\ndeadlock_timeout = 100ms\n");

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

sub submission
{
	my (@tasks) = @_;
	return sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'Pharmacy')}, to_json(bundle(@tasks)), uuid();
}

sub ready { return task(business_status => 'Ready to Collect', @_) }

sub state_of { return sql('SELECT state FROM ' . every_event() . " WHERE task_id = '$_[0]{id}'") }

my $settings = sql(q{SELECT string_agg(name, ' ' ORDER BY name) FROM pg_settings WHERE name ~ '^rxtrack'});
unlike($settings, qr/rxtrack\.database/, 'the library is not preloaded');

# ---------- One after the other ----------

my $listener = $node->background_psql('rxtrack');
$listener->query_safe('LISTEN rxtrack_ready; LISTEN rxtrack_ready_y12345');
my ($task) = make_ready($node, 1);
is(sql('SELECT release_number FROM rxtrack.readiness_event'), 1, 'an event is released by its own transaction');
my $heard = $listener->query_safe('SELECT 1');
my @channels = sort $heard =~ /notification "(\w+)"/g;
is("@channels", 'rxtrack_ready rxtrack_ready_y12345', 'and notified');

my $session = $node->background_psql('rxtrack');
$session->query_safe('BEGIN');
$session->query_safe(submission(ready()));
is($session->query_safe('SELECT count(*) FROM rxtrack.pending_events'), 1, 'not before its commit');
make_ready($node, 1);
is(sql('SELECT rxtrack_internal.last_release()'), 2, 'one that commits first is released first');
$session->query_safe('COMMIT');
is(sql('SELECT rxtrack_internal.last_release()'), 3, 'then the other');
$session->query_safe('BEGIN; SAVEPOINT s');
$session->query_safe(submission(ready()));
$session->query_safe('ROLLBACK TO s; COMMIT');
is(sql('SELECT rxtrack_internal.last_release()'), 3, 'what is rolled back to a savepoint is not');
for my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	$session->query_safe("BEGIN ISOLATION LEVEL $level");
	$session->query_safe('SELECT 1');
	my $next = sql('SELECT rxtrack_internal.last_release()') + 1;
	make_ready($node, 1);
	$session->query_safe(submission(ready()));
	$session->query_safe('COMMIT');
	is(sql('SELECT rxtrack_internal.last_release()'), $next + 1, "$level: a number that was not given since its snapshot");
}

# A supplier's own role may touch no table.
$node->safe_psql('rxtrack', 'CREATE ROLE supplier LOGIN; GRANT USAGE ON SCHEMA rxtrack TO supplier; GRANT EXECUTE ON FUNCTION rxtrack.submit(text, text, text) TO supplier');
my $next = sql('SELECT rxtrack_internal.last_release()') + 1;
is(sql('SET SESSION AUTHORIZATION supplier; CREATE TEMP TABLE readiness_event (a int); SET search_path = pg_temp, public; ' . submission(ready())), 201,
	'a role without privileges submits');
is(sql('SELECT rxtrack_internal.last_release()'), $next, 'and its event is released');

# ---------- Two-phase commit ----------

$session->query_safe('BEGIN');
$session->query_safe(submission(ready()));
$session->query_safe("PREPARE TRANSACTION 'p'");
make_ready($node, 1);
is(sql('SELECT rxtrack_internal.last_release()'), $next + 1, 'a prepared transaction holds up nobody');
sql("COMMIT PREPARED 'p'");
is(sql('SELECT count(*) FROM rxtrack.pending_events'), 1, 'its event waits');
make_ready($node, 1);
is(sql('SELECT count(*) FROM rxtrack.pending_events'), 0, 'for the next one');

# ---------- What a look may not pass over ----------

my @late = map { ready() } 1 .. 2;
sql(join '\;', 'BEGIN', 'SELECT pg_sleep(3)', submission($late[0]), 'COMMIT', 'BEGIN', submission($late[1]), 'COMMIT;');
is(state_of($late[1]), 'released',
	'the event of a transaction that by its clock began long before the session released last');
$session->query_safe('BEGIN');
$session->query_safe(submission(ready()));
$session->query_safe("PREPARE TRANSACTION 'q'");
sql("COMMIT PREPARED 'q'");
sleep 3;
$session->query_safe('BEGIN');
$session->query_safe('SAVEPOINT s; SELECT rxtrack.release_events(); ROLLBACK TO s');
$session->query_safe(submission(ready()));
$session->query_safe('COMMIT');
is(sql('SELECT count(*) FROM rxtrack.pending_events'), 0, 'and one whose release was rolled back to a savepoint');

# ---------- A DBA's trigger, in a supplier's session ----------

sql(q{CREATE TABLE public.path_seen (path text);
	CREATE FUNCTION public.see_path() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN INSERT INTO public.path_seen VALUES (pg_catalog.current_setting(''search_path'')); RETURN NULL; END';
	CREATE TRIGGER see AFTER INSERT ON rxtrack.readiness_event FOR EACH ROW EXECUTE FUNCTION public.see_path()});
is(sql('SET SESSION AUTHORIZATION supplier; SET search_path = pg_temp, public; ' . submission(ready())), 201, 'an update where the table of events has a trigger');
is(sql('SELECT path FROM public.path_seen'), 'pg_catalog, rxtrack, pg_temp', 'which does not run with the supplier\'s search_path');
sql('TRUNCATE public.path_seen; DROP TRIGGER see ON rxtrack.readiness_event');
sql(q{CREATE FUNCTION public.label(rxtrack.ods_code) RETURNS text LANGUAGE sql IMMUTABLE SECURITY DEFINER AS 'SELECT $1::text';
	CREATE INDEX by_label ON rxtrack.readiness_event (public.label(ods_code))});
is(sql(submission(ready())), 201, 'an update where it has an index by a function in SQL');
is(sql('SET enable_seqscan = off; SELECT count(*) = (SELECT count(*) FROM rxtrack.readiness_event) FROM rxtrack.readiness_event WHERE public.label(ods_code) > \'\''), 't', 'which has all');
sql('CREATE CONSTRAINT TRIGGER see AFTER INSERT ON rxtrack.readiness_event INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.see_path()');
is(sql(submission(ready())), 201, 'an update where it has a deferred trigger');
is(sql('SELECT count(*) FROM public.path_seen'), 1, 'which is fired at the commit');
sql('DROP FUNCTION public.see_path() CASCADE; DROP FUNCTION public.label(rxtrack.ods_code) CASCADE');
sql(q{CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER nothing AFTER INSERT ON rxtrack_internal.readiness_inbox FOR EACH STATEMENT EXECUTE FUNCTION public.nothing()});
$session->query_safe(submission(ready())) for 1 .. 2;
is(sql('SELECT count(*) FROM rxtrack.pending_events'), 0, 'events that SQL has put into the inbox, for a trigger\'s sake, are found there by their transactions');
sql('DROP FUNCTION public.nothing() CASCADE');

# ---------- Promises ----------

sub moment { return sql("SELECT to_char((now() + interval '1 s' * $_[0]) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')") }
my $promise = ready(last_modified => moment(1), set_at => moment(-1));
my %item = (prescription_id => $promise->{basedOn}[0]{identifier}{value}, line_item_id => $promise->{focus}{identifier}{value});
is(sql(submission($promise)), 201, 'a promise');
is(state_of($promise), 'pending', 'waits');
sleep 2;
is(sql(submission(ready(%item, last_modified => moment(0)))), 201, 'told again, when it has come true and nobody has released it');
is(state_of($promise), 'released', 'it is not lost');
is(sql('SELECT count(*) FROM rxtrack.readiness_event WHERE line_item_id = ' . "'$item{line_item_id}'"), 1, 'and was told once');

# ---------- Many ----------

$session->quit;
$listener->quit;
forget_updates($node);
my $load = RxTrack::Load->new($node, clients => 16, updates => 100);
is($load->run('Ready to Collect'), 1600, 'sixteen suppliers');
is(faults($node), '', 'numbers without gaps, in the order of commits');
is(sql("SELECT count(DISTINCT xmin::text) > 1000 FROM rxtrack.readiness_event"), 't', 'by their own transactions');
unlike(slurp_file($node->logfile), qr/deadlock|ERROR/, 'without a deadlock or any other error');

done_testing();
