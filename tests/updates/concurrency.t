# Many sessions at once on few items: no deadlock or other error reaches a caller, nothing is lost, and no update is
# judged against a status that was no longer so.
use strict;
use warnings;
use POSIX ();
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Audit;
use Test::More;
use Time::HiRes qw(time);

my $node = node(conf => "max_connections = 60\ndeadlock_timeout = 100ms\n");
my $key = add_application($node, 'A pharmacy system');
add_application($node, 'Another');
my $gateway = gateway($node, env => { RXTRACK_HTTP_THREADS => 2 });

# A caller in SQL: each function is a transaction of a pgbench client, and writes down what it was told.
$node->safe_psql('rxtrack', <<'SQL');
CREATE SCHEMA test;
CREATE TABLE test.prescription (n int PRIMARY KEY, id text, nhs text);
CREATE TABLE test.told (phase text, task_id uuid, line_item_id uuid, prescription_id text, status int, request_id uuid);

CREATE FUNCTION test.task(task uuid, prescription text, item uuid, nhs text, status text, at timestamptz)
RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('fullUrl', 'urn:uuid:' || task, 'resource', jsonb_build_object(
		'resourceType', 'Task', 'id', task,
		'basedOn', jsonb_build_array(jsonb_build_object('identifier', jsonb_build_object('system',
			'https://fhir.nhs.uk/Id/prescription-order-number', 'value', prescription))),
		'status', CASE WHEN status IN ('Collected', 'Dispatched', 'Not Dispensed') THEN 'completed'
			ELSE 'in-progress' END,
		'businessStatus', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system',
			'https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt', 'code', status))),
		'focus', jsonb_build_object('identifier', jsonb_build_object('system',
			'https://fhir.nhs.uk/Id/prescription-order-item-number', 'value', item)),
		'for', jsonb_build_object('identifier', jsonb_build_object('system', 'https://fhir.nhs.uk/Id/nhs-number',
			'value', nhs)),
		'owner', jsonb_build_object('identifier', jsonb_build_object('system',
			'https://fhir.nhs.uk/Id/ods-organization-code', 'value', 'Y12345')),
		'lastModified', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
$$;
CREATE FUNCTION test.any_status() RETURNS text LANGUAGE sql AS $$
	SELECT (ARRAY['With Pharmacy', 'With Pharmacy - Preparing Remainder', 'Ready to Collect',
		'Ready to Collect - Partial', 'Ready to Dispatch', 'Ready to Dispatch - Partial',
		'Collected', 'Dispatched', 'Not Dispensed'])[1 + (random() * 8.99)::int % 9]
