package RxTrack::Fuzz::Notation;

# How scenarios are written, a line a step: to read by people, and both ways by programs. tests/fuzz/README.md explains it.
#
# A step is a hash: { at, do => 'submit', application, request, format_1, delivered, entries => [ { prescription, item, issue,
# pharmacy, patient, status, completed, modified, set, task } ] }, or one of the other calls of RxTrack::Fuzz::Comparison. All
# names in it are short ones: prescriptions, items and issues are numbers, patients are P to T, pharmacies their ODS codes,
# tasks and requests t1 and r1, or undef for fresh ones. Times are microseconds since the day began that all of it is about.

use strict;
use warnings;

use Exporter 'import';
use RxTrack::Fuzz::Format1 qw(%meaning);
use RxTrack::Fuzz::Rules qw(%long %short);
our @EXPORT_OK = qw(read_step write_step read_time write_time);

use constant { SECOND => 1_000_000, HOUR => 3_600_000_000 };

my %default = (prescription => 1, item => 1, issue => 0, pharmacy => 'Y1', patient => 'P');

# ---------- Times: 10:00, 10:00:30.000001; a day before -14:00, a day after 34:00 ----------

my $time = qr/-?\d+:\d\d(?::\d\d(?:\.\d+)?)?/;

sub read_time
{
	my ($text) = @_;
	my ($sign, $hours, $minutes, $seconds, $fraction) = $text =~ /\A(-?)(\d+):(\d\d)(?::(\d\d)(?:\.(\d+))?)?\z/ or die "no time: $text\n";
	my $us = ($hours * 3600 + $minutes * 60 + ($seconds // 0)) * SECOND + substr(($fraction // '') . '000000', 0, 6);
	return $sign ? -$us : $us;
}

sub write_time
{
	my ($us) = @_;
	my ($sign, $left) = $us < 0 ? ('-', -$us) : ('', $us);
	my $seconds = int($left / SECOND);
	my $text = sprintf '%s%02d:%02d', $sign, int($seconds / 3600), int($seconds / 60) % 60;
	my ($second, $fraction) = ($seconds % 60, $left % SECOND);
	$text .= sprintf ':%02d', $second if $second || $fraction;
	$text .= sprintf '.%06d', $fraction if $fraction;
	return $text =~ s/(\.\d*?)0+\z/$1/r;
}

# ---------- Reading ----------

# The step that a line says, without what is expected of it.
sub read_step
{
	my ($line) = @_;
	my ($at, $rest) = $line =~ /\A($time)\s+(.*?)\s*\z/ or die "no time begins this line: $line\n";
	my %step = (at => read_time($at));
	if ($rest =~ /\A(dispatch|look)\z/) { return { %step, do => $1 } }
	if ($rest =~ /\Aset (\w+) (\S+(?: \S+)?)\z/) { return { %step, do => 'set', setting => $1, value => $2 } }
	if ($rest =~ /\Arule (\w+) (\w+) (\w+)\z/)
	{
		return { %step, do => 'rule', from => $long{$1}, to => $long{$2}, kind => $3 eq 'none' ? undef : $3 };
	}
	if ($rest =~ /\A(enable|block|predict|disable|unblock) (\S+)\z/) { return { %step, do => 'alerts', how => $1, who => $2 } }
	if ($rest =~ /\Asettle ([P-T])(?: %(\d+))?( force)?\z/)
	{
		return { %step, do => 'settle', patient => $1, prescription => $2 // 1, force => $3 ? 1 : 0 };
	}
	return { %step, do => 'submit', read_request($rest, $step{at}) };
}

sub read_request
{
	my ($text, $at) = @_;
	my ($application, $request, $format_1, $delivered, $entries) = $text =~ /\A([A-C])(?::(r\d+))?\s+(?:(f1)\s+(delivered\s+)?)?(.*)\z/
	  or die "no application: $text\n";
	my @entries = map { read_entry($_, $at) } split /\s+&\s+/, $entries;
	return (application => $application, request => $request, format_1 => $format_1 ? 1 : 0, delivered => $delivered ? 1 : 0,
		entries => \@entries);
}

sub read_entry
{
	my ($text, $at) = @_;
	my ($status, @words) = split ' ', $text;
	my %entry = (%default, modified => $at, status => $long{$status} // $status);
	die "no status: $text\n" unless $long{$status} || $meaning{$status};
	$entry{completed} = $status =~ /\A(?:C|D|ND)\z/ ? 1 : 0;
	for my $word (@words)
	{
		if ($word =~ m{\A/(\d+)\z}) { $entry{item} = $1 }
		elsif ($word =~ /\A#(\d+)\z/) { $entry{issue} = $1 }
		elsif ($word =~ /\A%(\d+)\z/) { $entry{prescription} = $1 }
		elsif ($word =~ /\A@(\w+)\z/) { $entry{pharmacy} = $1 }
		elsif ($word =~ /\A([P-T])\z/) { $entry{patient} = $1 }
		elsif ($word =~ /\A=($time)\z/) { $entry{modified} = read_time($1) }
		elsif ($word =~ /\A\^($time)\z/) { $entry{set} = read_time($1) }
		elsif ($word =~ /\A(t\d+)\z/) { $entry{task} = $1 }
		elsif ($word eq 'completed') { $entry{completed} = 1 }
		elsif ($word =~ /\A\((\w+)\)\z/) { $entry{completed_status} = $1 }
		else { die "what is $word? $text\n" }
	}
	return \%entry;
}

# ---------- Writing ----------

sub write_step
{
	my ($step) = @_;
	my $at = write_time($step->{at});
	return "$at  $step->{do}" if $step->{do} =~ /\A(?:dispatch|look)\z/;
	return "$at  set $step->{setting} $step->{value}" if $step->{do} eq 'set';
	return "$at  rule $short{$step->{from}} $short{$step->{to}} " . ($step->{kind} // 'none') if $step->{do} eq 'rule';
	return "$at  $step->{how} $step->{who}" if $step->{do} eq 'alerts';
	return "$at  settle $step->{patient} %$step->{prescription}" . ($step->{force} ? ' force' : '') if $step->{do} eq 'settle';
	my $who = $step->{application} . (defined $step->{request} ? ":$step->{request}" : '');
	$who .= '  f1' . ($step->{delivered} ? ' delivered' : '') if $step->{format_1};
	return "$at  $who  " . join '  &  ', map { write_entry($_, $step) } @{ $step->{entries} };
}

sub write_entry
{
	my ($entry, $step) = @_;
	my @words = $short{ $entry->{status} } // $entry->{status};
	push @words, "/$entry->{item}" if $entry->{item} != $default{item};
	push @words, "#$entry->{issue}" if $entry->{issue};
	push @words, "%$entry->{prescription}" if $entry->{prescription} != $default{prescription};
	push @words, "\@$entry->{pharmacy}" if $entry->{pharmacy} ne $default{pharmacy};
	push @words, $entry->{patient} if $entry->{patient} ne $default{patient};
	push @words, '=' . write_time($entry->{modified}) if $entry->{modified} != $step->{at};
	push @words, '^' . write_time($entry->{set}) if defined $entry->{set};
	push @words, 'completed' if $entry->{completed} && $words[0] =~ /\AR/ && !$step->{format_1};
	push @words, "($entry->{completed_status})" if defined $entry->{completed_status};
	push @words, $entry->{task} if defined $entry->{task};
	return join ' ', @words;
}

1;
