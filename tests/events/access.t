# Who may have streams open: each application its share of them, and only as long as its credential is good for what they carry.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node();
my %key = map { $_ => add_application($node, $_, qw(updates:write updates:read events:read)) } qw(Many Few Third Supplier);
my $gateway = gateway($node, env => { RXTRACK_STREAM_LIMIT => 10 });

# A stream that was asked for; its status, once the answer's head is there.
sub open_stream
{
	my ($key, $query) = @_;
	my $connection = RxTrack::Connection->new($gateway);
	$connection->request('GET', '/events' . ($query // ''), { Authorization => "Bearer $key" });
	$connection->{status} = ($connection->answer // { status => 'none' })->{status};
	return $connection;
}

# Reads what there is; whether the stream has ended.
sub has_ended
{
	my ($stream) = @_;
	while ($stream->can_read(0))
	{
		last if !$stream->fill(time + 1) && ($stream->{ended} = 1);
	}
	return $stream->{ended};
}

sub ended { return scalar grep { has_ended($_) } @_ }

sub wait_until
{
	my ($test, $seconds) = @_;
	my $until = time + ($seconds // 20);
	sleep 0.05 while !$test->() && time < $until;
	return $test->();
}

sub statuses { return join ' ', map { $_->{status} } @_ }

# ---------- Shares ----------

my @many = map { open_stream($key{Many}) } 1 .. 10;
is(statuses(@many), '200 ' x 9 . '200', 'one application may have all streams while nobody else wants one');
my $refused = open_stream($key{Many});
is($refused->{status}, 503, 'and no more than all');
my @few = map { open_stream($key{Few}) } 1 .. 6;
is(statuses(@few), '200 200 200 200 200 503', 'another one gets as many, and then no more');
ok(wait_until(sub { ended(@many) == 5 }), 'the first has given them up');
is(statuses(map { open_stream($key{Many}) } 1 .. 3), '503 503 503', 'and does not get them back');
my @third = map { open_stream($key{Third}) } 1 .. 3;
is(statuses(@third), '200 200 200', 'a third has its part');
sleep 1;
is(ended(@many) + ended(@few), 8, 'from both');
is(ended(@third), 0, 'and keeps it');
undef @many;
ok(wait_until(sub { open_stream($key{Third})->{status} == 200 }), 'where the first is gone there is room');
is($gateway->request('GET', '/checkprescriptionstatusupdates?odscode=A', { Authorization => "Bearer $key{Many}" })->{status}, 404, 'what else it asks is answered as ever');
undef @$_ for \@few, \@third;
is($gateway->stop, 0, 'the gateway ends well');

# ---------- What ends a stream ----------

$gateway = gateway($node);
my $sql = sub { $node->safe_psql('rxtrack', $_[0]) };
my %end = (
	'suspension' => q{SELECT rxtrack.alter_application('%s', suspended => true)},
	'the loss of the scope' => q{SELECT rxtrack.alter_application('%s', scopes => '{updates:read}')},
	'rotation of its key' => q{SELECT rxtrack.rotate_key('%s', '0')},
	'the end of its token' => q{UPDATE rxtrack_internal.access_token SET valid_until = now() WHERE application_id = (SELECT application_id FROM rxtrack.applications WHERE application = '%s')},
	'restriction to pharmacies' => q{SELECT rxtrack.restrict_application('%s', '{A1,B2}')});
my %stream;
for my $what (sort keys %end)
{
	my $credential = add_application($node, $what, 'events:read');
	if ($what =~ /token/)
	{
		$credential = 'a-token';
		$sql->("INSERT INTO rxtrack_internal.access_token SELECT sha256('a-token'), application_id, 'infinity' FROM rxtrack.applications WHERE application = '$what'");
	}
	$stream{$what} = open_stream($credential);
	$stream{"$what, one pharmacy"} = open_stream($credential, '?ods=A1');
	$stream{"$what, another"} = open_stream($credential, '?ods=A1,C3');
}
my $other = open_stream($key{Few});
is(statuses(values %stream, $other), '200 ' x 15 . '200', 'streams are open');
sleep 4;
is(ended(values %stream), 0, 'and stay so');
$sql->(sprintf $end{$_}, $_) for keys %end;
my $began = time;
ok(wait_until(sub { ended(values %stream) >= 14 }), 'those that are not allowed any more end');
note(sprintf 'after %.1f s', time - $began);
sleep 4;
is(join(', ', grep { !has_ended($stream{$_}) } sort keys %stream), 'restriction to pharmacies, one pharmacy', 'all but the one that has nothing else');
$sql->(q{SELECT rxtrack.alter_application('suspension', suspended => false)});
is($gateway->post(bundle(task(business_status => 'Ready to Collect', ods_code => 'A1')), key => $key{Supplier})->{status}, 201, 'an item gets ready');
for my $kept ($other, $stream{'restriction to pharmacies, one pharmacy'})
{
	ok(wait_until(sub { !has_ended($kept) && $kept->{buffer} =~ /Ready to Collect/ }), 'and those that are left hear of it');
}
is(ended($other), 0, 'another application is not concerned');

# ---------- A database that is away ends none ----------

$node->restart;
ok(wait_until(sub { $gateway->request('GET', '/_status')->{status} == 200 }, 60), 'the server has been restarted');
sleep 4;
is(ended($other), 0, 'and the stream is open as before');
is($gateway->stop, 0, 'the gateway ends well');
unlike($gateway->log, qr/AddressSanitizer|runtime error/, 'in every sense');

done_testing();
