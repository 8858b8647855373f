package RxTrack::Fuzz::Play;

# A scenario (RxTrack::Fuzz::Notation) played with fresh names to a fresh model and to a server; and the shortest one that can
# be found where the two disagree.

use strict;
use warnings;

use RxTrack::Fuzz::Comparison;
use RxTrack::Fuzz::Model;
use RxTrack::Fuzz::Names;
use RxTrack::Fuzz::Notation qw(write_step);

# server, clock: as for RxTrack::Fuzz::Comparison; day; applications: the names of A, B and C; prepare: what is done to a
# model before.
sub new
{
	my ($class, %option) = @_;
	return bless {%option}, $class;
}

# Plays the steps. Returns undef, or what differs, in the names of the scenario.
sub play
{
	my ($self, @steps) = @_;
	my $names = $self->{names} = RxTrack::Fuzz::Names->new(day => $self->{day}, applications => $self->{applications});
	my $model = $self->{model} = RxTrack::Fuzz::Model->new;
	$model->add_application($_, 1) for @{ $self->{applications} };
	$self->{prepare}->($model) if $self->{prepare};
	$self->{server}->reset;
	my $comparison = RxTrack::Fuzz::Comparison->new(model => $model, server => $self->{server}, clock => $self->{clock});
	for my $step (@steps)
	{
		my $difference = $comparison->call($names->call($step)) // next;
		return $names->shorten($difference->{text});
	}
	return undef;
}

# The steps without those, and without parts of those, that the disagreement does not need; and what it then is.
sub minimise
{
	my ($self, @steps) = @_;
	$self->{until} = time + 120;
	$self->{difference} = $self->play(@steps) // return;
	my $tries = sub { $self->still_differs(@_) };
	my $before;
	do
	{
		$before = text(@steps);
		@steps = $self->without_steps($tries, @steps);
		@steps = $self->simpler($tries, @steps);
	} while text(@steps) ne $before && time < $self->{until};
	$self->play(@steps);
	return ($self->{difference}, once_named(@steps));
}

sub text { return join "\n", map { write_step($_) } @_ }

sub still_differs
{
	my ($self, @steps) = @_;
	return 0 if time >= $self->{until};
	my $difference = $self->play(@steps) // return 0;
	$self->{difference} = $difference;
	return 1;
}

# Half of the steps are left out, then a quarter, and so on to each by itself.
sub without_steps
{
	my ($self, $tries, @steps) = @_;
	for (my $size = int((@steps + 1) / 2); $size >= 1; $size = int($size / 2))
	{
		for (my $at = 0; $at < @steps;)
		{
			my @fewer = @steps;
			splice @fewer, $at, $size;
			if (@fewer && $tries->(@fewer)) { @steps = @fewer }
			else { $at += $size }
		}
	}
	return @steps;
}

# Entries are left out, and what is special about one becomes what is usual.
sub simpler
{
	my ($self, $tries, @steps) = @_;
	for my $at (grep { $steps[$_]{do} eq 'submit' } 0 .. $#steps)
	{
		for my $change (changes($steps[$at]))
		{
			my $simpler = $change->($steps[$at]) // next;
			my @simpler = @steps;
			$simpler[$at] = $simpler;
			@steps = @simpler if $tries->(@simpler);
		}
	}
	return @steps;
}

# Functions that make another step of a step, or undef where it is that one already.
sub changes
{
	my ($step) = @_;
	my @changes = (sub { with($_[0], application => 'A') });
	for my $place (reverse 0 .. $#{ $step->{entries} })
	{
		push @changes, sub { without_entry($_[0], $place) };
		my %usual = (item => 1, issue => 0, patient => 'P', set => undef, modified => $step->{at}, pharmacy => 'Y1');
		push @changes, map { my $field = $_; sub { with_entry($_[0], $place, $field => $usual{$field}) } } sort keys %usual;
	}
	return @changes;
}

sub with
{
	my ($step, $field, $value) = @_;
	return ($step->{$field} // '') eq ($value // '') ? undef : { %$step, $field => $value };
}

sub with_entry
{
	my ($step, $place, $field, $value) = @_;
	my @entries = @{ $step->{entries} };
	return undef unless $entries[$place];
	my $entry = with($entries[$place], $field, $value) // return undef;
	$entries[$place] = $entry;
	return { %$step, entries => \@entries };
}

sub without_entry
{
	my ($step, $place) = @_;
	my @entries = @{ $step->{entries} };
	return undef unless @entries > 1 && $entries[$place];
	splice @entries, $place, 1;
	return { %$step, entries => \@entries };
}

# Names that are there once say nothing.
sub once_named
{
	my (@steps) = @_;
	my %times;
	my @named = grep { $_->{do} eq 'submit' } @steps;
	$times{$_}++ for grep { defined } map { $_->{request}, map { $_->{task} } @{ $_->{entries} } } @named;
	return map {
		$_->{do} ne 'submit' ? $_ : { %$_, request => often($_->{request}, \%times),
			entries => [ map { { %$_, task => often($_->{task}, \%times) } } @{ $_->{entries} } ] }
	} @steps;
}

sub often
{
	my ($name, $times) = @_;
	return defined $name && $times->{$name} > 1 ? $name : undef;
}

1;
