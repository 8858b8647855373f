-- The updates as they came, and where each supply stands.
--
-- Everything about one prescription lives together: its id leads every key.
-- No table has a foreign key to rxtrack_internal.application: the check would lock one
-- row of it for every update of a supplier, and submission writes nothing else.

CREATE TABLE rxtrack.status_update (
	-- in this order no byte is lost to alignment
	prescription_id rxtrack.prescription_id NOT NULL,
	status rxtrack.business_status NOT NULL,
	completed boolean NOT NULL,
	nhs_number rxtrack.nhs_number NOT NULL,
	task_id uuid NOT NULL,
	line_item_id uuid NOT NULL,
	request_id uuid NOT NULL,
	ods_code rxtrack.ods_code NOT NULL,
	last_modified timestamptz NOT NULL,
	received_at timestamptz NOT NULL,
	application_id integer NOT NULL,
	receipt integer NOT NULL,
	kind rxtrack.transition_kind NOT NULL,
	changes_status boolean NOT NULL,
	other_patient boolean NOT NULL,
	warned boolean NOT NULL,
	overtaken boolean NOT NULL,
	request_entries smallint NOT NULL DEFAULT 1,
	issue_number integer NOT NULL DEFAULT 0,
	post_dated_set_at timestamptz,
	PRIMARY KEY (prescription_id, task_id)
);
COMMENT ON TABLE rxtrack.status_update IS 'Every update that was acknowledged, one row a task';
COMMENT ON COLUMN rxtrack.status_update.completed IS 'Task.status: completed (true) or in-progress (false)';
COMMENT ON COLUMN rxtrack.status_update.nhs_number IS 'The patient that it names, who may not be the prescription''s';
COMMENT ON COLUMN rxtrack.status_update.request_id IS 'X-Request-ID of the request that brought it';
COMMENT ON COLUMN rxtrack.status_update.last_modified IS 'Task.lastModified, as posted. A post-dated update takes effect then; any other then or at its receipt, whichever is earlier';
COMMENT ON COLUMN rxtrack.status_update.received_at IS 'The moment of receipt: when the call that stored it had its locks; within a supply never earlier than the one before';
COMMENT ON COLUMN rxtrack.status_update.receipt IS 'The supply''s updates in the order of receipt: 1, 2, 3 ...';
COMMENT ON COLUMN rxtrack.status_update.kind IS 'What it was to its supply, by the transition rules of the day';
COMMENT ON COLUMN rxtrack.status_update.changes_status IS 'Whether the supply''s status becomes this one by this update, having been another or none';
COMMENT ON COLUMN rxtrack.status_update.other_patient IS 'Whether it named another patient than the prescription''s when it came';
COMMENT ON COLUMN rxtrack.status_update.warned IS 'Whether its answer warned that no rule allows it';
COMMENT ON COLUMN rxtrack.status_update.overtaken IS 'Whether its answer warned that it counts for nothing, a newer one being stored';
COMMENT ON COLUMN rxtrack.status_update.request_entries IS 'How many entries the request had that brought it: a retry has as many';
COMMENT ON COLUMN rxtrack.status_update.issue_number IS 'Issue of a repeat dispensing prescription (Task.input, Repeat Number); 0: none';
COMMENT ON COLUMN rxtrack.status_update.post_dated_set_at IS 'Task.meta.lastUpdated, as posted, where the update is post-dated: when last_modified was predicted';

-- Finds what came lately, whatever it is of; an entry for 32 pages costs a submission next to nothing.
CREATE INDEX status_update_received ON rxtrack.status_update USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);

-- A key of its own, not a part of each supply: whose a prescription is must be said once.
CREATE TABLE rxtrack.prescription_patient (
	prescription_id rxtrack.prescription_id PRIMARY KEY,
	hidden boolean NOT NULL,
	nhs_number rxtrack.nhs_number NOT NULL,
	application_id integer
);
COMMENT ON TABLE rxtrack.prescription_patient IS
	'Whose each prescription is: the patient that its first received update named, until rxtrack.settle_patient says otherwise';
COMMENT ON COLUMN rxtrack.prescription_patient.hidden IS
	'Whether the application that named the patient has named another one since: shown to nobody until settled';
COMMENT ON COLUMN rxtrack.prescription_patient.application_id IS 'The application that named the patient; NULL: rxtrack.settle_patient did';

