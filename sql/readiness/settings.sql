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

-- Whom alerts are on for: a pharmacy, or all that an application sends; but never for a pharmacy that is blocked.
CREATE TABLE rxtrack_internal.alert_pharmacy (
	ods_code rxtrack.ods_code PRIMARY KEY
);
COMMENT ON TABLE rxtrack_internal.alert_pharmacy IS 'Pharmacies enabled for alerts';

CREATE TABLE rxtrack_internal.alert_application (
	application_id integer PRIMARY KEY
);
COMMENT ON TABLE rxtrack_internal.alert_application IS 'Applications enabled for alerts';

CREATE TABLE rxtrack_internal.blocked_pharmacy (
	ods_code rxtrack.ods_code PRIMARY KEY,
	reason text NOT NULL,
	blocked_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	blocked_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE rxtrack_internal.blocked_pharmacy IS 'Pharmacies blocked from alerts, enabled or not';
COMMENT ON COLUMN rxtrack_internal.blocked_pharmacy.reason IS 'Why';

SELECT pg_catalog.pg_extension_config_dump('rxtrack.ready_status', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('rxtrack_internal.alert_pharmacy', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack_internal.blocked_pharmacy', '');
SELECT pg_catalog.pg_extension_config_dump('rxtrack_internal.alert_application', '');

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
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack_internal.alert_pharmacy
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack_internal.blocked_pharmacy
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rxtrack_internal.alert_application
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.announce_change();

-- Which of two ways to name whom alerts are on for was used.
CREATE FUNCTION rxtrack_internal.require_one_of(application text, ods_codes text[])
RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	IF (application IS NULL) = (ods_codes IS NULL) THEN
		RAISE EXCEPTION 'either application or ods_codes must be given'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'application => ''...'' or ods_codes => ''{...}''.';
	END IF;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.require_one_of(text, text[]) IS
	'Refuses both of them, and neither. Errors: 22023';

CREATE FUNCTION rxtrack.enable_alerts(application text DEFAULT NULL, ods_codes text[] DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.require_one_of(application, ods_codes);
	IF application IS NOT NULL THEN
		INSERT INTO rxtrack_internal.alert_application VALUES (rxtrack_internal.find_application(enable_alerts.application))
		ON CONFLICT DO NOTHING;
	ELSE
		INSERT INTO rxtrack_internal.alert_pharmacy
		SELECT DISTINCT code FROM unnest(rxtrack_internal.read_ods_codes(enable_alerts.ods_codes)) AS code
		ON CONFLICT DO NOTHING;
	END IF;
	INSERT INTO rxtrack.audit (action, application, detail)
	VALUES ('enable_alerts', enable_alerts.application, jsonb_build_object('ods_codes', enable_alerts.ods_codes));
END
$$;
COMMENT ON FUNCTION rxtrack.enable_alerts(text, text[]) IS
	'Switches alerts on: for all that an application sends, or for pharmacies, whoever sends for them. A pharmacy that is blocked stays so. Audited. Errors: 22023 unless one of the two is given, 22004 for a NULL code, 22P02 for a malformed one, 42704 where there is no such application';

CREATE FUNCTION rxtrack.disable_alerts(application text DEFAULT NULL, ods_codes text[] DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.require_one_of(application, ods_codes);
	IF application IS NOT NULL THEN
		DELETE FROM rxtrack_internal.alert_application a
		WHERE a.application_id = rxtrack_internal.find_application(disable_alerts.application);
	ELSE
		DELETE FROM rxtrack_internal.alert_pharmacy p
		WHERE p.ods_code = ANY (rxtrack_internal.read_ods_codes(disable_alerts.ods_codes));
	END IF;
	INSERT INTO rxtrack.audit (action, application, detail)
	VALUES ('disable_alerts', disable_alerts.application, jsonb_build_object('ods_codes', disable_alerts.ods_codes));
END
$$;
COMMENT ON FUNCTION rxtrack.disable_alerts(text, text[]) IS
	'Takes back rxtrack.enable_alerts, for an application or for pharmacies. A pharmacy may be alerted for still, where the application that sends for it is enabled: block it. Audited. Errors as rxtrack.enable_alerts';

CREATE FUNCTION rxtrack.block_alerts(ods_codes text[], reason text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.refuse_null('ods_codes', block_alerts.ods_codes);
	PERFORM rxtrack_internal.refuse_null('reason', block_alerts.reason);
	INSERT INTO rxtrack_internal.blocked_pharmacy AS b (ods_code, reason)
	SELECT DISTINCT code, block_alerts.reason FROM unnest(rxtrack_internal.read_ods_codes(block_alerts.ods_codes)) AS code
	ON CONFLICT (ods_code) DO UPDATE SET reason = excluded.reason;
	INSERT INTO rxtrack.audit (action, detail)
	VALUES ('block_alerts', jsonb_build_object('ods_codes', block_alerts.ods_codes, 'reason', block_alerts.reason));
END
$$;
COMMENT ON FUNCTION rxtrack.block_alerts(text[], text) IS
	'Blocks pharmacies from alerts, enabled or not, with a reason; one that is blocked gets the new reason. Audited. Errors: 22004 where an argument or a code is NULL, 22P02 for a malformed code';

CREATE FUNCTION rxtrack.unblock_alerts(ods_codes text[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.refuse_null('ods_codes', unblock_alerts.ods_codes);
	DELETE FROM rxtrack_internal.blocked_pharmacy b
	WHERE b.ods_code = ANY (rxtrack_internal.read_ods_codes(unblock_alerts.ods_codes));
	INSERT INTO rxtrack.audit (action, detail)
	VALUES ('unblock_alerts', jsonb_build_object('ods_codes', unblock_alerts.ods_codes));
END
$$;
COMMENT ON FUNCTION rxtrack.unblock_alerts(text[]) IS
	'Takes back rxtrack.block_alerts. Audited. Errors: 22004 where an argument or a code is NULL, 22P02 for a malformed code';

CREATE VIEW rxtrack.alerts AS
SELECT 'application' AS kind, a.name AS application, NULL::rxtrack.ods_code AS ods_code, 'enabled' AS state, NULL::text AS reason
FROM rxtrack_internal.alert_application e JOIN rxtrack_internal.application a USING (application_id)
UNION ALL
SELECT 'pharmacy', NULL, p.ods_code, 'enabled', NULL FROM rxtrack_internal.alert_pharmacy p
UNION ALL
SELECT 'pharmacy', NULL, b.ods_code, 'blocked', b.reason FROM rxtrack_internal.blocked_pharmacy b;
COMMENT ON VIEW rxtrack.alerts IS
	'For whom alerts are on: applications and pharmacies that are enabled; and pharmacies that are blocked, which wins';
COMMENT ON COLUMN rxtrack.alerts.kind IS 'application or pharmacy';
COMMENT ON COLUMN rxtrack.alerts.application IS 'Of an application: its name';
COMMENT ON COLUMN rxtrack.alerts.state IS 'enabled or blocked';
COMMENT ON COLUMN rxtrack.alerts.reason IS 'Why it is blocked';
