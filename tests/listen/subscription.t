# rxtrack-listen with a subscription: what it prints and in which order, what it acknowledges and when, filters, and how
# it ends.
use strict;
use warnings;
use Fcntl ();
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use Test::More;
use Time::HiRes qw(time);

my $node = listening_node();
my $login = $node->connstr('rxtrack') . ' user=rxtrack_test_listener';

sub follow
{
	my ($name, @arguments) = @_;
	return RxTrack::Listener->start([ '--subscription', $name, @arguments ], database => $login);
}

sub released
{
	return $node->safe_psql('rxtrack', 'SELECT coalesce(max(release_number), 0) FROM rxtrack.readiness_event');
}

# Events released after a number, oldest first, as numbers.
sub numbers_after
{
	my ($number, $where) = @_;
	return $node->safe_psql('rxtrack',
		"SELECT string_agg(release_number::text, ' ' ORDER BY release_number) FROM rxtrack.readiness_event
		 WHERE release_number > $number AND " . ($where // 'true'));
}

sub wait_for_release
{
	my ($number) = @_;
	return wait_until(sub { released() >= $number });
}

# ---------- A name that is not there ----------

my $listener = follow('app');
is($listener->wait_for_exit, 1, 'a subscription that is not there: status 1');
like($listener->messages, qr/there is no subscription "app"; --create makes it/, 'and what to do');

# ---------- Printing ----------

$listener = follow('app', '--create');
ok(wait_until(sub { acknowledged($node, 'app') eq '0' }), 'it is made');
my $begun = time;
my ($task) = make_ready($node, 1, ods_code => 'A1B2');
my ($line) = $listener->wait_for_lines(1);
ok(time - $begun < 10, 'an event is printed when it is released, not at the next poll');
my $patient = $task->{for}{identifier}{value};
is_deeply(
	{ map { $_ => $line->{$_} } qw(id prescription item patient pharmacy status reason) },
	{
		id => 1,
		prescription => $task->{basedOn}[0]{identifier}{value},
		item => uc $task->{focus}{identifier}{value},
		patient => $patient,
		pharmacy => 'A1B2',
		status => 'Ready to Collect',
		reason => 'not enabled',
	},
	'the line says what the event says');
ok(!$line->{alert}, 'whether to alert');
like($line->{$_}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, "when it $_") for qw(occurred released);
is(join(' ', sort keys %$line), 'alert id issue item occurred origin patient pharmacy prescription reason released status withdraws withdraws_alert', 'and nothing else');
ok(wait_for_ack($node, 'app', 1), 'it is acknowledged');

make_ready($node, 250);
make_ready($node, 1) for 1 .. 5;
$listener->wait_for_lines(256);
is($listener->numbers, join(' ', 1 .. 256), 'more than a batch: each once, in the order of release');
ok(wait_for_ack($node, 'app', 256), 'all are acknowledged');
is($listener->stop, 0, 'SIGTERM ends it, with status 0');
is($listener->messages, '', 'and it had nothing to complain of');
ok(index($listener->messages, $patient) < 0, 'no patient in a message');

# ---------- Away, and back ----------

make_ready($node, 3);
wait_for_release(259);
$listener = follow('app', '--once');
is($listener->wait_for_exit, 0, '--once ends when it has caught up');
is($listener->numbers, '257 258 259', 'with what came while nobody listened');
$listener = follow('app', '--once');
is($listener->wait_for_exit, 0, '--once with nothing to print');
is($listener->numbers, '', 'prints nothing');

make_ready($node, 7);
wait_for_release(266);
$listener = follow('app', '--max', 3);
is($listener->wait_for_exit, 0, '--max ends after so many');
is($listener->numbers . '|' . acknowledged($node, 'app'), '260 261 262|262', 'which alone are acknowledged');
$listener = follow('app', '--max', 5, '--batch', 2);
is_deeply([ map { $_->{id} } $listener->wait_for_lines(4) ], [ 263 .. 266 ], '--max over several batches goes on where it was');
make_ready($node, 3);
is($listener->wait_for_exit, 0, 'waits for the rest');
is($listener->numbers, '263 264 265 266 267', 'and ends after the last');
wait_for_release(269);
is(acknowledged($node, 'app'), 267, 'with the rest left for later');

# ---------- Filters ----------

follow('app', '--once')->wait_for_exit;
my $start = released();
for ([ 'two', '--ods', 'b2, a1b2' ], [ 'alerts', '--alerts-only' ], ['all'])
{
	my ($name, @filter) = @$_;
	is(follow($name, '--create', '--once', @filter)->wait_for_exit, 0, "a subscription: $name");
}
$node->safe_psql('rxtrack', q{SELECT rxtrack.enable_alerts(ods_codes => '{A1B2, C3, B2}'), rxtrack.block_alerts('{B2}', 'wrong patients')});
my %following = map { $_ => follow($_) } qw(two alerts all);
my @ready = map { make_ready($node, 2, ods_code => $_) } qw(A1B2 C3 B2 D4 A1B2);
take_back($node, @ready[ 0, 6 ]);
$following{$_->[0]}->wait_for_lines($_->[1]) for [ two => 7 ], [ alerts => 7 ], [ all => 12 ];
is($following{two}->numbers, numbers_after($start, "ods_code IN ('A1B2', 'B2')"), '--ods: these pharmacies');
is($following{alerts}->numbers, numbers_after($start, 'alert OR withdraws_alert'), '--alerts-only: what is to alert, and what takes such a one back');
is($following{all}->numbers, numbers_after($start), 'neither: all');
my %number = map { ($_->{item} => $_->{id}) } grep { !$_->{withdraws} } $following{all}->lines;
is_deeply([ map { $_->{withdraws} ? "withdraws $_->{withdraws}" : $_->{reason} // 'alert' } $following{all}->lines ],
	[ qw(alert alert alert alert), ('pharmacy blocked') x 2, ('not enabled') x 2, qw(alert alert), map { "withdraws $number{ uc $_->{focus}{identifier}{value} }" } @ready[ 0, 6 ] ],
	'with the reasons, and what is taken back');
is($_->stop, 0, 'ends') for values %following;

$listener = follow('two', '--once', '--ods', 'A1B2,B2,b2');
is($listener->wait_for_exit, 0, 'the same filter, spelt in another way, is true of it');
for ([ '--ods', 'A1B2' ], ['--alerts-only'], [ '--create', '--ods', 'Z9' ])
{
	$listener = follow('two', '--once', @$_);
	is($listener->wait_for_exit, 1, "@$_ is not, and refused");
	like($listener->messages, qr/is there, for other events/, 'with the reason');
}
is($node->safe_psql('rxtrack', q{SELECT ods_codes FROM rxtrack.subscription WHERE name = 'two'}), '{B2,A1B2}', 'and nothing is changed');

# What it is for changes while it is followed: the slow look finds out, without a notification.
$listener = follow('two', '--poll', 1);
make_ready($node, 1, ods_code => 'B2');
$listener->wait_for_lines(1);
$node->safe_psql('rxtrack', q{SELECT rxtrack.add_subscription('two', '{E5}')});
make_ready($node, 1, ods_code => 'E5');
is(($listener->wait_for_lines(2))[1]{pharmacy}, 'E5', 'a changed filter is seen at the next look');
$listener->stop;

# ---------- Two of them ----------

my $first = follow('all');
$first->wait_for_lines(2);
my $second = follow('all');
like($second->wait_for_message(qr/waiting/), qr/another listener follows subscription "all"; waiting/, 'a second listener waits');
my $third = follow('all', '--once');
is($third->wait_for_exit, 4, 'with --once it does not: status 4');
make_ready($node, 2);
$first->wait_for_lines(4);
$first->kill9;
make_ready($node, 2);
$second->wait_for_lines(2);
is($second->numbers, join(' ', released() - 1, released()), 'when the first one is killed, the second goes on where it was');
is($second->stop, 0, 'and ends');

# ---------- Standard output ----------

my $position = acknowledged($node, 'all');
pipe my $reader, my $writer or die "pipe: $!";
$listener = RxTrack::Listener->start([ '--subscription', 'all' ], database => $login, stdout => $writer);
close $writer;
make_ready($node, 1);
like(scalar <$reader>, qr/^\{"id":/, 'a line comes through a pipe at once');
ok(wait_for_ack($node, 'all', ++$position), 'and is acknowledged');
close $reader;
is($listener->wait_for_exit, 3, 'when its reader goes, it ends with status 3, also with nothing to print');

pipe $reader, $writer or die "pipe: $!";
make_ready($node, 600);
wait_for_release($position + 600);
$listener = RxTrack::Listener->start([ '--subscription', 'all', '--batch', 1000 ], database => $login, stdout => $writer);
close $writer;
sysread $reader, my $some, 100;
ok($listener->is_running, 'a full pipe is waited for');
$listener->signal('TERM');
is($listener->wait_for_exit(1), undef, 'also after SIGTERM, since a batch is in hand');
close $reader;
is($listener->wait_for_exit, 3, 'a reader that goes in mid-batch: status 3');
is(acknowledged($node, 'all'), $position, 'and nothing of the batch is acknowledged');

pipe $reader, $writer or die "pipe: $!";
$listener = RxTrack::Listener->start([ '--subscription', 'all', '--batch', 1000 ], database => $login, stdout => $writer);
close $writer;
sysread $reader, $some, 100;
$listener->signal('TERM');
is($listener->wait_for_exit(1), undef, 'SIGTERM with a batch in hand');
$listener->signal('TERM');
is($listener->wait_for_exit, 1, 'a second one ends it at once, with status 1');
is(acknowledged($node, 'all'), $position, 'without acknowledging');

SKIP:
{
	skip 'there is no /dev/full', 2 unless -c '/dev/full';
	open my $full, '>', '/dev/full' or die "/dev/full: $!";
	$listener = RxTrack::Listener->start([ '--subscription', 'all' ], database => $login, stdout => $full);
	is($listener->wait_for_exit, 3, 'an output that takes nothing: status 3');
	is(acknowledged($node, 'all'), $position, 'without acknowledging');
}
# A pipe that keeps apart what is written at once.
pipe $reader, $writer or die "pipe: $!";
fcntl $writer, Fcntl::F_SETFL, Fcntl::O_WRONLY | Fcntl::O_DIRECT or die "O_DIRECT: $!";
$listener = RxTrack::Listener->start([ '--subscription', 'all', '--batch', 600, '--max', 600 ], database => $login, stdout => $writer);
close $writer;
my ($lines, $cut) = (0, 0);
while ($lines < 300 && sysread $reader, $some, 65536)
{
	$lines += $some =~ tr/\n//;
	$cut++ if $some !~ /\A\{.*\n\z/s;
}
is($cut, 0, 'whoever kills it finds whole lines: none is written in two parts');
$listener->kill9;
close $reader;
is(acknowledged($node, 'all'), $position, 'it had not acknowledged');

# A file that ends within a line: an earlier one was killed, or the disk was full.
my $file = PostgreSQL::Test::Utils::tempdir() . '/lines';
append_to_file($file, '{"id":1,"item":');
for my $round (1, 2)
{
	open my $out, '>>', $file or die "$file: $!";
	RxTrack::Listener->start([ '--subscription', 'all', '--max', 300 ], database => $login, stdout => $out)->wait_for_exit;
}
my ($part, @lines) = split /\n/, slurp_file($file), -1;
is($part, '{"id":1,"item":', 'what is cut is left to itself');
is(join(' ', map { /^\{"id":(\d+),.*\}$/ ? $1 : "($_)" } @lines), join(' ', $position + 1 .. $position + 600) . ' ()',
	'and all lines come whole after it, with none between them');

# ---------- What does not get better ----------

$node->safe_psql('rxtrack', 'CREATE ROLE rxtrack_test_nobody LOGIN');
$listener = RxTrack::Listener->start([ '--subscription', 'all' ], database => $node->connstr('rxtrack') . ' user=rxtrack_test_nobody');
is($listener->wait_for_exit, 1, 'a role without the privilege: status 1');
like($listener->messages, qr/permission denied/, 'and why');
$listener = follow('all', '--poll', 1);
make_ready($node, 1);
$listener->wait_for_lines(1);
$node->safe_psql('rxtrack', q{SELECT rxtrack.drop_subscription('all')});
is($listener->wait_for_exit, 1, 'a subscription that is ended: status 1');

# ---------- Where transactions release their events themselves ----------

my $plain = listening_node(name => 'plain', worker => 0);
$listener = RxTrack::Listener->start([ '--subscription', 'app', '--create' ], database => $plain->connstr('rxtrack') . ' user=rxtrack_test_listener');
ok(wait_until(sub { acknowledged($plain, 'app') eq '0' }), 'without the dispatcher');
make_ready($plain, 3);
$listener->wait_for_lines(3);
is($listener->numbers, '1 2 3', 'it works as well');
is($listener->stop, 0, 'and ends');

done_testing();
