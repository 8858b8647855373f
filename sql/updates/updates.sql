-- The updates as they came, and where each item stands.
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
	introduces boolean NOT NULL,
	request_entries smallint NOT NULL DEFAULT 1,
	repeat_number integer CHECK (repeat_number >= 1),
	post_dated_set_at timestamptz,
	PRIMARY KEY (prescription_id, task_id)
);
COMMENT ON TABLE rxtrack.status_update IS 'Every update that was acknowledged, one row a task';
COMMENT ON COLUMN rxtrack.status_update.completed IS 'Task.status: completed (true) or in-progress (false)';
COMMENT ON COLUMN rxtrack.status_update.request_id IS 'X-Request-ID of the request that brought it';
COMMENT ON COLUMN rxtrack.status_update.last_modified IS 'Task.lastModified: when it takes effect';
COMMENT ON COLUMN rxtrack.status_update.received_at IS 'When the transaction that stored it began';
COMMENT ON COLUMN rxtrack.status_update.receipt IS 'The item''s updates in the order of receipt: 1, 2, 3 ...';
COMMENT ON COLUMN rxtrack.status_update.kind IS 'What it was to its item, by the transition rules of the day';
COMMENT ON COLUMN rxtrack.status_update.changes_status IS 'Whether the item''s status becomes this one by this update, having been another or none';
COMMENT ON COLUMN rxtrack.status_update.introduces IS 'Whether it is the item''s first by this application for this patient at this pharmacy, or the first after another''s: what the indexes by patient and pharmacy hold';
COMMENT ON COLUMN rxtrack.status_update.request_entries IS 'How many entries the request had that brought it: a retry has as many';
COMMENT ON COLUMN rxtrack.status_update.repeat_number IS 'Repeat number of an electronic repeat dispensing prescription, or NULL';
COMMENT ON COLUMN rxtrack.status_update.post_dated_set_at IS 'Task.meta.lastUpdated, where the update is post-dated: when last_modified was predicted';

-- A search by patient or pharmacy finds prescriptions, and these their updates by
-- the primary key; so one entry an item is enough, not one an update.
CREATE INDEX status_update_patient ON rxtrack.status_update (application_id, nhs_number, prescription_id) WHERE introduces;
CREATE INDEX status_update_pharmacy ON rxtrack.status_update (application_id, ods_code, prescription_id) WHERE introduces;

CREATE TABLE rxtrack.item (
	prescription_id rxtrack.prescription_id NOT NULL,
	status rxtrack.business_status NOT NULL,
	completed boolean NOT NULL,
	nhs_number rxtrack.nhs_number NOT NULL,
	line_item_id uuid NOT NULL,
	ods_code rxtrack.ods_code NOT NULL,
	asserted_at timestamptz NOT NULL,
	takes_effect_at timestamptz NOT NULL,
	application_id integer NOT NULL,
	receipts integer NOT NULL,
	post_dated boolean NOT NULL,
	PRIMARY KEY (prescription_id, line_item_id)
) WITH (fillfactor = 85);	-- room for the next version of a row beside it, so that no index is touched
COMMENT ON TABLE rxtrack.item IS
	'The newest assertion about each prescription item, and the row that is locked while an update of it is judged. Read rxtrack.item_status instead: a newest assertion may not have begun';
COMMENT ON COLUMN rxtrack.item.completed IS 'Task.status: completed (true) or in-progress (false)';
COMMENT ON COLUMN rxtrack.item.asserted_at IS 'When it was asserted: Task.lastModified, or Task.meta.lastUpdated of a post-dated one';
COMMENT ON COLUMN rxtrack.item.takes_effect_at IS 'When it takes effect (Task.lastModified)';
COMMENT ON COLUMN rxtrack.item.post_dated IS 'Whether it is post-dated';
COMMENT ON COLUMN rxtrack.item.receipts IS 'How many updates of it are stored';

SELECT pg_catalog.pg_extension_config_dump('rxtrack.status_update', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.item', '');