CREATE TABLE rxtrack.supply (
	prescription_id rxtrack.prescription_id NOT NULL,
	status rxtrack.business_status NOT NULL,
	completed boolean NOT NULL,
	nhs_number rxtrack.nhs_number NOT NULL,
	line_item_id uuid NOT NULL,
	ods_code rxtrack.ods_code NOT NULL,
	asserted_at timestamptz NOT NULL,
	last_modified timestamptz NOT NULL,
	received_at timestamptz NOT NULL,
	began_at timestamptz NOT NULL,
	began_received_at timestamptz NOT NULL,
	issue_number integer NOT NULL,
	application_id integer NOT NULL,
	asserted_by integer NOT NULL,
	receipts integer NOT NULL,
	own_receipts integer NOT NULL,
	post_dated boolean NOT NULL,
	in_conflict boolean NOT NULL,
	plain_status rxtrack.business_status,
	plain_completed boolean,
	plain_asserted_by integer,
	plain_asserted_at timestamptz,
	plain_last_modified timestamptz,
	PRIMARY KEY (prescription_id, line_item_id, issue_number, ods_code)
) WITH (fillfactor = 60);	-- room for the next versions of rows that change together, as a bundle's do, so that no index is touched: less room takes more bytes (make bench-storage)
COMMENT ON TABLE rxtrack.supply IS
	'Each supply: one item, of one issue of a prescription, at one pharmacy; and the row that is locked while an update of it is judged. Read rxtrack.supply_status instead: a newest assertion may have yet to begin';
COMMENT ON COLUMN rxtrack.supply.status IS 'What its newest assertion says; with completed, asserted_at, last_modified, asserted_by and post_dated';
COMMENT ON COLUMN rxtrack.supply.completed IS 'Task.status of the newest assertion: completed (true) or in-progress (false)';
COMMENT ON COLUMN rxtrack.supply.last_modified IS 'Task.lastModified of the newest assertion, as posted';
COMMENT ON COLUMN rxtrack.supply.post_dated IS 'Whether the newest assertion is post-dated: a prediction, which takes effect at last_modified';
COMMENT ON COLUMN rxtrack.supply.nhs_number IS 'The prescription''s patient, if an update of this supply has named it; else the first patient named';
COMMENT ON COLUMN rxtrack.supply.asserted_at IS 'When the newest assertion was made, by its own word, but not later than its receipt';
COMMENT ON COLUMN rxtrack.supply.asserted_by IS 'The application that made it';
COMMENT ON COLUMN rxtrack.supply.received_at IS 'The last receipt of an update';
COMMENT ON COLUMN rxtrack.supply.began_at IS 'When its earliest update was asserted';
COMMENT ON COLUMN rxtrack.supply.began_received_at IS 'When that was received';
COMMENT ON COLUMN rxtrack.supply.issue_number IS 'Issue of a repeat dispensing prescription; 0: none';
COMMENT ON COLUMN rxtrack.supply.application_id IS 'The application that began it';
COMMENT ON COLUMN rxtrack.supply.receipts IS 'How many updates of it are stored';
COMMENT ON COLUMN rxtrack.supply.own_receipts IS 'Of them, how many of the application that began it';
COMMENT ON COLUMN rxtrack.supply.in_conflict IS 'Whether an update of it has named another patient than the prescription''s';
COMMENT ON COLUMN rxtrack.supply.plain_status IS 'Where the newest assertion is post-dated: what the newest one says that is not; with the other plain_ columns. NULL: there is none';
COMMENT ON COLUMN rxtrack.supply.plain_completed IS 'completed of that one';
COMMENT ON COLUMN rxtrack.supply.plain_asserted_at IS 'asserted_at of that one: when it took effect';
COMMENT ON COLUMN rxtrack.supply.plain_last_modified IS 'last_modified of that one';
COMMENT ON COLUMN rxtrack.supply.plain_asserted_by IS 'asserted_by of that one';

-- By patient, for readers and for an application's search of its own; by pharmacy likewise, those first that are open.
CREATE INDEX supply_patient ON rxtrack.supply (nhs_number, application_id, prescription_id);
CREATE INDEX supply_pharmacy ON rxtrack.supply (ods_code, completed, application_id, prescription_id);
CREATE INDEX supply_predicted ON rxtrack.supply (ods_code) WHERE post_dated;
CREATE INDEX supply_in_conflict ON rxtrack.supply (prescription_id) WHERE in_conflict;

-- So that a search by patient finds a supply by any patient that any application has named, and a bound is on one's own.
CREATE TABLE rxtrack_internal.supply_party (
	prescription_id rxtrack.prescription_id NOT NULL,
	line_item_id uuid NOT NULL,
	issue_number integer NOT NULL,
	ods_code rxtrack.ods_code NOT NULL,
	application_id integer NOT NULL,
	nhs_number rxtrack.nhs_number NOT NULL,
	updates integer NOT NULL,
	PRIMARY KEY (prescription_id, line_item_id, issue_number, ods_code, application_id, nhs_number)
);
CREATE INDEX supply_party_patient ON rxtrack_internal.supply_party (nhs_number, application_id, prescription_id);
CREATE INDEX supply_party_pharmacy ON rxtrack_internal.supply_party (ods_code, application_id, prescription_id);
COMMENT ON TABLE rxtrack_internal.supply_party IS
	'Further applications and patients that updates of a supply are of, beside the pair in the supply''s own row';
COMMENT ON COLUMN rxtrack_internal.supply_party.updates IS 'How many updates';

SELECT pg_catalog.pg_extension_config_dump('rxtrack.status_update', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.prescription_patient', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.supply', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack_internal.supply_party', '');
