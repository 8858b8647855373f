-- Readiness events wherever they are, and where they stand, for a pgTAP file: \ir ../lib/events.sql
CREATE TEMP VIEW event AS
SELECT 'pending' AS state, NULL::bigint AS release_number, NULL::timestamptz AS released_at, NULL::boolean AS alert,
       NULL::rxtrack.alert_reason AS alert_reason, i.prescription_id, i.task_id, i.line_item_id, i.nhs_number, i.ods_code,
       i.status, i.post_dated, i.occurred_at, i.due_at, i.issue_number, i.is_withdrawal, NULL::bigint AS withdraws
FROM rxtrack_internal.readiness_inbox i
UNION ALL
SELECT CASE WHEN p.cancelled_at IS NULL THEN 'pending' ELSE 'cancelled' END, NULL, NULL, NULL, NULL, p.prescription_id,
       p.task_id, p.line_item_id, p.nhs_number, p.ods_code, p.status, p.post_dated, p.occurred_at, p.due_at,
       p.issue_number, p.is_withdrawal, NULL
FROM rxtrack.readiness_promise p
UNION ALL
SELECT 'released', e.release_number, e.released_at, e.alert, e.alert_reason, e.prescription_id, e.task_id, e.line_item_id,
       e.nhs_number, e.ods_code, e.status, e.post_dated, e.occurred_at, e.due_at, e.issue_number,
       e.withdraws IS NOT NULL, e.withdraws
FROM rxtrack.readiness_event e;
