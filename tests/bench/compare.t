# This build beside that of another revision, in turns within one run: what disturbs the machine for a while disturbs both. `make
# bench-compare BASE=revision` builds the other one and calls this. In each round both get each load for some seconds,
# with empty tables to begin with:
#
#   HTTP      bundles of one entry by wrk, none of which raises an event
#   events    the same, all of which do; the dispatcher releases them
#   submit    rxtrack.submit of one entry by pgbench
#
# Processor time is that of the server and the gateway, not the clients', and hardly changes with what else the machine does.
use strict;
use warnings;
use lib 'tests/bench/lib';
use Bench;
use IPC::Open2;
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More;

my $base = $ENV{BENCH_BASE} or plan skip_all => 'make bench-compare BASE=revision builds what this one is compared with';
my $rounds = $ENV{BENCH_ROUNDS} || 20;
my $seconds = $ENV{BENCH_SECONDS} || 2;
my @loads = (
	{ name => 'HTTP', at_least => $ENV{BENCH_HTTP} || 0.9, ready => 0 },
	{ name => 'events', at_least => $ENV{BENCH_EVENTS} || 0.9, ready => 100 },
	{ name => 'submit', at_least => $ENV{BENCH_SUBMIT} || 0.85, script => 'submit.sql' },
);
my $most = 60_000 * $seconds; # requests that no side gets through

# ---------- The two sides ----------

# A server and a gateway of the build that is staged there, for which the tree's own libraries know the names of things.
sub start_side
{
	my ($name, $tree, $stage) = @_;
	local @ENV{qw(TESTDIR RXTRACK_STAGE RXTRACK_GATEWAY)} = ("$ENV{TESTDIR}/$name", $stage, "$stage/rxtrack-gateway");
	mkdir $ENV{TESTDIR};
	my $side = { name => $name, log => "$ENV{TESTDIR}/tmp_check/log" };
	$side->{pid} = open2($side->{answers}, $side->{orders}, 'perl', "-I$tree/tests/lib", "-I$tree/tests/bench/lib", 'tests/bench/compare/side.pl', $name, $most);
	return $side;
}

sub answer
{
	my ($side) = @_;
	my $line = readline $side->{answers};
	return defined $line ? from_json($line) : BAIL_OUT("the $side->{name} side has ended; with KEEP=1, $side->{log} says why");
}

sub run
{
	my ($side, $load) = @_;
	print { $side->{orders} } to_json({ seconds => $seconds, $load->{script} ? (script => $load->{script}) : (requests => $side->{requests}{ $load->{name} }) }), "\n";
	my $result = answer($side);
	my $problem = join ' ', map { "$_=$result->{$_}" } grep { $result->{$_} } qw(refused broken exhausted unanswered);
	my $events = $load->{ready} ? $result->{answers} : 0;
	return $result if $problem eq '' && $result->{stored} == $result->{answers} && $result->{events} == $events;
	BAIL_OUT("$load->{name}, $side->{name}: $result->{answers} answers, $result->{stored} stored, $result->{events} events $problem");
}

my @sides = (start_side('old', "$base/tree", "$base/stage"), start_side('new', '.', $ENV{RXTRACK_STAGE}));
for my $side (@sides)
{
	my $ready = answer($side);
	report "%s", $ready->{conditions} if $side->{name} eq 'new';
	$side->{requests}{ $_->{name} } = requests("$side->{name}_$_->{name}", $most, 1, $ready->{key}, $_->{ready}) for grep { !$_->{script} } @loads;
}
report "old: %s, new: %s; %d rounds of %d s\n", split(' ', $ENV{BENCH_REVISIONS}), $rounds, $seconds;

# ---------- Rounds ----------

# Where prove does not hold it back.
sub progress
{
	my ($format, @values) = @_;
	print { Test::More->builder->failure_output } sprintf $format, @values;
	return;
}

my %measured; # by load, what is measured and side: a value a round

progress "updates a second, old and new (and microseconds of processor time for each)\n";
# The first round warms up.
for my $round (0 .. $rounds)
{
	progress "%-8s", $round ? "$round/$rounds" : 'warm-up';
	for my $load (@loads)
	{
		my %result = map { $_->{name} => run($_, $load) } $round % 2 ? @sides : reverse @sides;
		for my $what ($round ? qw(rate cost) : ())
		{
			push @{ $measured{ $load->{name} }{$what}{$_} }, $result{$_}{$what} for qw(old new);
			push @{ $measured{ $load->{name} }{$what}{ratio} }, $result{new}{$what} / $result{old}{$what};
		}
		progress "  %s %6.0f %6.0f (%5.1f %5.1f)", $load->{name}, map { my $what = $_; map { $result{$_}{$what} } qw(old new) } qw(rate cost);
	}
	progress "\n";
}

# ---------- What came out ----------

sub quartiles
{
	my ($digits, $values) = @_;
	my @sorted = sort { $a <=> $b } @$values;
	return sprintf '%.*f (%.*f to %.*f)', map { ($digits, $_) } median(@sorted), @sorted[ $#sorted / 4, $#sorted - int($#sorted / 4) ];
}

report "\n%-24s %26s %26s %26s\n", 'median (quartiles)', 'old', 'new', 'new / old, in each round';
for my $load (@loads)
{
	my $of = $measured{ $load->{name} };
	report "%-24s %26s %26s %26s\n", "$load->{name}, updates/s", map({ quartiles(0, $of->{rate}{$_}) } qw(old new)), quartiles(3, $of->{rate}{ratio});
	report "%-24s %26s %26s %26s\n", "$load->{name}, processor us", map({ quartiles(1, $of->{cost}{$_}) } qw(old new)), quartiles(3, $of->{cost}{ratio});
}
cmp_ok(median(@{ $measured{ $_->{name} }{rate}{ratio} }), '>=', $_->{at_least}, "$_->{name}: at least $_->{at_least} of the old build's updates a second") for @loads;
for my $side (@sides)
{
	close $side->{orders};
	waitpid $side->{pid}, 0;
	is($?, 0, "the $side->{name} side ends well");
}
done_testing();
