package RxTrack::Load;

=head1 NAME

RxTrack::Load - many updates at once, by pgbench, and what has become of their events

=head1 SYNOPSIS

    my $load = RxTrack::Load->new($node, clients => 32, updates => 600);
    my $done = $load->run('Ready to Collect');
    is(faults($node), '', 'the events are as they should be');

=head1 METHODS

=head2 new($node, %options)

Prepares bundles of one update each, in a table of the database C<rxtrack>, with an application and, enabled for alerts as it
is, ten thousand pharmacies. Options: C<clients> (8), C<updates> (100; of each client).

=head2 run($status, @options)

Submits all of them with that business status, each client one after the other with C<rxtrack_http.submit>, and returns how many it
has submitted. More options are pgbench's. C<start> does the same and does not wait; it returns what waits, and then returns how many.

=head2 run_by_turns($milliseconds)

Submits all of them, for so long those that raise no event, then for as long those that raise one, and so on, by the server's clock:
an update whose transaction begins in an even period is With Pharmacy, in an odd one Ready to Collect. Returns how many.

=head2 forget

Removes all updates and events, so that the same bundles can be submitted again.

=head1 FUNCTIONS

=head2 forget_updates($node)

Removes all updates and events. Release numbers go on.

=head2 every_event()

SQL that can stand behind FROM: all events, wherever they are, with where they stand (C<state>: pending, released or cancelled).

=head2 wait_for_release($node, $session)

Waits until no event that is due is pending; false where that does not happen. By a L<RxTrack::Session> that is there already it is known sooner.

=head2 faults($node)

What is wrong with the released events, as text: gaps among the numbers (but for a jump from one history of the database
to the next) or repetitions, events that are due and not released, updates without their event. With C<track_commit_timestamp> also whether the numbers are in the order of commits.

=cut

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Utils;
use RxTrack;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(every_event wait_for_release faults forget_updates);

my $pharmacies = 10_000;

sub new
{
	my ($class, $node, %option) = @_;
	my $self = bless { node => $node, clients => 8, updates => 100, %option }, $class;
	$self->{directory} = PostgreSQL::Test::Utils::tempdir();
	$self->write_bundles;
	$self->write_script('submit', ':kind');
	$self->load_bundles;
	return $self;
}

# A bundle as a supplier sends it; what differs from one to the next is put in.
sub write_bundles
{
	my ($self) = @_;
	my $template = to_json(bundle(task(id => 'TASK', prescription_id => 'PRESCRIPTION', line_item_id => 'ITEM', nhs_number => 'PATIENT',
		ods_code => 'PHARMACY', business_status => 'STATUS', task_status => 'in-progress', last_modified => '2026-01-05T09:00:00Z')));
	open my $out, '>', "$self->{directory}/bundles" or die "open: $!";
	for my $n (1 .. $self->{clients} * $self->{updates})
	{
		my %value = (TASK => uuid(), PRESCRIPTION => random_prescription_id(), ITEM => uuid(), PATIENT => random_nhs_number(),
			PHARMACY => sprintf('F%05d', int rand $pharmacies));
		(my $body = $template) =~ s/(TASK|PRESCRIPTION|ITEM|PATIENT|PHARMACY)/$value{$1}/g;
		print {$out} join("\t", $n, uuid(), $body), "\n";
	}
	close $out or die "close: $!";
	return;
}

sub write_script
{
	my ($self, $name, $kind) = @_;
	append_to_file("$self->{directory}/$name.sql", <<"SQL");
\\set i :i + 1
\\set n :client_id * $self->{updates} + :i
SELECT g.status FROM bundle b,
	LATERAL rxtrack_http.submit(E'updates\\x3awrite', ARRAY[b.credential], ARRAY[b.request_id], ARRAY[NULL::text], ARRAY[b.body]) g
WHERE b.kind = $kind AND b.n = :n;
SQL
	return;
}

sub load_bundles
{
	my ($self) = @_;
	my $key = add_application($self->{node}, 'Load', 'updates:write');
	$self->{node}->safe_psql('rxtrack', <<"SQL");
CREATE UNLOGGED TABLE prepared (n integer, request_id text, body text);
COPY prepared FROM '$self->{directory}/bundles' (QUOTE E'\\x01', FORMAT csv, DELIMITER E'\\t');
CREATE UNLOGGED TABLE bundle AS
	SELECT kind, n, request_id, sha256('$key'::bytea) AS credential, convert_to(replace(body, 'STATUS', kind), 'UTF8') AS body
	FROM prepared, unnest('{With Pharmacy,Ready to Collect}'::text[]) AS kind;
ALTER TABLE bundle ADD PRIMARY KEY (kind, n);
DROP TABLE prepared;
SELECT rxtrack.enable_alerts(application => 'Load'),
	rxtrack.enable_alerts(ods_codes => ARRAY(SELECT 'F' || lpad(n::text, 5, '0') FROM generate_series(0, $pharmacies - 1) AS n));
VACUUM ANALYZE;
SQL
	return;
}

