# How many bytes an update takes on disk, indexes included, beside the same data as text and jsonb. `make bench-storage`
# does it with a million; without BENCH=1 a few thousand show that it works.
use strict;
use warnings;
use lib 'tests/bench/lib';
use Bench;
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More;

my $count = $ENV{BENCH_COUNT} || ($ENV{BENCH} ? 1_000_000 : 5_000);
my $bundle = 1000;    # entries a bundle, to fill quickly
my $events = 4;       # updates that an item gets in its life
plan skip_all => 'there is no cc here' if system('command -v cc >/dev/null') != 0;

my $node = bench_node("rxtrack.transition_policy = off\n");
load_source($node, $count / $events);

# Each item gets its first update as it is in bench.source, and then more of it, a task of its own each.
my $entries = <<'SQL';
SELECT n, jsonb_build_object('fullUrl', 'urn:uuid:' || id, 'request', entry->'request', 'resource',
	entry->'resource' || jsonb_build_object('id', id, 'lastModified', to_char(last_modified AT TIME ZONE 'UTC' - interval '1 hour' * (8 - %1$d), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) AS entry,
	prescription_id, id AS task_id, line_item_id, nhs_number, ods_code, status, completed, last_modified - interval '1 hour' * (8 - %1$d) AS last_modified, request_id
FROM (SELECT *, gen_random_uuid() AS id, body::jsonb->'entry'->0 AS entry FROM bench.source) s
SQL

for my $round (1 .. $events)
{
	my $made = sprintf $entries, $round;
	$node->safe_psql('rxtrack', <<"SQL");
CREATE TABLE bench.entry AS $made;
CREATE INDEX ON bench.entry ((n / $bundle));
ANALYZE bench.entry;
INSERT INTO bench.text_update (prescription_id, task_id, line_item_id, nhs_number, ods_code, status, terminal_status, last_modified, request_id, application, document)
SELECT prescription_id::text, task_id::text, line_item_id::text, nhs_number::text, ods_code::text, status::text, CASE WHEN completed THEN 'completed' ELSE 'in-progress' END,
	last_modified, request_id::text, 'Benchmark', entry->'resource'
FROM bench.entry ORDER BY n;
DO \$\$
DECLARE
	answer rxtrack.answer;
BEGIN
	FOR i IN 0 .. (SELECT max(n) / $bundle FROM bench.entry) LOOP
		SELECT * INTO answer FROM rxtrack.submit((SELECT jsonb_build_object('resourceType', 'Bundle', 'type', 'transaction', 'entry', jsonb_agg(entry ORDER BY n))
			FROM bench.entry WHERE n / $bundle = i)::text, gen_random_uuid()::text, 'Benchmark');
		IF answer.status <> 201 THEN
			RAISE 'answered %', answer;
		END IF;
	END LOOP;
END
\$\$;
DROP TABLE bench.entry;
SQL
}
$node->safe_psql('rxtrack', 'VACUUM ANALYZE');

is(rows($node, 'rxtrack.status_update'), $count, 'rxtrack holds all updates');
is(rows($node, 'bench.text_update'), $count, 'so does the table of text and jsonb');

sub sizes
{
	my ($table) = @_;
	my ($heap, $indexes) = split /\|/, $node->safe_psql('rxtrack', "SELECT pg_table_size('$table'), pg_indexes_size('$table')");
	return ($heap / $count, $indexes / $count, ($heap + $indexes) / $count);
}

my %total;
report "%-44s %10s %10s %10s\n", "bytes an update, of $count", 'table', 'indexes', 'together';
for my $table (@stored, 'bench.text_update')
{
	my @sizes = sizes($table);
	$total{$table} = $sizes[2];
	report "%-44s %10.1f %10.1f %10.1f\n", $table, @sizes;
}
my $ours = 0;
$ours += $total{$_} for @stored;
my $ratio = $ours / $total{'bench.text_update'};
report "rxtrack %.1f, text and jsonb %.1f: %.2f, target 0.30: %s\n", $ours, $total{'bench.text_update'}, $ratio, $ratio <= 0.3 ? 'reached' : 'NOT reached';
report("%s", conditions($node));
ok($ratio < 1, 'it takes less than text and jsonb');
done_testing();
