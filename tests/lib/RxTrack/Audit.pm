package RxTrack::Audit;

=head1 NAME

RxTrack::Audit - whether what is stored can have come about by the rules

=head1 SYNOPSIS

    use RxTrack::Audit;
    is(audit($node), '', 'the books balance');

=head1 FUNCTIONS

=head2 audit($node, %options)

Reads all that is stored and returns a line for each supply or update that breaks a rule, at most ten of each kind: receipts
of a supply run from 1 to C<supply.receipts> without a gap; a supply is as its newest update left it, and an item as its current
supply; each update is of the kind that replaying them in the order of receipt gives, and under C<enforce> (unless
C<< policy => 'off' >>) none is unexpected; each readiness event belongs to one update by which a supply became ready, or by which
that was taken back, and each such update has one.

For updates whose times are all past: post-dated ones are another test's business. Rules that changed while updates came in
cannot be replayed: C<< kinds => 0 >> leaves the kinds out.

=cut

use strict;
use warnings;

use Exporter 'import';
use RxTrack::Load;

our @EXPORT = qw(audit);

my $replayed = <<'SQL';
CREATE TEMP TABLE received AS
SELECT u.*, ROW (u.prescription_id, u.line_item_id, u.issue_number, u.ods_code)::text AS supply,
       least(coalesce(u.post_dated_set_at, u.last_modified), u.received_at) AS asserted_at,
       CASE WHEN u.post_dated_set_at IS NULL THEN least(u.last_modified, u.received_at) ELSE u.last_modified END AS takes_effect_at
FROM rxtrack.status_update u;
CREATE INDEX ON received (supply, receipt);
ANALYZE received;
CREATE TEMP TABLE replayed AS
SELECT r.*, p.status AS before,
       CASE WHEN p.status IS NULL THEN 'first'
            WHEN (r.asserted_at, r.last_modified) < (p.asserted_at, p.last_modified) THEN 'late'
            WHEN r.status = p.status THEN 'repeat'
            ELSE coalesce((SELECT t.kind::text FROM rxtrack.transition_rule t
                           WHERE t.from_status = p.status AND t.to_status = r.status), 'unexpected')
       END AS right_kind,
       p.status IS NULL OR ((r.asserted_at, r.last_modified) >= (p.asserted_at, p.last_modified) AND r.status <> p.status) AS rightly_changes
FROM received r
LEFT JOIN LATERAL (
    SELECT e.* FROM received e WHERE e.supply = r.supply AND e.receipt < r.receipt
    ORDER BY e.asserted_at DESC, e.last_modified DESC, e.receipt DESC LIMIT 1) p ON true;
CREATE TEMP TABLE standing AS
SELECT s.*, ROW (s.prescription_id, s.line_item_id, s.issue_number, s.ods_code)::text AS supply, p.nhs_number AS patient, p.hidden
FROM rxtrack.supply s LEFT JOIN rxtrack.prescription_patient p USING (prescription_id);
SQL

# Events that say that a supply is ready, and such as take that back, as the updates call for them.
my $is_event = "rightly_changes AND status IN ('Ready to Collect', 'Ready to Collect - Partial')
                AND (before, status) IS DISTINCT FROM ROW ('Ready to Collect'::rxtrack.business_status, 'Ready to Collect - Partial'::rxtrack.business_status)";
my $is_withdrawal = "rightly_changes AND before IN ('Ready to Collect', 'Ready to Collect - Partial')
                     AND status NOT IN ('Ready to Collect', 'Ready to Collect - Partial', 'Collected', 'Dispatched')
                     AND (status = 'Not Dispensed' OR kind = 'correction')";

