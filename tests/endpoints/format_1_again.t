# A message of Format 1 that is there already: 202, under whatever request id, however it is spelled; by another application 409.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use Test::More;

my $node = node();
my $gateway = gateway($node);
my %key = map { $_ => add_application($node, $_) } 'A supplier', 'Another';

sub message
{
	my (%field) = @_;
	return { MessageType => 'PrescriptionStatusChanged', messageDate => '2026-03-02T10:38:00Z', prescriptionUUID => random_prescription_id(), oDSCode => 'FHA82',
		deliveryType => 'Not known', nHSCHI => random_nhs_number(), items => [ { itemID => uuid(), status => 'Pending' } ], %field };
}

sub post
{
	my ($message, $as, %option) = @_;
	return $gateway->post($message, key => $key{ $as // 'A supplier' }, path => '/format-1', %option);
}

# How many updates there are of its prescription, and their one task id.
sub stored
{
	my ($message) = @_;
	return $node->safe_psql('rxtrack', "SELECT count(*), string_agg(DISTINCT task_id::text, ' ') FROM rxtrack.status_history('$message->{prescriptionUUID}')");
}

# ---------- The same content ----------

my $message = message();
my %same = (request_id => uuid());
is_response(post($message, undef, %same), 201, [201], 'a message is stored');
my $stored = stored($message);
for my $again ([ 'under another request id', {} ], [ 'under the same one', {}, %same ],
	(map { [ "dated $_", { messageDate => $_ } ] } '2026-03-02 10:38', '2026-03-02T10:38', '2026-03-02 10:38:00', '2026-03-02T10:38:00.000Z', '2026-03-02T11:38:00+01:00', '2026-03-02 10:38Z'),
	(map { [ 'repeatNo ' . to_json($_), { repeatNo => $_ } ] } 0, undef),
	[ 'lower case', { prescriptionUUID => lc $message->{prescriptionUUID}, oDSCode => ' fha82 ' } ],
	[ 'the item in upper case', { items => [ { itemID => uc $message->{items}[0]{itemID}, status => 'Pending' } ] } ],
	[ 'fields that nobody reads', { version => '2.0', patientID => 'x', items => [ { %{ $message->{items}[0] }, dMDDesc => 'Tablets' } ] } ])
{
	my ($what, $field, %option) = @$again;
	is_response(post({ %$message, %$field }, undef, %option), 202, [202], "again, $what: 202");
}
is(stored($message), $stored, 'it is stored once');
is_response(post($message, 'Another'), 409, [409], 'by another application: 409');
is(stored($message), $stored, 'and nothing is stored');

# A date alone is its midnight.
my $midnight = message(messageDate => '2026-03-02');
is_response(post($midnight), 201, [201], 'a date alone');
is($node->safe_psql('rxtrack', "SELECT last_modified AT TIME ZONE 'UTC' FROM rxtrack.status_history('$midnight->{prescriptionUUID}')"), '2026-03-02 00:00:00', 'is its midnight');
is_response(post({ %$midnight, messageDate => '2026-03-02 00:00' }), 202, [202], 'written out, it is the same');

# ---------- Part of it ----------

my @items = map { { itemID => uuid(), status => 'ReadyForCollection' } } 1 .. 3;
my $part = message(items => [ $items[0] ]);
is_response(post($part), 201, [201], 'one item');
is_response(post({ %$part, items => [ @items[ 0, 1 ] ] }), 201, [ 200, 201 ], 'with another one: that is stored');
is_response(post({ %$part, items => [ reverse @items ] }), 201, [ 201, 200, 200 ], 'and a third, in any order');
is_response(post({ %$part, items => \@items }), 202, [ 202, 202, 202 ], 'all of them again');
is_response(post({ %$part, items => [ $items[1] ] }), 202, [202], 'or one');
is((split /\|/, stored($part))[0], 3, 'three are stored');
is($node->safe_psql('rxtrack', "SELECT count(*) FROM rxtrack.readiness_event WHERE prescription_id = '$part->{prescriptionUUID}'"), 3, 'and ready once each');
is_response(post({ %$part, items => [ @items, { itemID => uuid(), status => 'Pending' } ] }, 'Another'), 409, [ 409, 409, 409, 200 ], 'by another application: nothing of it is stored');
is_response(post({ %$part, items => [ $items[0], { %{ $items[0] }, status => 'Lost' } ] }), 400, [ 200, 400 ], 'a fault of one is a fault of all');

# ---------- The key in a header of its own ----------

my $as_they_do = message();
my %header = (headers => { apikey => $key{'A supplier'} }, key => undef);
is_response($gateway->post($as_they_do, path => '/format-1', %header), 201, [201], 'the credential may come as apikey');
is_response($gateway->post($as_they_do, path => '/format-1', %header), 202, [202], 'and again');
is_response(post($as_they_do), 202, [202], 'and then as Authorization: it is the same application');
is($gateway->post(message(), path => '/format-1', headers => { apikey => 'wrong' })->{status}, 401, 'a wrong one is no credential');
is($gateway->post(message(), path => '/format-1')->{status}, 401, 'nor is none');

is($gateway->stop, 0, 'the gateway ends well');
done_testing();
