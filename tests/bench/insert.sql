\set i :i + 1
\set n :i * :clients + :client_id
INSERT INTO bench.plain_update (prescription_id, status, completed, nhs_number, task_id, line_item_id, request_id, ods_code, last_modified, received_at, application_id, receipt, kind, changes_status, other_patient, warned, overtaken) SELECT prescription_id, status, completed, nhs_number, task_id, line_item_id, request_id, ods_code, last_modified, now(), 1, 1, 'first', true, false, false, false FROM bench.source WHERE n = :n;
