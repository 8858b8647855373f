package RxTrack::Fuzz::Values;

# The rules of single values, as the contract has them. Each function returns the value in its
# stored spelling, or undef where it breaks its rule. Texts are UTF-8 bytes; \z, because $ lets a
# line feed pass.

use strict;
use warnings;

use Exporter 'import';
our @EXPORT_OK = qw(uuid prescription_id prescription_check nhs_number nhs_check ods_code business_status
  date_time positive_integer suits %suiting @statuses days_in_month);

sub uuid
{
	my ($text) = @_;
	return $text =~ /\A[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\z/ ? lc $text : undef;
}

# ---------- Prescription id ----------

my $check_characters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+';

# The check character that fits 17 characters: the one for which the rule comes out.
sub prescription_check
{
	my ($seventeen) = @_;
	my $total = 0;
	$total = ($total + index($check_characters, $_)) * 2 % 37 for split //, uc $seventeen;
	my ($check) = grep { ($total + $_) % 37 == 1 } 0 .. 36;
	return substr $check_characters, $check, 1;
}

sub prescription_id
{
	my ($text) = @_;
	return undef unless $text =~ /\A([0-9a-fA-F]{6})-([0-9a-zA-Z]{6})-([0-9a-fA-F]{5})([0-9a-zA-Z+])\z/;
	return prescription_check($1 . $2 . $3) eq uc $4 ? uc $text : undef;
}

# ---------- NHS number ----------

# The tenth digit for nine, or undef where there is none.
sub nhs_check
{
	my ($nine) = @_;
	my @digits = split //, $nine;
	my $sum = 0;
	$sum += $digits[$_] * (10 - $_) for 0 .. 8;
	my $check = 11 - $sum % 11;
	return $check == 11 ? 0 : $check == 10 ? undef : $check;
}

sub nhs_number
{
	my ($text) = @_;
	return undef unless $text =~ /\A([0-9]{9})([0-9])\z/;
	my $check = nhs_check($1);
	return defined $check && $check == $2 ? $text : undef;
}

# ---------- ODS code ----------

sub ods_code
{
	my ($text) = @_;
	$text =~ s/\A[ \t\r\n\x0b\f]+//;
	$text =~ s/[ \t\r\n\x0b\f]+\z//;
	return $text =~ /\A[0-9a-zA-Z]{1,12}\z/ ? uc $text : undef;
}

# ---------- Business status ----------

# With the Task.status that suits it.
our %suiting = (
	'With Pharmacy' => 'in-progress',
	'With Pharmacy - Preparing Remainder' => 'in-progress',
	'Ready to Collect' => 'either',
	'Ready to Collect - Partial' => 'in-progress',
	'Ready to Dispatch' => 'either',
	'Ready to Dispatch - Partial' => 'in-progress',
	'Collected' => 'completed',
	'Dispatched' => 'completed',
	'Not Dispensed' => 'completed',
);
our @statuses = sort keys %suiting;
my %spelling = map { lc $_ => $_ } @statuses;

sub business_status { return $spelling{ $_[0] =~ tr/A-Z/a-z/r } }

sub suits
{
	my ($task_status, $business_status) = @_;
	return $suiting{$business_status} eq 'either' || $suiting{$business_status} eq $task_status;
}

# ---------- Date and time ----------

sub days_in_month
{
	my ($year, $month) = @_;
	return 29 if $month == 2 && ($year % 4 == 0 && $year % 100 != 0 || $year % 400 == 0);
	return (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[ $month - 1 ];
}

# Days since 1970-01-01, counted from year 0 in plain steps: leap years are what makes it hard.
sub days_since_1970
{
	my ($year, $month, $day) = @_;
	my $days = 365 * $year;
	$days += int(($year + 3) / 4) - int(($year + 99) / 100) + int(($year + 399) / 400);
	$days += days_in_month($year, $_) for 1 .. $month - 1;
	return $days + $day - 1 - 719528;
}

# Microseconds since 1970 of an RFC 3339 date-time, or undef. What a date-time cannot be written as
# in UTC (before year 0, after 9999) is none.
sub date_time
{
	my ($text) = @_;
	my ($year, $month, $day, $hour, $minute, $second, $fraction, $sign, $zone_hour, $zone_minute) = $text =~ /\A
		([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]
		([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?
		(?:[Zz]|([-+])([0-9]{2}):([0-9]{2}))\z/x or return undef;
	return undef if $month < 1 || $month > 12 || $day < 1 || $day > days_in_month($year, $month);
	return undef if $hour > 23 || $minute > 59 || $second > 60;
	my $offset = 0;
	if (defined $sign)
	{
		return undef if $zone_hour > 23 || $zone_minute > 59;
		$offset = ($sign eq '-' ? -1 : 1) * ($zone_hour * 3600 + $zone_minute * 60);
	}
	my $seconds = days_since_1970($year, $month, $day) * 86400 + $hour * 3600 + $minute * 60 + $second - $offset;
	return undef if $second == 60 && $seconds % 86400 != 0;	# a leap second ends a day of UTC
	return undef if $seconds < -719528 * 86400 || $seconds >= 2932897 * 86400;
	return $seconds * 1_000_000 + substr(($fraction // '') . '000000', 0, 6);
}

# ---------- Repeat number ----------

# The number that a JSON literal spells, where that is a whole one of 1 to 2147483647.
sub positive_integer
{
	my ($literal) = @_;
	my ($whole, $fraction, $exponent) = $literal =~ /\A([0-9]+)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?\z/
	  or return undef;
	my $digits = $whole . ($fraction // '');
	my $point = length($whole) + ($exponent // 0);
	$digits =~ s/\A(0*)//;
	$point -= length $1;
	$digits =~ s/0+\z//;
	return undef if $digits eq '' || $point < length $digits || $point > 10;
	my $value = $digits . '0' x ($point - length $digits);
	return $value <= 2147483647 ? $value + 0 : undef;
}

1;
