CREATE SCHEMA bench;

-- What pgbench's clients take, in place of the text that a client would send: a row each, by its number.
CREATE TABLE bench.source (
	n integer,
	prescription_id rxtrack.prescription_id,
	status rxtrack.business_status,
	completed boolean,
	nhs_number rxtrack.nhs_number,
	task_id uuid,
	line_item_id uuid,
	request_id uuid,
	ods_code rxtrack.ods_code,
	last_modified timestamptz,
	body text
);

-- The same columns, constraints and indexes as the table of updates; no triggers.
CREATE TABLE bench.plain_update (LIKE rxtrack.status_update INCLUDING ALL);

-- What a team would make in an afternoon: text and the document.
CREATE TABLE bench.text_update (
	prescription_id text NOT NULL,
	task_id text NOT NULL,
	line_item_id text NOT NULL,
	nhs_number text NOT NULL,
	ods_code text NOT NULL,
	status text NOT NULL,
	terminal_status text NOT NULL,
	last_modified timestamptz NOT NULL,
	request_id text NOT NULL,
	application text NOT NULL,
	received_at timestamptz NOT NULL DEFAULT now(),
	document jsonb NOT NULL,
	PRIMARY KEY (prescription_id, task_id)
);
CREATE INDEX text_update_patient ON bench.text_update (nhs_number, prescription_id);
CREATE INDEX text_update_pharmacy ON bench.text_update (application, ods_code, prescription_id);
CREATE INDEX text_update_item ON bench.text_update (prescription_id, line_item_id);
