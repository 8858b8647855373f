-- Row-level security: the last wall, behind privileges.  Not for the tables' owner,
-- as whom all functions of the service run: they say whose rows they want.

-- A row of another's must not be reached by way of an error or of a faster answer,
-- so that a query's conditions wait for the policy's, but for those that can tell
-- nothing.  Comparing our types is such: without it no index would be of use.
DO $$
DECLARE
	comparison record;
BEGIN
	FOR comparison IN
		SELECT DISTINCT o.oprcode::pg_catalog.oid::pg_catalog.regprocedure AS signature FROM pg_catalog.pg_operator o
		WHERE o.oprnamespace = 'rxtrack'::pg_catalog.regnamespace AND o.oprresult = 'boolean'::pg_catalog.regtype
	LOOP
		EXECUTE pg_catalog.format('ALTER FUNCTION %s LEAKPROOF', comparison.signature);
	END LOOP;
END
$$;

ALTER TABLE rxtrack.status_update ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_updates ON rxtrack.status_update FOR SELECT TO rxtrack_application
	USING (application_id = (SELECT rxtrack.current_application()));
COMMENT ON POLICY own_updates ON rxtrack.status_update IS 'An application''s role sees the application''s own updates';
CREATE POLICY all_updates ON rxtrack.status_update FOR SELECT TO rxtrack_admin USING (true);
COMMENT ON POLICY all_updates ON rxtrack.status_update IS 'rxtrack_admin sees all';

ALTER TABLE rxtrack.readiness_event ENABLE ROW LEVEL SECURITY;
-- who reads it as a part of that table is under its policies; by itself it shows nothing
ALTER TABLE rxtrack.readiness_queue ENABLE ROW LEVEL SECURITY;
CREATE POLICY entitled_events ON rxtrack.readiness_event FOR SELECT TO rxtrack_listener
	USING ((SELECT rxtrack.entitled_pharmacies()) IS NULL
		   OR ods_code = ANY ((SELECT rxtrack.entitled_pharmacies())::rxtrack.ods_code[]));
COMMENT ON POLICY entitled_events ON rxtrack.readiness_event IS
	'A listener sees the events of pharmacies that it is entitled to';
CREATE POLICY all_events ON rxtrack.readiness_event FOR SELECT TO rxtrack_admin USING (true);
COMMENT ON POLICY all_events ON rxtrack.readiness_event IS 'rxtrack_admin sees all';
