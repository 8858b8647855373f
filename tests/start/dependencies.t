# What make installs, and when it stops rather: with an apt that only says what it would do, and writes down what it is asked.
use strict;
use warnings;
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $directory = PostgreSQL::Test::Utils::tempdir();
my $calls = "$directory/calls";
my $pg_config = `command -v pg_config`;
chomp $pg_config;

sub stub
{
	my ($name, $script) = @_;
	append_to_file("$directory/$name", "#!/bin/bash\n$script");
	chmod 0755, "$directory/$name" or die "chmod: $!";
	return;
}

# What is installed, what apt would do at its first and at its next look, and which clusters there are, is said by the environment.
stub('dpkg-query', '[[ " $INSTALLED " != *" ${*: -1} "* ]] || echo -n "install ok installed"');
stub('apt-get', <<'STUB');
echo "apt-get $*" >>"$CALLS"
case " $* " in
    *' -s '*)
        if [ -n "$FIRST_LOOK_FAILS" ] && ! grep -q ' update$' "$CALLS"; then
            echo 'E: Unable to locate package curl'
            exit 100
        fi
        printf '%s\n' "$PLAN" ;;
    *' download '*) touch "${*: -1}.deb" ;;
    *' --print-uris '*) printf "'http://host/%s.deb' %s.deb %s SHA256:0\n" a a 1000 b b 234 ;;
esac
STUB
stub('sudo', <<'STUB');
[ "$1" != -n ] || shift
case $1 in
    env | true) exec "$@" ;;
    *) echo "$*" >>"$CALLS" ;;
esac
STUB
# Unpacks nothing but what the script looks for.
stub('dpkg-deb', 'echo "dpkg-deb ${*: -2}" >>"$CALLS"; mkdir -p "${*: -1}/usr/sbin"; [[ $* != */pgbouncer.deb* ]] || { touch "${*: -1}/usr/sbin/pgbouncer"; chmod +x "${*: -1}/usr/sbin/pgbouncer"; }');
stub('pg_lsclusters', 'printf "%b" "$CLUSTERS"');

# Returns what it prints, and what was called.
sub dependencies
{
	my ($job, %environment) = @_;
	local @ENV{qw(PATH CALLS INSTALLED PLAN FIRST_LOOK_FAILS CLUSTERS PG_CONFIG PG_CLUSTER_CONF_ROOT)} =
	  ("$directory:$ENV{PATH}", $calls, '', '', '', '', $pg_config, "$directory/clusters");
	@ENV{ keys %environment } = values %environment;
	unlink $calls;
	my $said = `scripts/dependencies $job 2>&1`;
	return ($said, $? >> 8, -e $calls ? slurp_file($calls) : '');
}

sub all_packages
{
	return join ' ', 'pgbouncer', split /\s+/, `PG_CONFIG=$pg_config scripts/dependencies --list test`;
}

my $version = `pg_config --version` =~ /(\d+)/ ? $1 : die;
my $all = all_packages();
my ($said, $status, $called) = dependencies('test', INSTALLED => $all);
is("$said$status$called", 0, 'nothing is missing: apt is not called');

SKIP: {
	skip 'this server is no package of Debian', 2 unless `pg_config --bindir` =~ m{^/usr/lib/postgresql/};
	like($all, qr/\bpostgresql-$version postgresql|\bpostgresql-$version\b/, "the server of PG_CONFIG's version");
	unlike($all, qr/llvm|clang|server-dev/, 'and no LLVM');
}
like(`PG_CONFIG=/usr/lib/postgresql/99/bin/pg_config scripts/dependencies --list run`, qr/^postgresql-99$/m,
	'PG_CONFIG names a version that is not installed yet');
like(`PG_CONFIG=/nowhere/pg_config scripts/dependencies run 2>&1`, qr{^rxtrack: there is no /nowhere/pg_config}, 'but not any file');

