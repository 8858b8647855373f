# make run in a fresh tree: what it prints can be pasted as it is, Ctrl-C leaves nothing behind, and another start goes on
# where the first one ended.
use strict;
use warnings;
use Cwd qw(abs_path);
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More;
use Time::HiRes qw(sleep time);

my $place = abs_path(PostgreSQL::Test::Utils::tempdir_short());
my $tree = "$place/a clone";
my $run_dir = "$place/kept here";
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $output = "$PostgreSQL::Test::Utils::log_path/run.out";
my @groups;

# A tree without what is built in it.
mkdir $tree or die "mkdir: $!";
command_ok([ 'bash', '-c',
	'tar -c --exclude="*.o" --exclude="*.so" --exclude="rxtrack--*.sql" --exclude=./gateway/build --exclude=./tests .' .
	  ' | tar -x -C "$1"', 'copy', $tree ],
	'a fresh tree');

# A command at a terminal of its own, so to say: a process group that Ctrl-C is sent to. It ends with the test.
sub in_group
{
	my ($file, @command) = @_;
	unlink $file;
	append_to_file($file, '');
	my $pid = fork // die "fork: $!";
	if (!$pid)
	{
		POSIX::setsid();
		$SIG{INT} = 'DEFAULT';	# the tests run in the background, where it is ignored
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', $file or POSIX::_exit(127);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
		chdir $tree;
		exec('setpriv', '--pdeathsig', 'TERM', @command) or POSIX::_exit(127);
	}
	push @groups, $pid;
	return $pid;
}

sub wait_for
{
	my ($test) = @_;
	for (my $until = time + $PostgreSQL::Test::Utils::timeout_default; time < $until; sleep 0.05)
	{
		return 1 if $test->();
	}
	return 0;
}

sub start
{
	my $pid = in_group($output, 'make', 'run', "PORT=$port", "RUN_DIR=$run_dir");
	wait_for(sub { slurp_file($output) =~ /^Ctrl-C stops/m || waitpid($pid, POSIX::WNOHANG()) == $pid });
	my $text = slurp_file($output);
	BAIL_OUT("make run does not start: $text") unless $text =~ /^rxtrack is ready/m;
	return ($pid, $text);
}

# Everything that runs from the place, or has its name in its command line.
sub processes
{
	my @found;
	for my $directory (grep { $_ ne "/proc/$$" } glob '/proc/[0-9]*')
	{
		open my $file, '<', "$directory/cmdline" or next;
		my $line = do { local $/; <$file> } // '';
		my @links = grep { defined } map { readlink "$directory/$_" } qw(exe cwd);
		push @found, $line =~ tr/\0/ /r if grep { index($_, $place) >= 0 } $line, @links;
	}
	return @found;
}

# The lines after a heading, up to an empty one, as a shell would get them.
sub pasted
{
	my ($text, $heading) = @_;
	my ($lines) = $text =~ /^\Q$heading\E.*?:\n(.*?)\n\n/ms or die "no '$heading' in $text";
	return $lines;
}

my ($make, $text) = start();
my %env = map { /^(\w+)=(.*)$/ } split /\n/, slurp_file("$run_dir/env");
is(join(' ', map { $env{$_} ? $_ : () } qw(RXTRACK_URL RXTRACK_API_KEY DATABASE_URL GATEWAY_PID)),
	'RXTRACK_URL RXTRACK_API_KEY DATABASE_URL GATEWAY_PID',
	'env has what is asked for');
ok(kill(0, $env{GATEWAY_PID}), 'the gateway is the process that it says');
like($text, qr/\Q$env{RXTRACK_URL}\E .*\Q$env{RXTRACK_API_KEY}\E.*\Q$env{DATABASE_URL}\E/s,
	'it says where, the key and the database');

my $heard = "$PostgreSQL::Test::Utils::log_path/run_listen.out";
my $listener = in_group($heard, 'bash', '-c', pasted($text, 'Hear of an item'));
ok(wait_for(sub { slurp_file($heard) =~ /^LISTEN$/m }), 'the psql line listens');
my ($answer) = run_command([ 'bash', '-c', pasted($text, 'Post an update') ]);
like($answer, qr/"status":"201 Created"/, 'the curl line posts an update');
ok(wait_for(sub { slurp_file($heard) =~ /^Asynchronous notification "rxtrack_ready" with payload "1" received/m }),
	'which the listener hears of')
  or diag(slurp_file($heard));
kill 'INT', -$listener;
waitpid $listener, 0;
($answer) = run_command([ 'bash', '-c', pasted($text, 'Post an update') ]);
like($answer, qr/REC_CONFLICT/, 'pasted again, it is told of the duplicate');

kill 'INT', -$make;
waitpid $make, 0;
like(slurp_file($output), qr/^Stopped\.$/m, 'Ctrl-C stops it');
ok(!-e "$run_dir/env", 'env is gone');
is(join("\n", processes()), '', 'no process is left');

my ($again, $text_again) = start();
is(pasted($text_again, 'Post an update'), pasted($text, 'Post an update'), 'another start has the same to paste');
($answer) = run_command([ 'psql', '-XAtq', $env{DATABASE_URL}, '-c',
	'SELECT count(*), count(DISTINCT status) FROM rxtrack.item_status' ]);
is($answer, '1|1', 'and the data');
($answer) = run_command([ 'bash', '-c', pasted($text_again, 'Post an update') ]);
like($answer, qr/REC_CONFLICT/, 'for which the key is good still');
kill 'TERM', -$again;
waitpid $again, 0;
is(join("\n", processes()), '', 'SIGTERM leaves no process either');

END
{
	local $?;
	kill 'KILL', -$_ for @groups;
}

done_testing();
