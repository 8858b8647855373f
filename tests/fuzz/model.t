# Random requests, answered by the service and by a second implementation of the contract's rules (lib/RxTrack/Fuzz/Model.pm),
# which must agree on every answer, on all that is stored and on each event that is released.
#
#   make fuzz SEED=n COUNT=n    a longer run; the same seed makes the same requests
#   make fuzz HTTP=1            by way of a gateway
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use RxTrack;
use RxTrack::Clock;
use RxTrack::Fuzz;
use Test::More;

my $clock = RxTrack::Clock->new;
my $node = node(clock => $clock, conf => "fsync = off\nlog_statement = none\n");
my $fuzz = RxTrack::Fuzz->new(
	gateway => $ENV{FUZZ_HTTP} ? gateway($node) : undef,
	connection => $node->connstr('rxtrack'),
	clock => $clock,
	seed => $ENV{FUZZ_SEED} || 1948,
	count => $ENV{FUZZ_COUNT} || 1000);
my $difference = $fuzz->run;
ok(!defined $difference, 'the model and the server agree') or diag($difference);
note($fuzz->summary);
done_testing();
