package RxTrack::Samples;

=head1 NAME

RxTrack::Samples - an answer of every kind that the gateway gives

=head1 SYNOPSIS

    use RxTrack;
    use RxTrack::Samples;

    for my $sample (samples(node()))
    {
        # { name => 'a stored task', method => 'POST', path => '/', answer => { status => 409, headers => {...}, json => {...} } }
    }

=head2 samples($node)

Puts questions to gateways over the C<rxtrack> database of this node, of its own making, and returns the answers. It
changes settings of the database and leaves it with an application or two: a server for nothing else.

=cut

use strict;
use warnings;

use Exporter 'import';
use POSIX ();
use RxTrack;
use RxTrack::Connection;
use RxTrack::Token;

our @EXPORT = qw(samples);

my @samples;

sub keep
{
	my ($name, $method, $path, $answer) = @_;
	push @samples, { name => $name, method => $method, path => $path =~ s/\?.*//sr, answer => $answer // die "$name: no answer" };
	return $answer;
}

sub samples
{
	my ($node) = @_;
	@samples = ();
	my $gateway = gateway($node);
	my %key = (good => add_application($node, 'A supplier'), writer => add_application($node, 'A writer', 'updates:write'),
		reader => add_application($node, 'A reader', 'updates:read'));
	bundles($gateway, %key);
	messages($gateway, %key);
	searches($gateway, %key);
	others($gateway, %key);
	refused_by_the_gateway($gateway, %key);
	tokens($node, $gateway);
	too_often($node, $gateway);
	$gateway->stop;
	under_other_settings($node, $key{good});
	in_trouble($node, $key{good});
	return @samples;
}

# An asker for one path: POSTs what it is given and keeps the answer under a name.
sub poster
{
	my ($gateway, $path, $key) = @_;
	return sub {
		my ($name, $body, %option) = @_;
		return keep($name, 'POST', $path, $gateway->post($body, key => $key, path => $path, %option));
	};
}

sub bundles
{
	my ($gateway, %key) = @_;
	my $post = poster($gateway, '/', $key{good});
	my $request_id = uuid();
	my @task = map { task() } 1 .. 3;
	my %item = (prescription_id => $task[0]{basedOn}[0]{identifier}{value}, line_item_id => $task[0]{focus}{identifier}{value});
	$post->('two tasks', bundle(@task[ 0, 1 ]), request_id => $request_id);
	$post->('the same again', bundle(@task[ 0, 1 ]), request_id => $request_id);
	$post->('no entries', { resourceType => 'Bundle', type => 'transaction', entry => [] });
	$post->('a head that is too large', bundle($task[0]), headers => { 'X-Large' => 'x' x 16_500 });
	$post->('a stored task and a new one', bundle(@task[ 0, 2 ]));
	my $faulty = bundle($task[2], task(nhs_number => '9990000000', last_modified => 'today', business_status => 'Collected', task_status => 'in-progress'), task());
	delete $faulty->{entry}[1]{resource}{owner};
	delete $faulty->{entry}[2]{fullUrl};
	$post->('a valid entry and two with several faults', $faulty);
	$post->('no object for an entry', { resourceType => 'Bundle', type => 'transaction', entry => [1] });
	$post->('no Bundle', { resourceType => 'Bundel', type => 'batch', entry => {} });
	$post->('no JSON', '{"resourceType":');
	$post->('no request id', bundle($task[2]), request_id => undef);
	$post->('5,001 entries', { resourceType => 'Bundle', type => 'transaction', entry => [ (1) x 5001 ] });
	$post->('a last step', bundle(task(%item, business_status => 'Collected')));
	$post->('a step that the rules refuse', bundle($task[2], task(%item, business_status => 'Not Dispensed')));
	$post->('a post-dated update', bundle(task(set_at => $task[0]{lastModified}, issue_number => 2)));
	$post->('an update that is late and old, of another patient', bundle(task(%item, nhs_number => random_nhs_number(), last_modified => '2025-01-01T00:00:00Z')));
	$post->('an update that is ahead', bundle(task(last_modified => moment_ahead(3600))));
	my @many = map { task(%item, ods_code => 'FX123') } 1 .. 1001;
	$post->('many updates of one item', bundle(@many[ 0 .. 599 ]));
	$post->('and one more than there may be', bundle(@many[ 600 .. 1000 ]));
	return;
}

sub moment_ahead
{
	my ($seconds) = @_;
	return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime time + $seconds);
}

