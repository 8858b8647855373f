package RxTrack::Clock;

=head1 NAME

RxTrack::Clock - a clock for a test's server, that the test sets

=head1 SYNOPSIS

    my $clock = RxTrack::Clock->new;
    my $node = node(clock => $clock);
    $clock->set(1_772_442_000_000_000);   # stands still at that time, in microseconds since 1970
    $clock->pass(7200 * 1_000_000);       # two hours on; less than nothing sets it back
    $clock->run;                          # the machine's own again

=head1 METHODS

=head2 new

A clock that goes as the machine's own. It is a library of some twenty lines of C (F<tests/lib/clock/clock.c>), compiled
here and preloaded into the server; what the server waits for goes by the monotonic clock, as ever.

=head2 environment

What a server needs in its environment to go by it, as a hash.

=head2 set($microseconds), pass($microseconds), run, now

C<now> is the time that the server sees.

=cut

use strict;
use warnings;

use File::Temp;
use Time::HiRes ();

sub new
{
	my ($class) = @_;
	my $self = bless { directory => File::Temp->newdir, at => 0 }, $class;
	my $library = "$self->{directory}/clock.so";
	my @command = ('cc', '-O2', '-shared', '-fPIC', '-o', $library, __FILE__ =~ s{RxTrack/Clock\.pm\z}{clock/clock.c}r);
	system(@command) == 0 or die "@command fails: $?\n";
	open $self->{file}, '+>:raw', "$self->{directory}/time" or die "clock: $!\n";
	$self->run;
	return $self;
}

sub environment
{
	my ($self) = @_;
	return (LD_PRELOAD => "$self->{directory}/clock.so", RXTRACK_CLOCK => "$self->{directory}/time");
}

# The server has the file in its memory, and sees a change at once.
sub set
{
	my ($self, $at) = @_;
	$self->{at} = $at;
	sysseek $self->{file}, 0, 0 or die "clock: $!\n";
	syswrite($self->{file}, pack 'q', $at) == 8 or die "clock: $!\n";
	return;
}

sub run { return $_[0]->set(0) }
sub pass { return $_[0]->set($_[0]->now + $_[1]) }
sub now { return $_[0]{at} || int(Time::HiRes::time() * 1_000_000) }

1;
