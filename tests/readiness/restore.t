# pg_dump and pg_restore of events, subscriptions and settings, into a database that a dispatcher serves at the same time.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use RxTrack::Load;
use Test::More;

my $node = listening_node(conf => "log_statement = none\n");
my $directory = PostgreSQL::Test::Utils::tempdir();

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

sub submit
{
	my (@tasks) = @_;
	return sql(sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'Pharmacy')}, to_json(bundle(@tasks)), uuid());
}

sub moment { return sql("SELECT to_char((now() + interval '1 s' * $_[0]) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')") }
sub promise { return task(business_status => 'Ready to Collect', last_modified => moment($_[0]), set_at => moment(-1), @_[ 1 .. $#_ ]) }

# What is to be the same on the other side.
sub all
{
	my ($node) = @_;
	return $node->safe_psql('rxtrack', <<'SQL');
SELECT 'event', e::text FROM (SELECT * FROM rxtrack.readiness_event ORDER BY release_number) e
UNION ALL SELECT 'subscription', (name, ods_codes, alerts_only, acknowledged)::text FROM (SELECT * FROM rxtrack.subscription ORDER BY name) s
UNION ALL SELECT 'ready', (status, ready)::text FROM (SELECT * FROM rxtrack.ready_status ORDER BY status) r
UNION ALL SELECT 'pharmacy', p::text FROM rxtrack_internal.alert_pharmacy p UNION ALL SELECT 'blocked', p::text FROM rxtrack_internal.blocked_pharmacy p
UNION ALL SELECT 'application', a::text FROM rxtrack_internal.alert_application a
UNION ALL SELECT 'last', rxtrack_internal.last_release()::text
SQL
}

# ---------- What there is ----------

sql(q{SELECT rxtrack.add_subscription('behind'); SELECT rxtrack.add_subscription('alerts', '{Y12345}', true);
	SELECT rxtrack.enable_alerts(ods_codes => '{Y12345, Y54321}'), rxtrack.block_alerts('{Y54321}', 'wrong patients'), rxtrack.enable_alerts(application => 'Pharmacy');
	UPDATE rxtrack.ready_status SET ready = true WHERE status = 'Ready to Dispatch';
	UPDATE rxtrack.ready_status SET ready = false WHERE status = 'Ready to Collect - Partial'});
make_ready($node, 30);
wait_for_release($node);
sql("SELECT rxtrack.ack_events('behind', 12), rxtrack.ack_events('alerts', 30)");
my %item = (prescription_id => random_prescription_id(), line_item_id => uuid(), nhs_number => random_nhs_number());
my ($withdrawn, $kept) = (promise(4, %item), promise(4));
is(submit($withdrawn, $kept), 201, 'two promises');
is(submit(task(%item, business_status => 'With Pharmacy', last_modified => moment(0))), 201, 'one of them is withdrawn');
# The released events that are oldest were removed, and so were the newest.
sql('DELETE FROM rxtrack.readiness_event WHERE release_number <= 5 OR release_number > 28');
my $before = all($node);
command_ok([ 'pg_dump', '-Fc', '-f', "$directory/dump", $node->connstr('rxtrack') ], 'dumped');
# What the dump holds is due by the time of the restore.
sleep 5;

# ---------- Into a database that is served ----------

my $other = node(name => 'other', worker => 1, conf => "log_statement = none\n");
$other->safe_psql('postgres', 'DROP DATABASE rxtrack WITH (FORCE)');
$other->safe_psql('postgres', 'CREATE DATABASE rxtrack');
my ($list) = run_command([ 'pg_restore', '-l', "$directory/dump" ]);
my @entries = grep { !/^;/ } split /\n/, $list;
my $step = 0;

sub restore
{
	my (@part) = @_;
	my $file = "$directory/list." . ++$step;
	append_to_file($file, join "\n", @part, '');
	my ($out, $errors) = run_command([ 'pg_restore', '--exit-on-error', '-L', $file, '-d', $other->connstr('rxtrack'), "$directory/dump" ]);
	die "pg_restore of @part: $errors" if $errors =~ /error/;
	return;
}

# Table by table, with a look for what is due after each: the worst that a dispatcher can do.
restore(grep { !/TABLE DATA|SEQUENCE SET/ } @entries);
for my $entry (grep { /TABLE DATA/ } @entries)
{
	restore($entry);
	$other->safe_psql('rxtrack', 'SELECT rxtrack.release_events()');
}
restore(grep { /SEQUENCE SET/ } @entries);
ok(wait_until(sub { $other->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.pending_events') eq '0' }),
	'what was pending is settled there');

sub there { return $other->safe_psql('rxtrack', $_[0]) }
is(there("SELECT cancelled_at IS NOT NULL FROM rxtrack.readiness_promise WHERE task_id = '$withdrawn->{id}'"), 't', 'the promise that was withdrawn is cancelled');
my $next = there("SELECT release_number FROM rxtrack.readiness_event WHERE task_id = '$kept->{id}'");
cmp_ok($next, '>=', 10_000_030, 'the other one is released, with a number that the first place can not have given');
there("DELETE FROM rxtrack.readiness_event WHERE task_id = '$kept->{id}'");
(my $after = all($other)) =~ s/^last\|$next$/last|30/m;
is($after, $before, 'all else is as it was: nothing is released again');
make_ready($other, 1);
ok(wait_for_release($other), 'what comes is released');
is(there('SELECT max(release_number) FROM rxtrack.readiness_event'), $next + 1, 'numbers go on');
is(there("SELECT min(release_number) || ' ' || count(*) FROM rxtrack.fetch_events('behind')"), '13 17', 'subscriptions go on where they were');
is(there("SELECT string_agg(release_number::text, ' ') FROM rxtrack.fetch_events('alerts')"), $next + 1, 'with their filters');
is(there("SELECT behind FROM rxtrack.subscription_lag WHERE subscription = 'behind'"), 17, 'how far one is behind is counted in events');
unlike(slurp_file($other->logfile), qr/ERROR/, 'no error, neither of the restore nor of the dispatcher');

# In one go, as one does.
$other->safe_psql('postgres', 'DROP DATABASE rxtrack WITH (FORCE)');
$other->safe_psql('postgres', 'CREATE DATABASE rxtrack');
command_ok([ 'pg_restore', '--exit-on-error', '-d', $other->connstr('rxtrack'), "$directory/dump" ], 'restored at once');
make_ready($other, 1);
ok(wait_until(sub { there('SELECT count(*) FROM rxtrack.pending_events') eq '0' }), 'all is settled');
is(there('SELECT count(*) FROM rxtrack.readiness_event WHERE release_number > 30'), 2, 'what was pending, and what has come');
cmp_ok(there('SELECT min(release_number) FROM rxtrack.readiness_event WHERE release_number > 30'), '>', $next + 1, 'with other numbers than in any other place');
is(there('SELECT count(*) FROM rxtrack.readiness_event WHERE release_number <= 28'), 23, 'nothing is released again');

done_testing();
