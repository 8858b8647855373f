# make run, from the first start over restarts to a gateway that dies: what a stranger meets first.
use strict;
use warnings;
use Cwd qw(abs_path);
use HTTP::Tiny;
use POSIX ();
use RxTrack;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $run_dir = PostgreSQL::Test::Utils::tempdir_short() . '/run dir';
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $output = "$PostgreSQL::Test::Utils::log_path/make_run.out";
my $pid;

sub make_run
{
	my $child = fork // die "fork: $!";
	return $child if $child;
	open STDIN, '<', '/dev/null';
	open STDOUT, '>', $output or POSIX::_exit(127);
	open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
	exec('make', 'run', "PORT=$port", "RUN_DIR=$run_dir") or POSIX::_exit(127);
}

# What the file of KEY=value lines says, once it is there.
sub start
{
	$pid = make_run();
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	sleep 0.05 until -e "$run_dir/env" || time > $until || waitpid($pid, POSIX::WNOHANG()) == $pid;
	BAIL_OUT('make run does not start: ' . slurp_file($output)) unless -e "$run_dir/env";
	return { map { /^(\w+)=(.*)$/ } split /\n/, slurp_file("$run_dir/env") };
}

sub finish
{
	waitpid $pid, 0;
	my $status = $?;
	undef $pid;
	return $status;
}

sub post_example
{
	my ($environment) = @_;
	return HTTP::Tiny->new->post("$environment->{RXTRACK_URL}/", {
		content => example('ready-to-collect.json'),
		headers => {
			'Authorization' => "Bearer $environment->{RXTRACK_API_KEY}",
			'Content-Type' => 'application/fhir+json',
			'X-Request-ID' => uuid() } })->{status};
}

sub is_gone
{
	my ($environment) = @_;
	return !kill(0, $environment->{GATEWAY_PID}) && !-e "$run_dir/env" && !-e "$run_dir/server/data/postmaster.pid";
}

sub sql
{
	my ($environment, $sql) = @_;
	my ($out) = run_command([ 'psql', '-XAtq', $environment->{DATABASE_URL}, '-c', $sql ]);
	return $out;
}

# As an earlier version, or its user, may have left it.
mkdir $run_dir, 0755;
append_to_file("$run_dir/postgresql.log", "a line\n");
chmod 0644, "$run_dir/postgresql.log";
my $first = start();
is(join(' ', sort keys %$first), 'DATABASE_URL GATEWAY_PID RXTRACK_API_KEY RXTRACK_URL', 'env holds what it should');
is((stat "$run_dir/env")[2] & 07777, 0600, 'and nobody else can read it');
is((stat "$run_dir/api-key")[2] & 07777, 0600, 'nor the key');
is((stat "$run_dir/server/data")[2] & 07077, 0, "nor the server's files");
is(`find -L '$run_dir' -type f -perm /077 -print`, '', 'no file that it has made is for others to read, logs and keys among them');
cmp_ok(scalar(() = `find -L '$run_dir' -type f -print` =~ /\n/g), '>', 900, 'of all that there are');
is($first->{RXTRACK_URL}, "http://127.0.0.1:$port", 'PORT is honoured');
is(sql($first, 'SHOW listen_addresses'), '', 'the server listens on no network');
is(sql($first, 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user'), 't', 'DATABASE_URL is a superuser');
is(readlink "/proc/$first->{GATEWAY_PID}/exe", abs_path("$run_dir/server") . '/stage/rxtrack-gateway', "GATEWAY_PID is the gateway's own");
like(slurp_file($output), qr/curl .*ready-to-collect\.json.*LISTEN rxtrack_ready/s, 'it says what to paste');
is(post_example($first), 201, 'an example is stored');

is(system("make run PORT=1 RUN_DIR='$run_dir' >'$output.2' 2>&1") >> 8, 2, 'a second start in one directory is refused');
like(slurp_file("$output.2"), qr/already running in \Q$run_dir\E/, 'and says why');
is(system("make run PORT=$port RUN_DIR='$run_dir 2' >'$output.2' 2>&1") >> 8, 2, 'a second start on one port is refused');
like(slurp_file("$output.2"), qr/port $port is in use/, 'and says why');

kill 'TERM', $pid;
finish();
ok(is_gone($first), 'SIGTERM stops all of it');

my $second = start();
is($second->{RXTRACK_API_KEY}, $first->{RXTRACK_API_KEY}, 'another start keeps the key');
is(sql($second, 'SELECT status FROM rxtrack.item_status'), 'Ready to Collect', 'and the data');
is(post_example($second), 409, 'so that the same task is a duplicate');

kill 'KILL', $second->{GATEWAY_PID};
isnt(finish(), 0, 'a gateway that is killed ends it with a failure');
ok(is_gone($second), 'and with all of it');

my $third = start();
kill 'KILL', $pid, slurp_file("$run_dir/lock") =~ /(\d+)/, $third->{GATEWAY_PID},
  slurp_file("$run_dir/server/data/postmaster.pid") =~ /^(\d+)/;
finish();
unlink "$run_dir/env";
is(sql(start(), 'SELECT count(*) FROM rxtrack.status_update'), 1, 'a start after all of it was killed finds the data');
kill 'TERM', $pid;
finish();

END
{
	local $?;
	kill 'TERM', $pid if $pid;
	finish() if $pid;
}

done_testing();
