package RxTrack::Fuzz::Rules;

# The transition rules as the contract ships them, with the corrections of S1, and what an update is by them.

use strict;
use warnings;

use Exporter 'import';
our @EXPORT_OK = qw(%long %short becomes_ready is_ready);

our %long = (
	WP => 'With Pharmacy', WPR => 'With Pharmacy - Preparing Remainder',
	RC => 'Ready to Collect', RCP => 'Ready to Collect - Partial',
	RD => 'Ready to Dispatch', RDP => 'Ready to Dispatch - Partial',
	C => 'Collected', D => 'Dispatched', ND => 'Not Dispensed');
our %short = reverse %long;

# from, what may follow forward, and what as a correction.
my $shipped = <<'RULES';
WP  WPR RC RCP RD RDP C D ND |
WPR RC RCP RD RDP C D ND | WP
RC  C D RD ND | WP WPR RCP
RCP WPR RC RD RDP C D ND | WP
RD  D C RC ND | WP WPR RDP
RDP WPR RD RC RCP D C ND | WP
C   | WP WPR RC RCP D
D   | WP WPR RC C RDP
ND  | WP WPR RC RCP RD RDP C D
RULES

sub new
{
	my ($class) = @_;
	my $self = bless {}, $class;
	for my $line (split /\n/, $shipped)
	{
		my ($from, $forward, $corrections) = $line =~ /\A(\w+) ([^|]*)\|(.*)\z/ or die $line;
		$self->set($long{$from}, $long{$_}, 'forward') for split ' ', $forward;
		$self->set($long{$from}, $long{$_}, 'correction') for split ' ', $corrections;
	}
	return $self;
}

# A DBA changes what may follow a status: forward, correction, or undef for unexpected.
sub set
{
	my ($self, $from, $to, $kind) = @_;
	if (defined $kind) { $self->{$from}{$to} = $kind }
	else { delete $self->{$from}{$to} }
	return;
}

sub may_follow { return sort keys %{ $_[0]{ $_[1] } } }

# "(first update): all nine". "The same status again is a repeat. Anything else is unexpected."
sub kind
{
	my ($self, $from, $to) = @_;
	return 'first' unless defined $from;
	return 'repeat' if $from eq $to;
	return $self->{$from}{$to} // 'unexpected';
}

sub is_ready
{
	my ($status) = @_;
	return defined $status && ($status eq $long{RC} || $status eq $long{RCP});
}

# "When a supply's status becomes RC or RCP and was something else before (or it has no earlier update) ... RCP to RC is one,
# RC to RCP is none."
sub becomes_ready
{
	my ($was, $is) = @_;
	return 0 unless is_ready($is);
	return 1 unless defined $was;
	return $was ne $is && !($was eq $long{RC} && $is eq $long{RCP});
}

1;
