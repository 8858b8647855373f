# What the service says of itself: /metadata, /_ping, /_status.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Description;
use Test::More;

my $node = node(conf => "rxtrack.token_url = 'https://tracking.example/oauth2/token'\n");
my $gateway = gateway($node);
my ($version) = $node->safe_psql('rxtrack', "SELECT extversion FROM pg_extension WHERE extname = 'rxtrack'");

# ---------- GET /metadata ----------

my $answer = $gateway->request('GET', '/metadata');
is("$answer->{status} $answer->{headers}{'content-type'} $answer->{headers}{'cache-control'}", '200 application/fhir+json no-store', '/metadata is open to all');
my $statement = $answer->{json};
is($statement->{resourceType}, 'CapabilityStatement', 'it is a CapabilityStatement');

# What FHIR R4 requires of one, and its codes.
is($statement->{status}, 'active', 'status');
like($statement->{date}, qr/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?$/, 'date');
is($statement->{kind}, 'instance', 'kind');
is($statement->{fhirVersion}, '4.0.1', 'fhirVersion');
is(ref $statement->{format}, 'ARRAY', 'format');
ok(length($statement->{software}{name} // ''), 'cpb-14: software has a name');
is($statement->{software}{version}, $version, 'and the version of the extension');
ok(length($statement->{implementation}{description} // ''), 'cpb-15: an instance is described');
ok(!exists $statement->{implementation}{url} || $statement->{implementation}{url} =~ /^\w+:/, 'and has a URL or none');
is(scalar @{ $statement->{rest} }, 1, 'one RESTful side');
my $rest = $statement->{rest}[0];
is($rest->{mode}, 'server', 'it is the server');
is_deeply([ map { $_->{code} } @{ $rest->{interaction} } ], ['transaction'], 'which takes transactions');

# An element is a string that is not empty, or an object or array that is not.
sub hollow
{
	my ($data, $place) = @_;
	return ref $data eq 'HASH' ? (%$data ? map { hollow($data->{$_}, "$place.$_") } sort keys %$data : $place)
	  : ref $data eq 'ARRAY' ? (@$data ? map { hollow($data->[$_], "$place\[$_\]") } 0 .. $#$data : $place)
	  : defined $data && length $data ? () : $place;
}

is_deeply([ hollow($statement, 'CapabilityStatement') ], [], 'no element is empty');
my @known = qw(resourceType id meta url version name title status experimental date publisher description kind software implementation fhirVersion format
	patchFormat implementationGuide rest text);
my %known = map { $_ => 1 } @known;
is_deeply([ grep { !$known{$_} } keys %$statement ], [], 'no element is one that FHIR does not know');
%known = map { $_ => 1 } qw(mode documentation security resource interaction searchParam operation compartment);
is_deeply([ grep { !$known{$_} } keys %$rest ], [], 'nor in rest');

# What it says is true: it is made from what is there. And all that is there is said, to suppliers.
my @named = $rest->{documentation} =~ /^- (\S+ \S+):/mg;
is_deeply([ sort @named ], [ sort map { "$_->{method} $_->{path}" } grep { $_->{path} ne '/_ping' } routes() ],
	'it documents the routes of the gateway that the database answers');
for my $path (@named)
{
	my ($method, $target) = split ' ', $path;
	unlike($gateway->request($method, $target, { 'X-Request-ID' => uuid() })->{status}, qr/^40[45]$/, "$path is there");
}
unlike($rest->{documentation}, qr/rxtrack\.|for the gateway|parameters|batch|SHA-256/i, 'nothing in it is for those who run the service');
for my $status ('With Pharmacy', 'With Pharmacy - Preparing Remainder', 'Ready to Collect', 'Ready to Collect - Partial', 'Ready to Dispatch',
	'Ready to Dispatch - Partial', 'Collected', 'Dispatched', 'Not Dispensed')
{
	like($rest->{interaction}[0]{documentation}, qr/\b\Q$status\E(?:,|$)/, "it names the business status $status");
}
$node->safe_psql('rxtrack', "COMMENT ON FUNCTION rxtrack_http.submit(text, bytea[], text[], text[], bytea[]) IS 'POST /: told otherwise'");
like($gateway->request('GET', '/metadata')->{json}{rest}[0]{documentation}, qr/^- POST \/: told otherwise$/m, 'a change of what is there is seen at once');
$node->safe_psql('rxtrack', 'DELETE FROM rxtrack.transition_rule; DELETE FROM rxtrack.ready_status');
is_deeply([ hollow($gateway->request('GET', '/metadata')->{json}, 'CapabilityStatement') ], [], 'without any setting it is as whole');
like($gateway->request('GET', '/metadata')->{json}{rest}[0]{interaction}[0]{documentation}, qr/Not Dispensed/, 'and names the statuses as before');
is($gateway->request('GET', '/metadata', { Authorization => 'Bearer nonsense' })->{status}, 200, 'a credential that is none does not matter');

# ---------- GET /_ping, GET /_status ----------

$answer = $gateway->request('GET', '/_ping');
is("$answer->{status} $answer->{headers}{'content-type'} " . to_json($answer->{json}), '200 application/health+json {"status":"pass"}', '/_ping');
$answer = $gateway->request('GET', '/_status');
is("$answer->{status} $answer->{headers}{'content-type'} $answer->{headers}{'cache-control'}", '200 application/health+json no-store', '/_status');
my $health = $answer->{json};
is($health->{status}, 'pass', 'all is well');
is($health->{releaseId}, $version, 'the version of the extension');
my ($gateway_version) = qx($ENV{RXTRACK_GATEWAY} --version) =~ /([\d.]+)/;
is($health->{checks}{gateway}[0]{version}, $gateway_version, 'of the gateway');
is($health->{checks}{database}[0]{version}, $node->safe_psql('rxtrack', 'SHOW server_version'), 'and of the server');
is_deeply([ hollow($health, '_status') ], [], 'nothing in it is empty');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
