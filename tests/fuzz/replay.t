# The fuzz targets of tests/fuzz/c under AddressSanitizer and UBSan, on their seeds and on every
# input that has once broken something (crashes/TARGET/). It needs a compiler, but no fuzzer.
use strict;
use warnings;
use File::Temp;
use FindBin;
use Test::More;

my $dir = File::Temp->newdir;
my $source = "$FindBin::Bin/c";

# Runs a command and returns its exit status; what it says is kept for diagnosis.
sub run
{
	my @command = @_;
	open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command or die "$command[0]: $!";
	my $said = do { local $/; <$pipe> } // '';
	close $pipe;
	diag(substr $said, -4000) if $?;
	return $?;
}

is(run('make', '-s', '-C', $source, "BUILD=$dir/build", 'replays'), 0, 'the targets are built');
is(run("$source/seeds", "$dir/seeds"), 0, 'the seeds are written');
for my $target (qw(identifiers date_time json bundle format_1))
{
	my @inputs = (glob("$dir/seeds/$target/*"), glob("$FindBin::Bin/crashes/$target/*"));
	cmp_ok(scalar @inputs, '>', 5, "$target has inputs");
	is(run("$dir/build/replay-$target", @inputs), 0, "$target: " . @inputs . ' inputs');
}
done_testing();
