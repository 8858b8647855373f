# How long it takes to read where a patient's items stand, a prescription's, and a pharmacy's open ones, beside a plain table that
# holds the very same rows, with indexes for the same questions. `make bench-patient` asks of ten million supplies; without
# BENCH=1 a few thousand show that it works, and that both say the same.
use strict;
use warnings;
use lib 'tests/bench/lib';
use Bench;
use IPC::Run qw(run);
use PostgreSQL::Test::Utils;
use RxTrack;
use Test::More;

my $supplies = $ENV{BENCH_SCALE} || ($ENV{BENCH} ? 10_000_000 : 20_000);
my $asked = $ENV{BENCH} ? 20_000 : 200;    # times, of each question
my $target = 3;                            # times the plain table's median
plan skip_all => 'there is no cc here' if system('command -v cc >/dev/null') != 0;

my $node = bench_node("autovacuum = off\n");

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

# A patient has ten supplies, in five prescriptions that came at different times, a pharmacy a thousand. Of a hundred five are open, two are
# of an item that has another one, elsewhere, and one is predicted, every other time for a time to come; of ten thousand prescriptions one is hidden.
sub fill
{
	my $prescriptions = $supplies / 2;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/prescriptions';
	system(compiled(), 'prescriptions', $file, $prescriptions) == 0 or die 'generate';
	sql(<<"SQL");
SET synchronous_commit = off;
SET work_mem = '1GB';
CREATE UNLOGGED TABLE bench.prescription (
	n integer, prescription_id rxtrack.prescription_id, nhs_number rxtrack.nhs_number, ods_code rxtrack.ods_code);
COPY bench.prescription FROM '$file';
CREATE UNLOGGED TABLE bench.item AS
SELECT p.n * 2 + i AS n, p.prescription_id, o.nhs_number, p.ods_code, gen_random_uuid() AS line_item_id, now() - interval '1 s' * p.n AS began_at
FROM bench.prescription p JOIN bench.prescription o ON o.n = p.n % greatest($prescriptions / 5, 1), generate_series(0, 1) AS i ORDER BY n;
ANALYZE bench.item;
SQL
	unlink $file;
	without_indexes('rxtrack.prescription_patient', <<'SQL');
INSERT INTO rxtrack.prescription_patient (prescription_id, hidden, nhs_number, application_id)
SELECT prescription_id, n % 20000 = 10, nhs_number, 1 FROM bench.item WHERE n % 2 = 0;
SQL
	without_indexes('rxtrack.supply', <<'SQL');
INSERT INTO rxtrack.supply (prescription_id, line_item_id, issue_number, ods_code, nhs_number, application_id, in_conflict, receipts, own_receipts,
	received_at, began_at, began_received_at, status, completed, post_dated, asserted_at, last_modified, asserted_by,
	plain_status, plain_completed, plain_asserted_at, plain_last_modified, plain_asserted_by)
SELECT prescription_id, line_item_id, 0, ods_code, nhs_number, 1, n % 20000 = 10, 3, 3,
	began_at, began_at, began_at, CASE WHEN n % 20 = 3 THEN 'Ready to Collect' ELSE 'Collected' END::rxtrack.business_status, n % 20 <> 3,
	is_predicted, began_at, CASE WHEN n % 200 = 1 THEN now() + interval '10 days' ELSE began_at END, 1,
	CASE WHEN is_predicted THEN 'With Pharmacy'::rxtrack.business_status END, CASE WHEN is_predicted THEN false END,
	CASE WHEN is_predicted THEN began_at END, CASE WHEN is_predicted THEN began_at END, CASE WHEN is_predicted THEN 1 END
FROM (SELECT *, n % 100 = 1 AS is_predicted FROM bench.item
	  UNION ALL SELECT n, prescription_id, nhs_number, 'MOVED', line_item_id, began_at - interval '1 day', false FROM bench.item WHERE n % 50 = 7) AS made;
SQL
	sql(<<'SQL');
SET synchronous_commit = off;
SET maintenance_work_mem = '1GB';
CREATE TABLE bench.plain_status AS TABLE rxtrack.item_status;
ALTER TABLE bench.plain_status ADD PRIMARY KEY (prescription_id, line_item_id, issue_number);
CREATE INDEX ON bench.plain_status (nhs_number);
CREATE INDEX ON bench.plain_status (ods_code, terminal);
SQL
	sql($_) for 'VACUUM ANALYZE bench.plain_status', 'CHECKPOINT';
	return;
}

