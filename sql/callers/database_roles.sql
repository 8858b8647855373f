-- Who may read what in SQL: an application's own role its own updates, a listener
-- the events of pharmacies that it is entitled to.  The policies are in 80_row_security.

-- ---------- Applications ----------

CREATE FUNCTION rxtrack_internal.require_grantable(role text)
RETURNS void
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = require_grantable.role) THEN
		RAISE EXCEPTION 'role "%" does not exist', role USING ERRCODE = 'undefined_object';
	END IF;
	IF role ~ '^pg_' OR role IN ('rxtrack_gateway', 'rxtrack_reader', 'rxtrack_admin') OR
		EXISTS (SELECT FROM pg_roles r WHERE r.rolname = require_grantable.role AND (r.rolsuper OR r.rolbypassrls)) THEN
		RAISE EXCEPTION 'role "%" cannot be held to rows of its own', role
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'Make a role for it: not a superuser, without BYPASSRLS, and none of PostgreSQL''s or rxtrack''s own.';
	END IF;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.require_grantable(text) IS
	'Errors: 42704 where there is no such role, 22023 where row-level security does not hold it';

CREATE FUNCTION rxtrack.set_database_role(name text, role text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(set_database_role.name);
	old_role text := (SELECT a.database_role FROM rxtrack_internal.application a WHERE a.application_id = id FOR UPDATE);
BEGIN
	PERFORM rxtrack_internal.require_grantable(set_database_role.role);
	IF set_database_role.role IN ('rxtrack_application', 'rxtrack_listener') THEN
		RAISE EXCEPTION 'role "%" is for more than one', set_database_role.role USING ERRCODE = 'invalid_parameter_value';
	END IF;
	UPDATE rxtrack_internal.application a SET database_role = set_database_role.role WHERE a.application_id = id;
	IF old_role IS DISTINCT FROM set_database_role.role AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = old_role) THEN
		EXECUTE format('REVOKE rxtrack_application FROM %I', old_role);
	END IF;
	IF set_database_role.role IS NOT NULL THEN
		EXECUTE format('GRANT rxtrack_application TO %I', set_database_role.role);
	END IF;
END
$$;
COMMENT ON FUNCTION rxtrack.set_database_role(text, text) IS
	'Lets a database role read the updates of an application, and no others, from rxtrack.status_update; takes that from the role that could before. NULL: no role can. Errors: 42704 where there is no such application or role, 22023 where the role cannot be held to its own, 23505 where it is another application''s';

CREATE FUNCTION rxtrack_internal.current_application()
RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT a.application_id FROM rxtrack_internal.application a
	WHERE a.database_role = rxtrack_internal.calling_role() AND NOT a.suspended
$$;
COMMENT ON FUNCTION rxtrack_internal.current_application() IS
	'The application whose role the session acts as; NULL: none, or a suspended one';

-- ---------- Listeners ----------