my %check = (
	receipts => <<'SQL',
SELECT 'receipts of ' || supply || ': ' || coalesce(s.receipts::text, 'no supply') || ', updates ' || coalesce(n::text, 'none')
FROM standing s
FULL JOIN (SELECT supply, count(*) AS n, count(DISTINCT receipt) AS different, min(receipt) AS least, max(receipt) AS most,
                  max(received_at) AS last, count(*) FILTER (WHERE application_id = first_by) AS own, min(first_by) AS first_by,
                  bool_or(turned) AS turned
           FROM (SELECT *, first_value(application_id) OVER w AS first_by, received_at < lag(received_at) OVER w AS turned
                 FROM received WINDOW w AS (PARTITION BY supply ORDER BY receipt)) r
           GROUP BY supply) u USING (supply)
WHERE (s.receipts = n AND different = n AND least = 1 AND most = n AND s.received_at = last AND s.own_receipts = own
       AND s.application_id = first_by AND turned IS NOT TRUE) IS NOT TRUE LIMIT 10
SQL
	newest => <<'SQL',
SELECT 'newest of ' || s.supply || ': ' || s.status || ', not ' || u.status
FROM standing s
JOIN LATERAL (SELECT * FROM received u WHERE u.supply = s.supply
              ORDER BY u.asserted_at DESC, u.last_modified DESC, u.receipt DESC LIMIT 1) u ON true
JOIN LATERAL (SELECT * FROM received u WHERE u.supply = s.supply ORDER BY u.asserted_at, u.receipt LIMIT 1) e ON true
JOIN rxtrack_internal.application a ON a.application_id = u.application_id
LEFT JOIN rxtrack.supply_status n
	ON (n.prescription_id, n.line_item_id, n.issue_number, n.ods_code) = (s.prescription_id, s.line_item_id, s.issue_number, s.ods_code)
WHERE (s.status, s.completed, s.asserted_at, s.last_modified, s.asserted_by, s.began_at, s.began_received_at)
      IS DISTINCT FROM (u.status, u.completed, u.asserted_at, u.last_modified, u.application_id, e.asserted_at, e.received_at)
   OR s.nhs_number = s.patient AND NOT s.hidden
	  AND (n.status, n.terminal, n.nhs_number, n.since, n.application)
		  IS DISTINCT FROM (u.status, u.completed, s.patient, u.takes_effect_at, a.name)
   OR n.status IS NOT NULL AND (s.nhs_number <> s.patient OR s.hidden) LIMIT 10
SQL
	current => <<'SQL',
SELECT 'current of ' || coalesce(i.line_item_id, c.line_item_id) || ': ' || coalesce(i.ods_code::text, 'none') || ', not ' || coalesce(c.ods_code::text, 'none')
FROM rxtrack.item_status i
FULL JOIN (SELECT DISTINCT ON (n.prescription_id, n.line_item_id, n.issue_number) n.*
           FROM rxtrack.supply_status n JOIN rxtrack.supply s USING (prescription_id, line_item_id, issue_number, ods_code)
           ORDER BY n.prescription_id, n.line_item_id, n.issue_number, n.status = 'Not Dispensed', s.began_at DESC, s.began_received_at DESC,
                    n.ods_code DESC) c
	USING (prescription_id, line_item_id, issue_number)
WHERE (i.ods_code, i.status, i.since) IS DISTINCT FROM (c.ods_code, c.status, c.since) LIMIT 10
SQL
	kinds => <<'SQL',
SELECT 'kind of ' || task_id || ', receipt ' || receipt || ': ' || kind || ', not ' || right_kind FROM replayed
WHERE kind::text <> right_kind LIMIT 10
SQL
	changes => <<'SQL',
SELECT 'change by ' || task_id || ', receipt ' || receipt || ': ' || changes_status FROM replayed
WHERE changes_status <> rightly_changes OR overtaken <> (kind = 'late') LIMIT 10
SQL
	enforce => "SELECT 'unexpected: ' || task_id FROM replayed WHERE right_kind = 'unexpected' LIMIT 10\n",
	events => <<'SQL' =~ s/EVERY_EVENT/every_event()/er =~ s/IS_EVENT/$is_event/r =~ s/IS_WITHDRAWAL/$is_withdrawal/r,
SELECT 'events of ' || supply || ', ' || status || CASE WHEN withdraws THEN ' again' ELSE '' END || ': ' || coalesce(events, 0) || ', not ' || coalesce(updates, 0)
FROM (SELECT ROW (prescription_id, line_item_id, issue_number, ods_code)::text AS supply, status, occurred_at, is_withdrawal AS withdraws, count(*) AS events
      FROM EVERY_EVENT GROUP BY 1, 2, 3, 4) e
FULL JOIN (SELECT supply, status, takes_effect_at AS occurred_at, withdraws, count(*) AS updates
           FROM (SELECT *, false AS withdraws FROM replayed WHERE IS_EVENT
                 UNION ALL SELECT *, true FROM replayed WHERE IS_WITHDRAWAL) r
           GROUP BY 1, 2, 3, 4) u USING (supply, status, occurred_at, withdraws)
WHERE events IS DISTINCT FROM updates LIMIT 10
SQL
);

sub audit
{
	my ($node, %option) = @_;
	my @checks = qw(receipts newest current changes events);
	push @checks, 'kinds' if $option{kinds} // 1;
	push @checks, 'enforce' if ($option{kinds} // 1) && ($option{policy} // 'enforce') eq 'enforce';
	return $node->safe_psql('rxtrack', $replayed . join ";\n", map { $check{$_} } @checks);
}

1;
