# docs/openapi.yaml is whole, and describes the route table: no more and no less.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Description;
use Test::More;

my $document = description();
my @routes = routes();

# ---------- Routes ----------

cmp_ok(scalar @routes, '>=', 6, 'the route table is read');
is_deeply([ map { my $path = $_; map { uc "$_ $path" } sort grep { $_ !~ /^(?:parameters|x-.*)$/ } keys %{ $document->{paths}{$path} } } sort keys %{ $document->{paths} } ],
	[ map { uc "$_->{method} $_->{path}" } sort { $a->{path} cmp $b->{path} || $a->{method} cmp $b->{method} } @routes ], 'the paths of the document are those of the table');

# The names of an operation's parameters of a kind, in lower case.
sub parameters
{
	my ($operation, $in) = @_;
	return map { lc $_->{name} } grep { $_->{in} eq $in } map { resolved($document, $_) } @{ $operation->{parameters} // [] };
}

sub required_parameters
{
	my ($operation) = @_;
	return map { $_->{name} } grep { $_->{required} } map { resolved($document, $_) } @{ $operation->{parameters} // [] };
}

for my $route (@routes)
{
	my $what = "$route->{method} $route->{path}";
	my $operation = operation($document, $route->{method}, $route->{path}) or next;
	is_deeply($operation->{security} // $document->{security}, [ defined $route->{scope} ? map { { $_ => [ $route->{scope} ] } } 'apiKey', $route->{takes_api_key} ? 'apiKeyHeader' : () : () ],
		"$what: the scope");
	my %described = map { $_ => 1 } parameters($operation, 'header');
	is_deeply([ grep { !$described{$_} } @{ $route->{headers} }, 'x-request-id', 'x-correlation-id' ], [], "$what: the headers that it reads");
	is_deeply([ sort(parameters($operation, 'query')) ], [ sort @{ $route->{query} } ], "$what: query parameters");
	my %types = (NONE => [], JSON => [ 'application/fhir+json', 'application/json' ], FORM => ['application/x-www-form-urlencoded']);
	is(!!$operation->{requestBody}, $route->{body} ne 'NONE', "$what: a body");
	is_deeply([ required_parameters($operation) ], [ $route->{body} eq 'JSON' ? 'X-Request-ID' : () ], "$what: what is required");
	is_deeply([ sort keys %{ $operation->{requestBody}{content} } ], $types{ $route->{body} }, "$what: the content types");
	my @always = (200, 400, 405, 408, 413, 500, defined $route->{scope} ? (401, 403, 429) : (), $route->{path} ne '/_ping' ? (503, 504) : (),
		$route->{body} eq 'JSON' ? (201, 409, 415, 422) : $route->{body} eq 'FORM' ? (401, 415) : ());
	is_deeply([ grep { !$operation->{responses}{$_} } @always ], [], "$what: the statuses that such a route can have");
}

# ---------- The document itself ----------

like($document->{openapi}, qr/^3\.1\.\d+$/, 'it is OpenAPI 3.1');
my ($version) = slurp_file('extension/rxtrack.control') =~ /^default_version = '(.*)'$/m;
is($document->{info}{version}, $version, 'it is of this version');

# Every hash of the document, with the way to it.
sub walk
{
	my ($node, $way, $visit) = @_;
	$visit->($node, $way) if ref $node eq 'HASH';
	my @keys = ref $node eq 'HASH' ? sort keys %$node : ref $node eq 'ARRAY' ? 0 .. $#$node : ();
	walk(ref $node eq 'HASH' ? $node->{$_} : $node->[$_], "$way/$_", $visit) for @keys;
	return;
}

my (%used, @lost, @undescribed);
walk($document, '#', sub {
	my ($node, $way) = @_;
	my $reference = $node->{'$ref'};
	if (defined $reference && !ref $reference)
	{
		$used{$reference} = 1;
		push @lost, "$way: $reference" unless eval { resolved($document, $node); 1 };
	}
	push @undescribed, $way if $way =~ m{/responses/\w+$} && !defined $reference && !length($node->{description} // '');
});
is_deeply(\@lost, [], 'no reference leads nowhere');
is_deeply(\@undescribed, [], 'every response is described');
is_deeply([ grep { !$used{$_} } map { my $kind = $_; map { "#/components/$kind/$_" } sort keys %{ $document->{components}{$kind} } } grep { $_ ne 'securitySchemes' } sort keys %{ $document->{components} } ],
	[], 'no component is left over');
my %id;
$id{ $_->{operationId} // '' }++ for map { values %$_ } values %{ $document->{paths} };
is_deeply([ grep { $id{$_} > 1 || $_ eq '' } keys %id ], [], 'operations have ids of their own');

# Every response says what every answer has.
my @silent;
for my $route (@routes)
{
	my $operation = operation($document, $route->{method}, $route->{path}) or next;
	for my $status (sort keys %{ $operation->{responses} })
	{
		my $response = resolved($document, $operation->{responses}{$status});
		my $special = { 401 => 'WWW-Authenticate', 405 => 'Allow', 429 => 'Retry-After', 503 => 'Retry-After' }->{$status};
		push @silent, "$route->{path} $status $_" for grep { !$response->{headers}{$_} } 'Cache-Control', 'X-Request-ID', 'X-Correlation-ID', $special // ();
		push @silent, "$route->{path} $status: no content" unless %{ $response->{content} // {} };
	}
}
is_deeply(\@silent, [], 'every response has its headers and its content');

done_testing();
