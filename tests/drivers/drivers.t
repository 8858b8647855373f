# What a driver sends suits every public function and view: parameters that it has typed its way, arrays, NULL. The calls are made
# of the catalog, so that a function, an argument or a view that is new has to be thought of here. psycopg2 writes literals into the
# statement, node-postgres sends text without a type, pgjdbc sends varchar and its own types.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use RxTrack;
use RxTrack::Npm;
use RxTrack::Session;
use Test::More;

my $node = node(conf => "log_statement = none\n"); # drivers send what is theirs as parameters, which would be in the log
add_application($node, $_) for 'A supplier', 'An application without updates';
my $directory = PostgreSQL::Test::Utils::tempdir();
my ($prescription, $item) = (random_prescription_id(), uuid());
my $first = bundle(task(prescription_id => $prescription, line_item_id => $item, ods_code => 'A1', business_status => 'Ready to Collect'));
my ($patient) = to_json($first) =~ /"(999\d{7})"/;
chomp(my $pem = `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>&1 | openssl pkey -pubout`);
sub sql { return $node->safe_psql('rxtrack', $_[0]) }
sql(sprintf q{CREATE ROLE caller LOGIN SUPERUSER; CREATE ROLE app; CREATE ROLE ear; CREATE ROLE nobody;
	SELECT rxtrack.bind_role('A supplier', 'app'), rxtrack.grant_events('ear'), rxtrack.add_public_key('A supplier', 'old', '%s');
	SELECT status FROM rxtrack.submit('%s', '%s', 'A supplier');
	SET ROLE ear; SELECT rxtrack.add_subscription('push')}, $pem, to_json($first), uuid());

# ---------- The calls ----------

# What each argument is given, wherever it comes; what a function needs otherwise.
my %value = (
	application => 'A supplier', scopes => 'updates:write,updates:read', suspended => 'false', requests_per_minute => 100, alert_on_predictions => 'true',
	overlap => 3600, kid => 'new', pem => $pem =~ s/\n/\\n/gr, valid_from => '2026-01-01T00:00:00+00:00', valid_until => '2099-01-01T00:00:00+01:00', fingerprint => 'ab' x 32,
	role => 'nobody', ods_code => 'a1', ods_codes => 'a1,B2', prescription_id => lc $prescription, line_item_id => uc $item, issue_number => 0,
	at => '2099-01-01T00:00:00+00:00', from_status => 'With Pharmacy', to_status => 'ready to collect', bundle => to_json(bundle(task())), request_id => uuid(),
	subscription => 'push', alerts_only => 'false', max_rows => 10, release_number => 1, reason => 'a reason', nhs_number => $patient, force => 'true', status => 'Collected', for_at_most => 60);
my %special = (
	add_application => { application => 'A new one' },
	drop_application => { application => 'An application without updates' },
	drop_public_key => { kid => 'old' },
	enable_alerts => { application => '\N' },
	disable_alerts => { ods_codes => '\N' },
	get_events => { after => 0 },
	own_updates => { after => '000000-000000-000001,00000000-0000-0000-0000-000000000000' });
my %role = (own_updates => 'app', map { $_ => 'ear' } qw(get_event get_events add_subscription drop_subscription fetch_events ack_events));
# what takes a row of another function's
my %statement = (event_json => [ 'ear', 'SELECT rxtrack.event_json(e) FROM rxtrack.get_event(?) AS e', 'bigint=1' ]);

