-- What a DBA does with applications.  Each function names the application.

CREATE FUNCTION rxtrack_internal.find_application(name text)
RETURNS integer
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := (SELECT a.application_id FROM rxtrack_internal.application a WHERE a.name = find_application.name);
BEGIN
	IF id IS NULL THEN
		RAISE EXCEPTION 'application "%" does not exist', name
			USING ERRCODE = 'undefined_object', HINT = 'Register it with rxtrack.add_application(name, scopes).';
	END IF;
	RETURN id;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.find_application(text) IS 'The id of an application. Errors: 42704 where there is none of that name';

-- A secret is two random UUIDs' worth of the server's strong random bytes (244
-- bits), so that a fast hash is enough: there is nothing to guess.
CREATE FUNCTION rxtrack_internal.new_secret()
RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT 'rxtrack_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex')
$$;
COMMENT ON FUNCTION rxtrack_internal.new_secret() IS 'A new random key or token';

CREATE FUNCTION rxtrack.add_application(name text, scopes text[])
RETURNS text
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	key text := rxtrack_internal.new_secret();
	id integer;
BEGIN
	INSERT INTO rxtrack_internal.application AS a (name, scopes)
	VALUES (add_application.name, add_application.scopes)
	RETURNING a.application_id INTO id;
	INSERT INTO rxtrack_internal.api_key (key_hash, application_id)
	VALUES (sha256(convert_to(key, 'UTF8')), id);
	RETURN key;
END
$$;
COMMENT ON FUNCTION rxtrack.add_application(text, text[]) IS
	'Registers an application with its scopes and returns its API key, which is shown this once and kept only as a SHA-256 hash. Errors: 23505 where the name is taken, 23514 where a scope is unknown';

CREATE FUNCTION rxtrack.rotate_key(name text, overlap interval DEFAULT '7 days')
RETURNS text
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(rotate_key.name);
	key text := rxtrack_internal.new_secret();
BEGIN
	PERFORM FROM rxtrack_internal.application a WHERE a.application_id = id FOR UPDATE;
	-- two keys are valid at once: the newest one until now, for the change-over, and the new one
	DELETE FROM rxtrack_internal.api_key k
	WHERE k.application_id = id
	  AND k.key_hash NOT IN (SELECT n.key_hash FROM rxtrack_internal.api_key n WHERE n.application_id = id
							 ORDER BY n.created_at DESC, n.valid_until DESC LIMIT 1);
	UPDATE rxtrack_internal.api_key k SET valid_until = least(k.valid_until, now() + overlap)
	WHERE k.application_id = id;
	INSERT INTO rxtrack_internal.api_key (key_hash, application_id, created_at)
	VALUES (sha256(convert_to(key, 'UTF8')), id, clock_timestamp());
	RETURN key;
END
$$;
COMMENT ON FUNCTION rxtrack.rotate_key(text, interval) IS
	'Gives an application another API key and returns it, this once. The one it had stays valid for the overlap (zero: not at all), any older one is revoked. Errors: 42704 where there is no such application';

