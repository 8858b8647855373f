package RxTrack::Fuzz::Server;

# A database with the extension, and one session of psql in it that does what it is told, call by call, at the times that its
# clock is set to.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IPC::Open2;
use RxTrack::Fuzz::Readiness;
use RxTrack::Fuzz::Rules;

# A call of the gateway's functions carries any number of requests, one of rxtrack.submit a single one.
my %function = ('/' => 'rxtrack_http.submit', '/format-1' => 'rxtrack_http.format_1');

# connection: what psql takes as --dbname; clock: an RxTrack::Clock by which the server goes, or none; gateway: an
# RxTrack::Gateway, where it is HTTP that brings the requests.
sub new
{
	my ($class, %option) = @_;
	my $self = bless { %option, key => {}, released => 0 }, $class;
	$self->run(<<'SQL');
CREATE SCHEMA fuzz;
CREATE FUNCTION fuzz.us(timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN (extract(epoch FROM $1) * 1000000)::bigint;
CREATE FUNCTION fuzz.at(bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN 'epoch'::timestamptz + $1 * interval '1 microsecond';
SQL
	return $self;
}

# A session, in which settings are known once a function has loaded the library.
sub start
{
	my ($self) = @_;
	my @command = ('psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $self->{connection});
	$self->{pid} = open2($self->{out}, $self->{in}, @command);
	$self->{in}->autoflush(1);
	print { $self->{in} } "SET client_encoding = 'UTF8';\nDO 'BEGIN PERFORM rxtrack.check_transition(NULL, NULL); END';\n";
	return;
}

sub stop
{
	my ($self) = @_;
	local ($?, $!);
	close $self->{in};
	waitpid delete $self->{pid}, 0;
	return;
}

# Runs SQL and returns the lines that it prints. An error ends the session, and the next one is another.
sub run
{
	my ($self, $sql) = @_;
	local $SIG{PIPE} = 'IGNORE';
	$self->start unless $self->{pid};
	print { $self->{in} } "$sql\n\\echo that is all\n";
	my @lines;
	while (defined(my $line = readline $self->{out}))
	{
		chomp $line;
		return @lines if $line eq 'that is all';
		push @lines, $line;
	}
	$self->stop;
	die 'psql has ended in the middle of: ' . substr($sql, 0, 500) . "\n";
}

sub DESTROY { $_[0]->stop if $_[0]{pid}; return }

sub clock { return ($_[0]->run("SELECT fuzz.us(clock_timestamp());"))[0] }

# Returns its API key.
sub add_application
{
	my ($self, $name, $may_write) = @_;
	my $scope = $may_write ? 'updates:write' : 'updates:read';
	($self->{key}{$name}) = $self->run("SELECT rxtrack.add_application('$name', '{$scope}');");
	return $self->{key}{$name};
}

# What may follow a status, as a DBA changes it: forward, correction, or undef for unexpected.
sub set_rule
{
	my ($self, $from, $to, $kind) = @_;
	my $insert = defined $kind ? "INSERT INTO rxtrack.transition_rule VALUES ('$from', '$to', '$kind');" : '';
	$self->{is_changed} = 1;
	$self->run("DELETE FROM rxtrack.transition_rule WHERE (from_status, to_status) = ('$from', '$to'); $insert");
	return;
}

sub set
{
	my ($self, $setting, $value) = @_;
	$self->{is_changed} = 1;
	$self->run("SET rxtrack.$setting = '$value';");
	return;
}

# Back to what is shipped, of what the calls of RxTrack::Fuzz::Comparison have changed.
sub reset
{
	my ($self) = @_;
	my $rules = RxTrack::Fuzz::Rules->new;
	my @rules = map { my $from = $_; map { "('$from', '$_', '$rules->{$from}{$_}')" } $rules->may_follow($from) } sort keys %$rules;
	$self->run('RESET ALL; SET client_encoding = \'UTF8\'; TRUNCATE rxtrack.transition_rule;
		INSERT INTO rxtrack.transition_rule VALUES ' . join(', ', @rules) . ';') if $self->{is_changed};
	$self->alerts(@$_) for reverse @{ delete $self->{undo} // [] };
	@$self{qw(is_changed undo)} = (0, undef);
	return;
}

sub alerts
{
	my ($self, $how, $of, $who) = @_;
	my $name = $who =~ s/'/''/gr;
	my $whom = $of eq 'pharmacy' ? "ods_codes => '{$who}'" : "application => '$name'";
	my $reason = $how eq 'block' ? ", reason => 'a test'" : '';
	my %predict = (predict => 'true', unpredict => 'false');
	my $function = $predict{$how} ? "alter_application('$name', alert_on_predictions => $predict{$how})" : "${how}_alerts($whom$reason)";
	$self->run("SELECT rxtrack.$function \\g /dev/null");
	push @{ $self->{undo} }, [ RxTrack::Fuzz::Readiness::opposite($how), $of, $who ];
	return;
}

sub dispatch { return $_[0]->run('SELECT rxtrack.release_events() \g /dev/null') }

# undef, or the SQLSTATE of a refusal.
sub settle
{
	my ($self, $prescription_id, $nhs_number, $force) = @_;
	my $forced = $force ? 'true' : 'false';
	my ($state) = $self->run(<<"SQL");
\\set ON_ERROR_STOP off
SELECT rxtrack.settle_patient('$prescription_id', '$nhs_number', 'fuzzing', $forced) \\g /dev/null
\\set ON_ERROR_STOP on
\\echo :SQLSTATE
SQL
	return $state eq '00000' ? undef : $state;
}

# ---------- Requests ----------

sub bytes { return defined $_[0] ? "'\\x" . unpack('H*', $_[0]) . "'::bytea" : 'NULL::bytea' }
sub text { return defined $_[0] ? 'convert_from(' . bytes($_[0]) . ", 'UTF8')" : 'NULL::text' }

# The answers to the requests { application, request_id, body } of one call of { path, by_submit, requests }: { status, body }.
sub answers
{
	my ($self, $call) = @_;
	my @requests = @{ $call->{requests} };
	return map { $self->post($call->{path}, $_) } @requests if $self->{gateway};
	my $from = $call->{by_submit} ? $self->submit($requests[0]) : $self->gateway_call($call->{path}, @requests);
	my @lines = $self->run("SELECT status || ' ' || translate(body, E'\\n\\r', '  ') FROM ($from) AS answer ORDER BY place;");
	return map { my ($status, $body) = split / /, $_, 2; { status => $status, body => $body } } @lines;
}

sub gateway_call
{
	my ($self, $path, @requests) = @_;
	my $credentials = join ', ', map { bytes(pack 'H*', sha256_hex($self->key($_) // 'nobody')) } @requests;
	my $request_ids = join ', ', map { text($_->{request_id}) } @requests;
	my $parameters = join ', ', map { 'NULL::text' } @requests;
	my $bodies = join ', ', map { bytes($_->{body}) } @requests;
	return "SELECT a.ordinality AS place, a.status, convert_from(a.body, 'UTF8') AS body FROM $function{$path}(
		'updates:write', ARRAY[$credentials], ARRAY[$request_ids], ARRAY[$parameters], ARRAY[$bodies]) WITH ORDINALITY AS a";
}

sub submit
{
	my ($self, $request) = @_;
	my ($body, $request_id, $application) = map { text($request->{$_}) } qw(body request_id application);
	return "SELECT 1 AS place, a.status, a.body::text AS body FROM rxtrack.submit($body, $request_id, $application) AS a";
}

sub key
{
	my ($self, $request) = @_;
	return defined $request->{application} ? $self->{key}{ $request->{application} } : undef;
}

sub post
{
	my ($self, $path, $request) = @_;
	my $answer = $self->{gateway}->post($request->{body}, key => $self->key($request), request_id => $request->{request_id}, path => $path);
	return { status => $answer->{status}, body => $answer->{content} };
}

# ---------- What the database holds ----------

# The events that were released since the last time that this was asked.
sub events
{
	my ($self) = @_;
	my @names = qw(number prescription_id line_item_id issue_number ods_code patient status occurred_at released_at application
		origin withdraws alert reason);
	my @events;
	for my $line ($self->run(<<"SQL"))
SELECT concat_ws('|', e.release_number, e.prescription_id, e.line_item_id, e.issue_number, e.ods_code, e.nhs_number, e.status,
	fuzz.us(e.occurred_at), fuzz.us(e.released_at), coalesce(a.application, ''), CASE WHEN e.post_dated THEN 'predicted' ELSE 'reported' END, coalesce(e.withdraws::text, ''),
	e.alert::integer, coalesce(e.alert_reason::text, ''))
FROM rxtrack.readiness_event e LEFT JOIN rxtrack.applications a USING (application_id)
WHERE e.release_number > $self->{released} ORDER BY e.release_number;
SQL
	{
		my %event;
		@event{@names} = map { $_ eq '' ? undef : $_ } split /\|/, $line, -1;
		$event{supply} = join ' ', @event{qw(prescription_id line_item_id issue_number ods_code)};
		push @events, \%event;
	}
	$self->{released} = $events[-1]{number} if @events;
	return @events;
}

# As RxTrack::Fuzz::Holdings has it of the model: lines about these prescriptions.
sub updates
{
	my ($self, @prescriptions) = @_;
	my $these = literal(@prescriptions);
	return $self->run(<<"SQL");
SELECT concat_ws(' ', u.prescription_id, u.task_id, u.line_item_id, u.issue_number, u.nhs_number, u.ods_code, fuzz.us(u.last_modified),
	coalesce(fuzz.us(u.post_dated_set_at)::text, '-'), fuzz.us(u.received_at), u.request_id, a.application, u.completed::integer, u.kind, u.status)
FROM rxtrack.status_update u LEFT JOIN rxtrack.applications a USING (application_id) WHERE u.prescription_id = ANY ($these);
SQL
}

# The same, in the order of receipt, of a prescription that has one supply.
sub updates_received
{
	my ($self, $prescription) = @_;
	my ($receipts) = $self->run("SELECT array_agg(task_id ORDER BY received_at, receipt) FROM rxtrack.status_update WHERE prescription_id = '$prescription';");
	my %line = map { (split / /)[1] => $_ } $self->updates($prescription);
	return map { $line{$_} } $receipts =~ /[0-9a-f-]{36}/g;
}

# view: supply_status or item_status.
sub statuses
{
	my ($self, $view, @prescriptions) = @_;
	my $these = literal(@prescriptions);
	return $self->run(<<"SQL");
SELECT concat_ws(' ', s.prescription_id, s.line_item_id, s.issue_number, s.ods_code, s.nhs_number, fuzz.us(s.since), s.origin,
	s.application, s.terminal::integer, s.status)
FROM rxtrack.$view s WHERE s.prescription_id = ANY ($these);
SQL
}

# rxtrack.status_at for each of [prescription_id, line_item_id, issue_number, ods_code or undef, time].
sub statuses_at
{
	my ($self, @questions) = @_;
	return () unless @questions;
	my $rows = join ",\n", map { my ($p, $i, $n, $o, $t) = @$_; "('$p', '$i', $n, " . (defined $o ? "'$o'" : 'NULL') . ", $t)" } @questions;
	return $self->run(<<"SQL");
SELECT concat_ws(' ', p, i, n, coalesce(o, '-'), t, coalesce(rxtrack.status_at(p, i, fuzz.at(t), n, o)::text, '-'))
FROM (VALUES $rows) AS q (p, i, n, o, t);
SQL
}

sub conflicts
{
	my ($self, @prescriptions) = @_;
	my $these = literal(@prescriptions);
	return $self->run("SELECT DISTINCT prescription_id FROM rxtrack.patient_conflicts WHERE prescription_id = ANY ($these);");
}

# When a call has received: the earliest of the tasks of this prescription that it has stored; for a server with a clock of its own.
sub received_at
{
	my ($self, $after, @prescriptions) = @_;
	my $these = literal(@prescriptions);
	my ($time) = $self->run("SELECT fuzz.us(min(received_at)) FROM rxtrack.status_update
		WHERE prescription_id = ANY ($these) AND received_at >= fuzz.at($after);");
	return $time;
}

sub literal { return "'{" . join(',', map { qq("$_") } @_) . "}'::rxtrack.prescription_id[]" }

1;
