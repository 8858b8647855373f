package RxTrack::Fuzz::Judge;

# The model's answer and the server's, brought into one form: a few lines of text, to be equal.

use strict;
use warnings;

use Exporter 'import';
use RxTrack::Fuzz::Json qw(decode member is_array is_object is_string);
our @EXPORT_OK = qw(expected answered state_of updates_of statuses_at);

# ---------- Answers ----------

sub line
{
	my (%entry) = @_;
	return join ' | ', $entry{status} // '-', 'url ' . ($entry{full_url} // '-'), 'at ' . ($entry{location} // '-'),
	  ($entry{conflict} ? 'REC_CONFLICT' : ()), join(', ', @{ $entry{issues} }), join(', ', @{ $entry{faults} // [] });
}

sub expected
{
	my ($answer) = @_;
	return "$answer->{status}\nOperationOutcome: @{ $answer->{issues} }\n" unless $answer->{entries};
	return join '', "$answer->{status}\n", map { line(%$_) . "\n" } @{ $answer->{entries} };
}

# Whatever is not as it should be at all is said instead of the line.
sub answered
{
	my ($answer) = @_;
	return "no answer\n" unless $answer;
	my $body = decode($answer->{body}) // return "$answer->{status}\nno JSON\n";
	my $type = member($body, 'resourceType') // '';
	return "$answer->{status}\nOperationOutcome: " . join(' ', outcome($body)->{issues}->@*) . "\n" if $type eq 'OperationOutcome';
	return "$answer->{status}\nno transaction-response\n"
	  unless $type eq 'Bundle' && (member($body, 'type') // '') eq 'transaction-response';
	my $entries = member($body, 'entry') // [];
	my $of_none = @$entries && belongs_to_none($entries->[0]);
	return join '', "$answer->{status}\n", map { line(%{ entry($entries->[$_], $_ - $of_none) }) . "\n" } 0 .. $#$entries;
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
	my ($entry, $place) = @_;
	my $response = member($entry, 'response');
	my $outcome = member($response, 'outcome') // return { status => 'no outcome', issues => [] };
	my $location = member($response, 'location');
	return {
		%{ outcome($outcome, $place) },
		full_url => member($entry, 'fullUrl'),
		status => member($response, 'status'),
		location => defined $location ? lc($location) =~ s/^task/Task/r : undef };
}

# A fault's field is the first word of diagnostics, and its expression must be the same place.
sub outcome
{
	my ($outcome, $place) = @_;
	my (@issues, @faults, $conflict);
	my $updated = member(member($outcome, 'meta') // [], 'lastUpdated') // '';
	push @issues, 'no time' unless $updated =~ /^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$/;
	for my $issue (@{ member($outcome, 'issue') })
	{
		my ($severity, $code) = (member($issue, 'severity') // '', member($issue, 'code') // '');
		push @issues, "$severity $code";
		push @faults, fault($issue, $place) if $severity eq 'error' && $code =~ /^(?:value|too-long)$/;
		push @issues, 'no diagnostics' unless is_string(member($issue, 'diagnostics'));
		$conflict = 1 if is_conflict(member($issue, 'details'));
	}
	return { issues => \@issues, faults => [ sort @faults ], conflict => $conflict };
}

sub fault
{
	my ($issue, $place) = @_;
	my ($field) = split / /, member($issue, 'diagnostics') // '';
	return 'the body' if member($issue, 'diagnostics') =~ /^The body is /;
	my $expression = member($issue, 'expression');
	$expression = is_array($expression) ? $expression->[0] : '';
	return $field if $field eq 'X-Request-ID' || !defined $place;
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

# ---------- State, as RxTrack::Fuzz::Server has it ----------

sub updates_of
{
	my ($model) = @_;
	return map {
		join ' ', @$_{qw(prescription_id task_id line_item_id nhs_number ods_code last_modified)}, $_->{set_at} // '-',
		  $_->{repeat_number} // '-', @$_{qw(request_id application terminal kind status)}
	} values %{ $model->{task} };
}

sub state_of
{
	my ($model, $time) = @_;
	my @lines;
	for my $item (keys %{ $model->{item} })
	{
		my $update = $model->current($item, $time) // next;
		push @lines, join ' ', @$update{qw(prescription_id line_item_id nhs_number ods_code last_modified application terminal status)};
	}
	return @lines;
}

sub statuses_at
{
	my ($model, $time) = @_;
	my @current = grep { defined } map { $model->current($_, $time) } keys %{ $model->{item} };
	return map { join ' ', @$_{qw(prescription_id line_item_id status)} } @current;
}

1;
