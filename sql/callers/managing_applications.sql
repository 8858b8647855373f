-- What a DBA does with applications. Each function names the application first.

CREATE FUNCTION rxtrack_internal.find_application(application text)
RETURNS integer
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := (SELECT a.application_id FROM rxtrack_internal.application a WHERE a.name = find_application.application);
BEGIN
	PERFORM rxtrack_internal.refuse_null('application', application);
	IF id IS NULL THEN
		RAISE EXCEPTION 'application "%" does not exist', application
			USING ERRCODE = 'undefined_object', HINT = 'Register it with rxtrack.add_application(application, scopes).';
	END IF;
	RETURN id;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.find_application(text) IS
	'The number of an application. Errors: 22004 where application is NULL, 42704 where there is none of that name';

-- Its 244 random bits come from the server's strong source (two version 4 UUIDs), so that a fast hash is enough to
-- keep it by: there is nothing to guess.
CREATE FUNCTION rxtrack_internal.new_secret()
RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT 'rxtrack_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex')
$$;
COMMENT ON FUNCTION rxtrack_internal.new_secret() IS 'A new random key or token';

CREATE FUNCTION rxtrack.add_application(application text, scopes text[])
RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	key text := rxtrack_internal.new_secret();
	id integer;
BEGIN
	PERFORM rxtrack_internal.refuse_null('application', application);
	PERFORM rxtrack_internal.refuse_null('scopes', scopes);
	INSERT INTO rxtrack_internal.application AS a (name, scopes)
	VALUES (add_application.application, add_application.scopes)
	RETURNING a.application_id INTO id;
	INSERT INTO rxtrack_internal.api_key (key_hash, application_id)
	VALUES (sha256(convert_to(key, 'UTF8')), id);
	RETURN key;
END
$$;
COMMENT ON FUNCTION rxtrack.add_application(text, text[]) IS
	'Registers an application with its scopes (updates:write, updates:read, patient:read, events:read, metrics:read) and returns its API key, which is shown this once and kept only as a SHA-256 hash. Errors: 22004 where an argument is NULL, 23505 where the name is taken, 23514 where a scope is unknown or the name is not 1 to 128 printable characters';

