package RxTrack::Fuzz::Judge;

# The model's answer and the server's, each brought into a few lines of text, which have to be equal.

use strict;
use warnings;

use Exporter 'import';
use RxTrack::Fuzz::Json qw(decode member is_array is_object is_string);
our @EXPORT_OK = qw(expected answered real_id);

# Which id the service gives to the task of a Format 1 message, by its content (see RxTrack::Fuzz::Format1): always the same
# one, name-based, and no other content's.
my (%id_of, %content_of);

sub real_id
{
	my ($id) = @_;
	return $id =~ /\Aformat-1 / ? $id_of{$id} // $id : $id;
}

sub learn_id
{
	my ($content, $id) = @_;
	return if exists $id_of{$content} || exists $content_of{$id} || $id !~ /\A[0-9a-f]{8}-[0-9a-f]{4}-[35][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z/;
	($id_of{$content}, $content_of{$id}) = ($id, $content);
	return;
}

# ---------- Answers ----------

sub line
{
	my (%entry) = @_;
	return join ' | ', $entry{status} // '-', 'url ' . ($entry{full_url} // '-'), 'at ' . ($entry{location} // '-'),
	  ($entry{conflict} ? 'REC_CONFLICT' : ()), join(', ', @{ $entry{issues} }),
	  join(', ', map { "warning: $_" } @{ $entry{warnings} // [] }), join(', ', @{ $entry{faults} // [] });
}

sub expected
{
	my ($answer, $format_1) = @_;
	return "$answer->{status}\nOperationOutcome: @{ $answer->{issues} }\n" unless $answer->{entries};
	return only_faults($answer) if $format_1 && $answer->{status} == 400;
	return join '', "$answer->{status}\n",
	  map { line(%$_, full_url => real($_->{full_url}), location => real($_->{location})) . "\n" } @{ $answer->{entries} };
}

sub real { return defined $_[0] ? $_[0] =~ s/(format-1 .*)/real_id($1)/er : undef }

# How faults of a message of Format 1 are shared out among entries isn't said.
sub only_faults
{
	my ($answer) = @_;
	return join '', "$answer->{status}\n", map { "$_\n" } sort map { @{ $_->{faults} } } @{ $answer->{entries} };
}

# Whatever is not as it should be at all is said instead of the line. $expected is the model's answer.
sub answered
{
	my ($answer, $expected, $format_1) = @_;
	return "no answer\n" unless $answer;
	my $body = decode($answer->{body}) // return "$answer->{status}\nno JSON\n";
	my $type = member($body, 'resourceType') // '';
	return "$answer->{status}\nOperationOutcome: " . join(' ', outcome($body)->{issues}->@*) . "\n" if $type eq 'OperationOutcome';
	return "$answer->{status}\nno transaction-response\n"
	  unless $type eq 'Bundle' && (member($body, 'type') // '') eq 'transaction-response';
	my $entries = member($body, 'entry') // [];
	my $of_none = @$entries && belongs_to_none($entries->[0]);
	my @entries = map { entry($entries->[$_], $_ - $of_none, $expected->{entries}[$_] // {}) } 0 .. $#$entries;
	return only_faults({ status => $answer->{status}, entries => \@entries }) if $format_1 && $answer->{status} eq '400';
	return join '', "$answer->{status}\n", map { line(%$_) . "\n" } @entries;
}

# Does it stand for what is wrong with the bundle, or the request, rather than for an entry that was sent?
sub belongs_to_none
{
	my ($entry) = @_;
	my $outcome = member(member($entry, 'response'), 'outcome');
	my $issue = defined $outcome ? member($outcome, 'issue')->[0] : undef;
	return defined $issue && member($issue, 'diagnostics') =~ /^(?:Bundle|X-Request-ID|The body)/ ? 1 : 0;
}

sub entry
{
	my ($entry, $place, $expected) = @_;
	my $response = member($entry, 'response');
	my $outcome = member($response, 'outcome') // return { status => 'no outcome', issues => [] };
	my ($location, $url) = (member($response, 'location'), member($entry, 'fullUrl'));
	my ($content) = ($expected->{full_url} // '') =~ /\Aurn:uuid:(format-1 .*)/;
	learn_id($content, $url =~ s/\Aurn:uuid://r) if defined $content && defined $url;
	my $told = outcome($outcome, $place);
	return {
		%$told,
		warnings => warnings($told->{warnings}, $expected->{warnings} // []),
		full_url => $url,
		status => member($response, 'status'),
		location => defined $location ? lc($location) =~ s/^task/Task/r : undef };
}

# A fault's field is the first word of diagnostics, and its expression must be the same place.
sub outcome
{
	my ($outcome, $place) = @_;
	my (@issues, @faults, @warnings, $conflict);
	my $updated = member(member($outcome, 'meta') // [], 'lastUpdated') // '';
	push @issues, 'no time' unless $updated =~ /^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$/;
	for my $issue (@{ member($outcome, 'issue') })
	{
		my ($severity, $code) = (member($issue, 'severity') // '', member($issue, 'code') // '');
		push @issues, 'no diagnostics' unless is_string(member($issue, 'diagnostics'));
		if ($severity eq 'warning') { push @warnings, warning(member($issue, 'diagnostics') // '') }
		else { push @issues, "$severity $code" }
		push @faults, fault($issue, $place) if $severity eq 'error' && $code =~ /^(?:value|too-long)$/;
		$conflict = 1 if is_conflict(member($issue, 'details'));
	}
	return { issues => \@issues, faults => [ sort @faults ], warnings => \@warnings, conflict => $conflict };
}

sub fault
{
	my ($issue, $place) = @_;
	my ($field) = split / /, member($issue, 'diagnostics') // '';
	return 'the body' if member($issue, 'diagnostics') =~ /^The body is /;
	my $expression = member($issue, 'expression');
	$expression = is_array($expression) ? $expression->[0] : '';
	return $field if $field eq 'X-Request-ID' || !defined $place || $field !~ /^(?:Bundle|Task|entry)\b/;
	return $expression eq $field ? $field : "$field (but $expression)" if $field =~ /^Bundle/;
	my $of_entry = "Bundle.entry[$place]";
	my $expected = $field =~ s/^Task\b/$of_entry.resource/r =~ s/^entry\b/$of_entry/r;
	return $expression eq $expected ? $field : "$field (but $expression)";
}

sub is_conflict
{
	my ($details) = @_;
	return 0 unless is_object($details);
	my $coding = member($details, 'coding')->[0];
	return member($coding, 'system') eq 'https://fhir.nhs.uk/CodeSystem/http-error-codes' && member($coding, 'code') eq 'REC_CONFLICT';
}

# ---------- Warnings ----------

# What a warning is about, by its words: the contract fixes what it has to say, not how.
my @about = (
	[ ahead => qr/\bahead\b.*\d|\d.*\bahead\b/ ],	# "says by how much"
	[ old => qr/\b30 days\b/ ],
	[ overtaken => qr/\bnewer\b/ ],
	[ 'other patient' => qr/\bpatient\b/ ],
	[ unexpected => qr/(?:With Pharmacy|Ready to|Collected|Dispatched|Not Dispensed).*(?:With Pharmacy|Ready to|Collected|Dispatched|Not Dispensed)/ ]);

sub warning
{
	my ($diagnostics) = @_;
	return "names a number: $diagnostics" if $diagnostics =~ /\d{9}/;
	my ($found) = grep { $diagnostics =~ $_->[1] } @about;
	return $found ? $found->[0] : "of what? $diagnostics";
}

# The warnings in the words of those that are expected, where they are what is expected: see RxTrack::Fuzz::Model::warnings.
sub warnings
{
	my ($told, $expected) = @_;
	my %left = map { $_ => 1 } @$told;
	return [ sort @$told ] if @$told != keys %left;
	for my $warning (@$expected)
	{
		my ($may_be) = $warning =~ /\A\((.*)\)\z/;
		my @found = grep { delete $left{$_} } split /\|/, $may_be // $warning;
		return [ sort @$told ] unless @found || defined $may_be;
	}
	return %left ? [ sort @$told ] : $expected;
}

1;
