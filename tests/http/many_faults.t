# Requests with very many faults: an answer spells out the first hundred, and large answers count as memory.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use RxTrack::Process;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(sleep time);

my $memory = 4 * 1024 * 1024;
my $node = node();
my $gateway = gateway($node, env => { RXTRACK_BODY_MEMORY => $memory, RXTRACK_HTTP_THREADS => 2, RXTRACK_CLIENT_TIMEOUT => 60 });
my $key = add_application($node, 'A supplier');

sub diagnostics { return map { $_->{diagnostics} } @{ $_[0]{response}{outcome}{issue} } }

# How many faults of an answer are spelled out, and how many it says there are more.
sub told
{
	my ($answer) = @_;
	my @all = map { diagnostics($_) } @{ $answer->{json}{entry} };
	my @more = map { /^(\d+) more faults?: an answer spells out the first 100$/ ? $1 : () } @all;
	my $more = 0;
	$more += $_ for @more;
	return (@all - @more, $more);
}

# ---------- Bundles ----------

my $faulty = { resourceType => 'Bundle', type => 'transaction', entry => [ map { { resource => { meta => 1, input => 1 } } } 1 .. 5000 ] };
my $one = $gateway->post({ %$faulty, entry => [ $faulty->{entry}[0] ] }, key => $key);
my ($each) = told($one);
cmp_ok($each, '>', 5, "an entry has $each faults");
my $answer = $gateway->post($faulty, key => $key);
is($answer->{status}, 400, '5,000 entries with as many');
is(scalar @{ $answer->{json}{entry} }, 5000, 'each is answered');
is_deeply([ told($answer) ], [ 100, 5000 * $each - 100 ], 'the first hundred are spelled out, the others are counted');
is(scalar(grep { !diagnostics($_) } @{ $answer->{json}{entry} }), 0, 'every entry says that something is wrong with it');
cmp_ok(length $answer->{content}, '<', 2_000_000, 'in ' . length($answer->{content}) . ' bytes');
for my $count (99, 100, 101)
{
	my @tasks = map { task(ods_code => '!') } 1 .. $count;
	$answer = $gateway->post(bundle(@tasks, task()), key => $key);
	is_deeply([ told($answer) ], [ ($count < 100 ? $count : 100) + 1, $count > 100 ? 1 : 0 ], "$count faults, and an entry that has none");
}
is((diagnostics($answer->{json}{entry}[100]))[0], '1 more fault: an answer spells out the first 100', 'which says one fault, in the singular');

# ---------- Format 1 ----------

my %message = (MessageType => 'PrescriptionStatusChanged', messageDate => '2026-01-01T10:00:00Z', prescriptionUUID => '07A66F-A83008-1EEEA0',
	oDSCode => 'FA565', deliveryType => 'Not known', nHSCHI => '9449304130', items => [ map { { itemID => 'x', status => 'x' } } 1 .. 5000 ]);
$answer = $gateway->post(\%message, key => $key, path => '/format-1');
is_deeply([ $answer->{status}, scalar @{ $answer->{json}{entry} }, told($answer) ], [ 400, 5000, 100, 9900 ], 'a message of 5,000 items with two faults each');
$answer = $gateway->post({ %message, oDSCode => '!' }, key => $key, path => '/format-1');
is_deeply([ $answer->{status}, scalar @{ $answer->{json}{entry} }, told($answer) ], [ 400, 1, 100, 9901 ], 'and one that is at fault itself: all in one entry');

# ---------- Pharmacies that the application may not speak for ----------

my $restricted = add_application($node, 'A pharmacy');
$node->safe_psql('rxtrack', q{SELECT rxtrack.restrict_application('A pharmacy', '{A1}')});
$answer = $gateway->post(bundle(map { task() } 1 .. 150), key => $restricted);
is_deeply([ $answer->{status}, told($answer) ], [ 403, 100, 50 ], '150 updates of a pharmacy that is not its own');
is_deeply([ map { $_->{code} } @{ $answer->{json}{entry}[149]{response}{outcome}{issue} } ], ['forbidden'], 'with that code to the last');

# ---------- Large answers ----------

# Twelve clients ask, and do not read for a while: what the kernel takes of an answer is not counted.
my $body = to_json($faulty);
my $before = memory($gateway->pid);
my @slow = map { RxTrack::Connection->new($gateway) } 1 .. 12;
setsockopt $_->socket, SOL_SOCKET, SO_RCVBUF, 32768 for @slow;
$_->request('POST', '/', { Authorization => "Bearer $key", 'X-Request-ID' => uuid() }, $body) for @slow;
is($gateway->post(bundle(task()), key => $key)->{status}, 201, 'an update is stored meanwhile') for 1 .. 3;
my $grown = memory($gateway->pid) - $before;
my %count;
for my $connection (@slow)
{
	$connection->fill(time + 60) while length $connection->{buffer} < 12;
	$count{ substr $connection->{buffer}, 9, 3 }++;
}
undef @slow;
is_deeply([ sort keys %count ], [ 400, 503 ], "of those that are slow some get their faults, and some that there is no room: @{[ map { qq{$_ $count{$_}} } sort keys %count ]}");
SKIP:
{
	skip 'the sanitizers take memory of their own', 1 if $ENV{SANITIZE};
	cmp_ok($grown, '<', 3 * $memory / 1024, "the gateway has grown by $grown KiB");
}
my $until = time + 20;
sleep 0.1 while ($answer = $gateway->post($faulty, key => $key))->{status} != 400 && time < $until;
is($answer->{status}, 400, 'when they are gone there is room again');
my ($line) = grep { ($_->{status} // 0) == 503 } $gateway->log_events;
is($line->{application}, 'A supplier', 'the log says whose a refused answer was');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
