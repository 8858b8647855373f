# A release number never means two events: after restores to one moment, a promotion, a dump, a copy that goes its own way; and
# listeners with a position from a history that is lost get all that is new.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use RxTrack::Load;
use Test::More;

my $directory = PostgreSQL::Test::Utils::tempdir();
mkdir "$directory/archive" or die "mkdir: $!";
my $node = listening_node(streaming => 1, conf => <<"CONF");
log_statement = none
wal_level = replica
archive_mode = on
archive_command = 'cp %p $directory/archive/%f'
CONF
my $key = add_application($node, 'Listener', 'events:read');

sub sql { my ($server, $sql) = @_; return $server->safe_psql('rxtrack', $sql) }

sub last_number { return sql($_[0], 'SELECT rxtrack_internal.last_release()') }

# So many events, one after the other; their numbers.
sub release
{
	my ($server, $count) = @_;
	my $before = last_number($server);
	for (1 .. $count)
	{
		make_ready($server, 1);
		wait_for_release($server) or die 'not released';
	}
	return numbers($server, $before);
}

sub numbers { return split /\n/, sql($_[0], "SELECT release_number FROM rxtrack.readiness_event WHERE release_number > $_[1] ORDER BY 1") }

# All that was ever told: what each number meant. What means two things is kept.
my (%meaning, @double);

