# Updates a second with many updates stored, and with few. `make bench-scale` takes ten million and ten thousand;
# without BENCH=1 a few show that it works.
use strict;
use warnings;
use lib 'tests/bench/lib';
use Bench;
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More;

my $earnest = $ENV{BENCH};
my $few = 10_000;
my $many = $ENV{BENCH_SCALE} || ($earnest ? 10_000_000 : 20_000);
# short rounds, and many, as the machine's speed changes within seconds
my $seconds = $ENV{BENCH_SECONDS} || ($earnest ? 2 : 1);
my $repeat = $ENV{BENCH_REPEAT} || ($earnest ? 15 : 1);
for my $tool (qw(wrk cc))
{
	plan skip_all => "there is no $tool here" if system("command -v $tool >/dev/null") != 0;
}

# Rows as submissions leave them, of items with one update each, made by one statement a table.
sub fill
{
	my ($node, $count) = @_;
	$node->safe_psql('rxtrack', <<"SQL");
SET work_mem = '256MB';
SET maintenance_work_mem = '1GB';
SET synchronous_commit = off;
CREATE TEMP TABLE made AS
SELECT s.prescription_id, s.nhs_number, s.ods_code, gen_random_uuid() AS line_item_id, gen_random_uuid() AS task_id, gen_random_uuid() AS request_id, s.last_modified
FROM bench.source s, generate_series(1, $count / (SELECT count(*) FROM bench.source)) AS copy ORDER BY copy, s.n;
INSERT INTO rxtrack.prescription_patient (prescription_id, hidden, nhs_number, application_id)
SELECT DISTINCT prescription_id, false, nhs_number, 1 FROM made;
INSERT INTO rxtrack.supply (prescription_id, status, completed, nhs_number, line_item_id, ods_code, asserted_at, last_modified, received_at, began_at, began_received_at,
	issue_number, application_id, asserted_by, receipts, own_receipts, post_dated, in_conflict)
SELECT prescription_id, 'With Pharmacy', false, nhs_number, line_item_id, ods_code, last_modified, last_modified, last_modified, last_modified, last_modified, 0, 1, 1, 1, 1, false, false FROM made;
INSERT INTO rxtrack.status_update (prescription_id, status, completed, nhs_number, task_id, line_item_id, request_id, ods_code, last_modified, received_at,
	application_id, receipt, kind, changes_status, other_patient, warned, overtaken)
SELECT prescription_id, 'With Pharmacy', false, nhs_number, task_id, line_item_id, request_id, ods_code, last_modified, last_modified, 1, 1, 'first', true, false, false, false FROM made;
SQL
	$node->safe_psql('rxtrack', 'VACUUM ANALYZE ' . join(', ', @stored));
	$node->safe_psql('rxtrack', 'CHECKPOINT');
	return;
}

my %server;
for my $size ($few, $many)
{
	my $node = bench_node("shared_buffers = 4GB\n", "stored_$size");
	# prescriptions all over the indexes, each with twenty items at the most
	load_source($node, $size > 20 * $few ? $size / 20 : $few);
	fill($node, $size);
	is(rows($node, 'rxtrack.status_update'), $size, "$size updates are stored");
	$server{$size} = { node => $node, gateway => gateway($node) };
}

# The first change of a page after a checkpoint puts all of the page into the log, and updates go all over the indexes; so there
# is one checkpoint, a warm-up that is long enough to touch most pages, and none after it, as for most of half an hour. A session
# maps each page of shared memory when it first touches it: with many stored that takes minutes, of days that it lives.
my %warm_up = ($few => $ENV{BENCH_WARM_UP} || 20, $many => $ENV{BENCH_WARM_UP} || 100);    # seconds
my %rates;
for my $round (0 .. $repeat)
{
	for my $size ($few, $many)
	{
		my ($node, $gateway) = @{ $server{$size} }{qw(node gateway)};
		my $seconds = $round == 0 && $earnest ? $warm_up{$size} : $seconds;
		# what a warm-up does not get through in its time it may leave, and where it has no more it ends early
		my $requests = requests("round$round", ($round == 0 ? 20_000 : 50_000) * $seconds, 1, $node->{bench_key});
		my $before = rows($node, 'rxtrack.status_update');
		my $result = wrk(url => $gateway->url, requests => $requests, seconds => $seconds);
		is(rows($node, 'rxtrack.status_update') - $before, $result->{answers} - $result->{refused}, "$size, round $round: as many rows as were acknowledged");
		push @{ $rates{$size} }, $result->{rate} if $round > 0;
		last if !$earnest;
	}
}
if ($earnest)
{
	my ($total, $free) = slurp_file('/proc/meminfo') =~ /^HugePages_(?:Total|Free):\s+(\d+)/mg;
	report "%sbut shared_buffers=4GB; huge pages in use: %d\n", conditions($server{$many}{node}), $total - $free;
	report "warm-up: %d s with %d, %d s with %d\n", map { ($warm_up{$_}, $_) } $few, $many;
	report "%-44s %10s %8s\n", "32 clients, $repeat times $seconds s", 'requests/s', 'spread';
	report "%-44s %10.0f %7.0f%%\n", "with $_ updates stored", median(@{ $rates{$_} }), spread(@{ $rates{$_} }) for $few, $many;
	my $ratio = median(@{ $rates{$many} }) / median(@{ $rates{$few} });
	report "many / few: %.2f, target 0.9: %s\n", $ratio, $ratio >= 0.9 ? 'reached' : 'NOT reached';
}
$_->{gateway}->stop for values %server;
done_testing();
