-- Three schemas, by who looks into them: rxtrack is what people use, and its listing their manual; rxtrack_internal is
-- what that is made of; rxtrack_http is what the gateway and the programs beside it call.

DO $$
BEGIN
	IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
		RAISE EXCEPTION 'rxtrack needs a database with the encoding UTF8'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0';
	END IF;
	-- its owner could put functions beside those that run as the extension's owner
	IF NOT (SELECT o.rolsuper FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner
			WHERE n.nspname = 'rxtrack') THEN
		RAISE EXCEPTION 'schema "rxtrack" is not owned by a superuser'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Drop or rename it: CREATE EXTENSION makes its own.';
	END IF;
END
$$;

-- These belong to the extension and are dropped with it. A schema of that name that is there already is refused.
CREATE SCHEMA rxtrack_internal;
CREATE SCHEMA rxtrack_http;

COMMENT ON SCHEMA rxtrack IS
	'Prescription tracking: the functions and views that people use, and the tables that they may change';
COMMENT ON SCHEMA rxtrack_internal IS
	'What rxtrack is made of: not to be called or written, and changed from version to version';
COMMENT ON SCHEMA rxtrack_http IS
	'What rxtrack-gateway and the programs beside it call, one function for each HTTP endpoint';
