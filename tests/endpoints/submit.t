# Updates go in over HTTP, their status comes out of SQL, and a listener hears of what becomes ready.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use Test::More;

my $node = node();
my $databases = 0;

# What item_status says of all items, a line each.
sub statuses
{
	my ($database) = @_;
	return $node->safe_psql($database, q{SELECT prescription_id, upper(line_item_id::text), nhs_number, ods_code, status, terminal, application
		FROM rxtrack.item_status ORDER BY 1, 2});
}

# A gateway over a database with nothing in it but an application, and its key.
sub fresh
{
	my $database = 'fresh_' . ++$databases;
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE rxtrack");
	my $key = $node->safe_psql($database, "SELECT rxtrack.add_application('A supplier', '{updates:write}')");
	return ($database, $key, gateway($node, database => $node->connstr($database) . ' user=rxtrack_test_gateway'));
}

# ---------- The published examples ----------

my $item_1 = '6989B7BD-8DB6-428C-A593-4022E3044C00';
my $item_2 = 'E3843418-1900-44A1-8F6A-BFF8601893B8';
my %published = (
	'request-collected.json' => [201, [201], "16B2E0-A83008-81C13H|$item_1|9449304130|C9Z1O|Collected|t|A supplier"],
	'request-dispatched.json' => [201, [201], "07A66F-A83008-1EEEA0|$item_1|9449304130|C9Z1O|Dispatched|t|A supplier"],
	# named for what a test environment answers; its task id is no UUID
	'request-duplicate-items.json' => [400, [400], '', 'Task.id entry.fullUrl'],
	'request-erd-dispatched.json' => [201, [201], "07A66F-A83008-1EEEA0|$item_1|9449304130|C9Z1O|Dispatched|t|A supplier"],
	'request-missing-fields.json' => [400, [400], '', 'Task.businessStatus.coding[0].code Task.id Task.owner'],
	'request-multiple-items.json' => [201, [201, 201], "07A66F-A83008-1EEEA0|$item_1|9449304130|C9Z1O|Dispatched|t|A supplier\n"
		. "480720-A83008-57FF06|$item_2|9449304130|C9Z1O|Ready to Collect|f|A supplier"],
	'request-multiple-missing-fields.json' => [400, [400, 400], '', 'Task.businessStatus.coding[0].code Task.id Task.owner', 'Task.owner'],
	'request-no-items.json' => [200, [], ''],
	'request-ready-to-collect.json' => [201, [201], undef],
	'request-ready-to-dispatch-partial.json' => [201, [201], undef],
	'request-ready-to-dispatch.json' => [201, [201], undef]);

SKIP:
{
	my $directory = nhs_example();
	skip 'the published examples are not beside this clone', 1 unless defined $directory;
	my @names = sort map { m{([^/]+)$} } glob "$directory/request-*.json";
	is_deeply(\@names, [ sort keys %published ], 'the published examples are the ones known here');
	for my $name (@names)
	{
		my ($status, $entries, $rows, @faulty) = @{ $published{$name} };
		my ($database, $key, $gateway) = fresh();
		my $answer = $gateway->post(nhs_example($name), key => $key);
		is_response($answer, $status, $entries, "$name: $status");
		is(statuses($database), $rows, "$name: what is stored") if defined $rows;
		is(fields($answer, $_), $faulty[$_], "$name: faults of entry $_") for 0 .. $#faulty;
		my $count = $node->safe_psql($database, 'SELECT count(*) FROM rxtrack.status_update');
		is($count, $status == 201 ? @$entries : 0, "$name: updates stored");
		is($node->safe_psql($database, 'SELECT issue_number FROM rxtrack.status_update'), 2, "$name: its repeat number") if $name =~ /erd/;
		$gateway->stop;
	}
}

# ---------- Our own examples, one after the other ----------

my ($database, $key, $gateway) = fresh();
for my $expected (['with-pharmacy', 201, 201], ['ready-to-collect', 201, 201], ['collected', 201, 201], ['dispatched-repeat', 201, 201],
	['two-items', 201, 201, 201], ['empty', 200], ['with-pharmacy', 409, 409])
{
	my ($name, $status, @entries) = @$expected;
	is_response($gateway->post(example("$name.json"), key => $key), $status, \@entries, "docs/examples/$name.json: $status");
}
my $faulty = $gateway->post(example('faulty.json'), key => $key);
is($faulty->{status}, 400, 'docs/examples/faulty.json: 400');
isnt(fields($faulty, 1), '', 'its second entry is said to be faulty');
is($node->safe_psql($database, 'SELECT count(*) FROM rxtrack.item_status'), 4, 'what the examples say has become the status of four items');

# ---------- Answers, entry by entry ----------

my @tasks = map { task(ods_code => 'FA565') } 1 .. 2;
my $stored = $gateway->post(bundle(@tasks), key => $key);
is_response($stored, 201, [ 201, 201 ], 'two entries are stored');
for my $n (0, 1)
{
	my $entry = $stored->{json}{entry}[$n];
	is($entry->{fullUrl}, "urn:uuid:$tasks[$n]{id}", "entry $n: fullUrl");
	is($entry->{response}{location}, "Task/$tasks[$n]{id}", "entry $n: location");
}
my $conflict = $gateway->post(bundle($tasks[0], my $other = task()), key => $key);
is_response($conflict, 409, [ 409, 200 ], 'a stored task is a conflict, and its companion is not stored');
is($conflict->{json}{entry}[0]{response}{location}, "Task/$tasks[0]{id}", 'the conflict says where the task is');
is_deeply((issues($conflict))[0]{details}{coding}, [ { system => 'https://fhir.nhs.uk/CodeSystem/http-error-codes', code => 'REC_CONFLICT' } ],
	'and says REC_CONFLICT');
