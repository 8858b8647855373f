# One build's server and gateway, for compare.t, which tells it by a line of JSON what load to run and gets a line of JSON with what
# came out. It runs with the tests/lib and tests/bench/lib of its own revision, as the names of SQL functions differ from
# one revision to another.
#
#   perl -I tests/lib -I tests/bench/lib side.pl NAME ROWS
use strict;
use warnings;
use Bench;
use POSIX ();
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Load;

my ($name, $rows) = @ARGV;

# Revisions up to 79323a7, whose Bench has no function for it: these are their tables, whatever they are called now.
sub enable_alerts_by_tables
{
	my ($node) = @_;
	$node->safe_psql('rxtrack', <<'SQL');
INSERT INTO rxtrack.alert_application SELECT application_id FROM rxtrack.application WHERE name = 'Benchmark';
INSERT INTO rxtrack.alert_pharmacy SELECT ('F' || lpad(n::text, 4, '0'))::rxtrack.ods_code FROM generate_series(0, 9999) AS n;
SQL
	return;
}

# Fields of /proc/PID/stat behind the command's name, the state being the first; none for a process that has ended.
sub stat_fields
{
	my ($pid) = @_;
	my $stat = eval { slurp_file("/proc/$pid/stat") } // return;
	return split ' ', $stat =~ s/^.*\) //sr;
}

# Processor time, in microseconds, of the gateway and all processes of the server, those that have ended included.
sub processor_time
{
	my ($server, $gateway) = @_;
	my $ticks = 0;
	for my $pid (map { m{(\d+)} } glob '/proc/[0-9]*')
	{
		my @field = stat_fields($pid) or next;
		$ticks += $field[11] + $field[12] if $pid == $server || $pid == $gateway || $field[1] == $server;
		$ticks += $field[13] + $field[14] if $pid == $server;
	}
	return 1_000_000 * $ticks / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

my $node = bench_node("autovacuum = off\n", $name);
$node->append_conf('postgresql.conf', preloaded()); # the dispatcher
$node->restart;
(Bench->can('enable_alerts') // \&enable_alerts_by_tables)->($node);
load_source($node, $rows);
my $gateway = gateway($node);
my ($server) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

# What stands between two loads is not counted: each begins with empty tables.
sub run
{
	my (%load) = @_;
	fresh($node);
	my $before = processor_time($server, $gateway->pid);
	my $result = $load{script} ? pgbench(node => $node, %load) : wrk(url => $gateway->url, %load);
	wait_for_release($node) or die 'events are not released';
	$result->{cost} = (processor_time($server, $gateway->pid) - $before) / ($result->{answers} || 1);
	$result->{stored} = rows($node, 'rxtrack.status_update');
	$result->{events} = rows($node, 'rxtrack.readiness_event');
	return $result;
}

report "%s\n", to_json({ key => $node->{bench_key}, conditions => conditions($node) });
while (my $load = <STDIN>)
{
	report "%s\n", to_json(run(%{ from_json($load) }));
}
$gateway->stop;
