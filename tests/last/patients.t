# No patient in a log: the logs of all gateways and servers of this run have none of the NHS numbers that the tests have used.
# The tests' servers run with log_statement = all, so that what the tests type is in their logs, as docs/security.md says; those
# statements are left out here. What a gateway calls is not: its role is set up as that page wants it.
use strict;
use warnings;
use File::Find;
use PostgreSQL::Test::Utils;
use RxTrack::Patients;
use Test::More;

my @sources;
find({ no_chdir => 1, wanted => sub { push @sources, $_ if /\.(?:json|sql|t|pm)$/ && -f } }, 'docs/examples', 'tests');
my %numbers = RxTrack::Patients::all(@sources);

# ---------- The search itself finds what is there ----------

my $one = '9449304130';
my %one = ($one => 1);
my $hex = unpack 'H*', qq({"nhs":"$one"});
is_deeply([ RxTrack::Patients::found($_->[1], \%one) ], [$one], "it finds a number $_->[0]")
  for [ 'by itself', $one ], [ 'in a line', "a\nb=$one;c" ], [ 'as bytes in hexadecimal', "\$5 = '{\"\\\\x$hex\"}'" ];
is_deeply([ RxTrack::Patients::found($_, \%one) ], [], 'and only such') for "1$one", '9449304131', "5f2f6d2e-7f0c-4b8e-9d57-${one}00";
my $prefix = '2026-01-02 03:04:05.678 UTC [99]';
my $log = join '', map { "$prefix $_\n" } 'a.t LOG:  statement: SELECT 1', "a.t ERROR:  2", 'a.t STATEMENT:  3', "rxtrack-gateway/0.1.0 LOG:  execute f: 4\n\t5", 'LOG:  6', "psql LOG:  statement: 7\n\t8";
is(join(' ', map { /(\d)$/mg } RxTrack::Patients::answered_for($log)), '2 4 5 6', 'of a server\'s log all counts but the statements that were typed');

# ---------- The logs ----------

my @logs = grep { !/regress_log_/ } glob "$PostgreSQL::Test::Utils::log_path/*.log";
push @logs, "$ENV{RXTRACK_PGTAP_SOCKET}/log" if defined $ENV{RXTRACK_PGTAP_SOCKET} && -e "$ENV{RXTRACK_PGTAP_SOCKET}/log";
my (%kinds, @leaks);
for my $file (@logs)
{
	my $text = slurp_file($file);
	my $is_gateway = $file =~ m{/gateway_[^/]*$};
	$kinds{ $is_gateway ? 'gateway' : 'server' }++ if length $text;
	for my $entry ($is_gateway ? $text : RxTrack::Patients::answered_for($text))
	{
		my @found = RxTrack::Patients::found($entry, \%numbers) or next;
		$entry =~ s/\d{10}/(number)/g;
		push @leaks, scalar(@found) . ' in ' . ($file =~ s{.*/}{}r) . ': ' . substr $entry =~ s/(?:3\d){10}/(number)/gr, 0, 200;
	}
}
SKIP:
{
	skip 'no test has run before this one', 2 unless $kinds{gateway};
	diag scalar(keys %numbers) . " NHS numbers, $kinds{gateway} logs of gateways, " . ($kinds{server} // 0) . ' of servers';
	cmp_ok(scalar keys %numbers, '>', 10, 'the tests have used NHS numbers');
	is(join("\n", splice @leaks, 0, 20), '', 'none of them is in a log');
}

done_testing();