is_response($gateway->post(bundle($other), key => $key), 201, [201], 'nothing of the refused bundle was stored');

my $twice = task();
my $bad = bundle(task(), task(nhs_number => '9449304131'), $twice, $twice);
$bad->{entry}[1]{resource}{status} = 'completed';
my $answer = $gateway->post($bad, key => $key);
is_response($answer, 400, [ 200, 400, 200, 400 ], 'faulty entries are told from valid ones');
is(fields($answer, 1), 'Task.for.identifier.value Task.status', 'every fault is named');
is(fields($answer, 3), 'Task.id', 'a repeated task id is a fault of the second');
like((issues($answer, 1))[0]{expression}[0], qr/^Bundle\.entry\[1\]\.resource\./, 'with a FHIRPath');
unlike($answer->{content}, qr/9449304131/, 'the value is not repeated');
is_one_fault($gateway->post('{"resourceType":"Bundle"', key => $key), 400, 'value', 'no JSON');
is_one_fault($gateway->post('{"resourceType":"Task"}', key => $key), 400, 'value', 'no Bundle');
my %item = (prescription_id => $tasks[0]{basedOn}[0]{identifier}{value}, line_item_id => $tasks[0]{focus}{identifier}{value});
is_response($gateway->post(bundle(task(%item, business_status => 'Collected')), key => $key), 201, [201], 'a transition that they allow');
$answer = $gateway->post(bundle(task(%item, business_status => 'Not Dispensed')), key => $key);
is_response($answer, 422, [422], 'a transition that the rules refuse');
like((issues($answer))[0]{diagnostics}, qr/Collected.*Not Dispensed/, 'both statuses are named');

# ---------- Ids and kinds of content ----------

for my $type ('application/fhir+json', 'application/json', 'application/fhir+json; charset=utf-8; fhirVersion=4.0', 'APPLICATION/JSON ;x=y')
{
	is_response($gateway->post(bundle(task()), key => $key, headers => { 'Content-Type' => $type }), 201, [201], "Content-Type $type");
}
my $correlation = uuid();
my $request_id = uc uuid();
$answer = $gateway->post(bundle(task()), key => $key, request_id => $request_id, headers => { 'X-Correlation-ID' => $correlation });
is("$answer->{headers}{'x-request-id'} $answer->{headers}{'x-correlation-id'}", "$request_id $correlation", 'the ids are mirrored as they came');
for my $path ('/_ping', '/nowhere')
{
	$answer = $gateway->request('GET', $path, { 'X-Request-ID' => 'anything', 'X-Correlation-ID' => 'goes' });
	is("$answer->{headers}{'x-request-id'} $answer->{headers}{'x-correlation-id'}", 'anything goes', "also by $path");
}
$answer = $gateway->post(bundle(task()), key => $key);
ok(!exists $answer->{headers}{'x-correlation-id'}, 'an id that was not sent is not made up');

# ---------- Readiness, and retries ----------

my $other_key = $node->safe_psql($database, "SELECT rxtrack.add_application('Another', '{updates:write}')");
my $listener = $node->background_psql($database);
$listener->query_safe('LISTEN rxtrack_ready; LISTEN rxtrack_ready_c9z1o; LISTEN rxtrack_ready_fa565');
my $ready = bundle(task(business_status => 'Ready to Collect', ods_code => ' c9z1o '));
my %same = (key => $key, request_id => uuid());
is_response($gateway->post($ready, %same), 201, [201], 'an item becomes ready');
my $event = $node->safe_psql($database, "SELECT max(release_number) FROM rxtrack.readiness_event WHERE ods_code = 'C9Z1O'");
my $heard = $listener->query_safe('SELECT 1');
is_deeply({ $heard =~ /notification "(\w+)" with payload "([^"]*)"/g }, { rxtrack_ready => $event, rxtrack_ready_c9z1o => $event },
	'both channels get the event\'s id and nothing else');
is_response($gateway->post($ready, %same), 201, [201], 'a retry gets the same 201');
is_response($gateway->post($ready, %same, key => $other_key), 409, [409], 'the same request of another application is a conflict');
is_response($gateway->post($ready, key => $key), 409, [409], 'and so is another request id');
$ready->{entry}[0]{resource}{lastModified} = '2024-02-29T12:00:00Z';
is_response($gateway->post($ready, %same), 409, [409], 'and other content');
is($listener->query_safe('SELECT 1'), '1', 'a retry notifies nobody');
is($node->safe_psql($database, "SELECT count(*) FROM rxtrack.readiness_event WHERE ods_code = 'C9Z1O'"), 1, 'and there is one event');
is($node->safe_psql($database, "SELECT count(*) FROM rxtrack.status_update WHERE ods_code = 'C9Z1O'"), 1, 'of one update');
$listener->quit;
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
