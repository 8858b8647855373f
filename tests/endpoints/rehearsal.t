# Rehearsed answers: what is hard to provoke, on demand, in a sandbox and nowhere else.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use Test::More;
use Time::HiRes qw(time);

my $node = node();
my $key = add_application($node, 'A supplier');
my %rehearsed = (429 => 'throttled', 500 => 'exception', 503 => 'transient', 504 => 'timeout');
my %id = map { $_ => random_prescription_id() } keys %rehearsed;

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

sub stored
{
	my ($prescription) = @_;
	return sql("SELECT count(*) FROM rxtrack.status_update WHERE prescription_id = '$prescription'");
}

# ---------- Off, unless switched on ----------

sql("INSERT INTO rxtrack.rehearsal VALUES ('$id{500}', 500, 1), ('$id{429}', 429, 2), ('$id{503}', 503, NULL), ('$id{504}', 504, 1)");
my $gateway = gateway($node);
is_response($gateway->post(bundle(task(prescription_id => $id{$_})), key => $key), 201, [201], "off as shipped: no $_") for sort keys %id;
is(sql('SELECT sum(remaining) FROM rxtrack.rehearsal'), 4, 'and no rehearsal is used up');

# The gateway's role, with the library loaded and before.
my $load = "SELECT count(*) FROM rxtrack_http.submit('updates:write', '{}', '{}', '{}', '{}')";
for my $way ('SET rxtrack.sandbox = on', "SELECT set_config('rxtrack.sandbox', 'on', false)", 'ALTER ROLE rxtrack_test_gateway SET rxtrack.sandbox = on',
	'ALTER DATABASE rxtrack SET rxtrack.sandbox = on', "UPDATE rxtrack.rehearsal SET remaining = 1")
{
	my ($code, undef, $error) = $node->psql('rxtrack', "$load; $way", connstr => $node->connstr('rxtrack') . ' user=rxtrack_test_gateway');
	isnt($code, 0, "the gateway's role cannot: $way");
	like($error, qr/permission denied|must be owner/, 'for want of a right');
}
my (undef, $after) = $node->psql('rxtrack', "SET rxtrack.sandbox = on; $load; SHOW rxtrack.sandbox", connstr => $node->connstr('rxtrack') . ' user=rxtrack_test_gateway');
is($after, "0\noff", 'set before the library is there, it is off when that comes');
$gateway->stop;

$gateway = gateway($node, env => { PGOPTIONS => '-c rxtrack.sandbox=on' }, wait => 'listening');
my $answer = $gateway->post(bundle(task(prescription_id => $id{500})), key => $key);
isnt($answer->{status}, 500, 'nor can it at its connection');
$gateway->stop;
is(sql('SELECT remaining FROM rxtrack.rehearsal WHERE answer = 500'), 1, 'no rehearsal is used up by that');

# ---------- On ----------

