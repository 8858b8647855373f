# Two applications and their data, and two databases in which each is alone with its own. The same random requests, with
# guessed and stolen identifiers, get the same answers in both, over HTTP and in SQL, plans of EXPLAIN, their estimates and errors
# included: nothing tells of the other's data. How long answers take is tests/callers/timing.t's business. ISOLATION_REQUESTS=10000 asks more
# than `make test` does.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use RxTrack;
use Test::More;

my $requests = $ENV{ISOLATION_REQUESTS} || 3_000;	# of each application
my $seed = $ENV{ISOLATION_SEED} // time;
srand $seed;
diag "seed $seed";

my $node = node();
my %key = map { $_ => add_application($node, "Supplier $_", qw(updates:write updates:read)) } 'A', 'B';
# Each application has a role, and a listener of the pharmacy that it alone sends for.
for my $name ('A', 'B')
{
	my ($app, $ear) = map { $_ . lc $name } 'app_', 'ear_';
	$node->safe_psql('rxtrack', "CREATE ROLE $app; CREATE ROLE $ear; SELECT rxtrack.bind_role('Supplier $name', '$app'), rxtrack.grant_events('$ear', '{ONLY$name}')");
}
my %data;	# of each application: what it has stored
$data{$_} = seed_data($_) for 'A', 'B';

# Tasks at pharmacies and of patients that the two share in part.
sub seed_data
{
	my ($name) = @_;
	my @patients = map { random_nhs_number() } 1 .. 30;
	push @patients, $data{A} ? @{ $data{A}{patients} }[0 .. 9] : ();
	my @tasks = map { task(nhs_number => $patients[rand @patients], ods_code => (qw(SHARED1 SHARED2), "ONLY$name")[rand 3],
			business_status => ('With Pharmacy', 'Ready to Collect')[rand 2], last_modified => sprintf '2026-01-02T10:%02d:00Z', rand 60) } 1 .. 300;
	$tasks[$_] = task(%{ fields($tasks[ rand 200 ]) }, id => uuid(), last_modified => '2026-01-02T11:00:00Z') for 200 .. 249;
	return { patients => \@patients, tasks => \@tasks, request => uuid() };
}

sub fields
{
	my ($task) = @_;
	return {
		id => $task->{id}, prescription_id => $task->{basedOn}[0]{identifier}{value}, line_item_id => $task->{focus}{identifier}{value},
		nhs_number => $task->{for}{identifier}{value}, ods_code => $task->{owner}{identifier}{value} };
}

sub make_database
{
	my ($database, @applications) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE rxtrack");
	for my $name (@applications)
	{
		my $status = $node->safe_psql($database, sprintf q{SELECT status FROM rxtrack.submit('%s', '%s', 'Supplier %s')},
			to_json(bundle(@{ $data{$name}{tasks} })), $data{$name}{request}, $name);
		die $status if $status ne '201';
	}
	return;
}

make_database("both_$_", 'A', 'B') for 'a', 'b';
make_database('alone_a', 'A');
make_database('alone_b', 'B');

# ---------- Random requests ----------

sub one_of { return $_[ rand @_ ] }

sub guessed_prescription
{
	my ($stolen) = @_;
	my $id = substr $stolen, 0, 19;
	substr($id, 14 + int rand 5, 1) = sprintf '%X', rand 16;
	return $id . prescription_id_check($id);
}

# The fields of a task of one's own, of the other's, or of nobody's.
sub some_fields
{
	my ($own, $other) = @_;
	my $fields = fields(one_of(@{ (rand() < 0.6 ? $other : $own)->{tasks} }));
	$fields->{prescription_id} = guessed_prescription($fields->{prescription_id}) if rand() < 0.2;
	$fields->{nhs_number} = random_nhs_number() if rand() < 0.2;
	$fields->{ods_code} = "X" . int rand 1000 if rand() < 0.2;
	return $fields;
}

sub random_search
{
	my ($own, $other) = @_;
	my ($fields, %parameter) = (some_fields($own, $other));
	$parameter{prescriptionid} = $fields->{prescription_id} if rand() < 0.5;
	$parameter{nhsnumber} = $fields->{nhs_number} if rand() < 0.4;
	$parameter{odscode} = $fields->{ods_code} if rand() < 0.4;
	if (rand() < 0.4)
	{
		my $start = some_fields($own, $other);
		$parameter{'exclusivestartkey-prescriptionid'} = $start->{prescription_id};
		$parameter{'exclusivestartkey-taskid'} = $start->{id} if rand() < 0.95;
	}
	my $spoilt = one_of(sort keys %parameter);
	$parameter{$spoilt} = one_of("$parameter{$spoilt}x", "' OR 1=1 --", '%', '*', lc $parameter{$spoilt}) if $spoilt && rand() < 0.1;
	return { kind => 'check', parameters => to_json(\%parameter), id => uuid() };
}

