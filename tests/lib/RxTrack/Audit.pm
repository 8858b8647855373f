package RxTrack::Audit;

=head1 NAME

RxTrack::Audit - whether what is stored can have come about by the rules

=head1 SYNOPSIS

    use RxTrack::Audit;
    is(audit($node), '', 'the books balance');

=head1 FUNCTIONS

=head2 audit($node, %options)

Reads all that is stored and returns a line for each item or update that breaks a rule, at most ten of each kind: receipts
of an item run from 1 to C<item.receipts> without a gap; an item is as its newest update left it; each update is of the kind
that replaying them in the order of receipt gives, and under C<enforce> (unless C<< policy => 'off' >>) none is
unexpected; each readiness event belongs to one update by which an item became ready, and each such update has one.

For updates whose times are all past: post-dated ones are another test's business. Rules that changed while updates came in
cannot be replayed: C<< kinds => 0 >> leaves the kinds out.

=cut

use strict;
use warnings;

use Exporter 'import';
use RxTrack::Load;

our @EXPORT = qw(audit);

my $replayed = <<'SQL';
CREATE TEMP TABLE received AS TABLE rxtrack.status_update;
CREATE INDEX ON received (line_item_id, receipt);
ANALYZE received;
CREATE TEMP TABLE replayed AS
SELECT u.prescription_id, u.line_item_id, u.task_id, u.status, u.kind, u.changes_status, u.last_modified, u.receipt,
       CASE WHEN p.status IS NULL THEN 'first'
            WHEN u.last_modified < p.last_modified THEN 'late'
            WHEN u.status = p.status THEN 'repeat'
            ELSE coalesce((SELECT r.kind::text FROM rxtrack.transition_rule r
                           WHERE r.from_status = p.status AND r.to_status = u.status), 'unexpected')
       END AS right_kind,
       p.status IS NULL OR (u.last_modified >= p.last_modified AND u.status <> p.status) AS rightly_changes
FROM received u
LEFT JOIN LATERAL (
    SELECT e.status, e.last_modified FROM received e
    WHERE e.prescription_id = u.prescription_id AND e.line_item_id = u.line_item_id AND e.receipt < u.receipt
    ORDER BY e.last_modified DESC, e.receipt DESC LIMIT 1) p ON true;
SQL

my %check = (
	receipts => <<'SQL',
SELECT 'receipts of ' || line_item_id || ': ' || coalesce(i.receipts::text, 'no item') || ', updates ' || coalesce(n::text, 'none')
FROM rxtrack.item i
FULL JOIN (SELECT prescription_id, line_item_id, count(*) AS n, count(DISTINCT receipt) AS different,
                  min(receipt) AS least, max(receipt) AS most
           FROM rxtrack.status_update GROUP BY 1, 2) u USING (prescription_id, line_item_id)
WHERE (i.receipts = n AND different = n AND least = 1 AND most = n) IS NOT TRUE LIMIT 10
SQL
	newest => <<'SQL',
SELECT 'newest of ' || i.line_item_id || ': ' || i.status || ', not ' || u.status
FROM rxtrack.item i
JOIN LATERAL (SELECT * FROM rxtrack.status_update u
              WHERE u.prescription_id = i.prescription_id AND u.line_item_id = i.line_item_id
              ORDER BY coalesce(u.post_dated_set_at, u.last_modified) DESC, u.receipt DESC LIMIT 1) u ON true
JOIN rxtrack_internal.application a ON a.application_id = u.application_id
LEFT JOIN rxtrack.item_status s ON s.prescription_id = i.prescription_id AND s.line_item_id = i.line_item_id
WHERE (i.status, i.completed, i.nhs_number, i.ods_code, i.takes_effect_at, i.application_id)
      IS DISTINCT FROM (u.status, u.completed, u.nhs_number, u.ods_code, u.last_modified, u.application_id)
   OR (s.status, s.terminal, s.nhs_number, s.ods_code, s.since, s.application)
      IS DISTINCT FROM (u.status, u.completed, u.nhs_number, u.ods_code, u.last_modified, a.name) LIMIT 10
SQL
	kinds => <<'SQL',
SELECT 'kind of ' || task_id || ', receipt ' || receipt || ': ' || kind || ', not ' || right_kind FROM replayed
WHERE kind::text <> right_kind LIMIT 10
SQL
	changes => <<'SQL',
SELECT 'change by ' || task_id || ', receipt ' || receipt || ': ' || changes_status FROM replayed
WHERE changes_status <> rightly_changes LIMIT 10
SQL
	enforce => "SELECT 'unexpected: ' || task_id FROM replayed WHERE right_kind = 'unexpected' LIMIT 10\n",
	events => <<'SQL' =~ s/EVERY_EVENT/every_event()/er,
SELECT 'events of ' || line_item_id || ': ' || coalesce(events, 0) || ', not ' || coalesce(updates, 0)
FROM (SELECT prescription_id, line_item_id, status, occurred_at, count(*) AS events
      FROM EVERY_EVENT GROUP BY 1, 2, 3, 4) e
FULL JOIN (SELECT prescription_id, line_item_id, status, last_modified AS occurred_at, count(*) AS updates
           FROM replayed WHERE rightly_changes AND status::text IN ('Ready to Collect', 'Ready to Collect - Partial')
           GROUP BY 1, 2, 3, 4) u USING (prescription_id, line_item_id, status, occurred_at)
WHERE events IS DISTINCT FROM updates LIMIT 10
SQL
);

sub audit
{
	my ($node, %option) = @_;
	my @checks = qw(receipts newest changes events);
	push @checks, 'kinds' if $option{kinds} // 1;
	push @checks, 'enforce' if ($option{kinds} // 1) && ($option{policy} // 'enforce') eq 'enforce';
	return $node->safe_psql('rxtrack', $replayed . join ";\n", map { $check{$_} } @checks);
}

1;
