# The order of arrival. What was asserted at different times, none of them ahead, about one patient, says the same in whatever
# order it arrives, where no rule refuses any of it. With two patients, equal times and clocks ahead the order may count: then the
# result is held to the contract's words, by the model of tests/fuzz.
#
#   ARRIVAL_SEED=n ARRIVAL_SETS=n make test TESTS=tests/updates/arrival_order.t
use strict;
use warnings;
use lib 'tests/fuzz/lib';
use List::Util qw(shuffle);
use RxTrack;
use RxTrack::Fuzz::Comparison;
use RxTrack::Fuzz::Encoding qw(bundle_text);
use RxTrack::Fuzz::Model;
use RxTrack::Fuzz::Random qw(chance one_of between random_uuid random_prescription_id random_nhs_number);
use RxTrack::Fuzz::Server;
use RxTrack::Fuzz::Values qw(%suiting @statuses);
use Test::More;

use constant { SECOND => 1_000_000, MINUTE => 60_000_000, HOUR => 3_600_000_000, ORDERS => 8 };

my $sets = $ENV{ARRIVAL_SETS} || 60;
my @applications = ('A supplier', 'Another');
my $node = node(conf => "fsync = off\nlog_statement = none\n");
my $server = RxTrack::Fuzz::Server->new(connection => $node->connstr('rxtrack'));
$server->add_application($_, 1) for @applications;
$server->set(transition_policy => 'off');
my $seed = $ENV{ARRIVAL_SEED} || time;
srand $seed;
note("seed $seed");
my $now = $server->clock;

# ---------- Sets of updates ----------

# So many, of two items, three issues and two pharmacies; $moment says when each was asserted, and $patient whom it names.
sub updates
{
	my ($count, $moment, $patient) = @_;
	my ($items, $pharmacies) = ([ random_uuid(), random_uuid() ], [ 'Y12345', 'FX123' ]);
	return map {
		my $status = one_of(@statuses);
		my %update = (line_item_id => one_of(@$items), issue_number => one_of(0, 0, 1, 2), ods_code => one_of(@$pharmacies),
			nhs_number => $patient->(), application => one_of(@applications), status => $status, last_modified => $moment->());
		$update{task_status} = $suiting{$status} eq 'either' ? one_of('in-progress', 'completed') : $suiting{$status};
		chance(0.3) ? { %update, set_at => $update{last_modified}, last_modified => effect($update{last_modified}) } : \%update;
	} 1 .. $count;
}

# When what was predicted at a time takes effect: long ago, or long after this test.
sub effect
{
	my ($set_at) = @_;
	return one_of($set_at - HOUR, $set_at + 5 * MINUTE, $set_at + HOUR, $now + 5 * HOUR, $now + 6 * HOUR);
}

# The requests in which they arrive as updates of this prescription, in this order: one after the other, or some together.
sub requests
{
	my ($id, @updates) = @_;
	my @requests;
	for my $update (map { { %$_, prescription_id => $id, task_id => random_uuid() } } @updates)
	{
		if (@requests && $requests[-1]{application} eq $update->{application} && chance(0.4)) { push @{ $requests[-1]{updates} }, $update }
		else { push @requests, { application => $update->{application}, request_id => random_uuid(), updates => [$update] } }
	}
	$_->{body} = bundle_text($_) for @requests;
	return @requests;
}

# ---------- Any order, the same result ----------

# What a view says of a prescription, but for its id and whatever is about receipt.
sub rows
{
	my ($view, $id) = @_;
	return join "\n", $server->run(<<"SQL");
SELECT (SELECT jsonb_object_agg(k, v) FROM jsonb_each(to_jsonb(s)) AS c (k, v) WHERE k <> 'prescription_id' AND k !~ 'recei')
FROM rxtrack.$view s WHERE s.prescription_id = '$id' ORDER BY line_item_id, issue_number, ods_code;
SQL
}

# And status_at, of each of its items and supplies at many times.
sub statuses_at
{
	my ($id, @updates) = @_;
	my @questions = map {
		my $update = $_;
		map { ([ @$update{qw(line_item_id issue_number)}, undef, $_ ], [ @$update{qw(line_item_id issue_number ods_code)}, $_ ]) }
		  map { $now + $_ * HOUR } -30, -10, -5, -1, 0, 1, 5, 6, 7
	} @updates;
	return join "\n", map { s/\A\S+ //r } $server->statuses_at(map { [ $id, @$_ ] } @questions);
}

my ($stored, @differences) = (0);
for my $set (1 .. $sets)
{
	my %moments;
	my $patient = random_nhs_number();
	# Different times, to the microsecond, the last an hour ago.
	my $moment = sub { my $at; do { $at = $now - HOUR - between(0, 40) * HOUR - between(0, 3) } while $moments{$at}++; $at };
	my @updates = updates(between(3, 8), $moment, sub { $patient });
	my %results;
	for my $order (1 .. ORDERS)
	{
		my $id = random_prescription_id();
		my @arriving = $order == 1 ? @updates : shuffle @updates;
		my @statuses = map { $_->{status} } map { $server->answers({ path => '/', requests => [$_] }) } requests($id, @arriving);
		is(join(' ', grep { $_ != 201 } @statuses), '', "set $set, order $order: all is stored") if grep { $_ != 201 } @statuses;
		$stored += @arriving;
		my $result = join "\n\n", rows('supply_status', $id), rows('item_status', $id), statuses_at($id, @updates);
		push @{ $results{$result} }, $id;
	}
	push @differences, map { "set $set: $_" } sort keys %results if keys %results > 1;
}
is(join("\n", splice @differences, 0, 4), '', "$sets sets of updates say the same in whatever order they arrive");
cmp_ok($stored, '>=', 3 * ORDERS * $sets, "$stored updates were stored");
cmp_ok(($server->run('SELECT count(*) FROM rxtrack.item_status;'))[0], '>', $sets, 'and items have a status');

# ---------- Where the order may count, the contract's words do ----------

my $model = RxTrack::Fuzz::Model->new;
$model->add_application($_, 1) for @applications;
$model->set(transition_policy => 'off');
$server->events;
my $comparison = RxTrack::Fuzz::Comparison->new(model => $model, server => $server);
my $difference;
SET: for my $set (1 .. $sets)
{
	my @patients = map { random_nhs_number() } 1 .. 2;
	my @moments = map { $now - $_ * HOUR } 3, 2, 1, -1, -2;
	my @updates = updates(between(3, 8), sub { one_of(@moments) }, sub { chance(0.7) ? $patients[0] : $patients[1] });
	for my $order (1 .. ORDERS)
	{
		my $id = random_prescription_id();
		my @requests = requests($id, shuffle @updates);
		for my $call ((map { { do => 'submit', path => '/', requests => [$_] } } @requests), { do => 'look', prescriptions => [$id], at_many_times => 1 })
		{
			$difference = $comparison->call($call) and last SET;
		}
	}
}
is($difference ? $difference->{text} : undef, undef, 'with two patients, equal times and clocks ahead it is what the contract says')
  or diag("seed $seed");

done_testing();
