package Bench;

=head1 NAME

Bench - running and counting the loads of the benchmarks

=head1 FUNCTIONS

=head2 bench_node($conf, $name)

A server that keeps what it acknowledges: fsync and synchronous_commit on, settings the same for all contenders. With the
schema C<bench>, and an application named Benchmark; C<< $node->{bench_key} >> is its key.

=head2 compiled()

The generator's path, built from generate.c.

=head2 enable_alerts($node)

Lets events of the updates of all benchmarks lead to alerts.

=head2 requests($file, $count, $entries, $key, $ready)

Writes a file of requests, of which C<$ready> per cent (C<BENCH_READY>, unless given) raise an event; returns C<< { file, size, count } >>.

=head2 wrk(%options), pgbench(%options)

Runs a load and returns C<< { rate, answers, ... } >>. wrk: C<url>, C<requests>, C<seconds>, C<clients>, C<mode> (post, read),
C<think>, C<limit>. pgbench: C<node>, C<script>, C<seconds>, C<clients>.

=head2 report($format, @values)

Prints a line of the result as it is.

=head2 @stored

The tables that updates are stored in.

=head2 median(@numbers), spread(@numbers), rows($node, $table)

=cut

use strict;
use warnings;

use Exporter 'import';
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More ();

our @EXPORT = qw(@stored bench_node enable_alerts compiled requests wrk pgbench median spread rows fresh load_source process conditions report);

my $here = dirname(__FILE__) . '/..';

# What updates are stored in, beside readiness events.
our @stored = qw(rxtrack.status_update rxtrack.supply rxtrack.prescription_patient rxtrack_internal.supply_party);

my $ready = $ENV{BENCH_READY} || 0;

my $conf = <<'CONF';
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica
max_wal_senders = 10
max_connections = 100
shared_buffers = 1GB
max_wal_size = 8GB
checkpoint_timeout = 30min
log_statement = none
log_min_messages = warning
CONF

# Known only once the module has begun.
sub scratch
{
	return $PostgreSQL::Test::Utils::tmp_check;
}

