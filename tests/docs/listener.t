# docs/listener.md says what works: its three ways in are walked as they stand there, by who may do no more than it says.
# What is enabled for alerts is what docs/dba/readiness.md enables.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Listener;
use Test::More;

my $page = slurp_file('docs/listener.md') . slurp_file('docs/dba/readiness.md');
my $node = listening_node();
my $gateway = gateway($node);
my $supplier = add_application($node, 'A pharmacy system');
my $directory = PostgreSQL::Test::Utils::tempdir();

# The block of the page in which this comes first, without the fences; what the page calls the gateway's address is ours.
sub block
{
	my ($regex) = @_;
	for my $block ($page =~ /^[ ]*```\w*\n(.*?)^[ ]*```$/msg)
	{
		return $block =~ s/127\.0\.0\.1:8480/'127.0.0.1:' . $gateway->port/ger if $block =~ $regex;
	}
	die "there is no block with $regex";
}

# A command of the page's in a shell, whose output goes into a file; what ends it. Where the database is, is in the environment.
sub shell
{
	my ($name, $command) = @_;
	my $pid = fork // die "fork: $!";
	unless ($pid)
	{
		setpgrp;
		@ENV{qw(PGHOST PGPORT PGDATABASE PGUSER)} = ($node->host, $node->port, 'rxtrack', 'ear');
		open STDOUT, '>', "$directory/$name.out" or die "$name: $!";
		open STDERR, '>&', \*STDOUT;
		exec 'setpriv', '--pdeathsig', 'KILL', 'bash', '-c', $command or die "bash: $!";
	}
	return sub { kill 'KILL', -$pid; waitpid $pid, 0; return };
}

sub output { return -e "$directory/$_[0].out" ? slurp_file("$directory/$_[0].out") : '' }

# What happened long ago would alert nobody.
sub post
{
	my ($status) = @_;
	my $bundle = from_json(example('ready-to-collect.json'));
	my $task = $bundle->{entry}[0]{resource};
	@{$task}{qw(id lastModified)} = (uuid(), task()->{lastModified});
	$task->{businessStatus}{coding}[0]{code} = $status;
	$bundle->{entry}[0]{fullUrl} = "urn:uuid:$task->{id}";
	return $gateway->post($bundle, key => $supplier)->{status};
}

# ---------- Who may, settings ----------

my $granted = $node->safe_psql('rxtrack', block(qr/grant_events/));
my ($key) = $granted =~ /(rxtrack_\w+)/;
like($key, qr/^rxtrack_/, 'the role and the application are made, and the key is shown');
$node->safe_psql('rxtrack', block(qr/rxtrack\.enable_alerts/));
is($node->safe_psql('rxtrack', q{SELECT string_agg(concat_ws(' ', application, ods_code, state), ', ' ORDER BY concat_ws(' ', application, ods_code, state)) FROM rxtrack.alerts}),
	'A pharmacy system enabled, A1B2 blocked, A1B2 enabled, Y12345 enabled', 'the settings are made');

# ---------- The three ways in, at once ----------

my @statements = block(qr/by hand/) =~ /^rxtrack=> (.*;)$/mg;
my $subscribe = shift @statements;
is($node->safe_psql('rxtrack', $subscribe, extra_params => [ '-U', 'ear' ]), 0, 'a subscription');

my @ends = (shell('psql', block(qr/LISTEN rxtrack_ready_y12345/)));
append_to_file("$directory/follow.c", block(qr/follow\.c/));
my ($compile) = block(qr/follow\.c/) =~ /(cc -o follow .*?) \*\//;
is(system("cd $directory && $compile -Wall -Wextra -Werror"), 0, 'the program in C compiles as it says');
push @ends, shell('follow', "exec $directory/follow");
push @ends, shell('curl', "KEY=$key; " . block(qr/curl -sN.*\?ods=Y12345/));
push @ends, shell('listen', "PATH=$ENV{RXTRACK_STAGE}:\$PATH; " . (block(qr/rxtrack-listen --subscription push --create/) =~ /^\$ (.*)$/m)[0] =~ s/push/other/r);
ok(wait_until(sub { output('psql') =~ /LISTEN/ && output('curl') =~ /^id: 0$/m }), 'psql listens, and the stream is there');
ok(wait_until(sub { acknowledged($node, 'push') eq '0' && acknowledged($node, 'other') eq '0' }), 'so do the program and rxtrack-listen');
is(post('Ready to Collect'), 201, 'an item becomes ready');

ok(wait_until(sub { output('psql') =~ /^Asynchronous notification "rxtrack_ready_y12345" with payload "\d+" received/m }), 'psql hears of it');
my ($id) = output('psql') =~ /payload "(\d+)"/;
my ($select) = block(qr/get_event\(1\)"/) =~ /-c "(.*)"/;
is($node->safe_psql('rxtrack', $select =~ s/\(1\)$/($id)/r, extra_params => [ '-U', 'ear' ]),
	'C61ACB-Y12345-9423FT|25d05d37-5514-4d2c-9357-2a051cb000fc|Y12345|Ready to Collect|t', 'and reads what it is about');
ok(wait_until(sub { output('follow') =~ /^push a message for event $id: Ready to Collect at Y12345$/m }), 'the program in C gets it');
ok(wait_for_ack($node, 'push', 1), 'and acknowledges it');
ok(wait_until(sub { output('curl') =~ /^id: 1\nevent: ready\ndata: \{.*"prescription": "C61ACB-Y12345-9423FT"/m }), 'curl gets it');
ok(wait_until(sub { output('listen') =~ /^\{"id":1,.*"prescription":"C61ACB-Y12345-9423FT",.*\}$/m }), 'rxtrack-listen prints it');
my @rows = split /\n/, $node->safe_psql('rxtrack', join(' ', @statements) =~ s/, 2\)/, 1)/r, extra_params => [ '-U', 'ear' ]);
is_deeply([ @rows[ 0, 1 ], grep { /^by hand/ } @rows ], [ "$id|Y12345|Ready to Collect|t", 1, 'by hand|1|0|t|' ], 'fetched by hand, and acknowledged');
is(post('With Pharmacy'), 201, 'it is not ready any more');
ok(wait_until(sub { output('follow') =~ /^take back the message for event $id: With Pharmacy at Y12345$/m }), 'the program in C takes its message back');
ok(wait_until(sub { output('curl') =~ /^id: 2\nevent: withdrawn\ndata: \{.*"withdraws": 1, /m }), 'curl gets what the page calls withdrawn');
$_->() for @ends;
diag(map { "$_: " . output($_) } qw(psql follow curl listen)) unless Test::More->builder->is_passing;

done_testing();
