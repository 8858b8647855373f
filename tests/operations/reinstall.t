# DROP EXTENSION and CREATE EXTENSION under sessions that have used it: nothing that one of them keeps may outlive what
# it was made for.
use strict;
use warnings;
use RxTrack;
use RxTrack::Session;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = node();
my $key = add_application($node, 'A pharmacy system');
my $gateway = gateway($node, env => { RXTRACK_DATABASE_CONNECTIONS => 2 });

my $add = "SELECT count(rxtrack.add_application('A pharmacy system', '{updates:write,updates:read}'))";
my $judge = "SELECT rxtrack.check_transition('Collected', 'Dispatched'),
	rxtrack.check_transition('Collected', 'Not Dispensed')";

# Each kind of statement that a session keeps a plan of.
my $patient = random_nhs_number();
my $bundle = bundle(task(nhs_number => $patient, business_status => 'Ready to Collect'));
my $json = to_json($bundle);
my $request_id = uuid();
my $submit = "SELECT status FROM rxtrack.submit('$json', '$request_id', 'A pharmacy system')";
my $search = "SELECT status FROM rxtrack_http.check_updates('updates:read', ARRAY[(SELECT key_hash FROM rxtrack_internal.api_key)],
	ARRAY[NULL], ARRAY['{\"nhsnumber\":\"$patient\"}'], ARRAY[NULL::bytea])";
my $counts = 'SELECT (SELECT count(*) FROM rxtrack.status_update),
	(SELECT count(*) FROM rxtrack.readiness_event) + (SELECT count(*) FROM rxtrack.pending_events), (SELECT count(*) FROM rxtrack.item_status)';

sub uses_all
{
	my ($session, $what) = @_;
	is(join(' ', map { $session->sql($_) } $submit, $submit, $search, $judge, $counts),
		'201 201 200 correction|unexpected 1|1|1', $what);
	return;
}

my ($one, $other) = map { RxTrack::Session->new($node) } 1 .. 2;
uses_all($one, 'one session uses the extension');
uses_all($other, 'another too, and finds what the first stored');

is($one->sql('DROP EXTENSION rxtrack'), '', 'DROP EXTENSION needs no CASCADE');
is($other->sql($submit), '3F000', 'then it is gone for everybody') if $one->sql('DROP SCHEMA IF EXISTS rxtrack') eq '';
is($one->sql('CREATE EXTENSION rxtrack'), '', 'CREATE EXTENSION again in the same session');
is($one->sql($counts), '0|0|0', 'starts afresh');
$one->sql($add);
uses_all($one, 'the session goes on with the new one');
uses_all($other, 'and so does the other, which has seen nothing of it');

$one->sql('DROP EXTENSION rxtrack');
$one->sql('CREATE EXTENSION rxtrack');
$one->sql($add);
uses_all($other, 'also where the schema stays');

$one->sql('DROP EXTENSION rxtrack');
$one->sql($_) for 'BEGIN', 'CREATE EXTENSION rxtrack', $add;
uses_all($one, 'an extension that is not yet committed can be used');
$one->sql('ROLLBACK');
$one->sql($_) for 'CREATE EXTENSION rxtrack', $add;
uses_all($one, 'and one after it was rolled back');

$other->sql($_) for 'BEGIN', $submit;
$one->send('DROP EXTENSION rxtrack');
ok($node->poll_query_until('rxtrack', "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
	'DROP EXTENSION waits for a transaction that uses it');
is($other->sql('COMMIT'), '', 'which can go on');
is($one->answer, '', 'and then it is dropped');

# ---------- Beside schemas of others ----------

$one->sql($_) for 'DROP SCHEMA rxtrack', 'CREATE ROLE an_owner', 'CREATE SCHEMA rxtrack AUTHORIZATION an_owner';
is($one->sql('CREATE EXTENSION rxtrack'), '55000', 'a schema rxtrack whose owner is no superuser is refused');
$one->sql('DROP SCHEMA rxtrack');
for my $schema (qw(rxtrack_internal rxtrack_http))
{
	$one->sql("CREATE SCHEMA $schema");
	is($one->sql('CREATE EXTENSION rxtrack'), '42P06', "so is $schema, whoever owns it");
	$one->sql("DROP SCHEMA $schema");
}
$one->sql($_) for 'CREATE EXTENSION rxtrack', 'DROP EXTENSION rxtrack';
is($one->sql("SELECT string_agg(nspname, ' ') FROM pg_namespace WHERE nspname ~ '^rxtrack'"), 'rxtrack', 'DROP EXTENSION drops those two, and leaves the one that it could have found');
$one->sql('DROP ROLE an_owner');

# ---------- By a session that reads backslashes in strings as escapes ----------

my $texts = q{SELECT md5(string_agg(t, E'\n' ORDER BY t COLLATE "C")) FROM (
	SELECT prosrc FROM pg_proc WHERE pronamespace::regnamespace::text ~ '^rxtrack'
	UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace::regnamespace::text ~ '^rxtrack'
	UNION ALL SELECT description FROM pg_description) AS x (t)};
$one->sql('CREATE EXTENSION rxtrack');
my $usual = $one->sql($texts);
$one->sql($_) for 'DROP EXTENSION rxtrack', 'SET standard_conforming_strings = off';
is($one->sql('CREATE EXTENSION rxtrack'), '', 'CREATE EXTENSION where standard_conforming_strings is off');
is($one->sql($texts), $usual, 'makes the same');
$one->sql($_) for 'DROP EXTENSION rxtrack', 'RESET standard_conforming_strings';

# ---------- The gateway ----------

is($gateway->post($bundle, key => $key)->{status}, 503,
	'without the extension the gateway says that the service is away');
$one->sql('CREATE EXTENSION rxtrack');
$key = $one->sql("SELECT rxtrack.add_application('A pharmacy system', '{updates:write}')");
my $status = 0;
for (my $until = time + 30; time < $until && $status != 201; sleep 0.1)
{
	$status = $gateway->post($bundle, key => $key, request_id => $request_id)->{status};
}
is($status, 201, 'and serves when it is back');
is(join(' ', map { $gateway->post($bundle, key => $key, request_id => $request_id)->{status} } 1 .. 8),
	'201 ' x 7 . '201', 'by all of its connections');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