# Fills a table, which takes a fraction of the time where its indexes are made afterwards.
sub without_indexes
{
	my ($table, $insert) = @_;
	my ($key, $definition) = split /\|/, sql("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '$table'::regclass AND contype = 'p'");
	my @indexes = split /\n/, sql("SELECT indexrelid::regclass || '|' || pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = '$table'::regclass AND NOT indisprimary");
	sql(join ";\n", "SET synchronous_commit = off; SET maintenance_work_mem = '1GB'", "ALTER TABLE $table DROP CONSTRAINT $key",
		(map { 'DROP INDEX ' . (split /\|/)[0] } @indexes), $insert =~ s/;\s*\z//r,
		"ALTER TABLE $table ADD CONSTRAINT $key $definition", map { (split /\|/)[1] } @indexes);
	sql("VACUUM ANALYZE $table");
	return;
}

my %question = (
	patient => [ q{a patient's items}, 'item_status', 'nhs_number', 'nhs_number = $1' ],
	prescription => [ q{a prescription's items}, 'item_status', 'prescription_id', 'prescription_id = $1' ],
	pharmacy => [ q{a pharmacy's open supplies}, 'supply_status', 'ods_code', 'ods_code = $1 AND NOT terminal' ]);

# Asks both in turns; how long each took, in milliseconds: two lists of the median and the 99th percentile.
sub ask
{
	my ($question) = @_;
	my (undef, $view, $column, $condition) = @{ $question{$question} };
	my $values = sql("SELECT $column FROM bench.item ORDER BY random() LIMIT $asked") . "\n";
	my $took;
	run([ client(), $node->connstr('rxtrack'), map { "SELECT * FROM $_ WHERE $condition" } "rxtrack.$view", 'bench.plain_status' ], \$values, \$took) or die 'ask';
	return map { my $which = $_; percentiles($took =~ /^$which\t(\S+)$/mg) } 1, 2;
}

sub percentiles
{
	my @sorted = sort { $a <=> $b } @_;
	return [ map { $sorted[ $_ * $#sorted ] / 1000 } 0.5, 0.99 ];
}

sub client
{
	my $program = PostgreSQL::Test::Utils::tempdir() . '/ask';
	chomp(my @flags = map { scalar qx(pg_config --$_) } 'includedir', 'libdir');
	system_or_bail('cc', '-O2', '-Wall', '-o', $program, 'tests/bench/patient/ask.c', "-I$flags[0]", "-L$flags[1]", '-lpq');
	return $program;
}

fill();
is(sql('SELECT count(*) FROM (TABLE rxtrack.item_status EXCEPT TABLE bench.plain_status) AS different'), 0, 'both hold the same')
  unless $ENV{BENCH};
cmp_ok(sql('SELECT count(*) FROM bench.plain_status'), '>', 0.98 * $supplies, 'which is nearly all of it');
report "%-26s %9s %9s %9s %9s %8s\n", "ms, of $supplies supplies", 'median', '99 %', 'plain', '99 %', 'medians';
for my $question (sort keys %question)
{
	my ($ours, $plain) = ask($question);
	my $ratio = $ours->[0] / $plain->[0];
	report "%-26s %9.3f %9.3f %9.3f %9.3f %8.2f\n", $question{$question}[0], @$ours, @$plain, $ratio;
	cmp_ok($ratio, '<=', $target, "$question{$question}[0]: at most $target times the plain table's median") if $ENV{BENCH};
	cmp_ok($ours->[0], '<', 1, "$question{$question}[0]: under a millisecond") if $ENV{BENCH};
}
report("%s", conditions($node));
done_testing();
