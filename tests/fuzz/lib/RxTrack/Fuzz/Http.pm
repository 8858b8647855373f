package RxTrack::Fuzz::Http;

# The same requests by way of a gateway, one after the other. It takes the place of
# RxTrack::Fuzz::Server for the answers alone.

use strict;
use warnings;

# gateway: an RxTrack::Gateway; keys: each application's API key.
sub new
{
	my ($class, %option) = @_;
	return bless {%option}, $class;
}

# What HTTP leaves of a request: no header can hold a line feed, nor white space at its ends.
sub fit
{
	my ($request) = @_;
	s/\A[ \t]+//, s/[ \t]+\z//, tr/\n//d for grep { defined } $request->{request_id};
}

sub answers
{
	my ($self, @requests) = @_;
	return { map { $_->{number} => $self->post($_) } @requests };
}

sub post
{
	my ($self, $request) = @_;
	my $key = defined $request->{application} ? $self->{keys}{ $request->{application} } : undef;
	my $answer = $self->{gateway}->post($request->{body}, key => $key, request_id => $request->{request_id});
	return { status => $answer->{status}, body => $answer->{content} };
}

1;
