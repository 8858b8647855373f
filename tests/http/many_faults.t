# Requests with very many faults: an answer spells out the first hundred, and large answers count as memory.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Process;
use Test::More;

my $node = node();
my $gateway = gateway($node);
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

is($gateway->stop, 0, 'the gateway ends well');
$gateway = gateway($node, env => { RXTRACK_BODY_MEMORY => 1_000_000 });
my $half = { %$faulty, entry => [ @{ $faulty->{entry} }[ 0 .. 1999 ] ] };
is($gateway->post($half, key => $key)->{status}, 400, 'an answer of half a megabyte, where a megabyte is all there is for large bodies');
my $large = sub { return scalar grep { $gateway->post($faulty, key => $key)->{status} != 503 } 1 .. 10 };
$answer = $gateway->post($faulty, key => $key);
is_outcome($answer, 503, 'transient', 'a larger one has no room');
like($answer->{headers}{'retry-after'}, qr/^\d+$/, 'and a client is told to come again');
my ($line) = grep { ($_->{status} // 0) == 503 } $gateway->log_events;
is($line->{application}, 'A supplier', 'the log says whose it was');
does_not_grow($gateway->pid, 5, $large, 'many such answers do not make the gateway grow');
is($large->(), 0, 'none of them has room');
is($gateway->post($half, key => $key)->{status}, 400, 'and those before have taken none') for 1 .. 5;
is($gateway->post(bundle(map { task() } 1 .. 300), key => $key)->{status}, 201, 'an answer that is smaller than its request has room');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
