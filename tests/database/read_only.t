# A server that takes no writes, because it is a standby or was told so, is one that is away: 503, nothing stored, and it
# passes by itself.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node(streaming => 1);
my $key = add_application($node, 'A supplier');

# The tests of a gateway whose server takes no writes.
sub takes_none
{
	my ($gateway, $when) = @_;
	my $answer = $gateway->post(bundle(task()), key => $key);
	is_outcome($answer, 503, 'transient', "$when: 503");
	like($answer->{headers}{'retry-after'}, qr/^[1-9]\d*$/, 'with Retry-After');
	my $status = $gateway->request('GET', '/_status');
	is("$status->{status} $status->{json}{status}", '503 fail', '_status says that not all is well');
	is($gateway->request('GET', '/_ping')->{status}, 200, 'while the gateway is alive');
	return;
}

sub recovers
{
	my ($gateway) = @_;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	sleep 0.05 while $gateway->request('GET', '/_status')->{status} != 200 && time < $until;
	is_healthy($gateway, 'it recovers by itself');
	is_response($gateway->post(bundle(task()), key => $key), 201, [201], 'and updates are stored');
	return;
}

sub stored
{
	my ($server) = @_;
	return $server->safe_psql('rxtrack', 'SELECT count(*) FROM rxtrack.status_update');
}

# ---------- A session that is read-only ----------

my $submit = sprintf q{SELECT (rxtrack.submit('%s', '%s', 'A supplier')).status}, to_json(bundle(task())), uuid();
my (undef, undef, $errors) = $node->psql('rxtrack', "\\set VERBOSITY sqlstate\nBEGIN READ ONLY;\n$submit;");
like($errors, qr/ERROR:\s+25006/, 'a read-only transaction takes no bundle');
is(stored($node), 0, 'and stores nothing');
is($node->safe_psql('rxtrack', $submit), 201, 'another takes the same one');

# ---------- A server that becomes so under a gateway ----------

sub set_read_only
{
	my ($setting) = @_;
	$node->safe_psql('rxtrack', "SET default_transaction_read_only = off; ALTER SYSTEM SET default_transaction_read_only = $setting");
	$node->reload;
	$node->poll_query_until('rxtrack', "SELECT current_setting('default_transaction_read_only') = '$setting'");
	return;
}

my $gateway = gateway($node);
is_response($gateway->post(bundle(task()), key => $key), 201, [201], 'an update is stored');
set_read_only('on');
takes_none($gateway, 'from now on it is read-only') for 1 .. 2;
set_read_only('off');
recovers($gateway);
is($gateway->stop, 0, 'the gateway ends well');
is(stored($node), 3, 'nothing else was stored');

# ---------- A standby ----------

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
(undef, undef, $errors) = $standby->psql('rxtrack', "\\set VERBOSITY verbose\n$submit;");
like($errors, qr/ERROR:\s+25006: cannot execute rxtrack\.submit during recovery/, 'a standby takes no bundle');
$gateway = gateway($standby, wait => 'listening');
takes_none($gateway, 'a standby');
$standby->promote;
recovers($gateway);
my ($away) = grep { ($_->{event} // '') eq 'database_away' } $gateway->log_events;
like($away->{reason}, qr/takes no writes/, 'its log has said why');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
