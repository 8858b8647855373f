package RxTrack::Fuzz::Server;

# A database with the extension, driven by files of SQL that psql runs: a chunk of requests goes in
# by COPY, and their answers come out by COPY, so that a request costs no round trip.

use strict;
use warnings;

use File::Temp ();

# connection: what psql takes as --dbname.
sub new
{
	my ($class, $connection) = @_;
	my $self = bless { connection => $connection, directory => File::Temp->newdir }, $class;
	$self->run(<<'SQL');
CREATE SCHEMA fuzz;
CREATE TABLE fuzz.caller (name text PRIMARY KEY, credential bytea NOT NULL);
CREATE TABLE fuzz.request (n integer PRIMARY KEY, call integer NOT NULL, application text, request_id text, body bytea);
CREATE TABLE fuzz.answer (n integer PRIMARY KEY, status integer, body text);

-- One call of rxtrack_http.submit carries all its requests; a call of one may go to rxtrack.submit
-- instead (a negative number). Each is a transaction.
CREATE PROCEDURE fuzz.answer_all() LANGUAGE plpgsql AS $$
DECLARE
  next_call integer;
BEGIN
  FOR next_call IN SELECT r.call FROM fuzz.request r GROUP BY r.call ORDER BY min(r.n) LOOP
    IF next_call < 0 THEN
      INSERT INTO fuzz.answer
      SELECT r.n, a.status, a.body::text
      FROM fuzz.request r,
           rxtrack.submit(convert_from(r.body, 'UTF8'), r.request_id, r.application) a
      WHERE r.call = next_call;
    ELSE
      INSERT INTO fuzz.answer
      SELECT r.numbers[a.ordinality], a.status, convert_from(a.body, 'UTF8')
      FROM (SELECT array_agg(q.n ORDER BY q.n) AS numbers,
                   array_agg(coalesce(c.credential, sha256(''))  ORDER BY q.n) AS credentials,
                   array_agg(q.request_id ORDER BY q.n) AS request_ids,
                   array_agg(NULL::text ORDER BY q.n) AS parameters,
                   array_agg(q.body ORDER BY q.n) AS bodies
            FROM fuzz.request q LEFT JOIN fuzz.caller c ON c.name = q.application
            WHERE q.call = next_call) r,
           rxtrack_http.submit('updates:write', r.credentials, r.request_ids, r.parameters, r.bodies)
             WITH ORDINALITY AS a;
    END IF;
    COMMIT;
  END LOOP;
END $$;
SQL
	return $self;
}

# Runs SQL and returns the lines that it prints; dies with psql's words.
sub run
{
	my ($self, $sql) = @_;
	my $name = "$self->{directory}/run.sql";
	open my $file, '>:raw', $name or die "$name: $!\n";
	print $file $sql;
	close $file or die "$name: $!\n";
	my @command = ('psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $self->{connection}, '-f', $name);
	open my $psql, '-|', @command or die "psql: $!\n";
	binmode $psql;
	chomp(my @lines = <$psql>);
	close $psql or die "psql has failed: $?\n";
	return @lines;
}

# Returns its API key.
sub add_application
{
	my ($self, $name, $may_write) = @_;
	my $scope = $may_write ? 'updates:write' : 'updates:read';
	my ($key) = $self->run(<<"SQL");
WITH made AS MATERIALIZED (SELECT rxtrack.add_application('$name', '{$scope}') AS key),
     kept AS (INSERT INTO fuzz.caller SELECT '$name', sha256(convert_to(key, 'UTF8')) FROM made)
SELECT key FROM made
SQL
	return $key;
}

# What may follow a status, as a DBA changes it: forward, correction, or undef for unexpected.
sub set_rule
{
	my ($self, $from, $to, $kind) = @_;
	my $insert = defined $kind ? "INSERT INTO rxtrack.transition_rule VALUES ('$from', '$to', '$kind');" : '';
	$self->run("DELETE FROM rxtrack.transition_rule WHERE (from_status, to_status) = ('$from', '$to'); $insert");
}

# A field of COPY's text format.
sub field
{
	my ($value, $is_bytes) = @_;
	return '\N' unless defined $value;
	return '\\\\x' . unpack 'H*', $value if $is_bytes;
	return $value =~ s/([\\\n\r\t])/sprintf '\\x%02x', ord $1/ger;
}

# The setting is known once the library is loaded, which any function of it brings about.
#
# The answers to requests { number, call, application, request_id, body }, by number:
# { status, body }.
sub answers
{
	my ($self, $policy, @requests) = @_;
	my $rows = join '', map {
		join("\t", $_->{number}, $_->{call}, field($_->{application}), field($_->{request_id}), field($_->{body}, 1)) . "\n"
	} @requests;
	my @lines = $self->run(<<"SQL");
DO 'BEGIN PERFORM rxtrack.check_transition(NULL, NULL); END';
SET client_encoding = 'UTF8';
SET rxtrack.transition_policy = $policy;
TRUNCATE fuzz.request, fuzz.answer;
COPY fuzz.request FROM STDIN;
$rows\\.
CALL fuzz.answer_all();
SELECT n || ' ' || status || ' ' || translate(body, E'\\n\\r', '  ') FROM fuzz.answer ORDER BY n;
SQL
	my %answer = map { my ($n, $status, $body) = split / /, $_, 3; $n => { status => $status, body => $body } } @lines;
	return \%answer;
}

# ---------- What the database holds, as lines that the judge compares ----------

sub updates
{
	my ($self) = @_;
	return $self->run(<<'SQL');
SELECT concat_ws(' ', u.prescription_id, u.task_id, u.line_item_id, u.nhs_number, u.ods_code,
       (extract(epoch FROM u.last_modified) * 1000000)::bigint,
       coalesce((extract(epoch FROM u.post_dated_set_at) * 1000000)::bigint::text, '-'),
       coalesce(u.repeat_number::text, '-'), u.request_id, a.name, u.completed::integer, u.kind, u.status)
FROM rxtrack.status_update u LEFT JOIN rxtrack_internal.application a USING (application_id)
SQL
}

sub items
{
	my ($self) = @_;
	return $self->run(<<'SQL');
SELECT concat_ws(' ', i.prescription_id, i.line_item_id, i.nhs_number, i.ods_code,
       (extract(epoch FROM i.since) * 1000000)::bigint, i.application, i.terminal::integer, i.status)
FROM rxtrack.item_status i
SQL
}

# At a time, in microseconds since 1970.
sub statuses_at
{
	my ($self, $time) = @_;
	return $self->run(<<"SQL");
SELECT concat_ws(' ', s.prescription_id, s.line_item_id, s.status)
FROM (SELECT i.prescription_id, i.line_item_id,
             rxtrack.status_at(i.prescription_id::text, i.line_item_id::text, 'epoch'::timestamptz + $time * interval '1 microsecond') AS status
      FROM (SELECT DISTINCT u.prescription_id, u.line_item_id FROM rxtrack.status_update u) i) s
WHERE s.status IS NOT NULL
SQL
}

1;
