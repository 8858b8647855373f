-- Listeners: the readiness events that a role may see are those that are granted to it.

CREATE TABLE rxtrack_internal.event_grant (
	role text PRIMARY KEY,
	ods_codes rxtrack.ods_code[] CHECK (pg_catalog.array_position(ods_codes, NULL) IS NULL),
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE rxtrack_internal.event_grant IS
	'Whose readiness events a role may see, and so its members; a role without any sees none';
COMMENT ON COLUMN rxtrack_internal.event_grant.ods_codes IS 'The pharmacies; NULL: all';
SELECT pg_catalog.pg_extension_config_dump('rxtrack_internal.event_grant', '');

CREATE TRIGGER audit_insert AFTER INSERT ON rxtrack_internal.event_grant
	FOR EACH ROW WHEN (NOT rxtrack_internal.is_restored(NEW.created_at)) EXECUTE FUNCTION rxtrack_internal.audit_change();
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON rxtrack_internal.event_grant
	FOR EACH ROW EXECUTE FUNCTION rxtrack_internal.audit_change();
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON rxtrack_internal.event_grant
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.audit_change();

CREATE VIEW rxtrack.event_grants AS
SELECT g.role, g.ods_codes, g.created_at FROM rxtrack_internal.event_grant g;
COMMENT ON VIEW rxtrack.event_grants IS
	'Whose readiness events a role may see, and so its members, by rxtrack.grant_events; a role without any sees none';
COMMENT ON COLUMN rxtrack.event_grants.role IS 'The role';
COMMENT ON COLUMN rxtrack.event_grants.ods_codes IS 'The pharmacies; NULL: all';
COMMENT ON COLUMN rxtrack.event_grants.created_at IS 'When events were first granted to it';

CREATE FUNCTION rxtrack.grant_events(role text, ods_codes text[] DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.require_grantable(grant_events.role);
	INSERT INTO rxtrack_internal.event_grant (role, ods_codes)
	VALUES (grant_events.role, rxtrack_internal.read_ods_codes(grant_events.ods_codes))
	ON CONFLICT ON CONSTRAINT event_grant_pkey DO UPDATE SET ods_codes = excluded.ods_codes;
	IF grant_events.role <> 'rxtrack_listener' THEN
		EXECUTE format('GRANT rxtrack_listener TO %I', grant_events.role);
	END IF;
END
$$;
COMMENT ON FUNCTION rxtrack.grant_events(text, text[]) IS
	'Lets a role, and its members, see the readiness events of these pharmacies (NULL: of all), in place of those that it could see before, and makes it a member of rxtrack_listener. Granted to rxtrack_listener itself, they are every listener''s. Errors: 22004 where role or a code is NULL, 22023 where the role cannot be held to that, 22P02 where a code is malformed, 42704 where there is no such role';

CREATE FUNCTION rxtrack.revoke_events(role text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.refuse_null('role', revoke_events.role);
	DELETE FROM rxtrack_internal.event_grant g WHERE g.role = revoke_events.role;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION rxtrack.revoke_events(text) IS
	'Takes from a role what rxtrack.grant_events gave it; returns whether there was a grant. It stays a member of rxtrack_listener, and may end its subscriptions. Errors: 22004 where role is NULL';

CREATE FUNCTION rxtrack_internal.entitled_pharmacies()
RETURNS rxtrack.ods_code[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT CASE WHEN pg_has_role(rxtrack_internal.calling_role(), 'rxtrack_admin', 'USAGE') THEN NULL
		WHEN coalesce(bool_or(g.ods_codes IS NULL), false) THEN NULL
		ELSE coalesce(array_agg(code) FILTER (WHERE code IS NOT NULL), '{}') END
	FROM rxtrack_internal.event_grant g
	JOIN pg_roles r ON r.rolname = g.role
	LEFT JOIN LATERAL unnest(g.ods_codes) AS code ON true
	WHERE pg_has_role(rxtrack_internal.calling_role(), r.oid, 'USAGE')
$$;
COMMENT ON FUNCTION rxtrack_internal.entitled_pharmacies() IS
	'The pharmacies whose readiness events the role that the session acts as may see, by grants to it and to roles that it is a member of; NULL: all; empty: none';

CREATE FUNCTION rxtrack_internal.require_entitlement()
RETURNS rxtrack.ods_code[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	entitled rxtrack.ods_code[] := rxtrack_internal.entitled_pharmacies();
BEGIN
	IF entitled = '{}' THEN
		RAISE EXCEPTION 'no readiness events are granted to role "%"', rxtrack_internal.calling_role()
			USING ERRCODE = 'insufficient_privilege', HINT = 'Grant it some with rxtrack.grant_events(role, ods_codes).';
	END IF;
	RETURN entitled;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.require_entitlement() IS 'rxtrack_internal.entitled_pharmacies(). Errors: 42501 where it is empty';

CREATE FUNCTION rxtrack_internal.entitled_among(ods_codes rxtrack.ods_code[])
RETURNS rxtrack.ods_code[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	entitled rxtrack.ods_code[] := rxtrack_internal.require_entitlement();
BEGIN
	RETURN CASE WHEN entitled IS NULL THEN ods_codes
				WHEN ods_codes IS NULL THEN entitled
				ELSE ARRAY(SELECT unnest(ods_codes) INTERSECT SELECT unnest(entitled)) END;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.entitled_among(rxtrack.ods_code[]) IS
	'Those of the pharmacies (NULL: of all) whose readiness events the role that the session acts as may see; NULL: all. Errors: 42501 where it may see none at all';

CREATE FUNCTION rxtrack_internal.acts_for(role text)
RETURNS boolean
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT pg_has_role(rxtrack_internal.calling_role(), 'rxtrack_admin', 'USAGE')
		OR EXISTS (SELECT FROM pg_roles r
				   WHERE r.rolname = acts_for.role AND pg_has_role(rxtrack_internal.calling_role(), r.oid, 'USAGE'))
$$;
COMMENT ON FUNCTION rxtrack_internal.acts_for(text) IS
	'Whether the role that the session acts as is this one, a member of it, or of rxtrack_admin';
