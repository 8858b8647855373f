package RxTrack::Process;

=head1 NAME

RxTrack::Process - what the kernel says of a running process

=head1 FUNCTIONS

=head2 memory($pid)

How much memory of its own it holds, in KiB; files and memory shared with others do not count.

=head2 threads($pid), descriptors($pid)

How many threads, and open file descriptors, it has.

=head2 does_not_grow($pid, $rounds, $work, $name)

A test: runs the work twice to warm up, and then so many times more, after which the process is to hold no more than
3 MiB more memory (what an allocator keeps comes and goes by two). Skipped for a gateway built with the sanitizers,
which hold freed memory back.

=cut

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

our @EXPORT = qw(memory threads descriptors does_not_grow);

sub field
{
	my ($pid, $name) = @_;
	my ($value) = slurp_file("/proc/$pid/status") =~ /^$name:\s+(\d+)/m;
	return $value;
}

sub memory { return field($_[0], 'RssAnon') }
sub threads { return field($_[0], 'Threads') }

sub descriptors
{
	my ($pid) = @_;
	my @open = glob "/proc/$pid/fd/*";
	return scalar @open;
}

sub does_not_grow
{
	my ($pid, $rounds, $work, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$work->() for 1 .. 2;
	my $before = memory($pid);
	$work->() for 1 .. $rounds;
	my $after = memory($pid);
	note("memory of $pid: $before KiB, then $after KiB");
	SKIP:
	{
		skip 'with the sanitizers memory grows', 1 if slurp_file("/proc/$pid/maps") =~ /libasan/;
		cmp_ok($after - $before, '<=', 3072, $name);
	}
	return;
}

1;