sub bench_node
{
	my ($more, $name) = @_;
	my $node = node(name => $name // 'main', conf => $conf . ($more // ''));
	$node->{bench_key} = add_application($node, 'Benchmark');
	$node->safe_psql('rxtrack', q{SELECT rxtrack.alter_application('Benchmark', requests_per_minute => 2000000000)}); # at full speed
	$node->safe_psql('rxtrack', slurp_file("$here/tables.sql"));
	return $node;
}

sub enable_alerts
{
	my ($node) = @_;
	$node->safe_psql('rxtrack', <<'SQL');
INSERT INTO rxtrack_internal.alert_application SELECT application_id FROM rxtrack_internal.application WHERE name = 'Benchmark';
INSERT INTO rxtrack_internal.alert_pharmacy SELECT ('F' || lpad(n::text, 4, '0'))::rxtrack.ods_code FROM generate_series(0, 9999) AS n;
SQL
	return;
}

sub compiled
{
	my $program = "@{[ scratch() ]}/generate";
	-x $program or system('cc', '-O2', '-Wall', '-Wextra', '-Werror', '-o', $program, "$here/generate.c") == 0 or die 'generate.c does not compile';
	return $program;
}

sub requests
{
	my ($file, $count, $entries, $key, $percent) = @_;
	my $program = compiled();
	my $size = qx('$program' requests '@{[ scratch() ]}/$file' $count $entries @{[ $percent // $ready ]} $key);
	die 'generate' if $? || $size <= 0;
	chomp $size;
	return { file => "@{[ scratch() ]}/$file", size => $size, count => $count };
}

sub load_source
{
	my ($node, $count) = @_;
	system(compiled(), 'rows', "@{[ scratch() ]}/rows", $count, $ready) == 0 or die 'generate';
	$node->safe_psql('rxtrack', "BEGIN; TRUNCATE bench.source; COPY bench.source FROM '@{[ scratch() ]}/rows' (FREEZE); COMMIT;
		CREATE UNIQUE INDEX IF NOT EXISTS source_n ON bench.source (n); VACUUM ANALYZE bench.source");
	unlink "@{[ scratch() ]}/rows";
	return;
}

# Empties what a contender is to fill. Nobody's writes are left over for the next one to wait for.
sub fresh
{
	my ($node) = @_;
	$node->safe_psql('rxtrack', 'TRUNCATE ' . join(', ', @stored, qw(rxtrack.readiness_promise rxtrack.readiness_event bench.plain_update bench.text_update)));
	$node->safe_psql('rxtrack', 'CHECKPOINT');
	return;
}

sub rows
{
	my ($node, $table) = @_;
	return $node->safe_psql('rxtrack', "SELECT count(*) FROM $table");
}

sub wrk
{
	my (%option) = @_;
	my $seconds = $option{seconds};
	my @command = ('wrk', '-t', 1, '-c', $option{clients} // 32, '-d', $seconds + ($option{drain} // 1), '--timeout', '30s', '-s', "$here/load.lua", $option{url}, '--',
		$option{mode} // 'post', $option{requests}{file}, $option{requests}{size}, $seconds, $option{think} // 0, $option{limit} // 0);
	my $said = qx(@{[ map { "'$_'" } @command ]} 2>&1);
	my ($result) = $said =~ /^RESULT (.*)/m or die "wrk: $said";
	my %result = map { split /=/ } split ' ', $result;
	$result{unanswered} = $result{sent} - $result{answers};
	$result{rate} = $result{answers} / $seconds;
	return \%result;
}

sub pgbench
{
	my (%option) = @_;
	my $node = $option{node};
	my $clients = $option{clients} // 32;
	my @command = ('pgbench', '-n', '-M', 'prepared', '-c', $clients, '-j', 2, '-T', $option{seconds}, '-D', 'i=-1', '-D', "clients=$clients",
		'-h', $node->host, '-p', $node->port, '-U', 'postgres', '-f', "$here/$option{script}", 'rxtrack');
	local $ENV{PGUSER};
	my $user = getpwuid $>;
	$command[-4] = $user;
	my $said = qx(@{[ map { "'$_'" } @command ]} 2>&1);
	my ($answers) = $said =~ /actually processed: ([1-9]\d*)/ or die "pgbench: $said";
	my ($failed) = $said =~ /failed transactions: (\d+)/;
	my ($rate) = $said =~ /^tps = ([\d.]+)/m;
	return { answers => $answers, rate => $rate, refused => $failed // 0, broken => 0, unanswered => 0, exhausted => 0, said => $said };
}

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return @sorted % 2 ? $sorted[@sorted / 2] : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}

# Standard output itself is the log's.
sub report
{
	my ($format, @values) = @_;
	print { Test::More->builder->output } sprintf $format, @values;
	return;
}

# How far apart the least and the most are, in per cent of the median.
sub spread
{
	my @sorted = sort { $a <=> $b } @_;
	return median(@_) ? 100 * ($sorted[-1] - $sorted[0]) / median(@_) : 0;
}

# The most memory that a process has held, in MiB, and its threads.
sub process
{
	my ($pid) = @_;
	my $status = slurp_file("/proc/$pid/status");
	my ($peak) = $status =~ /^VmHWM:\s+(\d+)/m;
	my ($threads) = $status =~ /^Threads:\s+(\d+)/m;
	return ($peak / 1024, $threads);
}

sub conditions
{
	my ($node) = @_;
	my ($model) = slurp_file('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)$/m;
	my ($load) = slurp_file('/proc/loadavg') =~ /^(\S+ \S+ \S+)/;
	my @time = gmtime;
	chomp(my $cores = qx(nproc));
	return sprintf("%04d-%02d-%02d, %d cores (%s), load before %s, PostgreSQL %s\n", $time[5] + 1900, $time[4] + 1, $time[3], $cores,
		$model // 'unknown', $load, $node->safe_psql('postgres', "SELECT current_setting('server_version')"))
	  . join(', ', map { s/ = /=/r } grep { !/^log/ } split /\n/, $conf) . "\n";
}

1;