sub note_meanings
{
	my ($server, $database) = @_;
	for my $line (split /\n/, $server->safe_psql($database // 'rxtrack', 'SELECT release_number, task_id FROM rxtrack.readiness_event'))
	{
		my ($number, $task) = split /\|/, $line;
		push @double, $number if ($meaning{$number} //= $task) ne $task;
	}
	return;
}

sub jumps_ok
{
	my ($what, $after, @numbers) = @_;
	cmp_ok($numbers[0], '>=', $after + 10_000_000, "$what: the next number is one that no other history has reached");
	cmp_ok($numbers[0], '>=', 1_700_000_000_000_000, "$what: it is of its time");
	cmp_ok($numbers[-1], '<', 2**53, "$what: a number that all can hold");
	is("@numbers", join(' ', $numbers[0] .. $numbers[0] + $#numbers), "$what: from there on there are no gaps");
	return;
}

# ---------- The first history ----------

sql($node, q{SET ROLE rxtrack_test_listener; SELECT rxtrack.add_subscription('push')});
is(join(' ', release($node, 3)), '1 2 3', 'the first history of all begins with 1');
$node->restart;
is(join(' ', release($node, 1)), '4', 'a restart begins none');
$node->stop('immediate');
$node->start;
wait_until(sub { $node->psql('rxtrack', 'SELECT 1', stderr => \my $ignored) == 0 });
is(join(' ', release($node, 1)), '5', 'nor does a crash');
sql($node, q{VACUUM FULL rxtrack.readiness_event; REINDEX TABLE rxtrack.readiness_event});
is(join(' ', release($node, 1)), '6', 'nor do VACUUM FULL and REINDEX');

# ---------- Two restores to one moment ----------

$node->backup('base');
release($node, 2);
sql($node, q{SELECT rxtrack.ack_events('push', 7)});
sql($node, q{SELECT pg_create_restore_point('here')});
my @lost = release($node, 4);
sql($node, q{SELECT pg_switch_wal()});
$node->poll_query_until('rxtrack', q{SELECT last_archived_wal IS NOT NULL AND last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) OR last_archived_time > now() - interval '1 s' FROM pg_stat_archiver});
is("@lost", '9 10 11 12', 'what is released after a moment');
note_meanings($node);

# A copy of the server: restored to that moment, or (NULL) just started.
sub copy
{
	my ($name, $moment) = @_;
	my $copy = PostgreSQL::Test::Cluster->new($name);
	$copy->init_from_backup($node, 'base');
	$copy->append_conf('postgresql.conf', "archive_mode = off\nlog_statement = none\n");
	if ($moment)
	{
		$copy->append_conf('postgresql.conf', "restore_command = 'cp $directory/archive/%f %p'\nrecovery_target_name = '$moment'\nrecovery_target_action = promote\n");
		$copy->set_recovery_mode;
	}
	$copy->start;
	$copy->poll_query_until('rxtrack', 'SELECT NOT pg_is_in_recovery()');
	return $copy;
}

my %restored = map { $_ => copy($_, 'here') } qw(first second);
is(last_number($restored{$_}), 8, "the $_ restore knows the events up to that moment") for sort keys %restored;
my %next;
for my $name (sort keys %restored)
{
	$next{$name} = [ release($restored{$name}, 3) ];
	jumps_ok("the $name restore", 8, @{ $next{$name} });
	note_meanings($restored{$name});
}
is_deeply(\@double, [], 'no number means two events, in any of the three');
is(sql($restored{$_}, 'SELECT count(DISTINCT timeline) FROM rxtrack_internal.release_history'), 2, "the $_ restore has begun a history") for sort keys %restored;
$restored{first}->restart;
is(join(' ', release($restored{first}, 1)), $next{first}[-1] + 1, 'which a restart goes on with');

# ---------- Listeners from the history that is lost ----------

my $there = $restored{first};
my @new = (@{ $next{first} }, $next{first}[-1] + 1);
is(sql($there, q{SELECT behind FROM rxtrack.subscription_lag WHERE subscription = 'push'}), 5, 'how far a subscription is behind is counted in events');
my ($lag) = sql($there, q{SELECT coalesce(warning, 'none') FROM rxtrack.subscription_lag WHERE subscription = 'push'});
is($lag, 'none', 'and that numbers have jumped is no reason to warn');
my $listener = RxTrack::Listener->start([ '--subscription', 'push', '--once' ], database => $there->connstr('rxtrack') . ' user=rxtrack_test_listener');
is($listener->wait_for_exit, 0, 'rxtrack-listen with a subscription');
is($listener->numbers, join(' ', 8, @new), 'gets what is new, after what it had not acknowledged');

# One that has acknowledged what is lost, and says so once more.
my $second = $restored{second};
my ($status, $out, $notice) = $second->psql('rxtrack', q{SELECT rxtrack.ack_events('push', 12)});
is($out, 12, 'a number of the lost history that is below what is new acknowledges nothing of that');
is(sql($second, q{SELECT count(*) FROM rxtrack.fetch_events('push')}), 3, 'which is delivered');
($status, $out, $notice) = $second->psql('rxtrack', "SELECT rxtrack.ack_events('push', $next{second}[-1] + 5)");
is("$status $out", "0 $next{second}[-1]", 'a number beyond the last one acknowledges all there is');
like($notice, qr/NOTICE:  release number \d+ has not been given here/, 'with a NOTICE');
is(join(' ', release($second, 1)), $next{second}[-1] + 1, 'what is released then');
is(sql($second, q{SELECT count(*) FROM rxtrack.fetch_events('push')}), 1, 'is delivered');

my $gateway = gateway($there);
append_to_file("$directory/position", "12\n");
$listener = RxTrack::Listener->start([ '--url', $gateway->url, '--state', "$directory/position", '--once' ], env => { RXTRACK_API_KEY => $key });
is($listener->wait_for_exit, 0, 'rxtrack-listen with a stream and a position that is lost');
is($listener->numbers, "@new", 'gets all that is new');
is(slurp_file("$directory/position"), "$new[-1]\n", 'and keeps its new position');

# The same before anything new is there: the stream is cut to what is known, and misses nothing of what comes.
my $silent = copy('silent', 'here');
my $quiet = gateway($silent);
unlink "$directory/position";
append_to_file("$directory/position", "12\n");
$listener = RxTrack::Listener->start([ '--url', $quiet->url, '--state', "$directory/position" ], env => { RXTRACK_API_KEY => $key });
ok(wait_until(sub { slurp_file("$directory/position") eq "8\n" }), 'a stream is told where the database stands');
my @came = release($silent, 2);
$listener->wait_for_lines(2);
is($listener->numbers, "@came", 'and gets what comes');
is($listener->stop, 0, 'ends');
note_meanings($silent);
is($_->stop, 0, 'the gateway ends well') for $gateway, $quiet;
$_->stop for $silent, $second;

# ---------- A copy that PostgreSQL cannot tell ----------

my $copy = copy('copy', undef);
is(sql($copy, q{SELECT system_identifier FROM pg_control_system()}), sql($node, q{SELECT system_identifier FROM pg_control_system()}), 'a copy that is just started is the same to PostgreSQL');
my ($denied) = $copy->psql('rxtrack', 'SET ROLE rxtrack_listener; SELECT rxtrack.begin_new_history()', stderr => \my $why);
like($why, qr/permission denied/, 'a listener may not begin a new history');
my $known = last_number($copy);
sql($copy, 'SET ROLE rxtrack_admin; SELECT rxtrack.begin_new_history()');
is(last_number($copy), $known, 'where it is said that one begins nothing changes');
my @own = release($copy, 2);
jumps_ok('a copy of its own', $known, @own);
sql($copy, 'SELECT rxtrack.begin_new_history()');
my @again = release($copy, 1);
cmp_ok($again[0], '>=', $own[-1] + 10_000_000, 'and once more');
is(sql($copy, q{SELECT count(*) FROM rxtrack.audit WHERE action = 'begin_new_history'}), 2, 'both are audited');
is(sql($copy, q{BEGIN; SELECT rxtrack.begin_new_history(); ROLLBACK}), '', 'what is rolled back');
is(join(' ', release($copy, 1)), $again[0] + 1, 'begins none');
note_meanings($copy);
$copy->stop;

# ---------- A dump ----------

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$directory/dump", $node->connstr('rxtrack') ], 'dumped');
my $dumped = last_number($node);
release($node, 3);
note_meanings($node);
$node->safe_psql('postgres', 'CREATE DATABASE other TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('other'), "$directory/dump" ], 'and restored beside it');
$node->safe_psql('other', sprintf q{SELECT FROM rxtrack.submit('%s', '%s', 'Pharmacy')}, to_json(bundle(task(business_status => 'Ready to Collect'))), uuid());
cmp_ok($node->safe_psql('other', 'SELECT max(release_number) FROM rxtrack.readiness_event'), '>=', $dumped + 10_000_000, 'another database of the cluster: its next number');
note_meanings($node, 'other');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--clean', '--if-exists', '-d', $node->connstr('rxtrack'), "$directory/dump" ], 'restored where it is from');
my @back = release($node, 2);
jumps_ok('the same database', $dumped, @back);
note_meanings($node);
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', q{CREATE EXTENSION rxtrack; SELECT rxtrack.add_application('Pharmacy', '{updates:write}'); SELECT rxtrack.begin_new_history()});
$node->safe_psql('fresh', sprintf q{SELECT FROM rxtrack.submit('%s', '%s', 'Pharmacy')}, to_json(bundle(task(business_status => 'Ready to Collect'))), uuid());
cmp_ok($node->safe_psql('fresh', 'SELECT max(release_number) FROM rxtrack.readiness_event'), '>=', 10_000_000, 'a history may be begun before the first event');

# ---------- A promotion ----------

$node->backup('later');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'later', has_streaming => 1);
$standby->append_conf('postgresql.conf', "archive_mode = off\n");
$standby->start;
my @before = release($node, 2);
$node->wait_for_catchup($standby);
# What the standby does not get any more.
$standby->append_conf('postgresql.conf', "primary_conninfo = ''\n");
$standby->reload;
$standby->poll_query_until('rxtrack', 'SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)');
my @unseen = release($node, 2);
note_meanings($node);
$node->stop('immediate');
$standby->promote;
$standby->poll_query_until('rxtrack', 'SELECT NOT pg_is_in_recovery()');
is(last_number($standby), $before[-1], 'a standby that takes over does not know the last events');
jumps_ok('the standby', $before[-1], release($standby, 2));
note_meanings($standby);
$standby->restart;
release($standby, 1);
note_meanings($standby);

is_deeply(\@double, [], 'in all of these no number means two events: of ' . keys(%meaning));
$there->stop;
done_testing();
