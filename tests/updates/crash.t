# A stream of posts while the gateway, the server and its processes are killed: what was told 201 is there, nothing is there
# twice, and who sends the same request again after an unknown outcome ends with all of it stored once.
use strict;
use warnings;
use IO::Handle;
use POSIX ();
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Audit;
use Test::More;
use Time::HiRes qw(sleep time);

use constant { CLIENTS => 6, ROUNDS => 2 };

# A server whose other sessions need not be durable.
my $node = node(conf => "rxtrack.updates_per_supply = 100000\nrestart_after_crash = on\nsynchronous_commit = off\n");
my $key = add_application($node, 'A pharmacy system');
my $gateway = gateway($node);
my $port = $gateway->port;
my $directory = PostgreSQL::Test::Utils::tempdir();

# ---------- Clients ----------

sub new_items
{
	my ($count) = @_;
	my %same = (prescription_id => random_prescription_id(), nhs_number => random_nhs_number());
	return map { { %same, line_item_id => uuid() } } 1 .. $count;
}

my @shared = new_items(3);

# A client ends with the test, however that ends.
my $parent = $$;

sub is_wanted { return !-e "$directory/stop" && getppid() == $parent }

# Every client writes down what it is about to send, and then each answer.
sub client
{
	my ($n) = @_;
	srand;
	open my $diary, '>', "$directory/$n" or POSIX::_exit(1);
	$diary->autoflush;
	my @items = (new_items(2), @shared);	# some of its own, and some that all of them name
	while (is_wanted())
	{
		my $request_id = uuid();
		my $body = to_json(bundle(map { ready_or_not($_) } grep { rand() < 0.6 } @items));
		next unless $body =~ /Task/;
		print $diary "sent $request_id $body\n";
		post_until_stored($diary, $request_id, $body);
	}
	close $diary;
	POSIX::_exit(0);
}

sub ready_or_not
{
	my ($item) = @_;
	my $now = time;
	return task(%$item, business_status => rand() < 0.5 ? 'Ready to Collect' : 'With Pharmacy',
		last_modified => POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime $now) . sprintf '.%06dZ', ($now - int $now) * 1e6);
}

sub post_until_stored
{
	my ($diary, $request_id, $body) = @_;
	while (is_wanted())
	{
		my $status = $gateway->post($body, key => $key, request_id => $request_id)->{status};
		print $diary "told $request_id $status\n";
		# some leave it at that
		return if $status == 201 || rand() < 0.2;
		sleep 0.02 + rand 0.05;
	}
	return;
}

# ---------- Accidents ----------

sub kill_gateway
{
	$gateway->kill9;
	$gateway = gateway($node, port => $port);
	return;
}

sub stop_immediately
{
	$node->stop('immediate');
	$node->start;
	return;
}

# The server throws all its other sessions out and recovers by itself.
sub kill_backend
{
	my $pid = $node->safe_psql('rxtrack', "SELECT pid FROM pg_stat_activity WHERE usename = 'rxtrack_test_gateway'
		ORDER BY query_start DESC LIMIT 1");
	kill 'KILL', $pid;
	wait_for_server();
	return;
}

# Its orphans leave soon, and before that no other server starts.
sub kill_postmaster
{
	my @orphans = split /\s+/, $node->safe_psql('rxtrack', "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity
		WHERE pid <> pg_backend_pid()");
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	$node->kill9;
	sleep 0.05 while time < $until && grep { kill 0, $_ } @orphans;
	$node->start;
	return;
}

# So does this; what was not written to the tables since is in the log alone.
sub kill_checkpointer
{
	$node->safe_psql('rxtrack', 'CHECKPOINT');
	kill 'KILL', $node->safe_psql('rxtrack', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
	wait_for_server();
	return;
}

sub wait_for_server
{
	sleep 0.3;
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
	return;
}

# Clients get something stored before, between and after.
sub wait_for_stream
{
	my $before = -1;
	for (my $until = time + $PostgreSQL::Test::Utils::timeout_default; time < $until; sleep 0.1)
	{
		my $stored = $node->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update');
		return 1 if $before >= 0 && $stored > $before + 2 * CLIENTS;
		$before = $stored if $before < 0;
	}
	return 0;
}

my %accident = (
	'kill -9 of the gateway' => \&kill_gateway,
	'an immediate stop' => \&stop_immediately,
	'kill -9 of a backend' => \&kill_backend,
	'kill -9 of the postmaster' => \&kill_postmaster,
	'kill -9 of the checkpointer' => \&kill_checkpointer,
);

my @clients = map { my $n = $_; fork // die "fork: $!" or client($n) } 1 .. CLIENTS;
for my $round (1 .. ROUNDS)
{
	for my $name (sort keys %accident)
	{
		ok(wait_for_stream(), "posts come in before $name, round $round");
		$accident{$name}->();
	}
}
ok(wait_for_stream(), 'and after all that');
append_to_file("$directory/stop", '');
waitpid $_, 0 for @clients;

# ---------- The reckoning ----------

my (%body, %told, %seen);
for (map { split /\n/, slurp_file("$directory/$_") } 1 .. CLIENTS)
{
	my ($what, $request_id, $rest) = split / /, $_, 3;
	$body{$request_id} = $rest if $what eq 'sent';
	next unless $what eq 'told';
	$told{$request_id} = $rest;
	$seen{$rest}++;
}

sub tasks_of
{
	return map { $body{$_} =~ /"fullUrl":"urn:uuid:([^"]+)"/g } @_;
}

sub missing
{
	my %stored = map { $_ => 1 } split /\n/, $node->safe_psql('rxtrack', 'SELECT task_id FROM rxtrack.status_update');
	return scalar grep { !$stored{$_} } tasks_of(@_);
}

my @stored = grep { ($told{$_} // 0) == 201 } keys %body;
my @unknown = grep { ($told{$_} // 0) != 201 } keys %body;
note(join ', ', map { "$seen{$_} times $_" } sort keys %seen);
note(scalar(@stored) . ' requests were told 201, ' . scalar(@unknown) . ' were not');
cmp_ok(scalar(grep { $_ != 201 } map { ($_) x $seen{$_} } keys %seen), '>=', ROUNDS * 3,
	'clients were hit by the accidents');
is(join(' ', grep { !/^(?:201|503|504|599)$/ } sort keys %seen), '', 'and told nothing but that they may try again');
is(missing(@stored), 0, 'every update that was told 201 is there');
is(audit($node), '', 'the books balance');

is(join(' ', grep { $_ != 201 } map { $gateway->post($body{$_}, key => $key, request_id => $_)->{status} } @unknown), '',
	'who did not hear sends the same again and is told 201');
is(join(' ', grep { $_ != 201 } map { $gateway->post($body{$_}, key => $key, request_id => $_)->{status} }
	  @stored[0 .. 9]), '', 'as is who did hear');
is(missing(keys %body), 0, 'then every update is there');
is($node->safe_psql('rxtrack', 'SELECT count(*), count(DISTINCT task_id) FROM rxtrack.status_update'),
	join('|', (scalar(tasks_of(keys %body))) x 2), 'once, and no other');
is(audit($node), '', 'and the books still balance');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
