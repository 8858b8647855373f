# docs/supplier.md says what is so: its tables, its diagram and its examples are held against the service.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Description;
use RxTrack::Samples;
use Test::More;

my $page = slurp_file('docs/supplier.md');
my $node = node();
my $gateway = gateway($node);
my $key = add_application($node, 'A reader of this page');

# The rows of the table whose head begins so, each a list of its cells.
sub table
{
	my (@head) = @_;
	my $start = '| ' . join(' | ', @head);
	my ($rows) = $page =~ /^\Q$start\E.*\n\|[-| ]+\|\n((?:\|.*\n)+)/m or return;
	return map { my ($row) = /^\|(.*)\|$/; [ map { s/^\s+|\s+$//gr } split /\|/, $row, -1 ] } split /\n/, $rows;
}

# ---------- The nine statuses ----------

my @statuses = table('business status', 'short here');
my %name = map { $_->[1] => $_->[0] } @statuses;
is_deeply([ map { $_->[0] } @statuses ], [ split /\n/, $node->safe_psql('rxtrack', 'SELECT DISTINCT from_status FROM rxtrack.transition_rule ORDER BY 1') ],
	'the table of statuses has all nine');
my %allowed = ('in-progress' => ['in-progress'], completed => ['completed'], either => [ 'in-progress', 'completed' ]);
for my $row (@statuses)
{
	my ($status, undef, $said) = @$row;
	my @accepted = grep { $gateway->post(bundle(task(business_status => $status, task_status => $_)), key => $key)->{status} == 201 } 'in-progress', 'completed';
	is_deeply(\@accepted, $allowed{$said}, "$status: $said");
}

# ---------- The rules, as a table and as a diagram ----------

my @rules = sort split /\n/, $node->safe_psql('rxtrack', 'SELECT from_status, to_status, kind FROM rxtrack.transition_rule');
my @described;
for my $row (table('from', 'forward', 'correction'))
{
	my ($from, $forward, $correction) = @$row;
	push @described, map({ "$name{$from}|$name{$_}|forward" } split ' ', $forward), map({ "$name{$from}|$name{$_}|correction" } split ' ', $correction);
}
is(scalar @rules, 64, 'there are 64 rules as shipped');
is_deeply([ sort @described ], \@rules, 'and the table has them');

my ($diagram) = $page =~ /^```mermaid\nstateDiagram-v2\n(.*?)^```/ms;
my (%box, %drawn, $inside);
for my $line (split /\n/, $diagram)
{
	$inside = $1 if $line =~ /^\s*state ".*" as (\w+) \{$/;
	$inside = undef if $line =~ /^\s*\}$/;
	next unless $line =~ /^\s*(\w+) --> (\w+)(?: : (correction))?$/;
	my ($from, $to, $kind) = ($1, $2, $3 // 'forward');
	$box{$inside}{$_} = 1 for grep { $inside } $from, $to;
	$drawn{"$from|$to|$kind"} = 1;
}
my %edges;
for my $edge (keys %drawn)
{
	my ($from, $to, $kind) = split /\|/, $edge;
	for my $start ($box{$from} ? sort keys %{ $box{$from} } : $from)
	{
		$edges{"$name{$start}|$name{$_}|$kind"} = 1 for grep { $_ ne $start } $box{$to} ? sort keys %{ $box{$to} } : $to;
	}
}
is_deeply([ sort keys %edges ], \@rules, 'and so does the diagram');

# ---------- Format 1 ----------

my @mapping = table('item status');
cmp_ok(scalar @mapping, '==', 9, 'Format 1 has nine statuses');
my %column = ('In-Store Collection' => 1, 'Not known' => 1, 'Robot Collection' => 2, 'Delivery required' => 2);
for my $delivery (sort keys %column)
{
	my $id = random_prescription_id();
	my %item = map { $_->[0] => uuid() } @mapping;
	my $answer = $gateway->post({ MessageType => 'PrescriptionStatusChanged', messageDate => '2025-03-02 11:36:47', prescriptionUUID => $id, oDSCode => 'Y12345', deliveryType => $delivery,
		nHSCHI => random_nhs_number(), items => [ map { { itemID => $item{$_}, status => $_ } } sort keys %item ] }, key => $key, path => '/format-1');
	my %stored = map { split /=/ } split /\n/, $node->safe_psql('rxtrack', "SELECT line_item_id || '=' || status || '|' || CASE WHEN terminal THEN 'completed' ELSE 'in-progress' END FROM rxtrack.status_history('$id')");
	is_deeply({ map { $_ => $stored{ $item{$_} } } keys %item }, { map { $_->[0] => "$name{ $_->[ $column{$delivery} ] }|$_->[3]" } @mapping }, "$delivery: as the table says");
}

# ---------- Examples ----------

my (@requests, %example);
while ($page =~ /^```json\n(.*?)^```/msg)
{
	push @requests, from_json($1);
}
is(scalar @requests, 3, 'there are three example requests');
for my $request (@requests)
{
	my $path = $request->{MessageType} ? '/format-1' : '/';
	is($gateway->post($request, key => $key, path => $path)->{status}, 201, "one for POST $path is good");
}
is($gateway->stop, 0, 'the gateway ends well');

while ($page =~ m{^```http\nHTTP/1\.1 (\d+) [^\n]*\n((?:[\w-]+: [^\n]*\n)*)\n(.*?)^```}msg)
{
	my ($status, $headers, $body) = ($1, $2, $3);
	push @{ $example{$status} }, { headers => $headers, json => from_json($body) };
}
my %status = map { $_ => 1 } map { keys %{ operation(description(), 'POST', $_)->{responses} } } '/', '/format-1';
is_deeply([ grep { $_ != 200 && !$example{$_} } sort keys %status ], [], 'every status that a POST can have has an example');
is_deeply([ grep { $_ ne 'HTTP' && !$status{$_} && $_ != 404 } map { $_->[0] } table('HTTP', 'issue code') ], [], 'the table of statuses has none that is not described');
is_deeply([ grep { my $wanted = $_; !grep { $_->[0] eq $wanted } table('HTTP', 'issue code') } sort keys %status ], [], 'and all that are');

# What an answer says, apart from ids, times and the fields of a search.
sub issues_of
{
	my ($data) = @_;
	return map { issues_of($_) } @$data if ref $data eq 'ARRAY';
	return unless ref $data eq 'HASH';
	return ((map { issues_of($_) } values %$data), defined $data->{severity} ? "$data->{severity} $data->{code} $data->{diagnostics}" : ());
}

my %real;
for my $sample (samples($node))
{
	$real{"$sample->{answer}{status} $_"} = 1 for issues_of($sample->{answer}{json});
}
my (@unreal, $count);
for my $status (sort keys %example)
{
	for my $issue (map { issues_of($_->{json}) } @{ $example{$status} })
	{
		$count++;
		push @unreal, "$status $issue" unless $real{"$status $issue"};
	}
}
cmp_ok($count, '>', 30, 'the examples say many things');
is(join("\n", @unreal), '', 'and all of them are what the gateway says');

# ---------- In SQL ----------

my ($searches) = $page =~ /^### In SQL\n.*?^```sql\n(.*?)^```/ms;
$node->safe_psql('rxtrack', q{CREATE ROLE a_reader LOGIN; SELECT rxtrack.bind_role('A reader of this page', 'a_reader')});
is($node->psql('rxtrack', $searches, extra_params => [ '-U', 'a_reader' ]), 0, 'the searches in SQL can be made');
like($node->safe_psql('rxtrack', ($searches =~ /^(SELECT .*;)$/mg)[1], extra_params => [ '-U', 'a_reader' ]), qr/^3C5D7E-Y12345-00002P\|/m, 'and find what was stored');

done_testing();