# A task of an own id, or the other's id under another prescription; at the other's prescription, item, patient, pharmacy.
sub random_update
{
	my ($own, $other) = @_;
	my $fields = some_fields($own, $other);
	my %stored = map { ("@{fields($_)}{qw(prescription_id id)}" => 1) } @{ $other->{tasks} };
	$fields->{id} = rand() < 0.5 ? uuid() : one_of(@{ $other->{tasks} })->{id};
	$fields->{id} = uuid() if $stored{"@$fields{qw(prescription_id id)}"};
	$fields->{line_item_id} = uuid() if rand() < 0.3;
	my $status = one_of('With Pharmacy', 'Ready to Collect', 'Collected', 'Dispatched', 'Not Dispensed', 'Ready to Dispatch');
	my $task = task(%$fields, business_status => $status, last_modified => sprintf '2026-02-%02dT%02d:%02d:00Z', 1 + rand 28, rand 24, rand 60);
	delete $task->{ one_of(qw(owner for focus basedOn status)) } if rand() < 0.1;
	return { kind => 'submit', id => rand() < 0.3 ? $other->{request} : uuid(), body => to_json(bundle($task)) };
}

# What does tell that there is something of another's: who names another patient than the prescription's has to hear of it.
my $another_patient = ',{"severity":"warning","code":"business-rule","diagnostics":"Task.for names another patient than earlier updates of this ' .
  'prescription: nobody is alerted, and the item may not be shown until that is settled"}';