CREATE TABLE rxtrack.listener_entitlement (
	role text PRIMARY KEY,
	ods_codes rxtrack.ods_code[] CHECK (pg_catalog.array_position(ods_codes, NULL) IS NULL),
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE rxtrack.listener_entitlement IS
	'Whose readiness events a role may see, and so its members; a role without any sees none';
COMMENT ON COLUMN rxtrack.listener_entitlement.ods_codes IS 'The pharmacies; NULL: all';
SELECT pg_catalog.pg_extension_config_dump('rxtrack.listener_entitlement', '');

CREATE TRIGGER audit_insert AFTER INSERT ON rxtrack.listener_entitlement
	FOR EACH ROW WHEN (NEW.created_at >= pg_catalog.now()) EXECUTE FUNCTION rxtrack_internal.audit_change();
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON rxtrack.listener_entitlement
	FOR EACH ROW EXECUTE FUNCTION rxtrack_internal.audit_change();
CREATE TRIGGER audit_truncate AFTER TRUNCATE ON rxtrack.listener_entitlement
	FOR EACH STATEMENT EXECUTE FUNCTION rxtrack_internal.audit_change();

CREATE FUNCTION rxtrack.entitle_listener(role text, ods_codes rxtrack.ods_code[] DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	IF entitle_listener.role IS NULL THEN
		RAISE EXCEPTION 'role must not be null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	PERFORM rxtrack_internal.require_grantable(entitle_listener.role);
	INSERT INTO rxtrack.listener_entitlement (role, ods_codes)
	VALUES (entitle_listener.role, entitle_listener.ods_codes)
	ON CONFLICT ON CONSTRAINT listener_entitlement_pkey DO UPDATE SET ods_codes = excluded.ods_codes;
	IF entitle_listener.role <> 'rxtrack_listener' THEN
		EXECUTE format('GRANT rxtrack_listener TO %I', entitle_listener.role);
	END IF;
END
$$;
COMMENT ON FUNCTION rxtrack.entitle_listener(text, rxtrack.ods_code[]) IS
	'Lets a role, and its members, see the readiness events of these pharmacies (NULL: of all), in place of what it could see before, and makes it a member of rxtrack_listener. For rxtrack_listener itself: every listener. Errors: 42704 where there is no such role, 22023 where it cannot be held to that';

CREATE FUNCTION rxtrack.dismiss_listener(role text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	DELETE FROM rxtrack.listener_entitlement e WHERE e.role = dismiss_listener.role;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION rxtrack.dismiss_listener(text) IS
	'Takes its entitlement from a role: from now on it sees no readiness event by it; returns whether it had one';

-- NULL for all, '{}' for none.
CREATE FUNCTION rxtrack_internal.entitled_pharmacies()
RETURNS rxtrack.ods_code[]
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT CASE WHEN pg_has_role(rxtrack_internal.calling_role(), 'rxtrack_admin', 'USAGE') THEN NULL
		WHEN coalesce(bool_or(e.ods_codes IS NULL), false) THEN NULL
		ELSE coalesce(array_agg(code) FILTER (WHERE code IS NOT NULL), '{}') END
	FROM rxtrack.listener_entitlement e
	JOIN pg_roles r ON r.rolname = e.role
	LEFT JOIN LATERAL unnest(e.ods_codes) AS code ON true
	WHERE pg_has_role(rxtrack_internal.calling_role(), r.oid, 'USAGE')
$$;
COMMENT ON FUNCTION rxtrack_internal.entitled_pharmacies() IS
	'The pharmacies whose readiness events the role that the session acts as may see, by entitlements of its own and of roles that it is a member of; NULL: all';

CREATE FUNCTION rxtrack_internal.require_entitlement()
RETURNS rxtrack.ods_code[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	entitled rxtrack.ods_code[] := rxtrack_internal.entitled_pharmacies();
BEGIN
	IF entitled = '{}' THEN
		RAISE EXCEPTION 'role "%" is not entitled to any readiness event', rxtrack_internal.calling_role()
			USING ERRCODE = 'insufficient_privilege', HINT = 'Entitle it with rxtrack.entitle_listener(role, ods_codes).';
	END IF;
	RETURN entitled;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.require_entitlement() IS 'rxtrack_internal.entitled_pharmacies(). Errors: 42501 where that is none';

CREATE FUNCTION rxtrack_internal.acts_for(role text)
RETURNS boolean
LANGUAGE sql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT pg_has_role(rxtrack_internal.calling_role(), 'rxtrack_admin', 'USAGE')
		OR EXISTS (SELECT FROM pg_roles r
				   WHERE r.rolname = acts_for.role AND pg_has_role(rxtrack_internal.calling_role(), r.oid, 'USAGE'))
$$;
COMMENT ON FUNCTION rxtrack_internal.acts_for(text) IS
	'Whether the role that the session acts as is this one, a member of it, or of rxtrack_admin';