my %curl = (INSTALLED => $all =~ s/\bcurl\b//r, PLAN => "Inst curl (7.88 Debian:12/stable [amd64])\nConf curl (7.88 Debian:12/stable [amd64])");
($said, $status, $called) = dependencies('test', %curl);
is($status, 0, 'a missing package is installed');
like($said, qr/^rxtrack: that makes 1 packages, 1234 bytes to download$/m, 'after what that costs is said');
like($called, qr/^apt-get .*-o APT::Get::Upgrade-By-Source-Package=false .*--no-install-recommends install curl$/m, 'it, and nothing with it');
unlike($called, qr/createcluster| update$/m, 'without new lists, or a word about clusters');

($said, $status, $called) = dependencies('test', %curl, FIRST_LOOK_FAILS => 1);
is($status, 0, 'where the lists are old');
like($called, qr/ -s .* update\n.* -s .* install curl$/s, 'new ones are asked for');

($said, $status, $called) = dependencies('test', %curl, PLAN => "$curl{PLAN}\n"
	  . 'Inst postgresql-15 [15.18-0+deb12u1] (15.20-0+deb12u1 Debian-Security:12/oldstable-security [amd64])');
is($status, 1, 'an upgrade of an installed server');
like($said, qr/^    postgresql-15 would be upgraded from 15\.18-0\+deb12u1 to 15\.20-0\+deb12u1$/m, 'is said');
like($said, qr/^    apt-get install --only-upgrade postgresql-15/m, 'with what to do');
unlike($called, qr/^(?!.*(?: -s | --print-uris )).*install/m, 'and nothing is installed');

($said, $status) = dependencies('test', %curl, PLAN => "Remv postgresql-13 [13.9-1] (postgresql-14:amd64 )\n$curl{PLAN}");
ok($status == 1 && $said =~ /^    postgresql-13 13\.9-1 would be removed$/m, 'nor where a server would be removed');

# What would be a service of the system's is unpacked, with what it needs; in a copy of the tree, where it is not unpacked yet.
rename '.pgbouncer', '.pgbouncer.kept' if -e '.pgbouncer';
($said, $status, $called) = dependencies('test', INSTALLED => $all =~ s/\bpgbouncer\b//r, PLAN => "Inst libevent-2.1-7 (2.1 Debian:12/stable [amd64])\nInst pgbouncer (1.18 Debian:12/stable [amd64])\nConf pgbouncer (1.18 Debian:12/stable [amd64])");
is($status, 0, 'a pooler is missing');
like($called, qr/ download libevent-2\.1-7\n.* download pgbouncer\ndpkg-deb \S+\.deb \S+\/\.pgbouncer\n/s, 'and unpacked into the clone');
unlike($called, qr/^(?!.*(?: -s | --print-uris )).* install /m, 'nothing is installed: no service is made or started');
($said, $status, $called) = dependencies('test', INSTALLED => $all =~ s/\bpgbouncer\b//r);
is("$said$status$called", 0, 'the next time it is there');
system('rm', '-rf', '.pgbouncer');
($said, $status, $called) = dependencies('run', INSTALLED => $all =~ s/\bpgbouncer\b//r);
is("$said$status$called", 0, 'and make run does without');
rename '.pgbouncer.kept', '.pgbouncer' if -e '.pgbouncer.kept';

my %server = (PLAN => 'Inst postgresql-15 (15.20 Debian:12/stable [amd64])', CLUSTERS => '13 main 5432 down postgres /data /log\n14 main 5433 online postgres /data /log\n');
mkdir "$directory/$_" for 'clusters', map { ("clusters/$_", "clusters/$_/main") } 13, 14;
append_to_file("$directory/clusters/$_/main/start.conf", "# auto, manual, disabled\nauto\n") for 13, 14;
($said, $status, $called) = dependencies('test', %curl, %server);
is($status, 1, 'nor where that would start a cluster that is down');
like($said, qr{now:\n    13/main\nStart them}, 'which is named');
($said, $status, $called) = dependencies('test', %curl, %server, CLUSTERS => '14 main 5433 online postgres /data /log\n');
is($status, 0, 'a server is installed');
like($called, qr{\ntee (\S+)\n.*install curl\nrm -f \1$}s, 'and makes no cluster');

my $listener = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "listen: $!";
my $port = $listener->sockport;
{
	local @ENV{qw(PATH CALLS INSTALLED PLAN)} = ("$directory:$ENV{PATH}", $calls, '', '');
	unlink $calls;
	like(`make run PORT=$port RUN_DIR=$directory/run 2>&1`, qr/^rxtrack: port $port is in use; name another: make run PORT=\.\.\.$/m, 'a port in use is said');
	ok(!-e $calls, 'before anything is installed');
}

done_testing();
