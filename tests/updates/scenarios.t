# The service held against scenarios that were made by hand from the contract's words (tests/fuzz/scenarios): supplies, clocks
# that run ahead or are set back, transition rules, whose a prescription is, readiness and what takes it back, Format 1, bounds.
use strict;
use warnings;
use lib 'tests/fuzz/lib';
use RxTrack;
use RxTrack::Clock;
use RxTrack::Fuzz::Scenario;
use RxTrack::Fuzz::Server;
use RxTrack::Fuzz::Values qw(date_time);
use Test::More;

my $clock = RxTrack::Clock->new;
my $node = node(clock => $clock, conf => "log_statement = none\n");
my $server = RxTrack::Fuzz::Server->new(connection => $node->connstr('rxtrack'));
my @applications = ('A supplier', 'Another', 'A third');
$server->add_application($_, 1) for @applications;
my $play = RxTrack::Fuzz::Scenario->new(server => $server, clock => $clock, day => date_time('2026-03-02T00:00:00Z'), applications => \@applications);
for my $scenario (RxTrack::Fuzz::Scenario::read_all('tests/fuzz/scenarios'))
{
	my @failures = $play->play($scenario);
	ok(!@failures, $scenario->{title}) or diag(@failures);
}
done_testing();
