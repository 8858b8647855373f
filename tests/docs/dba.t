# What docs/dba/ tells a DBA to do can be done, page by page, from CREATE EXTENSION to DROP EXTENSION.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More;

my $node = node(database => 0);
my $database = 'postgres';

# Runs what a page has: its blocks of SQL (all, or one by its number), or the statements in its tables.
sub run_text
{
	my ($what, $sql) = @_;
	my ($status, undef, $error) = $node->psql($database, $sql, on_error_stop => 1);
	is($status . join('', grep { !/NOTICE/ } split /^/, $error), 0, $what);
	return;
}

sub blocks { return slurp_file("docs/dba/$_[0]") =~ /^```sql\n(.*?)^```/msg }

sub statements { return grep { !/<|\.\.\./ } slurp_file("docs/dba/$_[0]") =~ /`((?:SELECT|ALTER) [^`]*)`/g }

my %logged = map { $_ => 1 } grep { defined } map { slurp_file($_) =~ /log_event\("(\w+)"|"event\\":\\"(\w+)/g } glob 'gateway/*.c gateway/*/*.c';
my %explained = map { $_ => 1 } map { /`(\w+)`/g } slurp_file('docs/dba/gateway.md') =~ /^\| (`[^|]*) \|/mg;
cmp_ok(scalar keys %logged, '>', 15, 'the gateway logs events');
is_deeply([ grep { !$explained{$_} } sort keys %logged ], [], 'gateway.md: every event of the log');

my ($create, $login, $remove) = blocks('install.md');
run_text('install.md: the database', $create);
$database = 'rxtrack';
run_text('install.md: the gateway', $login);
$node->safe_psql('rxtrack', q{SELECT rxtrack.add_application('A mistake', '{updates:read}')});
run_text('applications.md: a block', $_) for blocks('applications.md');
run_text("applications.md: $_", $_) for statements('applications.md');
$node->safe_psql('rxtrack', q{SELECT rxtrack.alter_application('A pharmacy system', suspended => false); SELECT rxtrack.unrestrict_application('A pharmacy system')});
my ($by_hand) = slurp_file('docs/dba/applications.md') =~ /^```\n(\\set .*?)^```/ms;
like($node->safe_psql('rxtrack', $by_hand), qr/^201\|/, 'applications.md: by hand');
run_text('roles.md: a block', $_) for blocks('roles.md');
run_text('readiness.md: a block', $_) for blocks('readiness.md');
run_text("readiness.md: $_", $_) for statements('readiness.md');
run_text("troubleshooting.md: $_", $_) for statements('troubleshooting.md');
run_text('install.md: all gone', "DROP ROLE push_service, a_pharmacy_system; $remove");

# docs/security.md begins anew; what it leaves open (a fingerprint, a key's file) is left out.
run_text('again', q{CREATE EXTENSION rxtrack; SELECT rxtrack.add_application('A mistake', '{updates:read}')});
my @security = grep { !/\.\.\.|:'pem'/ } slurp_file('docs/security.md') =~ /^[ ]*```sql\n(.*?)^[ ]*```/msg;
cmp_ok(scalar @security, '>', 4, 'security.md has blocks to run');
run_text('security.md: ' . (split /\n/)[0], $_) for @security;
done_testing();