sub messages
{
	my ($gateway, %key) = @_;
	my $post = poster($gateway, '/format-1', $key{good});
	my %message = (MessageType => 'PrescriptionStatusChanged', messageDate => '2025-03-02 11:36:47', prescriptionUUID => random_prescription_id(), oDSCode => 'Y12345',
		deliveryType => 'Not known', nHSCHI => random_nhs_number(), repeatNo => 3, items => [ map { { itemID => uuid(), status => $_ } } 'Pending', 'ReadyForCollection' ]);
	my $expired = { itemID => uuid(), status => 'DispensingComplete', completedStatus => 'Expired' };
	my $request_id = uuid();
	$post->('a Format 1 message', \%message, request_id => $request_id);
	$post->('the same message again', \%message, request_id => $request_id);
	$post->('the same message as another request', \%message);
	$post->('a Format 1 message with faulty items', { %message, items => [ @{ $message{items} }, { itemID => 'x', status => 'Lost' } ] });
	$post->('a Format 1 message with faults of all kinds', { %message, deliveryType => 'Drone', nHSCHI => undef,
		items => [ { %{ $message{items}[0] }, status => 'Lost' }, { %{ $message{items}[1] }, itemID => '7' } ] });
	$post->('an empty object', {});
	$post->('a Format 1 message of another type', { %message, MessageType => 'PatientMatched' });
	$post->('a Format 1 message whose items are skipped', { %message, items => [$expired] });
	$post->('a Format 1 message that the rules refuse', { %message, messageDate => '2025-03-03 09:00:00', items => [ { %{ $message{items}[1] }, status => 'PartOwed' } ] });
	$post->('5,001 items', { %message, items => [ (1) x 5001 ] });
	return;
}

sub searches
{
	my ($gateway, %key) = @_;
	my $path = '/checkprescriptionstatusupdates';
	my $get = sub {
		my ($name, $query, $key, %header) = @_;
		$header{Authorization} = "Bearer $key" if defined $key;
		return keep($name, 'GET', $path, $gateway->request('GET', "$path?$query", \%header));
	};
	my $id = random_prescription_id();
	my @task = map { task(prescription_id => $id) } 1 .. 16;
	$gateway->post(bundle(@task), key => $key{good});
	$id =~ s/\+/%2B/; # which is a blank in a query
	my $page = $get->('a page of updates', "prescriptionid=$id", $key{good});
	$get->('the next page', "prescriptionid=$id", $key{good}, map { ("ExclusiveStartKey-$_" => $page->{headers}{ lc "LastEvaluatedKey-$_" }) } 'PrescriptionID', 'TaskID');
	$get->('no updates', 'odscode=NOBODY', $key{good});
	$get->('a search with faults', 'nhsnumber=1&odscode=-', $key{good}, 'ExclusiveStartKey-TaskID' => 'x');
	$get->('a search by an unknown argument', 'nhsnumber=9449304130&ods=A1', $key{good});
	$get->('a search without a key', "prescriptionid=$id");
	$get->('a search with an unknown key', "prescriptionid=$id", 'unknown');
	$get->('a search without the scope', "prescriptionid=$id", $key{writer});
	return;
}

sub others
{
	my ($gateway, %key) = @_;
	keep($_, 'GET', $_, $gateway->request('GET', $_, { 'X-Request-ID' => uuid(), 'X-Correlation-ID' => uuid() })) for '/metadata', '/_status', '/_ping';
	return;
}

sub refused_by_the_gateway
{
	my ($gateway, %key) = @_;
	for my $path ('/', '/format-1')
	{
		my $post = poster($gateway, $path, $key{good});
		$post->("$path without a key", '{}', key => undef);
		$post->("$path with an unknown key", '{}', key => 'unknown');
		$post->("$path without the scope", '{}', key => $key{reader});
		$post->("$path with XML", '<x/>', headers => { 'Content-Type' => 'application/fhir+xml' });
		$post->("$path with too long a body", ' ' x (1024 * 1024 + 1));
		my $connection = RxTrack::Connection->new($gateway);
		$connection->send("POST $path HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 0\r\n\r\n");
		keep("$path with two Hosts", 'POST', $path, $connection->answer);
	}
	keep('an unknown path', 'GET', '/nowhere', $gateway->request('GET', '/nowhere'));
	keep('another method', 'GET', '/', $gateway->request('GET', '/'));
	return;
}

