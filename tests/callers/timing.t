# How long an answer takes tells nothing of another application's data: what is there and foreign takes as long as what is not
# there at all. Measured in the database, call by call and in turns, where nothing blurs it; a network blurs far more.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use RxTrack;
use Test::More;

my $node = node(conf => "log_statement = none\n");
my %key = map { $_ => add_application($node, $_) } 'Asking', 'Other';

$node->safe_psql('rxtrack', q{CREATE ROLE asking IN ROLE rxtrack_gateway; SELECT rxtrack.bind_role('Asking', 'asking')});

# What the other one has: many patients with an update or two, and one patient with very many.
my $heavy = random_nhs_number();
my @patients = map { random_nhs_number() } 1 .. 200;
my @tasks = map { task(nhs_number => $_, ods_code => 'THEIRS') } @patients, ($heavy) x 200;
store('Other', @tasks);
# the asking one has data of its own, so that no table or index is empty to it
store('Asking', map { task(ods_code => 'OURS') } 1 .. 400);
$node->safe_psql('rxtrack', 'VACUUM ANALYZE');

sub store
{
	my ($name, @list) = @_;
	my $status = $node->safe_psql('rxtrack', sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', '%s')}, to_json(bundle(@list)), uuid(), $name);
	die $status if $status ne '201';
	return;
}

sub prescription { return $_[0]{basedOn}[0]{identifier}{value} }

# Statements that ask once, as SQL, for a search and for an update.
sub search
{
	my ($parameter, $value) = @_;
	return sprintf q{rxtrack_http.check_updates('updates:read', ARRAY['\x%s'::bytea], '{NULL}', ARRAY['%s'], '{NULL}')}, sha256_hex($key{Asking}), to_json({ $parameter => $value });
}

sub search_in_sql
{
	my ($argument, $value) = @_;
	return "rxtrack.own_updates($argument => '$value')";
}

sub update
{
	my (%field) = @_;
	my $task = task(%field);
	delete $task->{owner}; # refused after its identifiers have been read, so that nothing is stored
	return sprintf q{rxtrack_http.submit('updates:write', ARRAY['\x%s'::bytea], ARRAY['%s'], '{NULL}', ARRAY[convert_to('%s', 'UTF8')])}, sha256_hex($key{Asking}), uuid(),
	  to_json(bundle($task));
}

my @foreign = @tasks[ 0 .. 199 ];
my %pairs = (
	'a search by prescription' => [ map { [ search(prescriptionid => prescription($_)), search(prescriptionid => random_prescription_id()) ] } @foreign ],
	'a search by patient' => [ map { [ search(nhsnumber => $_), search(nhsnumber => random_nhs_number()) ] } @patients ],
	'a search by pharmacy' => [ map { [ search(odscode => 'THEIRS'), search(odscode => 'NOBODYS') ] } 1 .. 200 ],
	'a refused update' => [ map { [ update(id => $_->{id}, prescription_id => random_prescription_id(), line_item_id => $_->{focus}{identifier}{value}), update() ] } @foreign ],
	'a search in SQL by prescription' => [ map { [ search_in_sql(prescription_id => prescription($_)), search_in_sql(prescription_id => random_prescription_id()) ] } @foreign ],
	'a search in SQL by patient' => [ map { [ search_in_sql(nhs_number => $_), search_in_sql(nhs_number => random_nhs_number()) ] } @patients ],
	'a search by a patient with very many' => [ map { [ search(nhsnumber => $heavy), search(nhsnumber => random_nhs_number()) ] } 1 .. 200 ]);

# Both sides' median times in microseconds, and in how many pairs in a hundred the first one took longer. Each call is made twice, and the
# second time counts.
sub measure
{
	my ($list) = @_;
	my $file = "$ENV{TESTDIR}/timing-$$.sql";
	open my $out, '>', $file or die $!;
	print {$out} "SET ROLE asking;\nSET plan_cache_mode = force_custom_plan;\nCREATE TEMP TABLE took (pair integer, side integer, us float8);\nDO \$do\$\nDECLARE began timestamptz; n bigint;\nBEGIN\n";
	my $round = 0;
	for my $pair (@$list)
	{
		for my $side ($round++ % 2 ? (0, 1) : (1, 0))
		{
			print {$out} "SELECT count(*) INTO n FROM $pair->[$side];\nbegan := clock_timestamp();\nSELECT count(*) INTO n FROM $pair->[$side];\n",
			  "INSERT INTO took VALUES ($round, $side, 1e6 * extract(epoch FROM clock_timestamp() - began));\n";
		}
	}
	print {$out} "END \$do\$;\nSELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FROM took GROUP BY side ORDER BY side;\n",
	  "SELECT 100.0 * count(*) FILTER (WHERE a.us > b.us) / count(*) FROM took a JOIN took b USING (pair) WHERE a.side = 0 AND b.side = 1;\n";
	close $out;
	open my $psql, '-|', 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('rxtrack'), '-f', $file or die $!;
	chomp(my @times = <$psql>);
	close $psql or die "psql has failed on $file";
	return @times;
}

# Whether such times can be told apart: one side takes longer in most pairs, and by more than a twentieth.
sub differ
{
	my ($first, $second, $longer) = @_;
	return abs($longer - 50) > 15 && abs($first - $second) > 0.05 * $second;
}

for my $what (sort keys %pairs)
{
	my @times;
	for (1 .. 3) # a busy machine may need a second look
	{
		@times = measure($pairs{$what});
		last unless differ(@times);
	}
	ok(!differ(@times), sprintf '%s: %.0f us where it is there and foreign, %.0f us where it is not; the first in %.0f pairs of a hundred', $what, @times);
}

# The measurement can tell: the asking one's own data is found, and that takes time.
my @times = measure([ map { [ search(odscode => 'OURS'), search(odscode => 'NOBODYS') ] } 1 .. 200 ]);
ok(differ(@times), sprintf 'what is one\'s own takes longer: %.0f us, %.0f us where there is nothing, in %.0f pairs of a hundred', @times);

done_testing();
