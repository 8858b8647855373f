# What the logs say: a line a request, and of patients nothing, whatever is sent.
use strict;
use warnings;
use RxTrack;
use RxTrack::Answers;
use RxTrack::Connection;
use Test::More;
use Time::HiRes qw(sleep time);

# The server logs as it does out of the box, and not each statement as the tests' servers do.
my $node = node(conf => "log_statement = none\nlog_line_prefix = '%m [%p] '\nlog_min_duration_statement = -1\n");
my $gateway = gateway($node);
my $key = add_application($node, 'A supplier');
my @fields = qw(application method ms path request_id status time);
my @secret = ($key, substr($key, 8));

# A patient, an item, a prescription, which are to be found in no log.
sub secret
{
	push @secret, @_;
	return $_[0];
}

sub secret_task
{
	my %field = (nhs_number => random_nhs_number(), line_item_id => uuid(), prescription_id => random_prescription_id(), ods_code => 'QQ' . int(1e9 + rand 9e9), @_);
	secret($field{$_}) for qw(nhs_number line_item_id prescription_id ods_code);
	return task(%field);
}

# The log's line of the request with this id, which is written just after the answer.
sub line_of
{
	my ($id) = @_;
	my $until = time + 5;
	my @found;
	do
	{
		@found = grep { defined $_->{request_id} && $_->{request_id} eq $id } $gateway->log_events;
	} until @found || time > $until || !sleep 0.02;
	is(scalar @found, 1, "one line for $id");
	return $found[0] // {};
}

# ---------- One line a request ----------

my $id = uuid();
my $began = time;
is($gateway->post(bundle(secret_task()), key => $key, request_id => $id)->{status}, 201, 'an update is stored');
my $took = 1000 * (time - $began);
my $line = line_of($id);
is_deeply([ sort keys %$line ], \@fields, 'exactly these fields');
is("$line->{method} $line->{path} $line->{status} $line->{application}", 'POST / 201 A supplier', 'what was asked, what came of it, who asked');
like($line->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'when');
ok($line->{ms} > 0 && $line->{ms} <= $took, "how long: $line->{ms} ms of $took");
my $upper = uc uuid();
$gateway->request('GET', '/_ping', { 'X-Request-ID' => $upper });
is(line_of($upper)->{application}, undef, 'no application where none is known, and the id as it was sent');

