# Signals: SIGHUP has the configuration read anew, SIGUSR1 the log file opened anew, and none that is meant for others ends the gateway.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use Test::More;

my $directory = PostgreSQL::Test::Utils::tempdir();
my ($file, $log) = ("$directory/gateway.conf", "$directory/gateway.log");
my $node = node();
my $key = add_application($node, 'A supplier');

sub configure
{
	open my $out, '>', $file or die "$file: $!";
	print $out join '', map { "$_\n" } @_;
	return close $out;
}

configure('body_limit = 2000', 'request_timeout = 5', 'waiting_limit = 100', "log_file = $log");
my $gateway = gateway($node, env => { RXTRACK_CONFIG => $file, RXTRACK_BATCH_LIMIT => 7 }, arguments => ['--http-threads=2'], wait => 'nothing');
$gateway->{log} = $log;
$gateway->wait_until_listening;
$gateway->wait_until_ready;
is((stat $log)[2] & 0137, 0, 'the log is in its file, which others may not read');

# The last event of this name, once there are so many of them.
sub event
{
	my ($name, $count) = @_;
	my @events;
	$gateway->wait_for("$count $name", sub { @events = grep { ($_->{event} // '') eq $name } $gateway->log_events; return @events >= $count });
	return $events[-1];
}

sub post { return $gateway->post(to_json(bundle(task())) . ' ' x $_[0], key => $key)->{status} }

# ---------- SIGHUP ----------

is(post(3000), 413, 'a body over the limit');
configure('body_limit = 9000', 'request_timeout = 1', 'connection_limit = 50', 'batch_limit = 9', 'http_threads = 3', "log_file = $log.2", 'stream_limit = 40', 'waiting_limit = 100');
$gateway->signal('HUP');
my $event = event('reloaded', 1);
is_deeply([ sort @{ $event->{changed} } ], [qw(body_limit request_timeout stream_limit)], 'after SIGHUP the log says what has changed');
is_deeply([ sort @{ $event->{needs_restart} } ], [qw(connection_limit log_file)], 'and what needs a restart; not what the environment or the command line say');
is(post(3000), 201, 'the new limit of a body holds');
my $holder = $node->background_psql('rxtrack');
$holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE');
is(post(0), 504, 'and the new time for a request');
$holder->quit;
configure('body_limit = 100', 'no such option = 1');
$gateway->signal('HUP');
ok(event('reload_failed', 1)->{reason}, 'a file that is not valid is said to be so');
is(post(3000), 201, 'and nothing of it is taken');
configure("log_file = $log");
$gateway->signal('HUP');
$event = event('reloaded', 2);
is_deeply([ sort @{ $event->{changed} } ], [qw(body_limit request_timeout stream_limit waiting_limit)], 'what is not said any more goes back to its default');
is_deeply($event->{needs_restart}, [], 'and what is as it was at the start needs nothing');
is(post(100_000), 201, 'a body of the default size');

# ---------- SIGUSR1 ----------

rename $log, "$log.1";
is(post(0), 201, 'a request while the file has been moved away');
$gateway->signal('USR1');
event('log_reopened', 1);
is(post(0), 201, 'and one after SIGUSR1');
$gateway->wait_for('its line', sub { grep { $_->{method} } $gateway->log_events });
my ($before, $after) = map { PostgreSQL::Test::Utils::slurp_file($_) } "$log.1", $log;
is(scalar(() = $before =~ /"method":"POST"/g), 6, 'the first is in the old file, with those before');
is(scalar(() = $after =~ /"method":"POST"/g), 1, 'the second in the new one');
rename $log, "$log.2";
mkdir $log;
$gateway->signal('USR1');
$gateway->{log} = "$log.2";
like(event('log_not_reopened', 1)->{reason}, qr/directory/, 'where it cannot be opened, the old file goes on and says why');
is(post(0), 201, 'and all is well');

# ---------- Signals of others ----------

my $connection = RxTrack::Connection->new($gateway);
for my $name (qw(USR2 ALRM PIPE VTALRM PROF POLL PWR XFSZ RTMIN RTMAX), 'NUM40')
{
	$gateway->signal($name) for 1 .. 2;
	$connection->request('GET', '/_ping');
	is($connection->answer->{status}, 200, "SIG$name changes nothing");
}
is($gateway->stop, 0, 'the gateway ends well');

# ---------- Without a file ----------

$gateway = gateway($node);
$gateway->signal('USR1');
like(event('log_not_reopened', 1)->{reason}, qr/standard output/, 'without a file SIGUSR1 is answered as well');
$gateway->signal('HUP');
is_deeply([ @{ event('reloaded', 1) }{qw(changed needs_restart)} ], [ [], [] ], 'and so is SIGHUP');
is_healthy($gateway, 'it lives');
is($gateway->stop, 0, 'and ends well');

# ---------- A file that cannot be written ----------

my $mute = RxTrack::Gateway->start(database => '', env => { RXTRACK_LOG_FILE => "$directory/nowhere/x.log" }, wait => 'nothing');
is($mute->wait_for_exit(20), 1, 'a file that cannot be opened ends it at the start');
like($mute->log, qr{^rxtrack-gateway: \S*/nowhere/x\.log: No such file}m, 'and it says so');

done_testing();
