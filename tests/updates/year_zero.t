# An update may be dated anywhere from the year 0000 to the year 9999, and has that one year wherever it is told.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use Test::More;

my $node = node();
my $gateway = gateway($node);
my $key = add_application($node, 'A supplier', qw(updates:write updates:read events:read));
$node->safe_psql('rxtrack', "SELECT rxtrack.add_subscription('a listener')");

# What a stream tells, from the first event on.
sub streamed
{
	my ($count) = @_;
	my $connection = RxTrack::Connection->new($gateway);
	$connection->send("GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\nLast-Event-ID: 0\r\n\r\n");
	my $text = '';
	my $until = time + 20;
	sysread $connection->socket, $text, 65536, length $text while ($text =~ s/"occurred"/"occurred"/g || 0) < $count && time < $until;
	return grep { $_->{occurred} } map { from_json($_) } $text =~ /^data: (\{.*\})\r?$/mg;
}

my @cases = (
	[ '0000-03-01T00:00:00Z', '0000-03-01T00:00:00', '0001-03-01 00:00:00 BC' ],
	[ '0001-01-01T00:30:00+01:00', '0000-12-31T23:30:00', '0001-12-31 23:30:00 BC' ],
	[ '0001-01-01T00:00:00Z', '0001-01-01T00:00:00', '0001-01-01 00:00:00' ],
	[ '0999-12-31T23:59:59.5Z', '0999-12-31T23:59:59.5', '0999-12-31 23:59:59.5' ]);
my @tasks = map { task(business_status => 'Ready to Collect', last_modified => $_->[0]) } @cases;

for my $n (0 .. $#cases)
{
	my ($posted, $told, $stored) = @{ $cases[$n] };
	my $task = $tasks[$n];
	my $request_id = uuid();
	my $answer = $gateway->post(bundle($task), key => $key, request_id => $request_id);
	is($answer->{status}, 201, "$posted is stored");
	my @warnings = grep { $_->{severity} eq 'warning' } issues($answer);
	like($warnings[0]{diagnostics}, qr/30 days/, 'with a warning that it is old');
	is($gateway->post(bundle($task), key => $key, request_id => $request_id)->{status}, 201, 'and its retry is one');

	my ($id, $item) = ($task->{basedOn}[0]{identifier}{value}, $task->{focus}{identifier}{value});
	my $same = $gateway->request('GET', '/checkprescriptionstatusupdates?prescriptionid=' . $id =~ s/\+/%2B/r, { Authorization => "Bearer $key" });
	like($same->{json}{items}[0]{LastModified}, qr/\A\Q$told\EZ\z/, 'read back by its application');
	for my $column ("SELECT last_modified FROM rxtrack.status_update WHERE prescription_id = '$id'",
		"SELECT since FROM rxtrack.item_status WHERE prescription_id = '$id'", "SELECT since FROM rxtrack.supply_status WHERE prescription_id = '$id'",
		"SELECT last_modified FROM rxtrack.status_history('$id')", "SELECT occurred_at FROM rxtrack.readiness_event WHERE prescription_id = '$id'",
		"SELECT occurred_at FROM rxtrack.fetch_events('a listener') WHERE prescription_id = '$id'")
	{
		is($node->safe_psql('rxtrack', "SELECT replace(t::text, '+00', '') FROM ($column) AS q (t)"), $stored, $column =~ s/ WHERE .*//r);
	}
	is($node->safe_psql('rxtrack', "SELECT rxtrack.status_at('$id', '$item')"), 'Ready to Collect', 'its status is of now');
	is($node->safe_psql('rxtrack', "SELECT rxtrack.status_at('$id', '$item', '$stored+00'::timestamptz)"), 'Ready to Collect', 'and of then');
	is($node->safe_psql('rxtrack', "SELECT rxtrack.status_at('$id', '$item', '$stored+00'::timestamptz - interval '1 second')"), '', 'and not of before');
}

my @events = streamed(scalar @cases);
is(scalar @events, scalar @cases, 'a stream tells of them');
for my $n (0 .. $#events)
{
	my ($case) = grep { $tasks[$_]{basedOn}[0]{identifier}{value} eq $events[$n]{prescription} } 0 .. $#cases;
	is($events[$n]{occurred} =~ s/0*Z\z//r =~ s/\.\z//r, $cases[$case][1], "$cases[$case][0] in the stream");
}

# What Format 1 writes.
my %message = (MessageType => 'PrescriptionStatusChanged', prescriptionUUID => random_prescription_id(), oDSCode => 'FHA82', deliveryType => 'Not known',
	nHSCHI => random_nhs_number(), items => [ { itemID => uuid(), status => 'Pending' } ], messageDate => '0000-02-29');
is($gateway->post(\%message, key => $key, path => '/format-1')->{status}, 201, 'a message of the year 0000, which had a 29th of February');
is($node->safe_psql('rxtrack', "SELECT last_modified FROM rxtrack.status_history('$message{prescriptionUUID}')"), '0001-02-29 00:00:00+00 BC', 'is of that day');

# Beyond them there is nothing.
for my $beyond ('0000-01-01T00:00:00+00:01', '10000-01-01T00:00:00Z', '-0001-12-31T00:00:00Z')
{
	is($gateway->post(bundle(task(last_modified => $beyond)), key => $key)->{status}, 400, "$beyond is a fault");
}

is($gateway->stop, 0, 'the gateway ends well');
done_testing();
