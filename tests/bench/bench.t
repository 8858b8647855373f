# More updates a second through HTTP than by a client that talks to the database itself? `make bench` runs it in
# earnest and prints the table; without BENCH=1 it runs for a moment, to see that it works and that counts agree.
use strict;
use warnings;
use lib 'tests/bench/lib';
use Bench;
use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Npm;
use Test::More;

my $earnest = $ENV{BENCH};
my $seconds = $ENV{BENCH_SECONDS} || ($earnest ? 5 : 1);
my $repeat = $ENV{BENCH_REPEAT} || ($earnest ? 3 : 1);
my $most = ($ENV{BENCH_MOST} || 60_000) * $seconds;    # requests that no contender gets through

for my $tool (qw(wrk pgbench cc))
{
	plan skip_all => "there is no $tool here" if system("command -v $tool >/dev/null") != 0;
}

my $node = bench_node();
my $gateway = gateway($node, env => gateway_options());
my %requests = (
	single => requests('single', $most, 1, $node->{bench_key}),
	five => requests('five', $most / 4, 5, $node->{bench_key}),
);
load_source($node, $most);
my $comparison = start_comparison();
my (%rates, %latency);
my $posted;    # how many of the file's requests the gateway has stored last

sub gateway_options
{
	return { map { split /=/, $_, 2 } split ' ', $ENV{BENCH_GATEWAY} // '' };
}

# ---------------------------------------------------------------- the contenders

sub start_comparison
{
	my $missing = npm_missing('tests/bench/comparison');
	if (defined $missing)
	{
		report "The comparison service is left out: $missing\n";
		return;
	}
	my %environment = (PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'rxtrack', PGUSER => scalar getpwuid $>,
		KEY_SHA256 => sha256_hex($node->{bench_key}), NODE_ENV => 'production');
	my $pid = open my $output, '-|' // die "fork: $!";
	if (!$pid)
	{
		@ENV{ keys %environment } = values %environment;
		exec 'setpriv', '--pdeathsig', 'KILL', 'node', 'tests/bench/comparison/server.js';
	}
	chomp(my $url = <$output> // die 'the comparison service does not start');
	return { pid => $pid, url => $url, output => $output };
}

my @contenders = (
	{ number => 1, name => 'pgbench, plain INSERT of one row', table => 'bench.plain_update', rows => 1, run => sub { pgbench(node => $node, script => 'insert.sql', @_) } },
	{ number => 2, name => 'pgbench, rxtrack.submit of one entry', table => 'rxtrack.status_update', rows => 1, run => sub { pgbench(node => $node, script => 'submit.sql', @_) } },
	{ number => 3, name => 'gateway, bundles of one entry', table => 'rxtrack.status_update', rows => 1, run => sub { wrk(url => $gateway->url, requests => $requests{single}, @_) } },
	{ number => 6, name => 'gateway, reads of one prescription', run => sub { wrk(url => $gateway->url, requests => $requests{single}, mode => 'read', limit => $posted, @_) }, keeps => 1 },
	{ number => 4, name => 'gateway, bundles of five entries', table => 'rxtrack.status_update', rows => 5, run => sub { wrk(url => $gateway->url, requests => $requests{five}, @_) } },
);
splice @contenders, 3, 0, { number => 5, name => 'Fastify and pg, one INSERT a request', table => 'bench.text_update', rows => 1, first => 1,
	run => sub { wrk(url => $comparison->{url}, requests => $requests{single}, @_) } } if $comparison;
# The reads find what the gateway has stored just before them.
@contenders = map { $_->[1] } sort { $a->[0] <=> $b->[0] } map { [ $_->{first} ? 2.5 : $_->{number} == 6 ? 3.5 : $_->{number}, $_ ] } @contenders;

# ---------------------------------------------------------------- running them

sub run_once
{
	my ($contender, $seconds, $name) = @_;
	fresh($node) unless $contender->{keeps};
	my $result = $contender->{run}->(seconds => $seconds);
	$posted = $result->{answers} < 5000 ? $result->{answers} - 100 : 5000 if $contender->{number} == 3;
	my $problem = join ' ', map { "$_=$result->{$_}" } grep { $result->{$_} } qw(refused broken exhausted unanswered);
	is($problem, '', "$name: every answer is a good one");
	is(rows($node, $contender->{table}), $result->{answers} * $contender->{rows}, "$name: as many rows as were acknowledged") if $contender->{table};
	return $result;
}

report("%s", conditions($node));
for my $contender (@contenders)
{
	run_once($contender, $earnest ? 2 : 1, "$contender->{name}, warm-up");
}
for my $round ($earnest ? 1 .. $repeat : ())
{
	for my $contender (@contenders)
	{
		my $result = run_once($contender, $seconds, "$contender->{name}, $round");
		push @{ $rates{ $contender->{number} } }, $result->{rate};
		push @{ $latency{ $contender->{number} } }, $result;
	}
}

# ---------------------------------------------------------------- what came out

sub milliseconds
{
	my ($results, $which) = @_;
	return defined $results->[0]{$which} ? sprintf('%7.1f', median(map { $_->{$which} } @$results) / 1000) : ' ' x 7;
}

sub print_rates
{
	report "\n%-44s %10s %8s %10s %7s %7s %7s\n", "32 clients, $repeat times $seconds s", 'requests/s', 'spread', 'updates/s', 'p50 ms', 'p90 ms', 'p99 ms';
	for my $contender (sort { $a->{number} <=> $b->{number} } @contenders)
	{
		my @rates = @{ $rates{ $contender->{number} } };
		report "(%d) %-40s %10.0f %7.0f%% %10s %s %s %s\n", $contender->{number}, $contender->{name}, median(@rates), spread(@rates),
		  $contender->{rows} ? sprintf('%.0f', median(@rates) * $contender->{rows}) : '-', map { milliseconds($latency{ $contender->{number} }, $_) } qw(p50 p90 p99);
	}
	return;
}

sub print_ratio
{
	my ($over, $under, $target) = @_;
	return unless $rates{$over} && $rates{$under};
	my $ratio = median(@{ $rates{$over} }) / median(@{ $rates{$under} });
	my @each = map { $rates{$over}[$_] / $rates{$under}[$_] } 0 .. $#{ $rates{$over} };
	report "(%d) / (%d): %.2f (rounds: %s), target %.1f: %s\n", $over, $under, $ratio, join(' ', map { sprintf '%.2f', $_ } @each), $target,
	  $ratio >= $target ? 'reached' : 'NOT reached';
	return;
}

sub acknowledged
{
	return 0 + qx(grep -c '"status":201' '$gateway->{log}');
}

sub print_load
{
	my ($name, $result) = @_;
	report "%-44s %10.0f %8d %9s %s %s %s %s\n", $name, $result->{rate}, $result->{refused}, "$result->{broken}+$result->{unanswered}",
	  map { sprintf '%7.1f', $result->{$_} / 1000 } qw(p50 p99 p999 max);
	return;
}

# Half load: many clients that each pause at random, so that requests come when they come.
sub print_loads
{
	my $full = median(@{ $rates{3} });
	my @load = (
		[ 'half load, 256 clients at random', 256, 256 / ($full / 2) * 1000 ],
		[ 'full load, 32 clients', 32, 0 ],
		[ 'twice what is served, 2048 clients at random', 2048, 2048 / ($full * 2) * 1000 ],
		[ '256 clients without a pause', 256, 0 ],
		[ '1024 clients without a pause', 1024, 0 ],
	);
	report "\n%-44s %10s %8s %9s %7s %7s %7s %7s\n", 'gateway, bundles of one entry', 'requests/s', 'refused', 'cut+late', 'p50 ms', 'p99', 'p99.9', 'max';
	for my $load (@load)
	{
		fresh($node);
		my $logged = acknowledged();
		my $result = wrk(url => $gateway->url, requests => $requests{single}, seconds => $seconds, clients => $load->[1], drain => 3, think => $load->[2]);
		print_load($load->[0], $result);
		is(rows($node, 'rxtrack.status_update'), $result->{answers} - $result->{refused}, "$load->[0]: as many rows as were acknowledged")
		  or diag(sprintf 'the gateway\'s log has %d answers of 201; wrk: %s', acknowledged() - $logged, join ' ', %$result);
	}
	return;
}

if ($earnest)
{
	print_rates();
	report "\n";
	print_ratio(@$_) for [ 3, 2, 1.5 ], [ 3, 1, 1.0 ], [ 3, 5, 5.0 ], [ 2, 1, 0.6 ];
	my ($memory, $threads) = process($gateway->pid);
	report "gateway: at most %.0f MiB resident (target 64: %s), %d threads (target 8: %s)\n", $memory, $memory <= 64 ? 'reached' : 'NOT reached',
	  $threads, $threads <= 8 ? 'reached' : 'NOT reached';
	print_loads();
	($memory) = process($gateway->pid);
	report "gateway after that: at most %.0f MiB resident\n", $memory;
}
is($gateway->stop, 0, 'the gateway ends well');
done_testing();

# Perl waits for a child that it reads from, and this one never ends by itself.
END
{
	local $?;
	kill 'TERM', $comparison->{pid} if $comparison;
}
