-- Row-level security, behind the privileges. It does not hold the tables' owner, as whom the extension's functions run:
-- these select the rows themselves.
--
-- A query's conditions are evaluated after the policy's unless they are LEAKPROOF, as comparisons of our types are: so an
-- index serves the queries of listeners and applications, and no error tells of another's row.

ALTER TABLE rxtrack.status_update ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_updates ON rxtrack.status_update FOR SELECT TO rxtrack_application
	USING (application_id = (SELECT rxtrack_internal.current_application()));
COMMENT ON POLICY own_updates ON rxtrack.status_update IS 'An application''s role sees the application''s own updates';
CREATE POLICY all_updates ON rxtrack.status_update FOR SELECT TO rxtrack_admin USING (true);
COMMENT ON POLICY all_updates ON rxtrack.status_update IS 'rxtrack_admin sees all';

-- Of the inbox nobody but its owner sees anything: rxtrack.pending_events shows what is in it.
ALTER TABLE rxtrack_internal.readiness_inbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE rxtrack.readiness_promise ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_promises ON rxtrack.readiness_promise FOR SELECT TO rxtrack_admin USING (true);
COMMENT ON POLICY all_promises ON rxtrack.readiness_promise IS 'rxtrack_admin sees all';
ALTER TABLE rxtrack.readiness_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY entitled_events ON rxtrack.readiness_event FOR SELECT TO rxtrack_listener
	USING ((SELECT rxtrack_internal.entitled_pharmacies()) IS NULL
		   OR ods_code = ANY ((SELECT rxtrack_internal.entitled_pharmacies())::rxtrack.ods_code[]));
COMMENT ON POLICY entitled_events ON rxtrack.readiness_event IS
	'A listener sees the events that are granted to it';
CREATE POLICY all_events ON rxtrack.readiness_event FOR SELECT TO rxtrack_admin USING (true);
COMMENT ON POLICY all_events ON rxtrack.readiness_event IS 'rxtrack_admin sees all';