# Access tokens, and what is no way to get one.
sub tokens
{
	my ($node, $gateway) = @_;
	my $url = 'https://tracking.example/oauth2/token';
	$node->safe_psql('rxtrack', "SELECT rxtrack.check_transition(NULL, 'Collected'); ALTER DATABASE rxtrack SET rxtrack.token_url = '$url'");
	add_application($node, 'A signer');
	my $key = make_key('EC', 'P-256');
	my $client = $node->safe_psql('rxtrack', "SELECT rxtrack.add_public_key('A signer', 'k', '$key->{public}')");
	my $fresh = gateway($node); # whose sessions know the URL
	my $form = token_form(sign($key, 'ES256', { kid => 'k' }, claims($client, $url)));
	keep($_->[0], 'POST', '/oauth2/token', $fresh->post($_->[1], path => '/oauth2/token', request_id => undef,
			headers => { 'Content-Type' => $_->[2] // 'application/x-www-form-urlencoded' }))
	  for [ 'an access token', $form ], [ 'the same signed token again', $form ], [ 'no fields', '' ], [ 'another grant type', 'grant_type=password' ],
	  [ 'a token request in JSON', '{}', 'application/json' ], [ 'too long a form', 'x' x (1024 * 1024 + 1) ];
	$fresh->stop;
	return;
}

sub too_often
{
	my ($node, $gateway) = @_;
	my $key = add_application($node, 'A busy one');
	$node->safe_psql('rxtrack', q{SELECT rxtrack.alter_application('A busy one', requests_per_minute => 1)});
	my $post = poster($gateway, '/', $key);
	$post->('a request that is let through', bundle(task())) for 1 .. 2;
	$post->('a request too many', bundle(task()));
	keep('a search too many', 'GET', '/checkprescriptionstatusupdates', $gateway->request('GET', '/checkprescriptionstatusupdates?odscode=A', { Authorization => "Bearer $key" }));
	return;
}

# What the DBA has to switch on: another policy, and a sandbox.
sub under_other_settings
{
	my ($node, $key) = @_;
	my %rehearsed = map { $_ => random_prescription_id() } 429, 500, 503, 504;
	my $values = join ', ', map { "('$rehearsed{$_}', $_)" } sort keys %rehearsed;
	my $load = "SELECT rxtrack.check_transition(NULL, 'Collected')"; # any function: with it the settings are known
	$node->safe_psql('rxtrack', "$load; ALTER DATABASE rxtrack SET rxtrack.transition_policy = warn; ALTER DATABASE rxtrack SET rxtrack.sandbox = on;
		INSERT INTO rxtrack.rehearsal (prescription_id, answer) VALUES $values");
	my $gateway = gateway($node);
	my $post = poster($gateway, '/', $key);
	my $task = task(business_status => 'Collected');
	my %item = (prescription_id => $task->{basedOn}[0]{identifier}{value}, line_item_id => $task->{focus}{identifier}{value});
	$gateway->post(bundle($task), key => $key);
	$post->('a step that is stored with a warning', bundle(task(%item, business_status => 'Not Dispensed')));
	$post->("a rehearsed $_", bundle(task(prescription_id => $rehearsed{$_}))) for sort keys %rehearsed;
	$gateway->stop;
	$node->safe_psql('rxtrack', "$load; ALTER DATABASE rxtrack RESET rxtrack.transition_policy; ALTER DATABASE rxtrack RESET rxtrack.sandbox");
	return;
}

# A fault of ours, a database that is busy too long, a slow client, and a database that is away.
sub in_trouble
{
	my ($node, $key) = @_;
	my $gateway = gateway($node, env => { RXTRACK_REQUEST_TIMEOUT => 1, RXTRACK_CLIENT_TIMEOUT => 1 });
	my $post = poster($gateway, '/', $key);
	$node->safe_psql('rxtrack', 'ALTER TABLE rxtrack_internal.readiness_inbox ADD CONSTRAINT never CHECK (false) NOT VALID');
	$post->('a fault of ours', bundle(task(business_status => 'Ready to Collect')));
	$node->safe_psql('rxtrack', 'ALTER TABLE rxtrack_internal.readiness_inbox DROP CONSTRAINT never');
	my $holder = $node->background_psql('rxtrack');
	$holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE');
	$post->('a database that is too slow', bundle(task()));
	$holder->quit;
	my $slow = RxTrack::Connection->new($gateway);
	$slow->request('POST', '/', { 'Content-Length' => 10, Authorization => "Bearer $key" }, '{');
	keep('a slow client', 'POST', '/', $slow->answer);
	$node->stop('fast');
	my $deadline = time + 20;
	sleep 1 while $gateway->request('GET', '/_status')->{status} == 200 && time < $deadline;
	$post->('a database that is away', bundle(task()));
	keep("$_ of a database that is away", 'GET', $_, $gateway->request('GET', $_)) for '/_status', '/metadata';
	keep('a token request to a database that is away', 'POST', '/oauth2/token', $gateway->post('', path => '/oauth2/token', headers => { 'Content-Type' => 'application/x-www-form-urlencoded' }));
	$node->start;
	$gateway->stop;
	return;
}

1;
