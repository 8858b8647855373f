-- Privileges are the wall: nobody has what is not granted here.

DO $$
DECLARE
	member record;
BEGIN
	FOR member IN
		SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
		JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
			AND d.refobjid = e.oid AND d.deptype = 'e'
		WHERE e.extname = 'rxtrack' AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', member.objid::pg_catalog.regprocedure);
	END LOOP;
END
$$;

REVOKE ALL ON SCHEMA rxtrack_internal, rxtrack_http FROM PUBLIC;
GRANT USAGE ON SCHEMA rxtrack TO rxtrack_gateway, rxtrack_listener, rxtrack_application, rxtrack_reader, rxtrack_admin;
GRANT USAGE ON SCHEMA rxtrack_http TO rxtrack_gateway;

-- What the types and their operators are made of compares and converts, and reads nothing: it is for all who see values.
DO $$
DECLARE
	support record;
BEGIN
	FOR support IN
		SELECT DISTINCT p.oid::pg_catalog.regprocedure AS signature
		FROM pg_catalog.pg_proc p
		WHERE p.pronamespace IN ('rxtrack'::pg_catalog.regnamespace, 'rxtrack_internal'::pg_catalog.regnamespace)
		  AND p.provolatile = 'i' AND p.proisstrict AND NOT p.prosecdef
		  AND (EXISTS (SELECT FROM pg_catalog.pg_type t
					   WHERE t.typnamespace = 'rxtrack'::pg_catalog.regnamespace AND t.typtype = 'b' AND t.typelem = 0
						 AND (t.oid = p.prorettype OR t.oid = ANY (p.proargtypes)))
			   OR EXISTS (SELECT FROM pg_catalog.pg_amproc a WHERE a.amproc = p.oid))
	LOOP
		EXECUTE pg_catalog.format(
			'GRANT EXECUTE ON FUNCTION %s TO rxtrack_listener, rxtrack_application, rxtrack_reader, rxtrack_admin', support.signature);
	END LOOP;
END
$$;

GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA rxtrack_http TO rxtrack_gateway;

-- Listeners and applications read by functions: what a query of a table of theirs may not show, EXPLAIN would count.
GRANT SELECT ON rxtrack.subscription_lag TO rxtrack_listener;
GRANT EXECUTE ON FUNCTION
	rxtrack.get_event(bigint),
	rxtrack.get_events(bigint, integer, text[]),
	rxtrack.add_subscription(text, text[], boolean),
	rxtrack.drop_subscription(text),
	rxtrack.fetch_events(text, integer),
	rxtrack.ack_events(text, bigint),
	rxtrack.event_json(rxtrack.released_event),
	rxtrack_internal.own_subscriptions()
	TO rxtrack_listener, rxtrack_admin;
GRANT EXECUTE ON FUNCTION rxtrack.own_updates(text, text, text, text[], integer) TO rxtrack_application;

GRANT SELECT ON rxtrack.item_status, rxtrack.supply_status TO rxtrack_reader;
GRANT EXECUTE ON FUNCTION
	rxtrack.status_history(text),
	rxtrack.status_at(text, text, timestamptz, integer, text)
	TO rxtrack_reader;

GRANT SELECT ON rxtrack.item_status, rxtrack.supply_status, rxtrack.supply, rxtrack.prescription_patient, rxtrack.patient_conflicts,
	rxtrack.clock_skew, rxtrack.taken_back, rxtrack.dispatcher, rxtrack.alerts, rxtrack.status_update, rxtrack.readiness_event, rxtrack.readiness_promise, rxtrack.pending_events,
	rxtrack.applications, rxtrack.audit, rxtrack.event_grants, rxtrack.subscription, rxtrack.subscription_lag,
	rxtrack.last_removed_release TO rxtrack_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON rxtrack.transition_rule, rxtrack.rehearsal TO rxtrack_admin;
GRANT SELECT, UPDATE ON rxtrack.ready_status TO rxtrack_admin;
GRANT EXECUTE ON FUNCTION
	rxtrack.add_application(text, text[]),
	rxtrack.drop_application(text),
	rxtrack.alter_application(text, text[], boolean, integer, boolean),
	rxtrack.restrict_application(text, text[]),
	rxtrack.unrestrict_application(text),
	rxtrack.rotate_key(text, interval),
	rxtrack.add_public_key(text, text, text, timestamptz, timestamptz),
	rxtrack.drop_public_key(text, text),
	rxtrack.bind_certificate(text, text),
	rxtrack.unbind_certificate(text, text),
	rxtrack.waive_certificate(text),
	rxtrack.bind_role(text, text),
	rxtrack.unbind_role(text, text),
	rxtrack.grant_events(text, text[]),
	rxtrack.revoke_events(text),
	rxtrack.release_events(integer),
	rxtrack.prune_events(integer),
	rxtrack.submit(text, text, text),
	rxtrack.status_history(text),
	rxtrack.status_at(text, text, timestamptz, integer, text),
	rxtrack.settle_patient(text, text, text, boolean),
	rxtrack.enable_alerts(text, text[]),
	rxtrack.disable_alerts(text, text[]),
	rxtrack.block_alerts(text[], text),
	rxtrack.unblock_alerts(text[]),
	rxtrack.begin_new_history(),
	rxtrack.pause_dispatcher(interval),
	rxtrack.resume_dispatcher(),
	rxtrack_internal.dispatcher_state(),
	rxtrack.own_changes(),
	rxtrack.check_transition(text, text)
	TO rxtrack_admin;
