# GET /checkprescriptionstatusupdates: an application's own updates, page by page.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use Test::More;

my $path = '/checkprescriptionstatusupdates';
my $node = node();
my $gateway = gateway($node);
my ($key, $other_key) = map { add_application($node, $_) } 'A supplier', 'Another';
my ($nhs, $ods) = (random_nhs_number(), 'FA565');

sub post
{
	my ($as, @tasks) = @_;
	my $id = uuid();
	my $answer = $gateway->post(bundle(@tasks), key => $as, request_id => $id);
	die "not stored: $answer->{content}" unless $answer->{status} == 201;
	return $id;
}

# One page. The query is a hash of arguments; the start, if any, is a task's prescription and id.
sub page
{
	my ($query, $start, $as) = @_;
	my %header = (Authorization => 'Bearer ' . ($as // $key));
	@header{ 'ExclusiveStartKey-PrescriptionID', 'ExclusiveStartKey-TaskID' } = @$start if $start;
	my $text = join '&', map { "$_=" . $query->{$_} =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger } sort keys %$query;
	return $gateway->request('GET', "$path?$text", \%header);
}

sub next_start
{
	my ($answer) = @_;
	my @start = @{ $answer->{headers} }{qw(lastevaluatedkey-prescriptionid lastevaluatedkey-taskid)};
	return defined $start[0] && defined $start[1] ? \@start : undef;
}

# The task ids of all pages, a list for each; what $between does happens after each page.
sub pages
{
	my ($query, $as, $between) = @_;
	my (@pages, $start);
	for (1 .. 20)
	{
		my $answer = page($query, $start, $as);
		push @pages, [ map { $_->{TaskID} } @{ $answer->{json}{items} } ];
		$start = next_start($answer) or last;
		$between->() if $between;
	}
	return @pages;
}

# ---------- One update ----------

my $prescription = random_prescription_id();
my $task = task(prescription_id => lc $prescription, nhs_number => random_nhs_number(), ods_code => 'c9z1o', business_status => 'ready to collect',
	task_status => 'completed', issue_number => 3, last_modified => '2026-03-01T10:00:00+01:00', set_at => '2026-02-28T23:59:59.5Z');
my $request_id = post($key, $task);
for my $id (undef, 'no UUID', uuid())
{
	my $answer = $gateway->request('GET', "$path?prescriptionid=" . ($prescription =~ s{\+}{%2B}r), { Authorization => "Bearer $key", defined $id ? ('X-Request-ID' => $id) : () });
	is(join(' ', $answer->{status}, $answer->{headers}{'x-request-id'} // ()), join(' ', 200, $id // ()), 'a search needs no request id: ' . ($id // 'none'));
}
my $answer = page({ prescriptionid => lc $prescription });
is($answer->{status}, 200, 'an update is found');
is("$answer->{headers}{'content-type'} $answer->{headers}{'cache-control'}", 'application/json no-store', 'as JSON that no cache keeps');
is_deeply($answer->{json}, { items => [ {
	PrescriptionID => $prescription, TaskID => $task->{id}, LineItemID => uc $task->{focus}{identifier}{value},
	PatientNHSNumber => $task->{for}{identifier}{value}, PharmacyODSCode => 'C9Z1O', Status => 'Ready to Collect', TerminalStatus => 'completed',
	LastModified => '2026-03-01T09:00:00Z', RequestID => $request_id, ApplicationName => 'A supplier', RepeatNo => 3,
	PostDatedLastModifiedSetAt => '2026-02-28T23:59:59.5Z' } ] }, 'with all its fields, as they are shown')
  or diag($answer->{content});
post($key, my $plain = task());
$answer = page({ prescriptionid => $plain->{basedOn}[0]{identifier}{value} });
ok(!exists $answer->{json}{items}[0]{$_}, "without $_ where there is none") for qw(RepeatNo PostDatedLastModifiedSetAt);
is($answer->{json}{items}[0]{TerminalStatus}, 'in-progress', 'and not terminal');

# ---------- Pages ----------

# 40 updates of one patient at one pharmacy, of 8 prescriptions with 5 items each; another application's among them.
my (@mine, @theirs, %prescription_of);
for (1 .. 8)
{
	my $id = random_prescription_id();
	my @tasks = map { task(prescription_id => $id, nhs_number => $nhs, ods_code => $ods) } 1 .. 5;
	$prescription_of{ $_->{id} } = $id for @tasks;
	post($key, @tasks);
	push @mine, map { $_->{id} } @tasks;
	post($other_key, my @others = map { task(prescription_id => $id, nhs_number => $nhs, ods_code => $ods) } 1 .. 3);
	push @theirs, map { $_->{id} } @others;
}
my @in_order = sort { $prescription_of{$a} cmp $prescription_of{$b} || $a cmp $b } @mine;
for my $query ({ nhsnumber => $nhs }, { odscode => $ods }, { odscode => " \L$ods ", nhsnumber => $nhs })
{
	my $what = join ' and ', sort keys %$query;
	my @pages = pages($query);
	is_deeply([ map { scalar @$_ } @pages ], [ 15, 15, 10 ], "by $what: 40 updates in three pages");
	is_deeply([ map { @$_ } @pages ], \@in_order, 'each once, in the order of prescription and task');
	is_deeply([ sort map { @$_ } pages($query, $other_key) ], [ sort @theirs ], 'the other application sees its own');
}
for my $count (14, 15, 16, 30, 31)
{
	my $one = random_prescription_id();
	post($key, map { task(prescription_id => $one) } 1 .. $count);
	my @pages = pages({ prescriptionid => $one });
	is_deeply([ map { scalar @$_ } @pages ], [ (15) x int($count / 15), $count % 15 || () ], "$count updates of one prescription");
}
my $of_one = { prescriptionid => $prescription_of{ $mine[0] } };
is_deeply([ map { @$_ } pages($of_one) ], [ sort @mine[ 0 .. 4 ] ], 'by prescription');
is_deeply([ map { @$_ } pages({ %$of_one, nhsnumber => $nhs, odscode => $ods }) ], [ sort @mine[ 0 .. 4 ] ], 'by all three');
my $first = page({ nhsnumber => $nhs });
is($first->{headers}{'lastevaluatedkey-taskid'}, $in_order[14], 'a page names its last task');
is($first->{headers}{'lastevaluatedkey-prescriptionid'}, $prescription_of{ $in_order[14] }, 'and prescription');
is(next_start(page({ nhsnumber => $nhs }, [ $prescription_of{ $in_order[24] }, $in_order[24] ])), undef, 'the last page does not, even when it is full');
is(page({ nhsnumber => $nhs }, [ lc $prescription_of{ $in_order[14] }, uc $in_order[14] ])->{json}{items}[0]{TaskID}, $in_order[15], 'the key is in any case');
is(page({ nhsnumber => $nhs }, [ $prescription_of{ $in_order[39] }, $in_order[39] ])->{status}, 404, 'after the last one there is nothing: 404');

# Others insert, before and behind, while somebody turns the pages.
my %before = map { $_ => 1 } @mine;
my $inserted = 0;
my @seen = map { @$_ } pages({ nhsnumber => $nhs }, undef, sub { post($key, map { task(nhs_number => $nhs, ods_code => $ods) } 1 .. 4); $inserted += 4 });
cmp_ok($inserted, '>=', 8, 'eight and more are inserted between the pages');
is_deeply([ grep { $before{$_} } @seen ], \@in_order, 'those of before are seen each once and in order');
my %times;
$times{$_}++ for @seen;
is_deeply([ grep { $times{$_} > 1 } keys %times ], [], 'and none is seen twice');

# ---------- Nothing found ----------

for my $case ([ 'an unknown prescription', { prescriptionid => random_prescription_id() } ], [ 'an unknown patient', { nhsnumber => random_nhs_number() } ],
	[ 'an unknown pharmacy', { odscode => 'ZZ9' } ], [ 'a patient of another prescription', { %$of_one, nhsnumber => random_nhs_number() } ],
	[ 'a pharmacy of another prescription', { %$of_one, odscode => 'ZZ9' } ])
{
	$answer = page($case->[1]);
	is("$answer->{status} " . to_json($answer->{json}), '404 {"items":[]}', "$case->[0]: 404 and an empty list");
}
is(page({ prescriptionid => $prescription }, undef, $other_key)->{status}, 404, 'another application\'s update is not there');

# ---------- Faults ----------

my $good = [ random_prescription_id(), uuid() ];
my %fault = (
	'nothing to search by' => [ {}, undef, 'prescriptionid,' ],
	'empty arguments' => [ { prescriptionid => '', nhsnumber => '', odscode => '' }, undef, 'prescriptionid,' ],
	'an unknown argument alone' => [ { nhs => $nhs }, undef, 'nhs' ],
	'a bad prescription id' => [ { prescriptionid => '07A66F-A83008-1EEEA1' }, undef, 'prescriptionid' ],
	'a bad NHS number' => [ { nhsnumber => '9449304131' }, undef, 'nhsnumber' ],
	'an NHS number with spaces' => [ { nhsnumber => '944 930 4130' }, undef, 'nhsnumber' ],
	'a bad ODS code' => [ { odscode => 'A' x 13 }, undef, 'odscode' ],
	'all three bad' => [ { odscode => '*', nhsnumber => 'x', prescriptionid => 'y' }, undef, 'nhsnumber odscode prescriptionid' ],
	'a NUL' => [ { nhsnumber => "9449304130\0" }, undef, 'nhsnumber' ],
	'invalid UTF-8' => [ { odscode => "A\xff" }, undef, 'odscode' ],
	'an attempt at SQL' => [ { odscode => "A' OR '1'='1" }, undef, 'odscode' ],
	'a key with a bad prescription' => [ { odscode => 'A' }, [ 'x', $good->[1] ], 'ExclusiveStartKey-PrescriptionID' ],
	'a key with a bad task' => [ { odscode => 'A' }, [ $good->[0], 'x' ], 'ExclusiveStartKey-TaskID' ],
	'half a key' => [ { odscode => 'A' }, [ $good->[0], '' ], 'ExclusiveStartKey-TaskID' ],
	'the other half' => [ { odscode => 'A' }, [ '', $good->[1] ], 'ExclusiveStartKey-PrescriptionID' ],
	'all of it' => [ { nhsnumber => 'x' }, [ 'y', 'z' ], 'ExclusiveStartKey-PrescriptionID ExclusiveStartKey-TaskID nhsnumber' ]);
for my $what (sort keys %fault)
{
	my ($query, $start, $fields) = @{ $fault{$what} };
	$answer = page($query, $start);
	is("$answer->{status} $answer->{json}{resourceType} " . fields($answer), "400 OperationOutcome $fields", "$what: 400, naming $fields");
	unlike($answer->{content}, qr/9449304131|944 930/, 'and not the value');
}
is_outcome($gateway->request('GET', "$path?odscode=A"), 401, 'processing', 'without a credential: 401');
is_outcome(page({ odscode => 'A' }, undef, 'rxtrack_unknown'), 401, 'processing', 'with an unknown one: 401');
is_outcome(page({ odscode => 'A' }, undef, add_application($node, 'A writer', 'updates:write')), 403, 'forbidden', 'without the scope: 403');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
