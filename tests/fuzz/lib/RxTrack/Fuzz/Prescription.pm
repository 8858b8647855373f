package RxTrack::Fuzz::Prescription;

# One prescription: all updates received of it, in their order, and what follows from them, each time anew. Whose it is, which
# supplies are shown, and which one an item's status is.

use strict;
use warnings;

use List::Util qw(max);
use RxTrack::Fuzz::Rules qw(%long);
use RxTrack::Fuzz::Supply qw(supply_of item_of asserted_at earliest);

sub new { return bless { updates => [], supplies => {}, settled => undef }, $_[0] }

# Another one that has received the same: what is tried on it leaves this one as it is.
sub copy
{
	my ($self) = @_;
	my %supplies = map { $_ => [ @{ $self->{supplies}{$_} } ] } keys %{ $self->{supplies} };
	return bless { updates => [ @{ $self->{updates} } ], supplies => \%supplies, settled => $self->{settled} }, ref $self;
}

sub add
{
	my ($self, $update) = @_;
	push @{ $self->{updates} }, $update;
	push @{ $self->{supplies}{ supply_of($update) } }, $update;
	return;
}

sub updates { return @{ $_[0]{updates} } }
sub supplies { return sort keys %{ $_[0]{supplies} } }
sub supply { return @{ $_[0]{supplies}{ $_[1] } // [] } }

# ---------- Whose is it? ----------

# "The one that the first received update of any of its supplies names ... until settle_patient or the feed changes it."
sub patient
{
	my ($self) = @_;
	return $self->{settled} // (@{ $self->{updates} } ? $self->{updates}[0]{nhs_number} : undef);
}

# "An update that names another patient."
sub names_another { return $_[1]{nhs_number} ne $_[0]->patient ? 1 : 0 }

# S4: "Where the application that named the prescription's patient first names another for the same supply ... the whole
# prescription is shown to neither and alerts neither until settled." The same supply: one for which it named that patient.
sub is_hidden
{
	my ($self) = @_;
	return 0 if defined $self->{settled} || !@{ $self->{updates} };
	my $first = $self->{updates}[0];
	for my $supply ($self->supplies)
	{
		my $named = 0;
		for my $update (grep { $_->{application} eq $first->{application} } $self->supply($supply))
		{
			return 1 if $named && $update->{nhs_number} ne $first->{nhs_number};
			$named = 1 if $update->{nhs_number} eq $first->{nhs_number};
		}
	}
	return 0;
}

# "A supply that no update with the prescription's patient has ever named is shown to no patient and is never an item's
# current supply, until settled."
sub shown_supplies
{
	my ($self) = @_;
	return () if $self->is_hidden;
	my $patient = $self->patient;
	return grep { grep { $_->{nhs_number} eq $patient } $self->supply($_) } $self->supplies;
}

# ---------- Which supply is an item's? ----------

# "Of the supplies that have a status at that time, and whose status is not Not Dispensed, the one that began last, by the
# asserted time of its earliest update (equal: the one whose earliest update was received later); where all are Not Dispensed,
# the one that began last." $deciding gives the update that decides a supply's status at that time.
#
# More than one where the words leave it open: two that began at one time and were received in one call.
sub current_supplies
{
	my ($self, $item, $deciding) = @_;
	my (%dispensed, %not_dispensed);
	for my $supply ($self->shown_supplies)
	{
		my @updates = $self->supply($supply);
		next if item_of($updates[0]) ne $item;
		my $update = $deciding->(@updates) // next;
		($update->{status} eq $long{ND} ? \%not_dispensed : \%dispensed)->{$supply} = earliest(@updates);
	}
	return $self->began_last(%dispensed ? %dispensed : %not_dispensed);
}

sub began_last
{
	my ($self, %earliest) = @_;
	my $began = max(map { asserted_at($_) } values %earliest);
	my @last = grep { asserted_at($earliest{$_}) == $began } sort keys %earliest;
	my $received = max(map { $earliest{$_}{received_at} } @last);
	return grep { $earliest{$_}{received_at} == $received } @last;
}

1;
