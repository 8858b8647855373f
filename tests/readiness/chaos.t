# Chaos: suppliers at work, listeners of every kind, and whoever takes part is killed at random. In the end each listener has
# exactly the events that were released, in the order of release, and none that was acknowledged to a supplier is missing.
#
#   CHAOS_SECONDS (6)   for how long; `make chaos` takes a minute
#   CHAOS_SEED          the order of blows, as the last run printed it
use strict;
use warnings;
use IO::Poll qw(POLLIN);
use JSON::PP ();
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Connection;
use RxTrack::Listener;
use RxTrack::Load;
use RxTrack::Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{CHAOS_SECONDS} || 6;
my $seed = $ENV{CHAOS_SEED} || int rand 1 << 31;
my $directory = PostgreSQL::Test::Utils::tempdir();
my @pharmacies = qw(A1 B2 C3 D4);
my $streams = 20;

# No power fails here: what the kernel has, it keeps.
my $node = listening_node(conf => <<'CONF');
fsync = off
log_statement = none
restart_after_crash = on
CONF
my %env = (RXTRACK_HTTP_THREADS => 2, RXTRACK_STREAM_HEARTBEAT => 1);
my $gateway = gateway($node, env => \%env);
my $port = $gateway->port;
my %key = (supplier => add_application($node, 'Supplier'), listener => add_application($node, 'Ear', 'events:read'));
$node->safe_psql('rxtrack', q{SELECT rxtrack.enable_alerts(ods_codes => '{A1, B2}'); ALTER SYSTEM SET rxtrack.alert_cooldown = 0; SELECT pg_reload_conf()});

# ---------- Processes of the test's own ----------

my %running;

# Runs the work again and again in a process, until it is told to end or the test is gone. The work gets what says whether to
# go on; what it dies of is what the chaos has done to it.
sub process
{
	my ($name, $work) = @_;
	my $parent = $$;
	my $pid = fork // die "fork: $!";
	return $running{$name} = $pid if $pid;
	my $goes_on = sub { return !-e "$directory/end.$name" && getppid() == $parent };
	srand($seed ^ $$);
	Test::More->builder->$_('/dev/null') for qw(output failure_output todo_output);
	open STDOUT, '>', '/dev/null';
	open STDERR, '>', '/dev/null';
	while ($goes_on->())
	{
		eval { $work->($goes_on); 1 } or sleep 0.1;
	}
	kill 'KILL', $$; # past what the test would do at its end
	return;
}

sub kill_process
{
	my ($name) = @_;
	kill 'KILL', $running{$name};
	waitpid $running{$name}, 0;
	return;
}

sub end_process
{
	my ($name) = @_;
	append_to_file("$directory/end.$name", '');
	waitpid $running{$name}, 0;
	return;
}

# Appends by one write, which a kill does not cut.
sub note_down
{
	my ($file, $text) = @_;
	open my $out, '>>', "$directory/$file" or die "$file: $!";
	syswrite $out, $text;
	close $out;
	return;
}

sub noted { return -e "$directory/$_[0]" ? split /\n/, slurp_file("$directory/$_[0]") : () }

# ---------- Suppliers ----------

sub moment
{
	my ($second, $minute, $hour, $day, $month, $year) = gmtime $_[0];
	return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $year + 1900, $month + 1, $day, $hour, $minute, $second;
}

my ($promise, $ready);

# Most become ready at once, some later; some of either are taken back.
sub some_task
{
	my $kind = rand;
	my %field = (business_status => 'Ready to Collect', ods_code => $pharmacies[ rand @pharmacies ]);
	return $ready = task(%field) if $kind < 0.6;
	return task(%field, business_status => 'With Pharmacy') if $kind < 0.7;
	return correction(\$ready) if $ready && $kind < 0.8;
	return correction(\$promise) if $promise && $kind < 0.85;
	return $promise = task(%field, set_at => moment(time - 1), last_modified => moment(time + 1 + rand 2));
}

# The supply of a task, which is then forgotten, is with the pharmacy.
sub correction
{
	my ($place) = @_;
	my $task = $$place;
	undef $$place;
	return task(prescription_id => $task->{basedOn}[0]{identifier}{value}, line_item_id => $task->{focus}{identifier}{value},
		nhs_number => $task->{for}{identifier}{value}, ods_code => $task->{owner}{identifier}{value}, business_status => 'With Pharmacy');
}

