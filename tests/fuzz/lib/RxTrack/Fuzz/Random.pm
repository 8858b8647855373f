package RxTrack::Fuzz::Random;

# Random choices and values, all from srand's seed. Sorted wherever a hash is met, so that a seed
# means the same run everywhere.

use strict;
use warnings;

use Exporter 'import';
use POSIX ();
use RxTrack::Patients;
use RxTrack::Fuzz::Values qw(prescription_check nhs_check);
our @EXPORT_OK = qw(chance one_of between random_uuid random_prescription_id random_nhs_number random_ods_code
  timestamp message_date mixed_case);

sub chance { return rand() < $_[0] }
sub one_of { return $_[ int rand @_ ] }
sub between { return $_[0] + int rand($_[1] - $_[0] + 1) }

sub digits
{
	my ($count, $alphabet) = @_;
	return join '', map { substr $alphabet, rand length $alphabet, 1 } 1 .. $count;
}

sub random_uuid
{
	return join '-', map { digits($_, '0123456789abcdef') } 8, 4, 4, 4, 12;
}

sub random_prescription_id
{
	my @parts = (digits(6, '0123456789ABCDEF'), digits(6, '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'), digits(5, '0123456789ABCDEF'));
	return join('-', @parts) . prescription_check(join '', @parts);
}

sub random_nhs_number
{
	while (1)
	{
		my $nine = digits(9, '0123456789');
		my $check = nhs_check($nine);
		return RxTrack::Patients::note($nine . $check) if defined $check;
	}
}

sub random_ods_code { return digits(between(1, 12), '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ') }

sub mixed_case { return join '', map { chance(0.5) ? uc : lc } split //, $_[0] }

# A time, in microseconds since 1970, in one of the many ways to write it.
sub timestamp
{
	my ($when) = @_;
	my $offset = chance(0.6) ? 0 : between(-1439, 1439);
	my $seconds = POSIX::floor($when / 1_000_000);
	my $fraction = sprintf '%06d', $when - $seconds * 1_000_000;
	$fraction .= between(0, 999) if chance(0.05);
	$fraction =~ s/0+\z// if chance(0.9);
	my @at = gmtime($seconds + $offset * 60);
	return sprintf '%04d-%02d-%02d%s%02d:%02d:%02d%s%s', $at[5] + 1900, $at[4] + 1, $at[3],
	  chance(0.95) ? 'T' : 't', @at[ 2, 1, 0 ], $fraction eq '' ? '' : ".$fraction", zone($offset);
}

# The same as the date of a message of Format 1: a blank for the T, no zone, no seconds, or no time of day, where that is as good.
sub message_date
{
	my ($when) = @_;
	my $text = timestamp($when);
	return substr $text, 0, 10 if $text =~ /00:00:00(?:[Zz]|[-+]00:00)\z/ && chance(0.5);
	$text =~ s/[Tt]/ / if chance(0.5);
	$text =~ s/(?:[Zz]|[-+]00:00)\z// if chance(0.6);
	$text =~ s/(?<=[Tt ]..:..):00(?!\.|[0-9])// if chance(0.6);
	return $text;
}

sub zone
{
	my ($minutes) = @_;
	return one_of('Z', 'Z', 'Z', 'z', '+00:00', '-00:00') if $minutes == 0;
	return sprintf '%s%02d:%02d', $minutes < 0 ? '-' : '+', int(abs($minutes) / 60), abs($minutes) % 60;
}

1;
