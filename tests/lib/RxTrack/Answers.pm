package RxTrack::Answers;

=head1 NAME

RxTrack::Answers - what answers of the gateway are to look like

=head1 FUNCTIONS

=head2 is_outcome($answer, $status, $code, $name)

A test: a bare OperationOutcome of one issue, an error of that code, under that HTTP status.

=head2 is_response($answer, $status, \@entries, $name)

A test: a transaction-response Bundle under that HTTP status, with entries of these statuses: C<201>, C<400> ... in order. A
warning that an update is old is no fault: most dates of the tests are long past.

=head2 is_one_fault($answer, $status, $code, $name)

A test: the same with one entry, for a fault that belongs to no entry sent, of that code.

=head2 fields($answer, $n)

The fields that the issues of the nth entry (0) name, sorted, as one string. A bare OperationOutcome does as well.

=head2 issues($answer, $n)

Those issues.

=head2 is_healthy($gateway, $name)

A test: C</_ping> answers, and C</_status> says that all is well.

=cut

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw(is_outcome is_response is_one_fault fields issues is_healthy);

my %phrase = (200 => 'OK', 201 => 'Created', 202 => 'Accepted', 400 => 'Bad Request', 403 => 'Forbidden', 409 => 'Conflict',
	413 => 'Content Too Large', 422 => 'Unprocessable Content', 429 => 'Too Many Requests', 500 => 'Internal Server Error',
	503 => 'Service Unavailable', 504 => 'Gateway Timeout');
my %issue_code = (200 => 'informational', 201 => 'success', 202 => 'informational', 400 => 'value', 403 => 'forbidden',
	409 => 'duplicate', 413 => 'too-long', 422 => 'business-rule', 429 => 'throttled', 500 => 'exception', 503 => 'transient',
	504 => 'timeout');
my $date_time = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;

# What is wrong with the headers that every answer has, as a list of texts.
sub header_faults
{
	my ($answer, $status) = @_;
	my @fault;
	push @fault, "status $answer->{status} instead of $status" if $answer->{status} ne $status;
	my $type = $answer->{headers}{'content-type'} // 'none';
	push @fault, "Content-Type $type" if $type ne 'application/fhir+json';
	my $caching = $answer->{headers}{'cache-control'} // 'none';
	push @fault, "Cache-Control $caching" if $caching ne 'no-store';
	return @fault;
}

sub says_old
{
	my ($issue) = @_;
	return $issue->{severity} eq 'warning' && ($issue->{diagnostics} // '') =~ /more than 30 days old/;
}

sub outcome_faults
{
	my ($outcome, $severity, $code) = @_;
	return ('no OperationOutcome') unless ref $outcome eq 'HASH' && ($outcome->{resourceType} // '') eq 'OperationOutcome';
	my @fault;
	push @fault, 'no meta.lastUpdated' unless ($outcome->{meta}{lastUpdated} // '') =~ $date_time;
	my @issues = grep { !says_old($_) } @{ $outcome->{issue} // [] };
	push @fault, 'no issue' unless @issues;
	for my $issue (@issues)
	{
		push @fault, "severity $issue->{severity}" if $issue->{severity} ne $severity;
		push @fault, "code $issue->{code} instead of $code" if $issue->{code} ne $code;
		push @fault, 'no diagnostics' unless length($issue->{diagnostics} // '');
	}
	return @fault;
}

sub verdict
{
	my ($name, $answer, @fault) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 2;
	return ok(!@fault, $name) || diag(join("\n", @fault, substr($answer->{content} // '', 0, 2000)));
}

sub is_outcome
{
	my ($answer, $status, $code, $name) = @_;
	return verdict($name, {}, 'no answer') unless $answer;
	my @fault = (header_faults($answer, $status), outcome_faults($answer->{json}, 'error', $code));
	push @fault, 'more than one issue' if @{ $answer->{json}{issue} // [] } > 1;
	return verdict($name, $answer, @fault);
}

sub entry_faults
{
	my ($entry, $status, $code) = @_;
	my $expected = "$status $phrase{$status}";
	my $actual = $entry->{response}{status} // 'none';
	my @fault = $actual eq $expected ? () : ("entry's status $actual instead of $expected");
	return (@fault, outcome_faults($entry->{response}{outcome}, $status < 300 ? 'information' : 'error', $code));
}

sub response_faults
{
	my ($answer, $status, @entries) = @_;
	return ('no answer') unless $answer;
	my @fault = header_faults($answer, $status);
	my $bundle = ref $answer->{json} eq 'HASH' ? $answer->{json} : {};
	return (@fault, 'no Bundle') unless ($bundle->{resourceType} // '') eq 'Bundle';
	push @fault, 'no transaction-response' if ($bundle->{type} // '') ne 'transaction-response';
	push @fault, 'an empty array' if $bundle->{entry} && !@{ $bundle->{entry} };
	my @actual = @{ $bundle->{entry} // [] };
	return (@fault, scalar(@actual) . ' entries') if @actual != @entries;
	return (@fault, map { entry_faults($actual[$_], @{ $entries[$_] }) } 0 .. $#entries);
}

sub is_response
{
	my ($answer, $status, $entries, $name) = @_;
	return verdict($name, $answer, response_faults($answer, $status, map { [ $_, $issue_code{$_} ] } @$entries));
}

sub is_one_fault
{
	my ($answer, $status, $code, $name) = @_;
	my @fault = response_faults($answer, $status, [ $status, $code ]);
	push @fault, 'a fullUrl' if !@fault && exists $answer->{json}{entry}[0]{fullUrl};
	return verdict($name, $answer, @fault);
}

sub issues
{
	my ($answer, $n) = @_;
	my $json = $answer->{json};
	return unless ref $json eq 'HASH';
	return @{ $json->{issue} } if ($json->{resourceType} // '') eq 'OperationOutcome';
	return @{ $json->{entry}[ $n // 0 ]{response}{outcome}{issue} // [] };
}

sub fields
{
	my ($answer, $n) = @_;
	return join ' ', sort map { $_->{diagnostics} =~ /^(\S+)/ } issues($answer, $n);
}

sub is_healthy
{
	my ($gateway, $name) = @_;
	my $ping = $gateway->request('GET', '/_ping');
	my $status = $gateway->request('GET', '/_status');
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is("$ping->{status} $status->{status} " . (ref $status->{json} eq 'HASH' ? $status->{json}{status} : ''), '200 200 pass', $name);
}

1;