-- An update that is being stored at this moment is not seen, and would keep a number without a name: suspend first what
-- may still be sending.
CREATE FUNCTION rxtrack.drop_application(application text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(drop_application.application);
BEGIN
	PERFORM FROM rxtrack_internal.application a WHERE a.application_id = id FOR UPDATE;
	IF rxtrack_internal.has_updates(id) THEN
		RAISE EXCEPTION 'application "%" cannot be dropped: updates of it are stored', drop_application.application
			USING ERRCODE = 'object_in_use',
				  HINT = 'Suspend it with rxtrack.alter_application(application, suspended => true).';
	END IF;
	-- its row comes last: the audit asks it for the name
	DELETE FROM rxtrack_internal.api_key k WHERE k.application_id = id;
	DELETE FROM rxtrack_internal.public_key p WHERE p.application_id = id;
	DELETE FROM rxtrack_internal.access_token t WHERE t.application_id = id;
	DELETE FROM rxtrack_internal.used_assertion u WHERE u.application_id = id;
	DELETE FROM rxtrack_internal.alert_application e WHERE e.application_id = id;
	PERFORM rxtrack.unbind_role(drop_application.application, a.database_role)
	FROM rxtrack_internal.application a WHERE a.application_id = id AND a.database_role IS NOT NULL;
	DELETE FROM rxtrack_internal.application a WHERE a.application_id = id;
END
$$;
COMMENT ON FUNCTION rxtrack.drop_application(text) IS
	'Removes an application with all its credentials, one that was added by mistake. Errors: 22004 where application is NULL, 42704 where there is none, 55006 where updates of it are stored: suspend it instead';

CREATE FUNCTION rxtrack.alter_application(
	application text, scopes text[] DEFAULT NULL, suspended boolean DEFAULT NULL, requests_per_minute integer DEFAULT NULL,
	alert_on_predictions boolean DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	UPDATE rxtrack_internal.application a SET
		scopes = coalesce(alter_application.scopes, a.scopes),
		suspended = coalesce(alter_application.suspended, a.suspended),
		requests_per_minute = coalesce(alter_application.requests_per_minute, a.requests_per_minute),
		alert_on_predictions = coalesce(alter_application.alert_on_predictions, a.alert_on_predictions)
	WHERE a.application_id = rxtrack_internal.find_application(alter_application.application);
END
$$;
COMMENT ON FUNCTION rxtrack.alter_application(text, text[], boolean, integer, boolean) IS
	'Changes what an application may do; what is NULL stays as it is. alert_on_predictions: whether a patient may be alerted when one of its post-dated updates takes effect. One that is suspended is refused everything from its next request on. Errors: 22004 where application is NULL, 42704 where there is none, 23514 where a scope is unknown or requests_per_minute is less than 1';

CREATE FUNCTION rxtrack.restrict_application(application text, ods_codes text[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.refuse_null('ods_codes', restrict_application.ods_codes);
	UPDATE rxtrack_internal.application a
	SET ods_codes = rxtrack_internal.read_ods_codes(restrict_application.ods_codes)
	WHERE a.application_id = rxtrack_internal.find_application(restrict_application.application);
END
$$;
COMMENT ON FUNCTION rxtrack.restrict_application(text, text[]) IS
	'Lets an application send updates for these pharmacies alone, and hear of no others'' events, in place of those that it could before. Errors: 22004 where an argument or a code is NULL, 22P02 where a code is malformed, 42704 where there is no such application';

CREATE FUNCTION rxtrack.unrestrict_application(application text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	UPDATE rxtrack_internal.application a SET ods_codes = NULL
	WHERE a.application_id = rxtrack_internal.find_application(unrestrict_application.application);
END
$$;
COMMENT ON FUNCTION rxtrack.unrestrict_application(text) IS
	'Lets an application send updates for all pharmacies, and hear of all pharmacies'' events, as before rxtrack.restrict_application. Errors: 22004 where application is NULL, 42704 where there is none';

CREATE VIEW rxtrack.applications AS
SELECT a.application_id, a.name AS application, a.scopes, a.suspended, a.requests_per_minute, a.ods_codes,
	   CASE WHEN a.certificates IS NOT NULL
			THEN ARRAY(SELECT pg_catalog.encode(c, 'hex') FROM pg_catalog.unnest(a.certificates) AS c) END AS fingerprints,
	   a.client_id, a.database_role AS role, a.created_at,
	   (SELECT pg_catalog.count(*) FROM rxtrack_internal.api_key k
		WHERE k.application_id = a.application_id AND k.valid_until > pg_catalog.statement_timestamp()) AS api_keys,
	   (SELECT pg_catalog.array_agg(p.kid ORDER BY p.kid) FROM rxtrack_internal.public_key p
		WHERE p.application_id = a.application_id
		  AND pg_catalog.statement_timestamp() BETWEEN p.valid_from AND p.valid_until) AS kids
FROM rxtrack_internal.application a;
COMMENT ON VIEW rxtrack.applications IS 'The registered applications, with how many API keys and which public keys are valid now';
COMMENT ON COLUMN rxtrack.applications.application_id IS 'Its number, as rows of rxtrack.status_update have it';
COMMENT ON COLUMN rxtrack.applications.application IS 'Its name';
COMMENT ON COLUMN rxtrack.applications.scopes IS 'What it may do';
COMMENT ON COLUMN rxtrack.applications.suspended IS 'Whether all that it asks for is refused';
COMMENT ON COLUMN rxtrack.applications.requests_per_minute IS 'How many requests the gateway lets through in a minute';
COMMENT ON COLUMN rxtrack.applications.ods_codes IS 'The pharmacies that it is restricted to; NULL: it is not restricted';
COMMENT ON COLUMN rxtrack.applications.fingerprints IS 'SHA-256 fingerprints of the client certificates that its connections must show one of, in hex; empty: none is left, and it is refused; NULL: none is asked for';
COMMENT ON COLUMN rxtrack.applications.client_id IS 'What its signed tokens name as issuer and subject';
COMMENT ON COLUMN rxtrack.applications.role IS 'The database role that reads its updates in SQL; NULL: none';
COMMENT ON COLUMN rxtrack.applications.created_at IS 'When it was registered';
COMMENT ON COLUMN rxtrack.applications.api_keys IS 'How many of its API keys are valid now';
COMMENT ON COLUMN rxtrack.applications.kids IS 'The names of its public keys that are valid now';