sub start
{
	my ($self, $kind, @options) = @_;
	return $self->start_script('submit', '-D', "kind=$kind", @options ? @options : ('-t', $self->{updates}));
}

sub start_script
{
	my ($self, $name, @options) = @_;
	my ($out, $errors) = ('', '');
	my $pgbench = IPC::Run::start([ 'pgbench', '-n', '-M', 'prepared', '-f', "$self->{directory}/$name.sql", '-c', $self->{clients}, '-j', 2,
			'-D', 'i=0', @options, '-h', $self->{node}->host, '-p', $self->{node}->port, 'rxtrack' ],
		'<', \'', '>', \$out, '2>', \$errors);
	return sub {
		$pgbench->finish;
		my ($done) = $out =~ /transactions actually processed: (\d+)/;
		die "pgbench: $errors" if !$done || $errors =~ /ERROR|FATAL|aborted/;
		return $done;
	};
}

sub run
{
	my ($self, @arguments) = @_;
	return $self->start(@arguments)->();
}

sub run_by_turns
{
	my ($self, $milliseconds) = @_;
	my $name = "turns_$milliseconds";
	$self->write_script($name, "CASE (extract(epoch FROM now()) * 1000)::bigint / $milliseconds % 2 WHEN 0 THEN 'With Pharmacy' ELSE 'Ready to Collect' END")
	  unless -e "$self->{directory}/$name.sql";
	return $self->start_script($name, '-t', $self->{updates})->();
}

sub forget { return forget_updates($_[0]{node}) }

sub forget_updates
{
	my ($node) = @_;
	$node->safe_psql('rxtrack', 'TRUNCATE rxtrack.status_update, rxtrack.supply, rxtrack.prescription_patient, rxtrack_internal.supply_party,
		rxtrack.readiness_promise, rxtrack.readiness_event');
	return;
}

sub every_event
{
	my $recorded = 'prescription_id, task_id, line_item_id, issue_number, nhs_number, ods_code, status, post_dated, occurred_at, due_at';
	return <<"SQL";
(SELECT 'pending' AS state, NULL::bigint AS release_number, NULL::timestamptz AS released_at, $recorded, is_withdrawal FROM rxtrack_internal.readiness_inbox
	UNION ALL SELECT CASE WHEN cancelled_at IS NULL THEN 'pending' ELSE 'cancelled' END, NULL, NULL, $recorded, is_withdrawal FROM rxtrack.readiness_promise
	UNION ALL SELECT 'released', release_number, released_at, $recorded, withdraws IS NOT NULL FROM rxtrack.readiness_event) AS event
SQL
}

sub wait_for_release
{
	my ($node, $session) = @_;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	my $due = 'SELECT count(*) FROM rxtrack.pending_events WHERE due_at <= clock_timestamp()';
	while (($session ? $session->sql($due) : $node->safe_psql('rxtrack', $due)) > 0)
	{
		return 0 if time > $until;
		sleep($session ? 0.005 : 0.02);
	}
	return 1;
}

sub faults
{
	my ($node) = @_;
	my $order = $node->safe_psql('rxtrack', 'SHOW track_commit_timestamp') eq 'on' ? <<'SQL' : '';
UNION ALL
SELECT 'out of the order of commits: ' || count(*) FROM (
	SELECT pg_xact_commit_timestamp(xmin) < lag(pg_xact_commit_timestamp(xmin)) OVER (ORDER BY release_number) AS wrong
	FROM rxtrack.readiness_event) x WHERE wrong HAVING count(*) > 0
SQL
	my $events = every_event();
	return $node->safe_psql('rxtrack', <<"SQL" . $order);
SELECT 'gaps: ' || sum(step - 1) FROM (SELECT release_number - lag(release_number) OVER (ORDER BY release_number) AS step FROM rxtrack.readiness_event) s
WHERE step BETWEEN 2 AND 9999999 HAVING count(*) > 0
UNION ALL
SELECT 'twice: ' || count(*) FROM (SELECT prescription_id, task_id FROM $events GROUP BY 1, 2 HAVING count(*) > 1) x HAVING count(*) > 0
UNION ALL
SELECT 'not released: ' || count(*) FROM rxtrack.pending_events WHERE due_at <= now() HAVING count(*) > 0
UNION ALL
SELECT 'without event: ' || count(*) FROM rxtrack.status_update u JOIN rxtrack.ready_status s USING (status)
WHERE s.ready AND u.changes_status AND NOT EXISTS (SELECT FROM $events WHERE event.task_id = u.task_id) HAVING count(*) > 0
SQL
}

1;