sql('ALTER DATABASE rxtrack SET rxtrack.sandbox = on');
$gateway = gateway($node);
my $bundle = bundle(task(prescription_id => $id{500}));
my $before = stored($id{500});
my %same = (key => $key, request_id => uuid());
is_one_fault($gateway->post($bundle, %same), 500, 'exception', '500 once');
is(stored($id{500}), $before, 'with nothing stored');
is_response($gateway->post($bundle, %same), 201, [201], 'and 201 on the retry');
is(stored($id{500}), $before + 1, 'which is stored');
is_response($gateway->post($bundle, %same), 201, [201], 'and a retry of that is one');
for (1 .. 2)
{
	$answer = $gateway->post(bundle(task(prescription_id => lc $id{429})), key => $key);
	is_one_fault($answer, 429, 'throttled', '429 as often as said');
	like($answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After');
}
is_response($gateway->post(bundle(task(prescription_id => $id{429})), key => $key), 201, [201], 'then 201');
for (1 .. 5)
{
	$answer = $gateway->post(bundle(task(prescription_id => $id{503})), key => $key);
	is_one_fault($answer, 503, 'transient', '503 without end');
	like($answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After');
}
my $began = time;
is_one_fault($gateway->post(bundle(task(prescription_id => $id{504})), key => $key), 504, 'timeout', 'a 504');
cmp_ok(time - $began, '<', 60, 'in bounded time');
is_response($gateway->post(bundle(task(prescription_id => $id{504})), key => $key), 201, [201], 'then 201');

# Others are not touched by it, and the rest of the checks goes on.
is_response($gateway->post(bundle(task()), key => $key), 201, [201], 'other prescriptions are as ever');
my $mixed = bundle(task(), task(prescription_id => $id{503}));
is_one_fault($gateway->post($mixed, key => $key), 503, 'transient', 'a bundle with one of them is answered as a whole');
is(stored($mixed->{entry}[0]{resource}{basedOn}[0]{identifier}{value}), 0, 'and none of it is stored');
is_response($gateway->post(bundle(task(prescription_id => $id{503}, nhs_number => '9449304131')), key => $key), 400, [400], 'what is faulty is a 400 before all');
is_outcome($gateway->post(bundle(task(prescription_id => $id{503}))), 401, 'processing', 'who is unknown is not let rehearse');
is_one_fault($gateway->post({ MessageType => 'PrescriptionStatusChanged', messageDate => '2026-03-02 11:36:47', prescriptionUUID => $id{503}, oDSCode => 'FHA82',
	deliveryType => 'Not known', nHSCHI => random_nhs_number(), items => [ { itemID => uuid(), status => 'Pending' } ] }, key => $key, path => '/format-1'),
	503, 'transient', 'Format 1 rehearses too');
is($gateway->request('GET', '/checkprescriptionstatusupdates?prescriptionid=' . $id{503} =~ s/\+/%2B/r, { Authorization => "Bearer $key" })->{status}, 200, 'reading does not');

# Requests that come together get what they would have got one after the other.
sub together
{
	my (@bundles) = @_;
	my $bodies = join ', ', map { my $json = to_json($_); "convert_to('$json', 'UTF8')" } @bundles;
	my $count = @bundles;
	return sql("SELECT string_agg(status::text, ' ' ORDER BY n) FROM rxtrack_http.submit('updates:write',
		array_fill(sha256('$key'), '{$count}'), (SELECT array_agg(gen_random_uuid()::text) FROM generate_series(1, $count)),
		array_fill(NULL::text, '{$count}'), ARRAY[$bodies]) WITH ORDINALITY AS a (status, application, headers, body, n)");
}
my ($twice, $always) = (random_prescription_id(), random_prescription_id());
sql("INSERT INTO rxtrack.rehearsal VALUES ('$twice', 500, 2), ('$always', 503, NULL)");
is(together(map { bundle(task(prescription_id => $_)) } ($always) x 3), '503 503 503', 'without end: for all of a batch');
is(together(map { bundle(task(prescription_id => $_)) } ($twice) x 3), '500 500 201', 'as often as said, of a batch too');
sql("UPDATE rxtrack.rehearsal SET remaining = 3 WHERE prescription_id = '$twice'");
is(together(bundle(task(prescription_id => $always), task(prescription_id => $twice)), bundle(task(prescription_id => $twice))), '503 500',
	'a bundle with two of them gets the answer of the first');
is(sql("SELECT remaining FROM rxtrack.rehearsal WHERE prescription_id = '$twice'"), 2, 'and the other is not used up by it');
sql('DELETE FROM rxtrack.rehearsal');
is_response($gateway->post(bundle(task(prescription_id => $id{503})), key => $key), 201, [201], 'when its row is gone it is over, at once');
$gateway->stop;

sql('ALTER DATABASE rxtrack RESET rxtrack.sandbox');
sql("INSERT INTO rxtrack.rehearsal VALUES ('$id{500}', 500, NULL)");
$gateway = gateway($node);
is_response($gateway->post(bundle(task(prescription_id => $id{500})), key => $key), 201, [201], 'and off again it is off');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
