-- Which statuses are ready ones, and who is alerted: tables that a DBA changes.

CREATE TABLE rxtrack.ready_status (
	status rxtrack.business_status PRIMARY KEY,
	ready boolean NOT NULL,
	shipped boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE rxtrack.ready_status IS
	'Which business statuses make an item ready, so that becoming one raises an event. Change ready; every session sees it at once';
COMMENT ON COLUMN rxtrack.ready_status.ready IS 'Whether becoming it raises an event';
COMMENT ON COLUMN rxtrack.ready_status.shipped IS 'Whether the row is as the extension shipped it';
INSERT INTO rxtrack.ready_status (status, ready, shipped)
SELECT s::rxtrack.business_status, s LIKE 'Ready to Collect%', true
FROM pg_catalog.unnest(ARRAY[
	'With Pharmacy', 'With Pharmacy - Preparing Remainder', 'Ready to Collect', 'Ready to Collect - Partial',
	'Ready to Dispatch', 'Ready to Dispatch - Partial', 'Collected', 'Dispatched', 'Not Dispensed']) AS s;

CREATE TABLE rxtrack.alert_pharmacy (
	ods_code rxtrack.ods_code PRIMARY KEY
);
COMMENT ON TABLE rxtrack.alert_pharmacy IS
	'Pharmacies enabled for alerts. Events of all others are released with alert false (pharmacy not enabled)';

CREATE TABLE rxtrack.blocked_pharmacy (
	ods_code rxtrack.ods_code PRIMARY KEY
);
COMMENT ON TABLE rxtrack.blocked_pharmacy IS
	'Pharmacies blocked from alerts, enabled or not. Their events are released with alert false (pharmacy blocked)';

CREATE TABLE rxtrack.alert_application (
	application_id integer PRIMARY KEY
);
COMMENT ON TABLE rxtrack.alert_application IS
	'Applications whose updates may lead to alerts. Events of all others are released with alert false (application not enabled)';

SELECT pg_catalog.pg_extension_config_dump('rxtrack.ready_status', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.alert_pharmacy', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.blocked_pharmacy', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack.alert_application', '');

-- What comes out of a dump takes the place of the row that the new database's
-- extension shipped; what is changed is no longer as shipped.
CREATE FUNCTION rxtrack_internal.keep_ready_status()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		DELETE FROM rxtrack.ready_status s WHERE s.status = NEW.status AND s.shipped;
	END IF;
	NEW.shipped := false;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.keep_ready_status() IS
	'Trigger of rxtrack.ready_status: sees to it that a change survives pg_dump and pg_restore';

CREATE TRIGGER keep_ready_status BEFORE INSERT OR UPDATE ON rxtrack.ready_status
	FOR EACH ROW EXECUTE FUNCTION rxtrack_internal.keep_ready_status();

CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack.ready_status
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack.alert_pharmacy
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack.blocked_pharmacy
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack.alert_application
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();

