-- An application's own role reads the application's own updates in SQL, by rxtrack.own_updates.

CREATE FUNCTION rxtrack_internal.require_grantable(role text)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.refuse_null('role', role);
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
	'Refuses a role that cannot be held to rows of its own. Errors: 22004 where role is NULL, 22023 where nothing holds it, as a superuser, 42704 where there is no such role';

-- One role an application: a second one takes the place of the first.
CREATE FUNCTION rxtrack.bind_role(application text, role text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(bind_role.application);
	old_role text := (SELECT a.database_role FROM rxtrack_internal.application a WHERE a.application_id = id FOR UPDATE);
BEGIN
	PERFORM rxtrack_internal.require_grantable(bind_role.role);
	IF bind_role.role IN ('rxtrack_application', 'rxtrack_listener') THEN
		RAISE EXCEPTION 'role "%" is for more than one', bind_role.role
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Make a role for the application alone.';
	END IF;
	IF old_role <> bind_role.role THEN
		PERFORM rxtrack.unbind_role(bind_role.application, old_role);
	END IF;
	UPDATE rxtrack_internal.application a SET database_role = bind_role.role WHERE a.application_id = id;
	EXECUTE format('GRANT rxtrack_application TO %I', bind_role.role);
END
$$;
COMMENT ON FUNCTION rxtrack.bind_role(text, text) IS
	'Lets a database role read the updates of an application, and no others, by rxtrack.own_updates, in place of the role that could before, and makes it a member of rxtrack_application. Errors: 22004 where an argument is NULL, 22023 where the role cannot be held to rows of its own, 23505 where it is another application''s, 42704 where there is no such application or role';

CREATE FUNCTION rxtrack.unbind_role(application text, role text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(unbind_role.application);
BEGIN
	PERFORM rxtrack_internal.refuse_null('role', unbind_role.role);
	UPDATE rxtrack_internal.application a SET database_role = NULL
	WHERE a.application_id = id AND a.database_role = unbind_role.role;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	-- it may have been dropped since
	IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = unbind_role.role) THEN
		EXECUTE format('REVOKE rxtrack_application FROM %I', unbind_role.role);
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION rxtrack.unbind_role(text, text) IS
	'Takes from a database role what rxtrack.bind_role gave it; returns whether it was bound to this application. Errors: 22004 where an argument is NULL, 42704 where there is no such application';

CREATE FUNCTION rxtrack_internal.require_application()
RETURNS integer
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := (SELECT a.application_id FROM rxtrack_internal.application a
				   WHERE a.database_role = rxtrack_internal.calling_role() AND NOT a.suspended);
BEGIN
	IF id IS NULL THEN
		RAISE EXCEPTION 'role "%" is no application''s, or that is suspended', rxtrack_internal.calling_role()
			USING ERRCODE = 'insufficient_privilege', HINT = 'Bind it with rxtrack.bind_role(application, role).';
	END IF;
	RETURN id;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.require_application() IS
	'The application whose role the session acts as. Errors: 42501 where there is none, or it is suspended';
