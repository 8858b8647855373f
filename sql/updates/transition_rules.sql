-- Transition rules: which business status may follow which.

CREATE TYPE rxtrack.transition_kind AS ENUM
	('first', 'forward', 'correction', 'repeat', 'unexpected', 'late');
COMMENT ON TYPE rxtrack.transition_kind IS
	'What an update was to its item: the first; a step forward; a correction; the same status again; a step that no rule knows; or late, not being the newest assertion';

CREATE TABLE rxtrack.transition_rule (
	from_status rxtrack.business_status NOT NULL,
	to_status rxtrack.business_status NOT NULL CHECK (to_status <> from_status),
	kind rxtrack.transition_kind NOT NULL CHECK (kind IN ('forward', 'correction')),
	shipped boolean NOT NULL DEFAULT false,
	PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE rxtrack.transition_rule IS
	'Which business status may follow which. A first update and the same status again are always allowed; a pair that is not here is unexpected. Every session sees a change at once';
COMMENT ON COLUMN rxtrack.transition_rule.kind IS 'forward or correction';
COMMENT ON COLUMN rxtrack.transition_rule.shipped IS 'Whether the row is as the extension shipped it';

CREATE TABLE rxtrack_internal.transition_rule_removed (
	from_status rxtrack.business_status NOT NULL,
	to_status rxtrack.business_status NOT NULL,
	PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE rxtrack_internal.transition_rule_removed IS
	'Rules that a DBA has deleted, shipped ones and others. Kept by the triggers of rxtrack.transition_rule, so that a dump restored into a new database, where the extension ships them again, takes them away again';

INSERT INTO rxtrack.transition_rule (from_status, to_status, kind, shipped)
SELECT r.from_status::rxtrack.business_status, pg_catalog.unnest(r.to_statuses)::rxtrack.business_status,
	   r.kind::rxtrack.transition_kind, true
FROM (VALUES
	('With Pharmacy', 'forward', ARRAY[
		'With Pharmacy - Preparing Remainder', 'Ready to Collect', 'Ready to Collect - Partial',
		'Ready to Dispatch', 'Ready to Dispatch - Partial', 'Collected', 'Dispatched', 'Not Dispensed']),
	('With Pharmacy - Preparing Remainder', 'forward', ARRAY[
		'Ready to Collect', 'Ready to Collect - Partial', 'Ready to Dispatch',
		'Ready to Dispatch - Partial', 'Collected', 'Dispatched', 'Not Dispensed']),
	('With Pharmacy - Preparing Remainder', 'correction', ARRAY['With Pharmacy']),
	('Ready to Collect', 'forward', ARRAY['Collected', 'Dispatched', 'Ready to Dispatch', 'Not Dispensed']),
	('Ready to Collect', 'correction', ARRAY[
		'With Pharmacy', 'With Pharmacy - Preparing Remainder', 'Ready to Collect - Partial']),
	('Ready to Collect - Partial', 'forward', ARRAY[
		'With Pharmacy - Preparing Remainder', 'Ready to Collect', 'Ready to Dispatch',
		'Ready to Dispatch - Partial', 'Collected', 'Dispatched', 'Not Dispensed']),
	('Ready to Collect - Partial', 'correction', ARRAY['With Pharmacy']),
	('Ready to Dispatch', 'forward', ARRAY['Dispatched', 'Collected', 'Ready to Collect', 'Not Dispensed']),
	('Ready to Dispatch', 'correction', ARRAY[
		'With Pharmacy', 'With Pharmacy - Preparing Remainder', 'Ready to Dispatch - Partial']),
	('Ready to Dispatch - Partial', 'forward', ARRAY[
		'With Pharmacy - Preparing Remainder', 'Ready to Dispatch', 'Ready to Collect',
		'Ready to Collect - Partial', 'Dispatched', 'Collected', 'Not Dispensed']),
	('Ready to Dispatch - Partial', 'correction', ARRAY['With Pharmacy']),
	('Collected', 'correction', ARRAY['With Pharmacy', 'With Pharmacy - Preparing Remainder', 'Ready to Collect',
		'Ready to Collect - Partial', 'Dispatched']),
	('Dispatched', 'correction', ARRAY['With Pharmacy', 'With Pharmacy - Preparing Remainder', 'Ready to Collect',
		'Collected', 'Ready to Dispatch - Partial']),
	('Not Dispensed', 'correction', ARRAY['With Pharmacy', 'With Pharmacy - Preparing Remainder', 'Ready to Collect',
		'Ready to Collect - Partial', 'Ready to Dispatch', 'Ready to Dispatch - Partial', 'Collected', 'Dispatched'])
) AS r (from_status, kind, to_statuses);

SELECT pg_catalog.pg_extension_config_dump('rxtrack.transition_rule', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('rxtrack_internal.transition_rule_removed', '');

-- What is changed is no longer as shipped, and so goes into a dump; what comes
-- out of a dump replaces what the new database's extension shipped.
CREATE FUNCTION rxtrack_internal.keep_rule_change()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		INSERT INTO rxtrack_internal.transition_rule_removed VALUES (OLD.from_status, OLD.to_status)
		ON CONFLICT DO NOTHING;
		RETURN OLD;
	ELSIF TG_OP = 'TRUNCATE' THEN
		INSERT INTO rxtrack_internal.transition_rule_removed
		SELECT r.from_status, r.to_status FROM rxtrack.transition_rule r
		ON CONFLICT DO NOTHING;
		RETURN NULL;
	ELSIF TG_OP = 'INSERT' THEN
		DELETE FROM rxtrack.transition_rule r
		WHERE r.from_status = NEW.from_status AND r.to_status = NEW.to_status AND r.shipped;
		DELETE FROM rxtrack_internal.transition_rule_removed r
		WHERE r.from_status = NEW.from_status AND r.to_status = NEW.to_status;
	ELSIF (OLD.from_status, OLD.to_status) <> (NEW.from_status, NEW.to_status) THEN
		RAISE EXCEPTION 'the pair of a transition rule cannot be changed'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Delete the rule and insert another.';
	END IF;
	NEW.shipped := false;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.keep_rule_change() IS
	'Trigger of rxtrack.transition_rule: sees to it that a change of the shipped rules survives pg_dump and pg_restore';

CREATE TRIGGER keep_rule_change BEFORE INSERT OR UPDATE OR DELETE ON rxtrack.transition_rule
	FOR EACH ROW EXECUTE FUNCTION rxtrack_internal.keep_rule_change();
CREATE TRIGGER keep_rule_truncate BEFORE TRUNCATE ON rxtrack.transition_rule
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.keep_rule_change();

CREATE FUNCTION rxtrack_internal.remove_shipped_rule()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	DELETE FROM rxtrack.transition_rule r
	WHERE r.from_status = NEW.from_status AND r.to_status = NEW.to_status AND r.shipped;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.remove_shipped_rule() IS
	'Trigger of rxtrack_internal.transition_rule_removed: takes the shipped rule away where a dump is restored';

-- Not for what the triggers above write: they run while the rule itself is being
-- deleted, and a row cannot be deleted twice by one command.
CREATE TRIGGER remove_shipped_rule AFTER INSERT ON rxtrack_internal.transition_rule_removed
	FOR EACH ROW WHEN (pg_catalog.pg_trigger_depth() = 0)
	EXECUTE FUNCTION rxtrack_internal.remove_shipped_rule();

CREATE FUNCTION rxtrack_internal.announce_change()
RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.announce_change() IS
	'Trigger of tables that sessions remember (rxtrack.transition_rule, rxtrack.ready_status and others): tells every session to read the table anew when this transaction commits';

CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack.transition_rule
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();

CREATE FUNCTION rxtrack_internal.check_transition(from_status rxtrack.business_status, to_status rxtrack.business_status)
RETURNS rxtrack.transition_kind
LANGUAGE C STABLE
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.check_transition(rxtrack.business_status, rxtrack.business_status) IS
	'rxtrack.check_transition, its arguments having been read';

CREATE FUNCTION rxtrack.check_transition(from_status text, to_status text)
RETURNS rxtrack.transition_kind
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT rxtrack_internal.check_transition(from_status, to_status)
$$;
COMMENT ON FUNCTION rxtrack.check_transition(text, text) IS
	'What an update to to_status would be to an item that stands at from_status (NULL: at none yet): first, forward, correction, repeat or unexpected, by the rules of now. NULL where to_status is. Errors: 22P02 where one is no business status';
