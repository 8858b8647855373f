# The model that make fuzz holds the service against (lib/RxTrack/Fuzz/Model.pm), itself held against scenarios that were made
# by hand from the contract's words. It needs no server.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(shuffle);
use RxTrack::Fuzz::Holdings;
use RxTrack::Fuzz::Model;
use RxTrack::Fuzz::Notation qw(read_step write_step);
use RxTrack::Fuzz::Prescription;
use RxTrack::Fuzz::Random qw(chance one_of between);
use RxTrack::Fuzz::Rules qw(%long %short becomes_ready);
use RxTrack::Fuzz::Scenario;
use RxTrack::Fuzz::StandIn;
use RxTrack::Fuzz::Supply qw(deciding_now);
use RxTrack::Fuzz::Values qw(date_time @statuses);
use Test::More;

# ---------- Scenarios ----------

my $stand_in = RxTrack::Fuzz::StandIn->new;
my @applications = ('A supplier', 'Another', 'A third');
$stand_in->add_application($_, 1) for @applications;
my $play = RxTrack::Fuzz::Scenario->new(server => $stand_in, clock => $stand_in, day => date_time('2026-03-02T00:00:00Z'), applications => \@applications);
my @scenarios = RxTrack::Fuzz::Scenario::read_all("$FindBin::Bin/scenarios");
cmp_ok(scalar @scenarios, '>', 50, 'there are scenarios');
for my $scenario (@scenarios)
{
	my @failures = $play->play($scenario);
	ok(!@failures, $scenario->{title}) or diag(@failures);
}

# ---------- The notation is read as it is written ----------

for my $line (map { map { $_->[1] } @{ $_->{lines} } } @scenarios)
{
	next unless $line =~ /\A-?\d/;
	my $step = read_step($line =~ s/\s+->.*//r);
	my $again = read_step(write_step($step));
	is_deeply($again, $step, "read again: $line") unless write_step($again) eq write_step($step);
}

# ---------- The rules, as the contract's table has them ----------

my $rules = RxTrack::Fuzz::Rules->new;
my %count;
for my $from (sort keys %short)
{
	$count{ $rules->kind($from, $_) }++ for sort keys %short;
}
is_deeply(\%count, { repeat => 9, forward => 37, correction => 27, unexpected => 8 }, 'of 81 pairs so many are forward, corrections, repeats and unexpected');
is($rules->kind(undef, $long{$_}), 'first', "$_ may be the first") for sort keys %long;
is($rules->kind($long{C}, $long{RD}), 'unexpected', 'what is in no row is unexpected');

is(join(' ', grep { my ($was, $is) = map { $long{$_} } split /-/; becomes_ready($was, $is) }
	map { my $was = $_; map { "$was-$_" } qw(WP RC RCP RD C) } qw(WP RC RCP C)),
	'WP-RC WP-RCP RCP-RC C-RC C-RCP', 'RCP to RC is an event, RC to RCP is none');
is(join(' ', grep { becomes_ready(undef, $long{$_}) } sort keys %long), 'RC RCP', 'nor are others as the first');

# ---------- The order of arrival ----------

# What was asserted at different times, none ahead, about one patient, says the same in any order: also where it is predicted.
my $hour = 3_600_000_000;
my $now = date_time('2026-03-02T09:00:00Z');
srand 1948;

sub updates_of_one_patient
{
	my (%moments, @updates);
	for (1 .. between(3, 7))
	{
		my $at;
		do { $at = $now - between(1, 30) * $hour - between(0, 2) } while $moments{$at}++;
		push @updates, { prescription_id => 'p', line_item_id => one_of('i', 'j'), issue_number => one_of(0, 1), ods_code => one_of('X', 'Y'),
			nhs_number => 'n', application => one_of('a', 'b'), status => one_of(@statuses), terminal => 0, last_modified => $at };
		@{ $updates[-1] }{qw(set_at last_modified)} = ($at, one_of($at - $hour, $at + $hour, $now + $hour)) if chance(0.4);
	}
	return @updates;
}

sub said
{
	my (@arriving) = @_;
	my $model = RxTrack::Fuzz::Model->new;
	my $receipt = 0;
	$model->{prescription}{p} = RxTrack::Fuzz::Prescription->new;
	$model->{prescription}{p}->add({ %$_, received_at => $now + ++$receipt, receipt => $receipt }) for @arriving;
	my $deciding = sub { deciding_now($now + 100, @_) };
	my @questions = RxTrack::Fuzz::Holdings::questions($model, 'p', map { $now + $_ * $hour } -40 .. 3);
	return join "\n", map { ref $_ ? @$_ : $_ } RxTrack::Fuzz::Holdings::supply_statuses($model, 'p', $deciding),
	  RxTrack::Fuzz::Holdings::item_statuses($model, 'p', $deciding), map { RxTrack::Fuzz::Holdings::status_at($model, $_) } @questions;
}

my $differing = 0;
for (1 .. 100)
{
	my @updates = updates_of_one_patient();
	my $first = said(@updates);
	$differing += grep { said(shuffle @updates) ne $first } 1 .. 5;
}
is($differing, 0, 'the model says the same in whatever order updates arrive');

done_testing();
