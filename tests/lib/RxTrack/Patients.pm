package RxTrack::Patients;

=head1 NAME

RxTrack::Patients - the NHS numbers that the tests use, to be searched for in every log

=head1 FUNCTIONS

=head2 RxTrack::Patients::note($nhs_number)

Writes a number down in the file that C<RXTRACK_PATIENTS> names, and returns it. The makers of random ones call it.

=head2 RxTrack::Patients::all(@files)

A hash of all numbers that were written down, and of those that stand in these files.

=head2 RxTrack::Patients::found($text, \%numbers)

Which of the numbers are in the text, as digits or as bytes in hexadecimal (what a body is, as a parameter in a server's log).
UUIDs in it are no numbers.

=head2 RxTrack::Patients::answered_for($log)

The entries of a PostgreSQL log that the service answers for: all but the statements that people and tests type,
which C<log_statement> and C<log_min_error_statement> write. What programs named C<rxtrack-...> call is among them.

=cut

use strict;
use warnings;

sub note
{
	my ($number) = @_;
	return $number unless defined $ENV{RXTRACK_PATIENTS};
	open my $file, '>>', $ENV{RXTRACK_PATIENTS} or die "$ENV{RXTRACK_PATIENTS}: $!";
	syswrite $file, "$number\n"; # one write: tests that run at once do not mix their lines
	close $file;
	return $number;
}

sub lines_of
{
	my ($file) = @_;
	open my $in, '<:raw', $file or die "$file: $!";
	return <$in>;
}

sub has_check_digit
{
	my ($sum, $weight) = (0, 10);
	$sum += $_ * $weight-- for split //, substr $_[0], 0, 9;
	return (11 - $sum % 11) % 11 == substr $_[0], 9;
}

sub all
{
	my (@files) = @_;
	my %numbers;
	if (defined $ENV{RXTRACK_PATIENTS} && -e $ENV{RXTRACK_PATIENTS})
	{
		for my $line (lines_of($ENV{RXTRACK_PATIENTS}))
		{
			$numbers{$1} = 1 if $line =~ /^(\d{10})$/;
		}
	}
	for my $line (map { lines_of($_) } @files)
	{
		while ($line =~ /(?<!\d)(\d{10})(?!\d)/g) { $numbers{$1} = 1 if has_check_digit($1) }
	}
	return %numbers;
}

sub found
{
	my ($text, $numbers) = @_;
	my %found;
	$text =~ s/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}//gi;
	while ($text =~ /(?<!\d)(\d{10})(?!\d)/g) { $found{$1} = 1 if $numbers->{$1} }
	while ($text =~ /((?:3[0-9]){10,})/g)
	{
		my $digits = pack 'H*', $1;
		$numbers->{ substr $digits, $_, 10 } and $found{ substr $digits, $_, 10 } = 1 for 0 .. length($digits) - 10;
	}
	return sort keys %found;
}

sub answered_for
{
	my ($log) = @_;
	my @entries = split /^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} )/m, $log;
	return grep { !/^\S+ \S+ \S+ \[\d+\] (?!rxtrack-)\S* ?(?:LOG:  (?:statement|execute|parse|bind|duration)\b|STATEMENT:|DETAIL:  [Pp]arameters: )/ } @entries;
}

1;