$$;
CREATE FUNCTION test.send(phase text, entries jsonb[], request uuid, application text)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	told int;
BEGIN
	told := (rxtrack.submit(jsonb_build_object('resourceType', 'Bundle', 'type', 'transaction', 'entry',
		to_jsonb(entries))::text, request::text, application)).status;
	INSERT INTO test.told SELECT phase, (e #>> '{resource,id}')::uuid,
		(e #>> '{resource,focus,identifier,value}')::uuid,
		e #>> '{resource,basedOn,0,identifier,value}', told, request FROM unnest(entries) e;
	RETURN told;
END $$;
-- One to six of four items of each of three prescriptions, in any order, now or up to 50 ms ago.
CREATE FUNCTION test.same_items() RETURNS int LANGUAGE sql AS $$
	SELECT test.send('same items', array_agg(test.task(gen_random_uuid(), id, md5(n || '/' || i)::uuid, nhs,
		test.any_status(), clock_timestamp() - random() * interval '50 ms')), gen_random_uuid(), 'A pharmacy system')
	FROM (SELECT * FROM test.prescription, generate_series(1, 4) i WHERE n <= 3 ORDER BY random()
		LIMIT 1 + (random() * 5)::int) AS chosen
$$;
-- Items that nobody has heard of before this twentieth of a second.
CREATE FUNCTION test.new_items() RETURNS int LANGUAGE sql AS $$
	SELECT test.send('new items', array_agg(test.task(gen_random_uuid(), id, md5(n || '+' || i ||
		floor(extract(epoch FROM clock_timestamp()) * 20))::uuid,
		nhs, test.any_status(), clock_timestamp())), gen_random_uuid(), 'A pharmacy system')
	FROM (SELECT * FROM test.prescription, generate_series(1, 3) i WHERE n <= 3 ORDER BY random()
		LIMIT 1 + (random() * 5)::int) AS chosen
$$;
-- One task id for all who come in the same fortieth of a second, each for another item, beside tasks of its own.
CREATE FUNCTION test.same_task() RETURNS int LANGUAGE sql AS $$
	SELECT test.send('same task', array_agg(test.task(CASE WHEN i = 1 THEN md5('t' ||
		floor(extract(epoch FROM clock_timestamp()) * 40))::uuid ELSE gen_random_uuid() END,
		id, gen_random_uuid(), nhs, 'Ready to Collect', clock_timestamp())), gen_random_uuid(),
			(ARRAY['A pharmacy system', 'Another'])[1 + (random() * 1)::int])
	FROM (SELECT * FROM test.prescription, generate_series(1, 3) i WHERE n = 4 ORDER BY random()) AS chosen
$$;
-- The very same request from all who come in the same fortieth of a second.
CREATE FUNCTION test.same_request() RETURNS int LANGUAGE sql AS $$
	SELECT test.send('same request', array_agg(test.task(md5('r' || i || slot)::uuid, id, md5('i' || i || slot)::uuid,
		nhs, 'Ready to Collect', to_timestamp(slot / 40))),
		md5('q' || slot)::uuid, 'A pharmacy system')
	FROM (SELECT floor(extract(epoch FROM clock_timestamp()) * 40) AS slot OFFSET 0) AS s, test.prescription,
		generate_series(1, 3) i WHERE n = 5 GROUP BY slot
$$;
-- Two of the prescriptions that get a rehearsed answer, in any order.
CREATE FUNCTION test.rehearsal() RETURNS int LANGUAGE sql AS $$
	SELECT (rxtrack_http.submit('updates:write', ARRAY[(SELECT key_hash FROM rxtrack_internal.api_key ORDER BY created_at
		LIMIT 1)], ARRAY[gen_random_uuid()::text],
		ARRAY[NULL::text], ARRAY[convert_to(jsonb_build_object('resourceType', 'Bundle', 'type', 'transaction', 'entry',
			jsonb_agg(test.task(gen_random_uuid(), prescription_id::text, gen_random_uuid(),
			'9449304130', 'With Pharmacy', clock_timestamp())))::text, 'UTF8')])).status
	FROM (SELECT prescription_id FROM rxtrack.rehearsal ORDER BY random() LIMIT 4) AS chosen
$$;
SQL
my @prescription = map { { id => random_prescription_id(), nhs => random_nhs_number() } } 1 .. 6;
$node->safe_psql('rxtrack', join ';', map {
	"INSERT INTO test.prescription VALUES ($_, '$prescription[$_ - 1]{id}', '$prescription[$_ - 1]{nhs}')" } 1 .. @prescription);

sub sql { return $node->safe_psql('rxtrack', $_[0]) }

# Clients of the gateway, meanwhile, on the same items; what they are told goes the same way.
sub post_meanwhile
{
	my ($seconds) = @_;
	my @clients = map { my $n = $_; fork // die "fork: $!" or client($n, $seconds) } 1 .. 4;
	return sub { waitpid $_, 0 for @clients; return $? };
}

sub client
{
	my ($n, $seconds) = @_;
	my $until = time + $seconds;
	srand;
	open my $told, '>', "$PostgreSQL::Test::Utils::log_path/concurrency_told_$n" or POSIX::_exit(1);
	my @statuses = ('With Pharmacy', 'Ready to Collect', 'Ready to Collect - Partial', 'Collected', 'Not Dispensed');
	while (time < $until)
	{
		my $p = 1 + int rand 3;
		my @tasks = map { task(prescription_id => $prescription[$p - 1]{id}, nhs_number => $prescription[$p - 1]{nhs},
			line_item_id => "md5 $p/$_", business_status => $statuses[rand @statuses],
				last_modified => fraction_of_now()) }
		  sort { rand() <=> 0.5 } 1 .. 4;
		$_->{focus}{identifier}{value} = item_id($_->{focus}{identifier}{value}) for @tasks;
		my $status = $gateway->post(bundle(@tasks), key => $key)->{status};
		print $told "$_->{id} $status\n" for @tasks;
	}
	close $told;
	POSIX::_exit(0);
}

sub item_id { require Digest::MD5; return join '-', unpack 'A8A4A4A4A12', Digest::MD5::md5_hex($_[0] =~ s/^md5 //r) }

sub fraction_of_now
{
	my $now = time;
	return POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime $now) . sprintf '.%06dZ', ($now - int $now) * 1e6;
}

sub pgbench
{
	my ($function, $seconds, $clients) = @_;
	my ($out, $err) = run_command([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-T', $seconds, '-c', $clients,
		'-j', 2,
		'-f', statement_file($function), 'rxtrack' ]);
	my ($done, $failed) = map { $out =~ /$_: (\d+)/ ? $1 : -1 } 'transactions actually processed',
		'failed transactions';
	ok($done > $clients && $failed == 0 && $err !~ /ERROR|aborted/,
		"$function: $done calls, none failed") or diag("$out\n$err");
	return $done;
}

sub statement_file
{
	my ($function) = @_;
	my $file = "$PostgreSQL::Test::Utils::tmp_check/$function.sql";
	append_to_file($file, "SELECT test.$function();\n");
	return $file;
}

# ---------- Storms ----------

my $gather = post_meanwhile(6);
pgbench('same_items', 6, 16);
is($gather->(), 0, 'the clients of the gateway came through');
pgbench('new_items', 4, 16);
pgbench('same_task', 4, 16);
pgbench('same_request', 4, 16);
sql("INSERT INTO rxtrack.rehearsal VALUES ('" . random_prescription_id() . "', 503)") for 1 .. 6;
sql('ALTER DATABASE rxtrack SET rxtrack.sandbox = on');
pgbench('rehearsal', 2, 16);

my %posted = map { /^(\S+) (\d+)$/mg } map { slurp_file("$PostgreSQL::Test::Utils::log_path/concurrency_told_$_") } 1 .. 4;
sql('INSERT INTO test.told (phase, task_id, status) VALUES ' .
	join ',', map { "('gateway', '$_', $posted{$_})" } keys %posted);
note(sql('SELECT phase, status, count(*) FROM test.told GROUP BY 1, 2 ORDER BY 1, 2'));
is(sql('SELECT string_agg(DISTINCT status::text, chr(32)) FROM test.told'), '201 409 422', 'what callers are told');
is(sql("SELECT string_agg(DISTINCT phase, ', ') FROM test.told WHERE status = 409"), 'same task',
	'only the same task is a conflict');
is(sql("SELECT string_agg(DISTINCT status::text, ',') FROM test.told WHERE phase = 'same request'"), '201',
	'identical requests that race are all told 201');
is(sql("SELECT count(*) - count(DISTINCT task_id) > 0 FROM test.told WHERE phase = 'same request'"), 't',
	'and they did race');
is(sql(<<'SQL'), '0|0', 'what was told 201 is stored, and nothing else');
SELECT count(*) FILTER (WHERE u.task_id IS NULL), count(*) FILTER (WHERE t.task_id IS NULL)
FROM (SELECT DISTINCT task_id FROM test.told WHERE status = 201) t FULL JOIN rxtrack.status_update u USING (task_id)
SQL
is(sql(<<'SQL'), '0', 'the task that won is that of the one caller who was told so');
SELECT count(*) FROM test.told t JOIN rxtrack.status_update u USING (task_id)
WHERE phase = 'same task' AND u.prescription_id::text = t.prescription_id
	AND (t.status = 201) <> (t.line_item_id = u.line_item_id AND t.request_id = u.request_id)
SQL
is(sql("SELECT bool_and(n > 10) FROM (SELECT count(*) AS n FROM rxtrack.status_update GROUP BY kind) k"), 't',
	'updates of every kind came in');
is(audit($node), '', 'the books balance');
is(sql("SELECT sum(deadlocks) FROM pg_stat_database"), '0', 'no deadlock');
# But for the gateway's first attempts, which are short, and made again.
unlike(slurp_file($node->logfile), qr/^.*(?:ERROR|FATAL|PANIC|deadlock detected):(?!.*statement timeout).*$/m,
	'no error in the log of the server');
is($gateway->stop, 0, 'the gateway ends well');

done_testing();
