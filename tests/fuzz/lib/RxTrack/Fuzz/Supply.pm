package RxTrack::Fuzz::Supply;

# What the updates of one supply say, by the contract's words: each function looks at the whole list, each time anew.
#
# An update: status, last_modified, set_at (post-dated: when that was predicted; else undef), received_at, receipt (a number
# that rises with each update received). Times are microseconds since 1970.

use strict;
use warnings;

use List::Util qw(min);
use Exporter 'import';
our @EXPORT_OK = qw(supply_of item_of asserted_at takes_effect_at order newest earliest deciding_now deciding_at);

# "A supply is one item, of one issue of a prescription, at one pharmacy."
sub supply_of { return join ' ', @{ $_[0] }{qw(prescription_id line_item_id issue_number ods_code)} }
sub item_of { return join ' ', @{ $_[0] }{qw(prescription_id line_item_id issue_number)} }

# "Asserted at (meta.lastUpdated where given, else lastModified)"; "the earlier of what the update says and receipt, with the
# post-dated marker too".
sub asserted_at
{
	my ($update) = @_;
	return min($update->{set_at} // $update->{last_modified}, $update->{received_at});
}

# "Takes effect at (lastModified)"; "without [the marker], takes effect at is the earlier of lastModified and receipt too".
sub takes_effect_at
{
	my ($update) = @_;
	return $update->{last_modified} if defined $update->{set_at};
	return min($update->{last_modified}, $update->{received_at});
}

# "Of equal asserted times the later lastModified wins, then the one received later."
sub order
{
	my ($one, $other) = @_;
	return asserted_at($one) <=> asserted_at($other) || $one->{last_modified} <=> $other->{last_modified}
	  || $one->{receipt} <=> $other->{receipt};
}

sub newest
{
	my ($newest, @others) = @_;
	for my $update (@others) { $newest = $update if order($update, $newest) > 0 }
	return $newest;
}

# "Its earliest update", by "the asserted time"; which one of a time wins says what the status is, not which came first.
sub earliest
{
	my ($earliest, @others) = @_;
	for my $update (@others)
	{
		$earliest = $update if (asserted_at($update) <=> asserted_at($earliest) || $update->{receipt} <=> $earliest->{receipt}) < 0;
	}
	return $earliest;
}

# "That of the newest assertion whose effect has begun, except that a post-dated update that a newer assertion has replaced
# never counts, whether or not that newer one has begun."
sub deciding
{
	my ($has_begun, @updates) = @_;
	my $newest = newest(@updates);
	return newest(grep { $has_begun->($_) && (!defined $_->{set_at} || $_ == $newest) } @updates);
}

# The update that gives the supply its status at a time, by all that is known now; undef: it has none.
sub deciding_at
{
	my ($time, @updates) = @_;
	return deciding(sub { takes_effect_at($_[0]) <= $time }, @updates);
}

# The same for now, whatever the clock says: "A plain update that was received has begun: no reader compares it with the clock
# again."
sub deciding_now
{
	my ($clock, @updates) = @_;
	return deciding(sub { !defined $_[0]{set_at} || $_[0]{last_modified} <= $clock }, @updates);
}

1;
