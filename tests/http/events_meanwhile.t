# GET /events: an event that is released while the gateway reads others. Its notification comes with their rows, and is not
# to wait for the next one.
use strict;
use warnings;
use IO::Select;
use RxTrack;
use RxTrack::Connection;
use RxTrack::Listener;
use Test::More;
use Time::HiRes qw(time);

my $node = listening_node(worker => 0);
my $gateway = gateway($node);
my $key = add_application($node, 'A listener', 'events:read');
my $stream = RxTrack::Connection->new($gateway);
my $text = '';

# Until the stream has said so, or for so long.
sub wait_for
{
	my ($regex, $seconds) = @_;
	my $until = time + $seconds;
	while ($text !~ $regex && time < $until)
	{
		next unless IO::Select->new($stream->socket)->can_read(0.1);
		sysread $stream->socket, $text, 65536, length $text or last;
	}
	return $text =~ $regex;
}

$stream->request('GET', '/events', { Authorization => "Bearer $key" });
ok(wait_for(qr/^id: 0$/m, 60), 'a stream');
make_ready($node, 1);
ok(wait_for(qr/^id: 1\nevent/m, 60), 'an event');

# What the gateway reads is what there was two seconds ago.
$node->safe_psql('rxtrack', <<'SQL');
CREATE SCHEMA quick;
ALTER FUNCTION rxtrack.gateway_feed(bigint, integer) SET SCHEMA quick;
CREATE FUNCTION rxtrack.gateway_feed(after bigint, most integer) RETURNS TABLE (release_number bigint, ods_code text, event text)
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	RETURN QUERY SELECT * FROM quick.gateway_feed(after, most);
	PERFORM pg_sleep(2);
END
$$;
GRANT EXECUTE ON FUNCTION rxtrack.gateway_feed(bigint, integer) TO rxtrack_gateway;
SQL
my $reading = q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'};
ok(wait_until(sub { $node->safe_psql('rxtrack', $reading) eq '0' }), 'nothing is read');
make_ready($node, 1);
ok(wait_until(sub { $node->safe_psql('rxtrack', $reading) eq '1' }), 'another one is read');
my $begun = time;
make_ready($node, 1);
ok(wait_for(qr/^id: 3\nevent/m, 60), 'and a third is released meanwhile');
# two readings; without the notification it would be found five seconds after the first one began, and take two more
cmp_ok(time - $begun, '<', 5.5, 'which is read next');
is($gateway->stop, 0, 'the gateway ends well');
done_testing();
