# How long an answer takes tells nothing of another application's data: what is there and foreign takes as long as what is not
# there at all. Measured in the database, call by call and in turns, where nothing blurs it; a network blurs far more.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use RxTrack;
use Test::More;

my $node = node(conf => "log_statement = none\n");
my %key = map { $_ => add_application($node, $_) } 'Asking', 'Other';

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
	return sprintf q{rxtrack.gateway_check('updates:read', ARRAY['\x%s'::bytea], '{NULL}', ARRAY['%s'], '{NULL}')}, sha256_hex($key{Asking}), to_json({ $parameter => $value });
}

sub update
{
	my (%field) = @_;
	my $task = task(%field);
	delete $task->{owner}; # refused after its identifiers have been read, so that nothing is stored
	return sprintf q{rxtrack.gateway_submit('updates:write', ARRAY['\x%s'::bytea], ARRAY['%s'], '{NULL}', ARRAY[convert_to('%s', 'UTF8')])}, sha256_hex($key{Asking}), uuid(),
	  to_json(bundle($task));
}

my @foreign = @tasks[ 0 .. 199 ];
my %pairs = (
	'a search by prescription' => [ map { [ search(prescriptionid => prescription($_)), search(prescriptionid => random_prescription_id()) ] } @foreign ],
	'a search by patient' => [ map { [ search(nhsnumber => $_), search(nhsnumber => random_nhs_number()) ] } @patients ],
	'a search by pharmacy' => [ map { [ search(odscode => 'THEIRS'), search(odscode => 'NOBODYS') ] } 1 .. 200 ],
	'a refused update' => [ map { [ update(id => $_->{id}, prescription_id => random_prescription_id(), line_item_id => $_->{focus}{identifier}{value}), update() ] } @foreign ],
	'a search by a patient with very many' => [ map { [ search(nhsnumber => $heavy), search(nhsnumber => random_nhs_number()) ] } 1 .. 200 ]);

# The median times in microseconds of both sides of these pairs, each call planned anew and run twice, the second time counts.
sub medians
{
	my ($list) = @_;
	my $file = "$ENV{TESTDIR}/timing-$$.sql";
	open my $out, '>', $file or die $!;
	print {$out} "SET plan_cache_mode = force_custom_plan;\nCREATE TEMP TABLE took (side integer, us float8);\nDO \$do\$\nDECLARE began timestamptz; n bigint;\nBEGIN\n";
	my $round = 0;
	for my $pair (@$list)
	{
		for my $side ($round++ % 2 ? (0, 1) : (1, 0))
		{
			print {$out} "SELECT count(*) INTO n FROM $pair->[$side];\nbegan := clock_timestamp();\nSELECT count(*) INTO n FROM $pair->[$side];\n",
			  "INSERT INTO took VALUES ($side, 1e6 * extract(epoch FROM clock_timestamp() - began));\n";
		}
	}
	print {$out} "END \$do\$;\nSELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FROM took GROUP BY side ORDER BY side;\n";
	close $out;
	open my $psql, '-|', 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('rxtrack'), '-f', $file or die $!;
	chomp(my @medians = <$psql>);
	close $psql or die "psql has failed on $file";
	return @medians;
}

for my $what (sort keys %pairs)
{
	my ($there, $absent, $difference);
	for (1 .. 3) # a busy machine may need a second look
	{
		($there, $absent) = medians($pairs{$what});
		$difference = abs($there - $absent);
		last if $difference < 0.15 * $absent;
	}
	cmp_ok($difference, '<', 0.15 * $absent, sprintf '%s: %.0f us where it is there and foreign, %.0f us where it is not', $what, $there, $absent);
}

# The measurement can tell: the asking one's own data is found, and that takes time.
my ($own, $none) = medians([ map { [ search(odscode => 'OURS'), search(odscode => 'NOBODYS') ] } 1 .. 100 ]);
cmp_ok($own, '>', 1.15 * $none, sprintf 'what is one\'s own takes longer: %.0f us, %.0f us where there is nothing', $own, $none);

done_testing();
