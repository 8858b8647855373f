package RxTrack::Seen;

=head1 NAME

RxTrack::Seen - what answers the tests have seen, to be held against docs/openapi.yaml

=head1 FUNCTIONS

=head2 RxTrack::Seen::note($method, $target, $answer)

Writes down, in the file that C<RXTRACK_SEEN> names, that a request got this answer: method, target without its query, status,
content type, and the names of the headers. Never a body, and the same line only once a test. L<RxTrack::Gateway> and
L<RxTrack::Connection> call it for every answer that they get.

=head2 RxTrack::Seen::all()

What all the tests so far have written down, as a list of hashes: C<method>, C<target>, C<status>, C<type>, C<headers> (a list).

=cut

use strict;
use warnings;

my %noted;

sub note
{
	my ($method, $target, $answer) = @_;
	return unless defined $ENV{RXTRACK_SEEN} && $method ne '' && $answer->{status} != 599; # HTTP::Tiny's own, for no answer
	return if $target =~ /[\x00-\x20\x7f]/; # no path at all, by the rules of HTTP
	my $headers = $answer->{headers};
	my $type = $headers->{'content-type'} // '';
	my $line = join("\t", $method, $target =~ s/\?.*//sr, $answer->{status}, ref $type ? "@$type" : $type, join ' ', sort keys %$headers) . "\n";
	return if $noted{$line}++ || $line =~ /\n./;
	# Appended by one write, so that tests that run at once do not mix their lines.
	open my $file, '>>', $ENV{RXTRACK_SEEN} or die "$ENV{RXTRACK_SEEN}: $!";
	syswrite $file, $line;
	close $file;
	return;
}

sub all
{
	open my $file, '<', $ENV{RXTRACK_SEEN} // '' or return;
	my @seen;
	while (my $line = <$file>)
	{
		chomp $line;
		my ($method, $target, $status, $type, $headers) = split /\t/, $line, -1;
		push @seen, { method => $method, target => $target, status => $status, type => $type, headers => [ split / /, $headers ] };
	}
	return @seen;
}

1;
