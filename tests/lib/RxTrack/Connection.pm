package RxTrack::Connection;

=head1 NAME

RxTrack::Connection - a client's connection to a gateway, under a test's hand

=head1 SYNOPSIS

    my $connection = RxTrack::Connection->new($gateway);
    $connection->request('POST', '/', { Authorization => "Bearer $key" }, $body);
    $connection->request('GET', '/_ping');      # pipelined
    my $answer = $connection->answer;           # { status, headers, content, json }

=head1 METHODS

=head2 new($gateway, %options)

Connects, with what C<connect> of L<RxTrack::Gateway> takes. Several may be open at once; each ends with its object.

=head2 send($bytes)

Sends the bytes as they are; false where the other side took not all of them.

=head2 request($method, $target, \%headers, $body)

Sends a request of HTTP/1.1. Host is added, and Content-Length where there is a body, unless given.

=head2 answer($seconds, $plain)

The next answer, also an interim one (100), with the names of its headers in lower case; a header that came
more than once is a list. C<undef> where none comes in time (20 seconds), or the other side closes before. C<plain>: C<json> is
left out, which saves time.

=head2 is_closed($seconds)

Whether the other side closes within that time (5 seconds), sending nothing more.

=head2 close, socket

C<close> with a true argument resets the connection instead of ending it well.

=cut

use strict;
use warnings;

use IO::Select;
use JSON::PP ();
use RxTrack::Seen;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8->allow_nonref;

sub new
{
	my ($class, $gateway, %option) = @_;
	return bless { socket => $gateway->connect(%option), buffer => '', asked => [] }, $class;
}

sub socket { return $_[0]{socket} }

sub send
{
	my ($self, $bytes) = @_;
	if ($bytes =~ m{\A([A-Z]+) (\S+) HTTP/1\.[01]\r\n})
	{
		push @{ $self->{asked} }, [ $1, $2 ];
		# How many requests are in these bytes cannot be told, so that what later answers are to is not known.
		$self->{known} //= @{ $self->{asked} };
	}
	return $self->transmit($bytes);
}

sub transmit
{
	my ($self, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	for (my $sent = 0; $sent < length $bytes;)
	{
		$sent += syswrite($self->{socket}, $bytes, length($bytes) - $sent, $sent) // return 0;
	}
	return 1;
}

sub request
{
	my ($self, $method, $target, $headers, $body) = @_;
	my %header = (Host => 'localhost', %{ $headers // {} });
	$header{'Content-Length'} //= length $body if defined $body && !exists $header{'Transfer-Encoding'};
	push @{ $self->{asked} }, [ $method, $target ];
	return $self->transmit("$method $target HTTP/1.1\r\n" . join('', map { "$_: $header{$_}\r\n" } sort keys %header) . "\r\n" . ($body // ''));
}

sub answer
{
	my ($self, $seconds, $plain) = @_;
	my $until = time + ($seconds // 20);
	my ($head) = $self->take_to("\r\n\r\n", $until) // return;
	my ($first, @lines) = split /\r\n/, $head;
	return unless $first =~ m{^HTTP/1\.[01] ([0-9]{3})};
	my %answer = (status => $1, headers => {}, content => '');
	add_header($answer{headers}, $_) for @lines;
	return \%answer if $1 eq '100';
	my $length = $answer{headers}{'content-length'} // 0;
	my $asked = shift @{ $self->{asked} } // [ '', '' ];
	$length = 0 if $asked->[0] eq 'HEAD';
	RxTrack::Seen::note(@$asked, \%answer) if !defined $self->{known} || $self->{known}-- > 0;
	$answer{content} = $self->take_length($length, $until) // return;
	$answer{json} = eval { $json->decode($answer{content}) } if !$plain && ($answer{headers}{'content-type'} // '') =~ /json/;
	return \%answer;
}

sub add_header
{
	my ($headers, $line) = @_;
	my ($name, $value) = $line =~ /^([^:]+):\s*(.*?)\s*$/ or return;
	$name = lc $name;
	$headers->{$name} = exists $headers->{$name} ? [ map { ref ? @$_ : $_ } $headers->{$name}, $value ] : $value;
	return;
}

sub take_to
{
	my ($self, $mark, $until) = @_;
	my $at;
	while (($at = index $self->{buffer}, $mark) < 0)
	{
		$self->fill($until) or return;
	}
	my $taken = substr $self->{buffer}, 0, $at + length $mark, '';
	return substr $taken, 0, $at;
}

sub take_length
{
	my ($self, $length, $until) = @_;
	while (length $self->{buffer} < $length)
	{
		$self->fill($until) or return;
	}
	return substr $self->{buffer}, 0, $length, '';
}

# Reads what there is; false at the end of the connection or of the time.
sub fill
{
	my ($self, $until) = @_;
	my $left = $until - time;
	return 0 if $left <= 0 || !$self->can_read($left);
	return sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer};
}

# What TLS has decrypted already is no more to be seen on the socket.
sub can_read
{
	my ($self, $seconds) = @_;
	return 1 if $self->{socket}->can('pending') && $self->{socket}->pending;
	return IO::Select->new($self->{socket})->can_read($seconds);
}

sub is_closed
{
	my ($self, $seconds) = @_;
	return 0 if length $self->{buffer};
	return 0 unless $self->can_read($seconds // 5);
	return !sysread $self->{socket}, my $unused, 1;
}

sub close
{
	my ($self, $reset) = @_;
	setsockopt $self->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) if $reset;
	return CORE::close($self->{socket});
}

1;