my @calls;	# each: name, role, statement, parameters
for my $function (split /\n/, sql(q{SELECT p.proname, (SELECT string_agg(concat_ws('=', p.proargnames[n], format_type(t, NULL)), ';' ORDER BY n) FROM unnest(p.proargtypes) WITH ORDINALITY AS a (t, n))
	FROM pg_proc p WHERE p.pronamespace = 'rxtrack'::regnamespace AND NOT EXISTS (SELECT FROM pg_cast c WHERE c.castfunc = p.oid) ORDER BY 1}))
{
	my ($name, $arguments) = split /\|/, $function;
	if (my $other = $statement{$name})
	{
		push @calls, [ "$name()", @$other ];
		next;
	}
	my (@parameters, @unknown);
	for my $argument (split /;/, $arguments)
	{
		my ($called, $type) = split /=/, $argument;
		my $value = $special{$name}{$called} // $value{$called};
		$type = 'text' if $type =~ /^rxtrack\.\w+$/;
		push @unknown, $called unless defined $value;
		push @parameters, "$type=" . ($value // '');
	}
	is("@unknown", '', "$name: there is a value for every argument");
	push @calls, [ "$name()", $role{$name} // 'caller', "SELECT * FROM rxtrack.$name(" . join(', ', map { '?' } @parameters) . ')', @parameters ];
}
cmp_ok(scalar @calls, '>', 30, 'there is a call of every public function');

# Each column of one of our types is compared with text and with an array of it, by the index where there is one that leads with it.
my %sample = (nhs_number => $patient, prescription_id => lc $prescription, ods_code => 'a1', business_status => 'ready to collect');
for my $column (split /\n/, sql(q{SELECT c.relname, a.attname, t.typname, c.relkind = 'r' AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum AND i.indpred IS NULL)
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	LEFT JOIN pg_type t ON t.oid = a.atttypid AND t.typnamespace = 'rxtrack'::regnamespace AND t.typname IN ('nhs_number', 'prescription_id', 'ods_code', 'business_status')
	WHERE c.relnamespace = 'rxtrack'::regnamespace AND c.relkind IN ('r', 'v') AND (t.oid IS NOT NULL OR a.attnum = 1) ORDER BY 1, a.attnum}))
{
	my ($relation, $name, $type, $is_indexed) = split /\|/, $column;
	push @calls, [ "$relation", 'caller', "SELECT * FROM rxtrack.$relation" ] unless grep { $_->[0] eq $relation } @calls;
	next unless $type;
	for my $test ([ '= ?', "text=$sample{$type}" ], [ '= ANY (?)', "text[]=$sample{$type}" ], [ '<> ALL (?)', "text[]=$sample{$type},$sample{$type}" ])
	{
		push @calls, [ "$relation.$name $test->[0]", 'caller', "SELECT * FROM rxtrack.$relation WHERE $name $test->[0]", $test->[1] ];
		push @calls, [ "$relation.$name $test->[0] by index", 'caller', "EXPLAIN SELECT * FROM rxtrack.$relation WHERE $name $test->[0]", $test->[1] ] if $is_indexed eq 't' && $test->[0] !~ /ALL/;
	}
}
cmp_ok(scalar(grep { $_->[0] =~ /by index/ } @calls), '>', 8, 'and of columns that have an index');

my $file = "$directory/calls";
append_to_file($file, join '', map { join("\t", @$_) . "\n" } @calls);

# ---------- The drivers ----------

# What psql gets for the same, with literals in place of the parameters.
my %expected;
my $session = RxTrack::Session->new($node);
$session->sql('SET client_min_messages = warning');
for my $call (@calls)
{
	my ($name, $role, $statement, @parameters) = @$call;
	my @literals = map { my ($type, $text) = /^([^=]*)=(.*)$/; $text eq '\N' ? "NULL::$type" : q{'} . ($type eq 'text[]' ? "{$text}" : $type eq 'interval' ? "$text s" : $text =~ s/\\n/\n/gr) . "'::$type" } @parameters;
	$statement =~ s/\?/shift @literals/ge;
	$session->sql($_) for 'BEGIN', "SET LOCAL ROLE $role";
	my $rows = $name =~ /by index/ ? 'index' : $session->sql("SELECT count(*) FROM ($statement) AS x");
	$session->sql('ROLLBACK');
	unlike($rows, qr/^[0-9A-Z]{5}$/, "psql: $name");	# the SQLSTATE of an error
	$expected{$name} = $rows;
}
undef $session;

sub check_driver
{
	my ($driver, @command) = @_;
	local $ENV{PGOPTIONS} = '-c enable_seqscan=off';
	open my $output, '-|', @command, $file or die "@command: $!";
	my %got = map { chomp; my ($name, $rows, $more) = split /\t/; $name => $rows eq 'failed' ? $more : $name =~ /by index/ ? $more || 'no index' : $rows } <$output>;
	close $output;
	is($?, 0, "$driver ends well");
	my @wrong = grep { ($got{$_} // 'not called') ne $expected{$_} } map { $_->[0] } @calls;
	is(scalar @wrong, 0, "$driver: " . scalar(@calls) . ' calls bring what they bring in psql') or diag map { "$_: " . ($got{$_} // 'not called') . ", in psql $expected{$_}\n" } @wrong;
	return;
}

my $connection = sprintf 'host=%s port=%d dbname=rxtrack user=caller', $node->host, $node->port;
$node->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1'");
$node->append_conf('pg_hba.conf', 'host all caller 127.0.0.1/32 trust');
$node->restart;

SKIP:
{
	skip 'psycopg2 is not installed: apt-get install python3-psycopg2', 1 if system('/usr/bin/python3 -c "import psycopg2" 2>/dev/null') != 0;
	check_driver('psycopg2', '/usr/bin/python3', 'tests/drivers/calls.py', $connection);
}
SKIP:
{
	my $missing = npm_missing('tests/drivers');
	skip "node-postgres is not installed: $missing", 1 if $missing;
	check_driver('node-postgres', 'node', 'tests/drivers/calls.mjs', to_json({ host => $node->host, port => 0 + $node->port, database => 'rxtrack', user => 'caller', options => '-c enable_seqscan=off' }));
}
SKIP:
{
	my $jar = '/usr/share/java/postgresql.jar';
	skip 'pgjdbc is not installed: apt-get install libpostgresql-jdbc-java default-jdk-headless', 1 unless -e $jar && system('javac -version >/dev/null 2>&1') == 0;
	is(system('javac', '-cp', $jar, '-d', $directory, 'tests/drivers/Calls.java'), 0, 'the program for pgjdbc compiles');
	my $url = sprintf 'jdbc:postgresql://127.0.0.1:%d/rxtrack?user=caller&sslmode=disable&options=-c%%20enable_seqscan=off', $node->port;
	check_driver('pgjdbc', 'java', '-cp', "$directory:$jar", 'Calls', $url);
}

done_testing();
