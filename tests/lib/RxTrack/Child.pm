package RxTrack::Child;

=head1 NAME

RxTrack::Child - a program that a test runs beside itself, and that ends with the test

=head1 METHODS

What L<RxTrack::Gateway> and L<RxTrack::Listener> have in common.

=head2 spawn($become)

Starts the program: C<$become> is called in the child, and is to end with C<run>.

=head2 run(@command)

In the child: becomes that program. Its death signal ends it with the test, however that ends.

=head2 pid, is_running, signal($name)

Its process id; whether it runs; sends it a signal, if it does.

=head2 stop, kill9, wait_for_exit($seconds)

C<stop> tells it to end with SIGTERM, C<kill9> kills it. All return the exit code, 128 and the signal's number
where one killed it, or C<undef> where it does not end in time (60 seconds).

=cut

use strict;
use warnings;

use POSIX ();
use Time::HiRes qw(sleep time);

my %running;

sub spawn
{
	my ($self, $become) = @_;
	$self->{pid} = fork // die "fork: $!";
	$become->() unless $self->{pid};
	$running{ $self->{pid} } = 1;
	return;
}

sub run
{
	my ($self, @command) = @_;
	exec('setpriv', '--pdeathsig', 'KILL', @command) or POSIX::_exit(127);
}

sub pid { return $_[0]{pid} }

sub is_running
{
	my ($self) = @_;
	return 0 if defined $self->{exit};
	if (waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid})
	{
		$self->{exit} = $? & 127 ? 128 + ($? & 127) : $? >> 8;
		delete $running{ $self->{pid} };
	}
	return !defined $self->{exit};
}

sub signal
{
	my ($self, $name) = @_;
	kill $name, $self->{pid} if $self->is_running;
	return;
}

sub stop
{
	my ($self) = @_;
	$self->signal('TERM');
	return $self->wait_for_exit;
}

sub kill9
{
	my ($self) = @_;
	$self->signal('KILL');
	return $self->wait_for_exit;
}

sub wait_for_exit
{
	my ($self, $seconds) = @_;
	my $until = time + ($seconds // 60);
	local $?;
	while ($self->is_running)
	{
		return undef if time > $until;
		sleep 0.01;
	}
	return $self->{exit};
}

END
{
	local $?;
	for my $pid (keys %running)
	{
		kill 'KILL', $pid;
		waitpid $pid, 0;
	}
}

1;
