package RxTrack::Gateway;

=head1 NAME

RxTrack::Gateway - a gateway for a test

=head1 METHODS

=head2 RxTrack::Gateway->start(%options)

Starts the gateway (usually by C<RxTrack::gateway>). Options: C<database> (a libpq connection string),
C<port> (0, any free one), C<env> (a hash of more environment), C<arguments> (a list), C<wait> (what to wait
for: C<ready>, unless given: C</_status> answers 200; C<listening>; or C<nothing>), C<tls> (for a gateway with TLS: a hash of
options of L<IO::Socket::SSL>, by which C<request>, C<post> and C<connect> trust it and show a certificate; C<connect> takes more).

=head2 url, port, pid, log

Where it listens; its process id; all of its log so far. C<log_events> is the log as a list of hashes.

=head2 request($method, $path, $headers, $body)

One request on a connection of its own. The answer is that of L<HTTP::Tiny>, and C<json>, what its body
holds where that is JSON.

=head2 post($bundle, %options)

POSTs a Bundle, as data or as bytes, to C</>. Options: C<key> (the API key), C<request_id> (a fresh UUID unless
given; C<undef> for none), C<headers> (more of them), C<path>.

=head2 raw($bytes, %options)

Sends the bytes as they are, which may be no HTTP at all, and returns all that comes back until the gateway closes
the connection, or C<timeout> (5) seconds are over. C<close>: closes at once, reading nothing.

=head2 connect(%options)

An L<IO::Socket::INET> to it, or where it speaks TLS an L<IO::Socket::SSL>.

=head2 stop, kill9, wait_for_exit($seconds), is_running, signal($name)

As in L<RxTrack::Child>.

=cut

use strict;
use warnings;

use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use JSON::PP ();
use POSIX ();
use PostgreSQL::Test::Utils;
use RxTrack::Seen;
use Time::HiRes qw(sleep time);
use parent 'RxTrack::Child';

my $json = JSON::PP->new->utf8->allow_nonref;
my $started = 0;

sub start
{
	my ($class, %option) = @_;
	my $self = bless {
		log => sprintf('%s/gateway_%s_%d.log', $PostgreSQL::Test::Utils::log_path, $$, ++$started),
		wanted_port => $option{port} // 0,
		tls => $option{tls},
	}, $class;

	my %environment = (
		RXTRACK_DATABASE => $option{database} // '',
		RXTRACK_PORT => $self->{wanted_port},
		%{ $option{env} // {} });
	$self->spawn(sub { $self->become_gateway(\%environment, @{ $option{arguments} // [] }) });

	my $wait = $option{wait} // 'ready';
	$self->wait_until_listening unless $wait eq 'nothing';
	$self->wait_until_ready if $wait eq 'ready';
	return $self;
}

# In the child.
sub become_gateway
{
	my ($self, $environment, @arguments) = @_;
	my ($name, $value);
	$ENV{$name} = $value while ($name, $value) = each %$environment;
	open STDIN, '<', '/dev/null';
	open STDOUT, '>>', $self->{log} or POSIX::_exit(127);
	open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
	$self->run($ENV{RXTRACK_GATEWAY}, @arguments);
}

sub wait_until_listening
{
	my ($self) = @_;
	$self->wait_for('listening', sub {
		my ($line) = grep { $_->{event} && $_->{event} eq 'listening' } $self->log_events;
		return $line && ($self->{port} = $line->{port});
	});
}

sub wait_until_ready
{
	my ($self) = @_;
	$self->wait_for('ready', sub { $self->request('GET', '/_status')->{status} == 200 });
}

sub wait_for
{
	my ($self, $what, $test) = @_;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	while (time < $until)
	{
		return if $test->();
		die "the gateway has ended instead of getting $what:\n" . $self->log unless $self->is_running;
		sleep 0.02;
	}
	die "the gateway does not get $what:\n" . $self->log;
}

sub url { return ($_[0]{tls} ? 'https' : 'http') . "://127.0.0.1:$_[0]{port}" }
sub port { return $_[0]{port} }

sub log
{
	my ($self) = @_;
	return -e $self->{log} ? PostgreSQL::Test::Utils::slurp_file($self->{log}) : '';
}

# Lines that are not JSON, and a last one still being written, are left out.
sub log_events
{
	my ($self) = @_;
	return grep { ref } map { eval { $json->decode($_) } } split /\n/, $self->log;
}

sub request
{
	my ($self, $method, $path, $headers, $body) = @_;
	my %option = (headers => $headers // {});
	$option{content} = $body if defined $body;
	my %tls = $self->{tls} ? (verify_SSL => 1, SSL_options => $self->{tls}) : ();
	my $answer = HTTP::Tiny->new(keep_alive => 0, max_redirect => 0, timeout => 60, %tls)->request($method, $self->url . $path, \%option);
	$answer->{json} = eval { $json->decode($answer->{content}) } if ($answer->{headers}{'content-type'} // '') =~ /json/;
	RxTrack::Seen::note($method, $path, $answer);
	return $answer;
}

sub post
{
	my ($self, $bundle, %option) = @_;
	my %headers = ('Content-Type' => 'application/fhir+json');
	my $request_id = exists $option{request_id} ? $option{request_id} : RxTrack::uuid();
	$headers{'X-Request-ID'} = $request_id if defined $request_id;
	$headers{Authorization} = "Bearer $option{key}" if defined $option{key};
	return $self->request('POST', $option{path} // '/', { %headers, %{ $option{headers} // {} } },
		ref $bundle ? RxTrack::to_json($bundle) : $bundle);
}

sub connect
{
	my ($self, %option) = @_;
	my %peer = (PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Proto => 'tcp');
	return IO::Socket::INET->new(%peer) // die "connect: $!" unless $self->{tls};
	return IO::Socket::SSL->new(%peer, %{ $self->{tls} }, %option) // die "connect: $IO::Socket::SSL::SSL_ERROR";
}

sub raw
{
	my ($self, $bytes, %option) = @_;
	my $socket = $self->connect;
	my $answer = '';
	send_all($socket, $bytes);
	return $answer if $option{close};
	my $readable = IO::Select->new($socket);
	my $until = time + ($option{timeout} // 5);
	while ((my $left = $until - time) > 0)
	{
		next unless $readable->can_read($left);
		last unless sysread $socket, $answer, 65536, length $answer;
	}
	return $answer;
}

# As much as the other side takes: it may close early.
sub send_all
{
	my ($socket, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	for (my $sent = 0; $sent < length $bytes;)
	{
		$sent += syswrite($socket, $bytes, length($bytes) - $sent, $sent) // return;
	}
	return;
}

1;