my $reader = add_application($node, "Ünïcode \"quoted\" \\ 'name'", 'updates:read');
for my $case ([ 400, 'A supplier', key => $key ], [ 403, "\x{dc}n\x{ef}code \"quoted\" \\ 'name'", key => $reader ], [ 401, undef ],
	[ 404, undef, path => '/nowhere' ], [ 405, undef, path => '/metadata' ], [ 415, undef, key => $key, headers => { 'Content-Type' => 'text/plain' } ])
{
	my ($status, $application, %option) = @$case;
	my $fault = uuid();
	is($gateway->post('{"nhs":"' . secret(random_nhs_number()) . '"}', %option, request_id => $fault)->{status}, $status, "a $status");
	my $said = line_of($fault);
	is_deeply([ sort keys %$said ], \@fields, 'the same fields');
	is_deeply([ @$said{qw(status application path)} ], [ $status, $application, $status == 404 ? undef : $option{path} // '/' ], 'with what is known');
}

# ---------- Nothing of a patient, nor a key ----------

my $nhs = secret(random_nhs_number());
my $prescription = secret(random_prescription_id());
my %bearer = (Authorization => "Bearer $key");
$gateway->request('GET', $_, { %bearer, 'X-Request-ID' => uuid() }) for "/checkprescriptionstatusupdates?nhsnumber=$nhs", "/checkprescriptionstatusupdates?prescriptionid=$prescription&nhsnumber=1$nhs",
	"/_ping?nhsnumber=$nhs", "/_status?$nhs", "/patient/$nhs", "/$nhs/../_ping", "/%39" . substr($nhs, 1), "/metadata?key=$key", "/$key";
my $hidden = "$nhs\\u0000\\n$prescription";
for my $header ('X-Request-ID', 'X-Correlation-ID', 'User-Agent', 'Referer', 'Cookie', 'X-Forwarded-For', 'Accept', 'ExclusiveStartKey-PrescriptionID', 'Content-Type')
{
	$gateway->request($_->[0], $_->[1], { %bearer, $header => $nhs }, $_->[2])
	  for [ 'GET', '/_ping' ], [ 'GET', '/checkprescriptionstatusupdates?odscode=A' ], [ 'POST', '/', to_json(bundle(secret_task())) ];
}
RxTrack::Connection->new($gateway)->request($nhs, '/') for 1 .. 2;
my $raw = RxTrack::Connection->new($gateway);
$raw->send($_) for "$nhs /$nhs HTTP/1.1\r\nHost: $nhs\r\n\r\n";
$raw->answer;
$gateway->raw($_, timeout => 0.3) for "GET /$nhs\r\n\r\n", "$nhs\r\n\r\n", "GET /_ping HTTP/1.1\r\nHost: x\r\n$nhs\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: $nhs\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: $nhs\r\n\r\n";

# Faulty values, of which some are a patient's number with a slip of the pen; and what is refused, repeated or ill-formed.
for my $field (qw(nhs_number prescription_id line_item_id ods_code business_status last_modified id))
{
	$gateway->post(bundle(secret_task($field => secret("x${nhs}x"))), key => $key);
}
$gateway->post("{\"resourceType\":\"Bundle\",\"$nhs\" $nhs", key => $key);
$gateway->post("{\"$hidden\":1}", key => $key);
$gateway->post("\"$nhs\xff\"", key => $key);
my $known = bundle(secret_task(business_status => 'Collected'));
is($gateway->post($known, key => $key)->{status}, $_, "a $_") for 201, 409;
my %item = (nhs_number => $known->{entry}[0]{resource}{for}{identifier}{value}, line_item_id => $known->{entry}[0]{resource}{focus}{identifier}{value},
	prescription_id => $known->{entry}[0]{resource}{basedOn}[0]{identifier}{value}, ods_code => $known->{entry}[0]{resource}{owner}{identifier}{value});
is($gateway->post(bundle(secret_task(%item, business_status => 'Not Dispensed')), key => $key)->{status}, 422, 'a 422');
is($gateway->post('{"MessageType":"PrescriptionStatusChanged","nHSCHI":"' . $nhs . '","items":[{"itemID":"' . $nhs . '"}]}', key => $key, path => '/format-1')->{status}, 400, 'a bad message of Format 1');

# Faults of ours: the server cancels a statement, loses a table, is stopped under a request.
my $holder = $node->background_psql('rxtrack');
$holder->query_safe('BEGIN; LOCK TABLE rxtrack.status_update IN ACCESS EXCLUSIVE MODE');
my @cancelled = map { RxTrack::Connection->new($gateway) } 1 .. 3;
$_->request('POST', '/', { %bearer, 'X-Request-ID' => uuid() }, to_json(bundle(secret_task(business_status => 'Ready to Collect')))) for @cancelled;
$node->poll_query_until('rxtrack', "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%' AND wait_event_type = 'Lock'");
$node->safe_psql('rxtrack', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rxtrack-gateway/%' AND wait_event_type = 'Lock'") for 1 .. 3;
$holder->query_safe('ROLLBACK');
$_->answer for @cancelled;
$holder->quit;
$node->safe_psql('rxtrack', 'ALTER TABLE rxtrack_internal.readiness_inbox ADD CONSTRAINT never CHECK (due_at IS NULL) NOT VALID');
is_outcome($gateway->post(bundle(secret_task(business_status => 'Ready to Collect')), key => $key), 500, 'exception', 'a fault of ours');
$node->safe_psql('rxtrack', 'ALTER TABLE rxtrack_internal.readiness_inbox DROP CONSTRAINT never');
$node->safe_psql('rxtrack', 'ALTER TABLE rxtrack.supply RENAME TO gone');
like($gateway->post(bundle(secret_task()), key => $key)->{status}, qr/^50[03]$/, 'another');
$node->safe_psql('rxtrack', 'ALTER TABLE rxtrack.gone RENAME TO item');
is($gateway->stop, 0, 'the gateway ends well');

my $log = $gateway->log;
my @lines = split /\n/, $log;
my @events = $gateway->log_events;
is(scalar @events, scalar @lines, 'every line is JSON');
is(scalar(grep { !exists $_->{event} && "@{[ sort keys %$_ ]}" ne "@fields" } @events), 0, 'a line of a request has these fields and no others');
is(scalar(grep { defined $_->{method} && $_->{method} !~ /^[A-Z]+$/ } @events), 0, 'no method is logged that is none');
my %paths = map { $_->{path} // 'none' => 1 } grep { !exists $_->{event} } @events;
is_deeply([ sort keys %paths ], [ qw(/ /_ping /_status /checkprescriptionstatusupdates /format-1 /metadata none) ], 'only paths of the route table are');

my $server_log = PostgreSQL::Test::Utils::slurp_file($node->logfile);
like($server_log, qr/violates check constraint/, 'the server has logged our fault');
for my $case ([ "the gateway's", $log ], [ "the server's", $server_log ])
{
	my ($whose, $text) = @$case;
	my @found = grep { $text =~ /\Q$_\E/i } @secret;
	is_deeply(\@found, [], "$whose log has none of " . @secret . ' numbers, items, prescriptions, pharmacies and keys');
	unlike($text, qr/resourceType|nhsnumber=|\\x7b22/i, 'and no body and no query');
}

done_testing();
