# rxtrack-listen when things go wrong in the middle: a command that fails, kill -9, a server that is restarted or crashes.
# Nothing is lost; what was not acknowledged comes again.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use Test::More;
use Time::HiRes qw(sleep);

my $node = listening_node();
my $login = $node->connstr('rxtrack') . ' user=rxtrack_test_listener';
my $directory = PostgreSQL::Test::Utils::tempdir();

sub follow
{
	my (@arguments) = @_;
	return RxTrack::Listener->start([ '--subscription', 'app', @arguments ], database => $login, env => { OUT => $directory });
}

# The release numbers that a command has written down.
sub numbers_in
{
	my ($name) = @_;
	return '' unless -e "$directory/$name";
	return join ' ', slurp_file("$directory/$name") =~ /"id":(\d+)/g;
}

sub wait_for_file
{
	my ($name) = @_;
	return wait_until(sub { -e "$directory/$name" });
}

sub touch
{
	my ($name) = @_;
	PostgreSQL::Test::Utils::append_to_file("$directory/$name", "\n");
	return;
}

$node->safe_psql('rxtrack', q{SET ROLE rxtrack_test_listener; SELECT rxtrack.add_subscription('app')});

# ---------- The command ----------

make_ready($node, 5);
my $listener = follow('--exec', 'cat >>$OUT/taken', '--max', 5, '--batch', 3);
is($listener->wait_for_exit, 0, 'a command for each batch');
is(numbers_in('taken'), '1 2 3 4 5', 'gets its lines');
is(join('', map { "$_\n" } $listener->lines), '', 'which are not printed as well');
is(acknowledged($node, 'app'), 5, 'and they are acknowledged');

make_ready($node, 1);
is(follow('--exec', 'true', '--once')->wait_for_exit, 0, 'a command that reads nothing');
is(acknowledged($node, 'app'), 6, 'and exits with 0 is enough');

# The third try succeeds. What each try got is written down.
make_ready($node, 2);
$listener = follow('--exec', 'cat >>$OUT/tries; echo >>$OUT/count; [ $(wc -l <$OUT/count) -ge 3 ]');
ok(wait_for_ack($node, 'app', 8), 'a command that fails is run again, with back-off');
is(numbers_in('tries'), '7 8 7 8 7 8', 'with the same events');
is(scalar(() = $listener->messages =~ /the command exited with 1; the batch is not acknowledged/g), 2, 'and it is said each time');
make_ready($node, 1);
ok(wait_for_ack($node, 'app', 9), 'then it goes on');
is($listener->stop, 0, 'and ends');

make_ready($node, 1);
$listener = follow('--exec', 'kill -KILL $$');
like($listener->wait_for_message(qr/signal/), qr/ended by signal 9/, 'a command that is killed has failed');
is($listener->stop, 0, 'SIGTERM while it waits to try again: status 0');
is(acknowledged($node, 'app'), 9, 'and nothing is acknowledged');
is(follow('--exec', 'false', '--once')->wait_for_exit, 4, '--once and a command that fails: status 4');
is(acknowledged($node, 'app'), 9, 'and nothing is acknowledged either');

# ---------- Signals ----------

$listener = follow('--exec', 'touch $OUT/begun; sleep 1; cat >>$OUT/slow');
wait_for_file('begun');
is($listener->stop, 0, 'SIGTERM while the command runs: status 0');
is(numbers_in('slow') . '|' . acknowledged($node, 'app'), '10|10', 'after the command has finished, and its batch is acknowledged');

make_ready($node, 1);
unlink "$directory/begun";
$listener = follow('--exec', 'touch $OUT/begun; exec sleep 600');
wait_for_file('begun');
$listener->signal('INT');
is($listener->wait_for_exit(1), undef, 'SIGINT while the command runs');
$listener->signal('INT');
is($listener->wait_for_exit, 1, 'a second one ends both: status 1');
is(acknowledged($node, 'app'), 10, 'without acknowledging');

# ---------- Killed ----------

make_ready($node, 4);
unlink "$directory/begun";
$listener = follow('--exec', 'echo $$ >$OUT/pid; touch $OUT/begun; cat >>$OUT/killed; exec sleep 600');
wait_for_file('begun');
wait_until(sub { numbers_in('killed') eq '11 12 13 14 15' });
$listener->kill9;
kill 'KILL', slurp_file("$directory/pid");
is(acknowledged($node, 'app'), 10, 'kill -9 in mid-batch: nothing of it is acknowledged');
$listener = follow('--exec', 'cat >>$OUT/again', '--once');
is($listener->wait_for_exit, 0, 'the next one');
is(numbers_in('again'), '11 12 13 14 15', 'gets all of it again');
is(acknowledged($node, 'app'), 15, 'and acknowledges it');

# Killed at any moment, over and over, while events come: nothing is missing at the end.
for my $round (1 .. 8)
{
	$listener = follow('--exec', 'cat >>$OUT/chaos', '--batch', 7);
	make_ready($node, 5) for 1 .. 4;
	sleep 0.02 + rand 0.4;
	$listener->kill9;
}
$listener = follow('--exec', 'cat >>$OUT/chaos', '--once');
wait_until(sub { $node->safe_psql('rxtrack', 'SELECT max(release_number) FROM rxtrack.readiness_event') == 175 });
$listener->wait_for_exit;
is(follow('--exec', 'cat >>$OUT/chaos', '--once')->wait_for_exit, 0, 'killed eight times under load');
my %seen = map { $_ => 1 } split / /, numbers_in('chaos');
is(join(' ', grep { !$seen{$_} } 16 .. 175), '', 'no event is missing');

# ---------- The server ----------

$listener = follow();
make_ready($node, 1);
$listener->wait_for_lines(1);
$node->restart;
make_ready($node, 2);
$listener->wait_for_lines(3);
is($listener->numbers, '176 177 178', 'a restart of the server: it connects again by itself');
like($listener->messages, qr/trying again in \d/, 'and says so');
$node->stop('immediate');
$listener->wait_for_message(qr/trying again.*trying again/s);
$node->start;
make_ready($node, 2);
$listener->wait_for_lines(5);
is($listener->numbers, '176 177 178 179 180', 'a crash of the server: likewise');
ok(wait_for_ack($node, 'app', 180), 'and all is acknowledged');
is($listener->stop, 0, 'and it ends');

# The command has done its work while the server was away: acknowledged later, and not done again.
$listener = follow('--exec', 'cat >>$OUT/away; touch $OUT/waits; while [ ! -e $OUT/go ]; do sleep 0.05; done');
make_ready($node, 3);
wait_for_file('waits');
$node->stop;
touch('go');
like($listener->wait_for_message(qr/trying again/), qr/database: /, 'the server is away when a batch is to be acknowledged');
$node->start;
ok(wait_for_ack($node, 'app', 183), 'it is acknowledged when the server is back');
make_ready($node, 1);
ok(wait_for_ack($node, 'app', 184), 'and it goes on');
is(numbers_in('away'), '181 182 183 184', 'no batch was delivered twice for that');
is($listener->stop, 0, 'and ends');

done_testing();
