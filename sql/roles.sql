-- Roles. They belong to the whole cluster and may be there already. None can log in: a DBA grants them to roles that
-- can. What each may do is granted in privileges.sql.
DO $$
DECLARE
	wanted record;
BEGIN
	FOR wanted IN
		SELECT * FROM (VALUES
			('rxtrack_gateway', 'rxtrack: the HTTP gateway; may call the gateway functions, reads no table'),
			('rxtrack_listener', 'rxtrack: reads the readiness events that are granted to it'),
			('rxtrack_application', 'rxtrack: reads the updates of its own application'),
			('rxtrack_reader', 'rxtrack: reads the status of items and their history'),
			('rxtrack_admin', 'rxtrack: registers applications, changes the rules, submits by hand')
		) AS w (name, purpose)
	LOOP
		IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted.name) THEN
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted.name);
			EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', wanted.name, wanted.purpose);
		END IF;
	END LOOP;
END
$$;

-- For SECURITY DEFINER functions, in which current_user is their owner.
CREATE FUNCTION rxtrack_internal.calling_role()
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT coalesce(nullif(current_setting('role'), 'none'), session_user::text)
$$;
COMMENT ON FUNCTION rxtrack_internal.calling_role() IS
	'The role that the session acts as: the one of SET ROLE, or else the one that logged in';