# The same request, until it is acknowledged.
sub submit_some
{
	my ($goes_on) = @_;
	my @tasks = map { some_task() } 1 .. 1 + rand 3;
	my $request_id = uuid();
	my $status = 0;
	while ($status != 201)
	{
		return unless $goes_on->();
		$status = $gateway->post(bundle(@tasks), key => $key{supplier}, request_id => $request_id)->{status};
		return note_down('refused', "$status\n") if $status >= 400 && $status < 500;
		sleep 0.05 if $status != 201;
	}
	note_down('acknowledged', join '', map { "$_->{id}\n" } @tasks);
	return;
}

# ---------- Listeners ----------

# The next of a subscription: delivered, then acknowledged. Several share a name by a transaction; one alone needs none.
sub consume
{
	my ($name, $session, $shared) = @_;
	$session->sql('BEGIN') eq '' || die 'no transaction' if $shared;
	my $rows = $session->sql("SELECT 'n ' || release_number FROM rxtrack.fetch_events('$name', 20) ORDER BY release_number");
	die $rows if $rows =~ /^[0-9A-Z]{5}$/ && $rows !~ / /;
	note_down($name, $rows =~ s/^n //gmr . "\n") if $rows ne '';
	my ($last) = $rows =~ /(\d+)$/;
	$session->sql("SELECT rxtrack.ack_events('$name', $last)") eq $last || die 'not acknowledged' if $last;
	$session->sql('COMMIT') eq '' || die 'not committed' if $shared;
	sleep 0.05 if !$last;
	return;
}

sub consumer
{
	my ($name, $subscription, $shared) = @_;
	process($name, sub {
		my ($goes_on) = @_;
		my $session = RxTrack::Session->new($node);
		consume($subscription, $session, $shared) while $goes_on->();
	});
	return;
}

my %listener;
my %arguments = (
	listen => [ '--subscription', 'listen' ],
	exec => [ '--subscription', 'exec', '--exec', "cat >>$directory/exec.out" ],
	stream => [ '--url', "http://127.0.0.1:$port", '--state', "$directory/stream.state" ],
	'stream-ods' => [ '--url', "http://127.0.0.1:$port", '--state', "$directory/stream-ods.state", '--ods', 'a1,d4', '--exec', "cat >>$directory/stream-ods.out" ]);

sub start_listener
{
	my ($name) = @_;
	open my $out, '>>', "$directory/$name.out" or die "$name: $!";
	$listener{$name} = RxTrack::Listener->start($arguments{$name}, database => $node->connstr('rxtrack') . ' user=rxtrack_test_listener',
		env => { RXTRACK_API_KEY => $key{listener} }, stdout => $out);
	return;
}

# Clients of GET /events, which hold what they were told last and come back with it.
my @clients = map { { number => $_, ods => $_ % 4 ? '' : '?ods=B2', last => 0, at => 0 } } 1 .. $streams;

sub open_client
{
	my ($client, $poll) = @_;
	$client->{at} = time + 0.2 + rand 0.3;
	my $connection = eval { RxTrack::Connection->new($gateway) } or return;
	$connection->send("GET /events$client->{ods} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key{listener}\r\nLast-Event-ID: $client->{last}\r\n\r\n");
	@{$client}{qw(connection text)} = ($connection, '');
	$poll->mask($connection->socket => POLLIN);
	return;
}

sub close_client
{
	my ($client, $poll) = @_;
	$poll->remove($client->{connection}->socket);
	delete $client->{connection};
	return;
}

sub read_client
{
	my ($client, $poll) = @_;
	return close_client($client, $poll) unless sysread $client->{connection}->socket, $client->{text}, 65536, length $client->{text};
	# as the gateway says while the database is away
	return close_client($client, $poll) if $client->{text} =~ m{\AHTTP/1\.1 [^2]};
	# the transfer's chunks are whole blocks, but for what did not fit
	my $heard = '';
	while ($client->{text} =~ s/^(.*?)\n\n//s)
	{
		my ($block) = ($1 =~ s/\r\n[0-9a-f]+\r\n|^[0-9a-f]+\r\n//gr);
		my ($id) = $block =~ /^id: (\d+)$/m or next;
		$client->{last} = $id;
		$heard .= "$client->{number} $id\n" if $block =~ /^data: \{"id": $id,/m;
	}
	note_down('clients', $heard) if $heard ne '';
	return;
}

sub follow_streams
{
	my ($goes_on) = @_;
	my $poll = IO::Poll->new;
	delete $_->{connection} for @clients;
	while ($goes_on->())
	{
		open_client($_, $poll) for grep { !$_->{connection} && $_->{at} < time } @clients;
		my %ready = map { fileno($_) => 1 } $poll->poll(0.1) > 0 ? $poll->handles(POLLIN) : ();
		read_client($_, $poll) for grep { $_->{connection} && $ready{ fileno $_->{connection}->socket } } @clients;
		close_client($_, $poll) for grep { $_->{connection} && rand() < 0.002 } @clients;
	}
	return;
}

# ---------- Blows ----------

sub sql_at_last
{
	my ($sql) = @_;
	my $out;
	wait_until(sub { $node->psql('rxtrack', $sql, stdout => \$out, stderr => \my $ignored) == 0 }) or die "the server does not come back for: $sql";
	return $out;
}

sub backend
{
	my ($type) = @_;
	my $pid = sql_at_last("SELECT pid FROM pg_stat_activity WHERE backend_type IN ($type) AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1");
	return $pid =~ /^\d+$/ ? $pid : undef;
}

# The server's processes notice that their postmaster is gone, each in its time. Its own entry may outlive it for a while.
sub kill_postmaster
{
	my $place = $node->data_dir;
	$node->kill9;
	wait_until(sub { !grep { (readlink($_) // '') eq $place } glob '/proc/[0-9]*/cwd' });
	unlink "$place/postmaster.pid", $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	$node->start;
	return;
}

sub restart_gateway { $gateway = gateway($node, env => \%env, port => $port, wait => 'listening') }

my @blows = (
	[ 'a backend is killed' => sub { my $pid = backend("'client backend'"); kill 'KILL', $pid if $pid } ],
	[ 'the dispatcher is killed' => sub { my $pid = backend("'rxtrack dispatcher'"); kill 'KILL', $pid if $pid } ],
	[ 'a backend is terminated' => sub { my $pid = backend("'client backend', 'rxtrack dispatcher'"); kill 'TERM', $pid if $pid } ],
	[ 'the server stops at once' => sub { $node->stop('immediate'); sleep rand 0.3; $node->start } ],
	[ 'the postmaster is killed' => \&kill_postmaster ],
	[ 'the gateway is killed' => sub { $gateway->kill9; sleep rand 0.3; restart_gateway() } ],
	[ 'the gateway is told to end' => sub { $gateway->stop; restart_gateway() } ],
	(map { my $name = $_; [ "rxtrack-listen ($name) is killed" => sub { $listener{$name}->kill9; start_listener($name) } ] } sort keys %arguments),
	(map { my $name = $_; [ "a consumer ($name) is killed" => sub { kill_process($name); consumer($name, 'shared', 1) } ] } 'shared.1', 'shared.2'),
	[ 'a consumer is killed' => sub { kill_process('alerts'); consumer('alerts', 'alerts', 0) } ]);

# ---------- Chaos ----------

$node->safe_psql('rxtrack', q{SELECT rxtrack.add_subscription('shared'); SELECT rxtrack.add_subscription('alerts', '{B2,C3}', true);
	SET ROLE rxtrack_test_listener; SELECT rxtrack.add_subscription('listen'); SELECT rxtrack.add_subscription('exec', '{A1,C3}')});
start_listener($_) for sort keys %arguments;
ok(wait_until(sub { -e "$directory/stream.state" && -e "$directory/stream-ods.state" }), 'the streams have a place to begin');
consumer('shared.1', 'shared', 1);
consumer('shared.2', 'shared', 1);
consumer('alerts', 'alerts', 0);
process('clients', \&follow_streams);
process("supplier.$_", \&submit_some) for 1 .. 3;

note("CHAOS_SEED=$seed");
srand $seed;
my %dealt;
my $until = time + $seconds;
while (time < $until)
{
	my ($name, $blow) = @{ $blows[ rand @blows ] };
	sleep 0.05 + rand 0.4;
	$blow->();
	$dealt{$name}++;
}
note(sprintf '%3d times %s', $dealt{$_}, $_) for sort keys %dealt;

# ---------- What has become of it ----------

end_process("supplier.$_") for 1 .. 3;
sub sql { return sql_at_last(@_) }
ok(wait_until(sub { sql('SELECT count(*) FROM rxtrack.pending_events') eq '0' }), 'in the end all events are settled');
is(faults($node), '', 'numbers have no gap, and no event is missing');
is(sql(q{SELECT count(*) FROM rxtrack.supply_status s WHERE s.status = 'With Pharmacy' AND EXISTS (
	SELECT FROM rxtrack.readiness_event e LEFT JOIN rxtrack.readiness_event w ON w.withdraws = e.release_number
	WHERE e.prescription_id = s.prescription_id AND e.line_item_id = s.line_item_id AND e.withdraws IS NULL AND w.release_number IS NULL)}), 0,
	'what is not ready any more is taken back');
my %stored = map { $_ => 1 } split /\n/, sql('SELECT task_id FROM rxtrack.status_update');
my @acknowledged = noted('acknowledged');
is(scalar(grep { !$stored{$_} } @acknowledged), 0, 'each of ' . @acknowledged . ' updates that were acknowledged is stored');
is(join(' ', noted('refused')), '', 'none was refused when it was sent again');

# What was released, as a listener with that filter is to get it.
sub released
{
	my ($where) = @_;
	return [ split /\n/, sql("SELECT release_number FROM rxtrack.readiness_event WHERE $where ORDER BY release_number") ];
}

# Whoever waits for its end does so by looking at what it has last.
sub has_exactly
{
	my ($name, $got, $where) = @_;
	my $wanted = released($where);
	my @got;
	wait_until(sub { @got = $got->(); !@$wanted || grep { $_ eq $wanted->[-1] } @got });
	my %place = map { $wanted->[$_] => $_ } 0 .. $#$wanted;
	my ($next, $repeated, @wrong) = (0, 0);
	for my $event (@got)
	{
		my $place = $place{$event};
		push @wrong, "$event was not released" if !defined $place;
		push @wrong, "$event came before $wanted->[$next]" if defined $place && $place > $next;
		$repeated++ if defined $place && $place < $next;
		$next = $place + 1 if defined $place && $place >= $next;
	}
	push @wrong, @$wanted - $next . ' are missing at the end' if $next < @$wanted;
	is(join(', ', @wrong), '', "$name: exactly the " . @$wanted . ' events that were released, in their order');
	return $repeated;
}

my $json = JSON::PP->new->utf8;

# The lines of rxtrack-listen; one that was cut when it was killed is no JSON.
sub lines
{
	my ($name) = @_;
	return map { my $event = eval { $json->decode($_) }; $event ? $event->{id} : () } noted("$name.out");
}

my $codes = sub { return 'ods_code IN (' . join(',', map { "'$_'" } @_) . ')' };
my %repeated;
$repeated{shared} = has_exactly('two consumers of one subscription', sub { noted('shared') }, 'true');
$repeated{alerts} = has_exactly('a consumer without transactions, of alerts', sub { noted('alerts') }, '(alert OR withdraws_alert) AND ' . $codes->('B2', 'C3'));
$repeated{listen} = has_exactly('rxtrack-listen, of a subscription', sub { lines('listen') }, 'true');
$repeated{exec} = has_exactly('rxtrack-listen --exec, of two pharmacies', sub { lines('exec') }, $codes->('A1', 'C3'));
$repeated{stream} = has_exactly('rxtrack-listen, of a stream', sub { lines('stream') }, 'true');
$repeated{'stream-ods'} = has_exactly('rxtrack-listen --exec, of a stream of two pharmacies', sub { lines('stream-ods') }, $codes->('A1', 'D4'));
my $again = 0;
for my $client (@clients)
{
	my $number = $client->{number};
	$again += has_exactly("stream $number", sub { map { /^$number (.*)/ ? $1 : () } noted('clients') }, $client->{ods} ? $codes->('B2') : 'true');
}
is($again, 0, 'no stream that is resumed has anything twice');
note('repeated: ' . join ', ', map { "$_ $repeated{$_}" } sort keys %repeated);

is($listener{$_}->stop, 0, "rxtrack-listen ($_) ends well") for sort keys %listener;
end_process($_) for 'shared.1', 'shared.2', 'alerts', 'clients';
is($gateway->stop, 0, 'the gateway ends well');
done_testing();
