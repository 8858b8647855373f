# What authentication adds to the cost of a request at full load: the whole service as it is, and beside it, in turns, the same
# without: a copy of the library that looks at no credential, behind a gateway that hashes none. `make bench-access` measures,
# in many short rounds: what disturbs the machine for a while disturbs both sides of a pair, or a few pairs.
use strict;
use warnings;
use lib 'tests/bench/lib';
use Bench;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Process;
use Test::More;

my $earnest = $ENV{BENCH};
my $seconds = $ENV{BENCH_SECONDS} || ($earnest ? 2 : 1);
my $repeat = $ENV{BENCH_REPEAT} || ($earnest ? 20 : 1);
for my $tool (qw(wrk cc))
{
	plan skip_all => "there is no $tool here" if system("command -v $tool >/dev/null") != 0;
}

sub run
{
	my ($command) = @_;
	my $said = qx(($command) 2>&1);
	die "$command: $said" if $?;
	return $said;
}

# The installation of this build, with the library linked anew.
sub stage_without
{
	my $stage = "$PostgreSQL::Test::Utils::tmp_check/stage_without";
	chomp(my ($library, $include) = split /\n/, run('pg_config --pkglibdir; scripts/postgresql headers'));
	run("cp -r '$ENV{RXTRACK_STAGE}' '$stage'");
	run("cc -std=gnu11 -O2 -fPIC -fvisibility=hidden -Iextension -isystem '$include' -c -o '$stage/application.o' tests/bench/access/without_database.c");
	my @objects = map { s/c$/o/r } grep { $_ ne 'extension/callers/application.c' } glob 'extension/*.c extension/*/*.c';
	run("cc -shared -o '$stage$library/rxtrack.so' @objects '$stage/application.o' -lcrypto");
	return $stage;
}

sub preload
{
	my $library = "$PostgreSQL::Test::Utils::tmp_check/without_gateway.so";
	run("cc -O2 -shared -fPIC -o '$library' tests/bench/access/without_gateway.c");
	return $library;
}

my %service;
for my $kind ('with', 'without')
{
	my $conf = '';
	if ($kind eq 'without')
	{
		my $stage = stage_without();
		$conf = $ENV{RXTRACK_STAGE_CONF} =~ s/\Q$ENV{RXTRACK_STAGE}/$stage/gr . "\n";
	}
	my $node = bench_node($conf, $kind);
	$service{$kind} = { node => $node, gateway => gateway($node, env => $kind eq 'without' ? { LD_PRELOAD => preload() } : {}) };
}
my ($with, $without) = @service{ 'with', 'without' };
is($with->{gateway}->post(bundle(task()), key => 'nobody')->{status}, 401, 'with authentication nobody is refused');
is($without->{gateway}->post(bundle(task()), key => 'nobody')->{status}, 201, 'and without it let in');
is($_->{gateway}->post(bundle(task()), key => $with->{node}{bench_key})->{status}, 201, 'the key is good') for $with, $without;

# Processor time that a gateway and its sessions have used, in microseconds.
sub used
{
	my ($service) = @_;
	my @sessions = split /\n/, $service->{node}->safe_psql('rxtrack', "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%'");
	my $ticks = 0;
	for my $pid ($service->{gateway}->pid, @sessions)
	{
		my @field = split ' ', slurp_file("/proc/$pid/stat") =~ s/^.*\) //sr;
		$ticks += $field[11] + $field[12];
	}
	return $ticks * 10_000; # a hundred a second
}

my (%cost, %rate, @ratio);
for my $round (0 .. $repeat)
{
	my $requests = requests("round$round", 50_000 * $seconds, 1, $with->{node}{bench_key});
	my %one;
	for my $kind ($round % 2 ? ('with', 'without') : ('without', 'with'))
	{
		my $service = $service{$kind};
		fresh($service->{node});
		my $before = used($service);
		my $result = wrk(url => $service->{gateway}->url, requests => $requests, seconds => $seconds);
		$one{$kind} = (used($service) - $before) / $result->{answers};
		is($result->{refused}, 0, "round $round, $kind: $result->{answers} answers, none refused");
		next if $round == 0 && $earnest;
		push @{ $cost{$kind} }, $one{$kind};
		push @{ $rate{$kind} }, $result->{rate};
	}
	push @ratio, $one{with} / $one{without} unless $round == 0 && $earnest;
	unlink $requests->{file};
}
if ($earnest)
{
	report "%s", conditions($with->{node});
	report "%-28s %12s %8s %22s %8s\n", "32 clients, $repeat times $seconds s", 'requests/s', 'spread', 'processor us/request', 'spread';
	report "%-28s %12.0f %7.0f%% %22.1f %7.0f%%\n", "$_ authentication", median(@{ $rate{$_} }), spread(@{ $rate{$_} }), median(@{ $cost{$_} }), spread(@{ $cost{$_} })
	  for 'with', 'without';
	my $added = 100 * (median(@ratio) - 1);
	report "authentication adds %.1f %% to a request's processor time (median of %d pairs; from %.1f to %.1f), target at most 5 %%: %s\n", $added, scalar @ratio,
	  map({ 100 * ($_ - 1) } (sort { $a <=> $b } @ratio)[ 0, -1 ]), $added <= 5 ? 'reached' : 'NOT reached';
}
is($_->{gateway}->stop, 0, 'the gateway ends well') for $with, $without;
done_testing();