CREATE FUNCTION rxtrack.change_application(
	name text, scopes text[] DEFAULT NULL, suspended boolean DEFAULT NULL, requests_per_minute integer DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	UPDATE rxtrack_internal.application a SET
		scopes = coalesce(change_application.scopes, a.scopes),
		suspended = coalesce(change_application.suspended, a.suspended),
		requests_per_minute = coalesce(change_application.requests_per_minute, a.requests_per_minute)
	WHERE a.application_id = rxtrack_internal.find_application(change_application.name);
END
$$;
COMMENT ON FUNCTION rxtrack.change_application(text, text[], boolean, integer) IS
	'Changes what an application may do; what is NULL stays as it is. A suspended one is refused everything from its next request on. Errors: 42704, 23514 as rxtrack.add_application';

CREATE FUNCTION rxtrack.restrict_application(name text, ods_codes rxtrack.ods_code[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	UPDATE rxtrack_internal.application a SET ods_codes = restrict_application.ods_codes
	WHERE a.application_id = rxtrack_internal.find_application(restrict_application.name);
END
$$;
COMMENT ON FUNCTION rxtrack.restrict_application(text, rxtrack.ods_code[]) IS
	'Lets an application send updates for these pharmacies only, and hear of no others'' events; NULL: of all. Errors: 42704 where there is no such application, 23514 where a code is NULL';

CREATE FUNCTION rxtrack.add_public_key(
	name text, kid text, pem text, valid_from timestamptz DEFAULT now(), valid_until timestamptz DEFAULT 'infinity')
RETURNS uuid
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(add_public_key.name);
BEGIN
	IF rxtrack_internal.public_key_algorithms(pem) IS NULL THEN
		RAISE EXCEPTION 'not a public key of a kind that is accepted'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'A PEM of an RSA key of 2048 bits or more, or of an EC key on P-256 or P-384.';
	END IF;
	INSERT INTO rxtrack_internal.public_key (application_id, kid, pem, valid_from, valid_until)
	VALUES (id, add_public_key.kid, add_public_key.pem, add_public_key.valid_from, add_public_key.valid_until);
	RETURN (SELECT a.client_id FROM rxtrack_internal.application a WHERE a.application_id = id);
END
$$;
COMMENT ON FUNCTION rxtrack.add_public_key(text, text, text, timestamptz, timestamptz) IS
	'Registers a public key of an application, by which it signs its token requests; returns the client id that these name as issuer and subject. Errors: 42704, 22023 where the key is of no accepted kind, 23505 where the kid is taken';

CREATE FUNCTION rxtrack.remove_public_key(name text, kid text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	DELETE FROM rxtrack_internal.public_key p
	WHERE p.application_id = rxtrack_internal.find_application(remove_public_key.name) AND p.kid = remove_public_key.kid;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION rxtrack.remove_public_key(text, text) IS
	'Removes a public key of an application; returns whether there was one. Errors: 42704 where there is no such application';

-- The fingerprint as openssl prints it, or any other spelling of its 64 hex digits.
CREATE FUNCTION rxtrack_internal.read_fingerprint(fingerprint text)
RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	digits text := translate(regexp_replace(trim(fingerprint), '^sha256 fingerprint=', '', 'i'), ': ', '');
BEGIN
	IF digits !~ '^[0-9A-Fa-f]{64}$' THEN
		RAISE EXCEPTION 'not the SHA-256 fingerprint of a certificate'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'openssl x509 -in certificate.pem -noout -fingerprint -sha256 prints it.';
	END IF;
	RETURN decode(digits, 'hex');
END
$$;
COMMENT ON FUNCTION rxtrack_internal.read_fingerprint(text) IS
	'The bytes of a SHA-256 fingerprint that is written in hex, with or without colons. Errors: 22023 where it is none';

CREATE FUNCTION rxtrack.bind_certificate(name text, fingerprint text)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(bind_certificate.name);
	certificate bytea := rxtrack_internal.read_fingerprint(bind_certificate.fingerprint);
BEGIN
	UPDATE rxtrack_internal.application a SET certificates = array_append(a.certificates, certificate)
	WHERE a.application_id = id AND array_position(a.certificates, certificate) IS NULL;
END
$$;
COMMENT ON FUNCTION rxtrack.bind_certificate(text, text) IS
	'Binds an application to a client certificate, named by the SHA-256 fingerprint of its DER: from now on its keys and tokens are accepted only over connections that have shown this certificate, or another one that it is bound to. Errors: 42704 where there is no such application, 22023 where that is no fingerprint';

-- One that loses its last certificate is not open to whoever has its key: nobody gets
-- in until another is bound, or it is said that none is needed.
CREATE FUNCTION rxtrack.unbind_certificate(name text, fingerprint text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(unbind_certificate.name);
	certificate bytea := rxtrack_internal.read_fingerprint(unbind_certificate.fingerprint);
BEGIN
	UPDATE rxtrack_internal.application a SET certificates = array_remove(a.certificates, certificate)
	WHERE a.application_id = id AND array_position(a.certificates, certificate) IS NOT NULL;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION rxtrack.unbind_certificate(text, text) IS
	'Takes a certificate of an application out of force; returns whether it was bound. Without the last one the application is refused until another is bound, or rxtrack.accept_without_certificate is called. Errors as rxtrack.bind_certificate';

CREATE FUNCTION rxtrack.accept_without_certificate(name text)
RETURNS void
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	UPDATE rxtrack_internal.application a SET certificates = NULL
	WHERE a.application_id = rxtrack_internal.find_application(accept_without_certificate.name);
END
$$;
COMMENT ON FUNCTION rxtrack.accept_without_certificate(text) IS
	'Forgets all certificates that an application is bound to: its keys and tokens are accepted over any connection. Errors: 42704 where there is no such application';

CREATE VIEW rxtrack.applications AS
SELECT a.application_id, a.name, a.scopes, a.suspended, a.requests_per_minute, a.ods_codes,
	   CASE WHEN a.certificates IS NOT NULL
			THEN ARRAY(SELECT pg_catalog.encode(c, 'hex') FROM pg_catalog.unnest(a.certificates) AS c) END AS certificates,
	   a.client_id, a.database_role, a.created_at,
	   (SELECT pg_catalog.count(*) FROM rxtrack_internal.api_key k
		WHERE k.application_id = a.application_id AND k.valid_until > pg_catalog.statement_timestamp()) AS api_keys,
	   (SELECT pg_catalog.array_agg(p.kid ORDER BY p.kid) FROM rxtrack_internal.public_key p
		WHERE p.application_id = a.application_id
		  AND pg_catalog.statement_timestamp() BETWEEN p.valid_from AND p.valid_until) AS public_keys
FROM rxtrack_internal.application a;
COMMENT ON VIEW rxtrack.applications IS 'The registered applications, with how many API keys and which public keys are valid now';
COMMENT ON COLUMN rxtrack.applications.application_id IS 'Its number, as rows of rxtrack.status_update have it';
COMMENT ON COLUMN rxtrack.applications.name IS 'Its name';
COMMENT ON COLUMN rxtrack.applications.scopes IS 'What it may do';
COMMENT ON COLUMN rxtrack.applications.suspended IS 'Whether all that it asks for is refused';
COMMENT ON COLUMN rxtrack.applications.requests_per_minute IS 'How many requests the gateway lets through in a minute';
COMMENT ON COLUMN rxtrack.applications.ods_codes IS 'The pharmacies that it is restricted to; NULL: it is not restricted';
COMMENT ON COLUMN rxtrack.applications.certificates IS 'Fingerprints of the client certificates that its connections must show one of, in hex; empty: there is none, and it is refused; NULL: none is asked for';
COMMENT ON COLUMN rxtrack.applications.client_id IS 'What a signed token of its names as issuer and subject';
COMMENT ON COLUMN rxtrack.applications.database_role IS 'The role by which it reads its own updates in SQL';
COMMENT ON COLUMN rxtrack.applications.created_at IS 'When it was registered';
COMMENT ON COLUMN rxtrack.applications.api_keys IS 'How many of its API keys are valid now';
COMMENT ON COLUMN rxtrack.applications.public_keys IS 'The kids of its public keys that are valid now';

-- ---------- Signed tokens ----------

CREATE FUNCTION rxtrack_internal.public_key_algorithms(pem text)
RETURNS text[]
LANGUAGE C IMMUTABLE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.public_key_algorithms(text) IS
	'The JWS algorithms (RFC 7518) that a public key can verify: RS256 and RS512, ES256, or ES384; NULL where it is none of an accepted kind';

CREATE FUNCTION rxtrack_internal.verify_signature(algorithm text, pem text, message bytea, signature bytea)
RETURNS boolean
LANGUAGE C IMMUTABLE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.verify_signature(text, text, bytea, bytea) IS
	'Whether a JWS signature (RFC 7515, 7518) is right, by OpenSSL. False for any algorithm that the key is not for';
