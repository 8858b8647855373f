# A search finds an application's updates one by one, each by what it says itself: it does not hang on some row of the same item
# that happens to be there, or to be the first.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use Test::More;

my $node = node();
my $gateway = gateway($node);
my %key = map { $_ => add_application($node, $_) } 'A supplier', 'Another';

# The task ids that a search finds, by the names that a test has given the tasks, in their order; over all pages.
sub found
{
	my ($names, $as, %query) = @_;
	my $text = join '&', map { "$_=" . $query{$_} =~ s/\+/%2B/gr } sort keys %query;
	my (@found, %start);
	while (1)
	{
		my $answer = $gateway->request('GET', "/checkprescriptionstatusupdates?$text", { Authorization => "Bearer $key{$as}", %start });
		push @found, map { $names->{ $_->{TaskID} } // 'one unknown' } @{ $answer->{json}{items} };
		%start = map { ("ExclusiveStartKey-$_" => $answer->{headers}{ lc "LastEvaluatedKey-$_" }) } 'PrescriptionID', 'TaskID';
		last unless defined $start{'ExclusiveStartKey-TaskID'};
	}
	return join ' ', sort @found;
}

# Posts [name, application, fields], each by itself, of one prescription and item; returns the names by task id.
sub post
{
	my ($item, @updates) = @_;
	my %names;
	for my $update (@updates)
	{
		my ($name, $as, %field) = @$update;
		my $task = task(%$item, %field);
		is($gateway->post(bundle($task), key => $key{$as})->{status}, 201, "$name is stored");
		$names{ $task->{id} } = $name;
	}
	return \%names;
}

sub remove
{
	my ($names, $name) = @_;
	my ($id) = grep { $names->{$_} eq $name } keys %$names;
	return $node->safe_psql('rxtrack', "DELETE FROM rxtrack.status_update WHERE task_id = '$id'");
}

sub item
{
	return { prescription_id => random_prescription_id(), line_item_id => uuid(), nhs_number => random_nhs_number(),
		ods_code => 'T' . int rand 1_000_000 };
}

# ---------- One row less ----------

for my $gone ('first', 'second', 'third')
{
	my $item = item();
	my $names = post($item, map { [ $_->[0], 'A supplier', business_status => $_->[1] ] } [ 'first', 'With Pharmacy' ],
		[ 'second', 'Ready to Collect' ], [ 'third', 'Collected' ]);
	remove($names, $gone);
	my $left = join ' ', grep { $_ ne $gone } qw(first second third);
	is(found($names, 'A supplier', nhsnumber => $item->{nhs_number}), $left, "without the $gone, the others are found by patient");
	is(found($names, 'A supplier', odscode => $item->{ods_code}), $left, 'by pharmacy');
	is(found($names, 'A supplier', prescriptionid => $item->{prescription_id}), $left, 'by prescription');
	is(found($names, 'A supplier', nhsnumber => $item->{nhs_number}, odscode => $item->{ods_code}), $left, 'and by both');
	is($node->safe_psql('rxtrack', "SELECT count(*) FROM rxtrack.item_status WHERE prescription_id = '$item->{prescription_id}'"), 1,
		'and the item has its status');
}

# ---------- Whose, and whom an update names ----------

my $item = item();
my $other = random_nhs_number();
my $names = post($item,
	[ 'own', 'A supplier', business_status => 'With Pharmacy' ],
	[ 'theirs', 'Another', business_status => 'Ready to Collect' ],
	[ 'of another patient', 'Another', business_status => 'Ready to Collect', nhs_number => $other ],
	[ 'elsewhere', 'Another', business_status => 'With Pharmacy', ods_code => 'ELSEWHERE' ],
	[ 'an issue', 'A supplier', business_status => 'With Pharmacy', issue_number => 2 ]);
my %by_patient = (nhsnumber => $item->{nhs_number});
is(found($names, 'A supplier', %by_patient), 'an issue own', 'an application finds its own updates');
is(found($names, 'Another', %by_patient), 'elsewhere theirs', 'and no others');
is(found($names, 'Another', nhsnumber => $other), 'of another patient', 'an update that names another patient is read back as it was sent');
is(found($names, 'A supplier', nhsnumber => $other), '', 'by its application alone');
is(found($names, 'Another', odscode => 'ELSEWHERE'), 'elsewhere', 'one of another pharmacy is found there');
is(found($names, 'Another', odscode => $item->{ods_code}), 'of another patient theirs', 'and not at the first');
remove($names, 'own');
is(found($names, 'A supplier', %by_patient), 'an issue', 'the first of all is removed: the rest of its application is found');
is(found($names, 'Another', %by_patient), 'elsewhere theirs', 'and the other\'s');
is(found($names, 'Another', nhsnumber => $other), 'of another patient', 'and that of the other patient');
remove($names, 'theirs');
is(found($names, 'Another', %by_patient), 'elsewhere', 'the same again');
is(found($names, 'Another', nhsnumber => $other, odscode => $item->{ods_code}), 'of another patient', 'and again');

# ---------- What it answers ----------

my $answer = $gateway->request('GET', "/checkprescriptionstatusupdates?nhsnumber=$item->{nhs_number}", { Authorization => "Bearer $key{'A supplier'}" });
is($answer->{json}{items}[0]{RepeatNo}, 2, 'an issue number comes back as RepeatNo');
$answer = $gateway->request('GET', '/checkprescriptionstatusupdates?odscode=ELSEWHERE', { Authorization => "Bearer $key{Another}" });
ok(!exists $answer->{json}{items}[0]{RepeatNo}, 'and without one there is none');

# ---------- More than a page ----------

$item = item();
$names = post($item, map { [ sprintf('%02d', $_), 'A supplier', business_status => 'With Pharmacy' ] } 1 .. 33);
remove($names, $_) for '01', '17', '33';
my $left = join ' ', map { sprintf '%02d', $_ } grep { $_ !~ /\A(?:1|17|33)\z/ } 1 .. 33;
is(found($names, 'A supplier', %$_), $left, 'by pages too') for { nhsnumber => $item->{nhs_number} }, { odscode => $item->{ods_code} };

is($gateway->stop, 0, 'the gateway ends well');
done_testing();