# Runs them all in a database, 250 a batch; the answers in order, without the time of day and that warning.
sub answers
{
	my ($database, $name, $list) = @_;
	my $file = "$ENV{TESTDIR}/isolation-$$.sql";
	my $key = sha256_hex($key{$name});
	my $quote = sub { defined $_[0] ? q{'} . $_[0] =~ s/'/''/gr . q{'} : 'NULL' };
	open my $out, '>', $file or die $!;
	print {$out} "\\set ON_ERROR_STOP 1\nCREATE TEMP TABLE request (n serial, kind text, id text, parameters text, body text);\n";
	print {$out} "INSERT INTO request (kind, id, parameters, body) VALUES\n",
	  join(",\n", map { '(' . join(', ', map { $quote->($_) } @$_{qw(kind id parameters body)}) . ')' } @$list), ";\n";
	print {$out} <<"SQL";
CREATE TEMP TABLE answer (n integer, line text);
DO \$\$
DECLARE
	b record;
BEGIN
	FOR b IN SELECT kind, array_agg(n ORDER BY n) AS n, array_agg('\\x$key'::bytea) AS credentials, array_agg(id ORDER BY n) AS ids,
			array_agg(parameters ORDER BY n) AS parameters, array_agg(convert_to(body, 'UTF8') ORDER BY n) AS bodies
		FROM request GROUP BY kind, n / 250 ORDER BY min(n) LOOP
		IF b.kind = 'check' THEN
			INSERT INTO answer SELECT b.n[a.ordinality], concat_ws(' ', a.status, a.application, a.headers, convert_from(a.body, 'UTF8'))
			FROM rxtrack_http.check_updates('updates:read', b.credentials, b.ids, b.parameters, b.bodies) WITH ORDINALITY AS a;
		ELSE
			INSERT INTO answer SELECT b.n[a.ordinality], concat_ws(' ', a.status, a.application, a.headers, convert_from(a.body, 'UTF8'))
			FROM rxtrack_http.submit('updates:write', b.credentials, b.ids, b.parameters, b.bodies) WITH ORDINALITY AS a;
		END IF;
	END LOOP;
END \$\$;
SELECT regexp_replace(translate(line, E'\\n', ' '), '"lastUpdated" ?: ?"[^"]*"', '"lastUpdated":""', 'g') FROM answer ORDER BY n;
SQL
	close $out;
	open my $psql, '-|', 'psql', '-XqAt', '-d', $node->connstr($database), '-f', $file or die $!;
	chomp(my @lines = map { s/\Q$another_patient\E//gr } <$psql>);
	close $psql or die "psql has failed on $file";
	return @lines;
}

# ---------- In SQL, by roles ----------

# Values are of one's own, the other's, or nobody's; sometimes they are spoilt.
sub some_search
{
	my ($own, $other) = @_;
	my ($fields, @argument) = (some_fields($own, $other));
	for my $name (qw(prescription_id nhs_number ods_code))
	{
		push @argument, "$name => '$fields->{$name}" . (rand() < 0.05 ? 'x' : '') . "'" if rand() < 0.4;
	}
	my $start = some_fields($own, $other);
	push @argument, "after => '{$start->{prescription_id},$start->{id}}'" if rand() < 0.3;
	push @argument, 'max_rows => ' . int rand 20 if rand() < 0.5;
	return 'rxtrack.own_updates(' . join(', ', @argument) . ')';
}

my @forbidden = qw(rxtrack.status_update rxtrack.supply rxtrack.item_status rxtrack.supply_status rxtrack.readiness_event rxtrack.readiness_promise rxtrack.pending_events
  rxtrack.prescription_patient rxtrack.subscription rxtrack_internal.supply_party rxtrack_internal.readiness_inbox);

sub random_statement
{
	my ($name, $own, $other) = @_;
	my $fields = some_fields($own, $other);
	my ($column) = one_of(qw(prescription_id nhs_number ods_code line_item_id));
	my $theirs = 'ONLY' . ($name eq 'A' ? 'B' : 'A');
	my ($role, $from) = @{ one_of(
		[ 'app', some_search($own, $other) ], [ 'app', some_search($own, $other) ],
		[ 'ear', 'rxtrack.get_events(0, ' . int(rand 400) . ')' ],
		[ 'ear', "rxtrack.get_events(0, 100, '{" . one_of($theirs, 'SHARED1', "ONLY$name", "$theirs,ONLY$name") . "}')" ],
		[ one_of('app', 'ear'), one_of(@forbidden) ], [ 'ear', 'rxtrack.subscription_lag' ]) };
	my $where = $from eq 'rxtrack.subscription_lag' ? '' : rand() < 0.3 ? " WHERE x.$column = '$fields->{$column}'" : '';
	my $explain = one_of('', '', 'EXPLAIN ', 'EXPLAIN (VERBOSE) ', 'EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, BUFFERS OFF) ');
	# numbers and times of receipt differ from database to database
	my $what = $explain ? one_of('*', 'count(*)') : "to_jsonb(x) - '{received_at,released_at,release_number,withdraws}'::text[]";
	return [ $role . '_' . lc $name, "${explain}SELECT $what FROM $from AS x$where" ];
}

# Runs them all as their roles; for each what came back, or the error, in a line.
sub told
{
	my ($database, $list) = @_;
	my $file = "$ENV{TESTDIR}/isolation-$$.sql";
	open my $out, '>', $file or die $!;
	print {$out} "SET search_path = pg_catalog;\nCREATE TEMP TABLE told (n serial, role text, statement text, answer text);\nINSERT INTO told (role, statement) VALUES\n",
	  join(",\n", map { my ($role, $statement) = @$_; sprintf q{('%s', '%s')}, $role, $statement =~ s/'/''/gr } @$list), ";\n", <<'SQL';
DO $$
DECLARE
	t record; line text; message text; detail text; hint text;
BEGIN
	FOR t IN SELECT * FROM told ORDER BY n LOOP
		message := '';
		BEGIN
			EXECUTE format('SET LOCAL ROLE %I', t.role);
			FOR line IN EXECUTE t.statement LOOP
				message := message || line || '; ';
			END LOOP;
			RESET ROLE;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
			message := concat_ws(' ', SQLSTATE, message, detail, hint);
			RESET ROLE;
		END;
		UPDATE told SET answer = message WHERE n = t.n;
	END LOOP;
END $$;
SELECT translate(answer, E'\n', ' ') FROM told ORDER BY n;
SQL
	close $out;
	open my $psql, '-|', 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), '-f', $file or die $!;
	chomp(my @lines = <$psql>);
	close $psql or die "psql has failed on $file";
	return @lines;
}

for my $name ('A', 'B')
{
	my ($own, $other) = @data{ $name, $name eq 'A' ? 'B' : 'A' };
	my @list = map { random_statement($name, $own, $other) } 1 .. $requests / 2;
	my @both = told('both_' . lc $name, \@list);
	my @alone = told('alone_' . lc $name, \@list);
	is(scalar @both, scalar @list, "$name in SQL: every statement is answered");
	my @differ = grep { $both[$_] ne $alone[$_] } 0 .. $#list;
	is(scalar @differ, 0, "$name in SQL: rows, plans and errors are the same as if the other were not there")
	  or diag map { "@{ $list[$_] }\n  both: $both[$_]\n  alone: $alone[$_]\n" } @differ[0 .. ($#differ > 2 ? 2 : $#differ)];
	my %sort = (rows => qr/^\{/, events => qr/^\{.*alert_reason/, nothing => qr/^$/, plans => qr/Function Scan/, 'actual rows' => qr/actual rows=[1-9]/, refusals => qr/^42501/, faults => qr/^22P02/);
	my %count = map { my $kind = $_; $kind => scalar grep { /$sort{$kind}/ } @both } keys %sort;
	diag "$name in SQL: " . join ', ', map { "$_: $count{$_}" } sort keys %count;
	ok(!(grep { !$_ } values %count), "$name in SQL: answers of all sorts were among them");
	my $theirs = 'ONLY' . ($name eq 'A' ? 'B' : 'A');
	is(scalar(grep { !/^22/ && /"$theirs"/ } @both), 0, "$name in SQL: the other's pharmacy is in none");
}
my $shown = $node->safe_psql('both_a', 'SET ROLE ear_a; SELECT string_agg(DISTINCT e.ods_code::text, chr(32)) FROM generate_series(1, 400) AS n, rxtrack.get_event(n) AS e');
is($shown, 'ONLYA', 'of all event numbers a listener gets those of its pharmacy');

# ---------- Over HTTP ----------

for my $name ('A', 'B')
{
	my ($own, $other) = @data{ $name, $name eq 'A' ? 'B' : 'A' };
	my @list = map { rand() < 0.6 ? random_search($own, $other) : random_update($own, $other) } 1 .. $requests / 2;
	my @both = answers('both_' . lc $name, $name, \@list);
	my @alone = answers('alone_' . lc $name, $name, \@list);
	is(scalar @both, scalar @list, "$name: every request is answered");
	my @differ = grep { $both[$_] ne $alone[$_] } 0 .. $#list;
	is(scalar @differ, 0, "$name: the same answers as if the other were not there")
	  or diag map { to_json($list[$_]) . "\n  both: $both[$_]\n  alone: $alone[$_]\n" } @differ[0 .. ($#differ > 2 ? 2 : $#differ)];
	my %statuses;
	$statuses{ substr $_, 0, 3 }++ for @both;
	diag "$name: " . join ', ', map { "$_: $statuses{$_}" } sort keys %statuses;
	ok(!(grep { !$statuses{$_} } 200, 201, 400, 404), "$name: answers of all sorts were among them");
	my $theirs = $name eq 'A' ? 'B' : 'A';
	is(scalar(grep { /Supplier $theirs/ } @both), 0, "$name: the other's name is in none");
	my %own_task = map { $_->{id} => 1 } @{ $own->{tasks} }, map { $_->{body} ? @{ from_json($_->{body})->{entry} }[0]->{resource} : () } @list;
	my @foreign = grep { !$own_task{$_} } map { /"TaskID":"([^"]+)"/g } @both;
	is(scalar @foreign, 0, "$name: nor a task that it has not sent itself");
}

# ---------- What an application can find out by what it has to know already ----------

# A task id that another application has stored for the same prescription is refused with 409, and nothing is told of it.
my @taken = @{ $data{B}{tasks} }[0 .. 49];
my @conflicts = map { { kind => 'submit', id => $data{B}{request}, body => to_json(bundle(task(id => $_->{id}, prescription_id => $_->{basedOn}[0]{identifier}{value}))) } } @taken;
my @refusals = answers('both_a', 'A', \@conflicts);
is(scalar(grep { /^409 / } @refusals), 50, 'the other\'s task ids are taken, for the same prescription');
is(scalar(grep { my $f = fields($taken[$_]); $refusals[$_] =~ /Supplier B|$f->{nhs_number}|$f->{ods_code}|$f->{line_item_id}|With Pharmacy/i } 0 .. 49), 0,
	'whose patient, pharmacy, item and status are not told');
my @again = answers('both_a', 'A', [ { kind => 'submit', id => $data{B}{request}, body => to_json(bundle(@{ $data{B}{tasks} })) } ]);
like($again[0], qr/^409 /, 'another\'s whole request, sent again, is no retry');

done_testing();
