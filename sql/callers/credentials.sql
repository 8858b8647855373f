-- By what an application is known: API keys, public keys of signed tokens, client certificates.

-- ---------- API keys ----------

CREATE FUNCTION rxtrack.rotate_key(application text, overlap interval DEFAULT '7 days')
RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(rotate_key.application);
	key text := rxtrack_internal.new_secret();
BEGIN
	PERFORM rxtrack_internal.refuse_null('overlap', rotate_key.overlap);
	PERFORM FROM rxtrack_internal.application a WHERE a.application_id = id FOR UPDATE;
	-- two keys are valid at once: the newest one until now, for the change-over, and the new one
	DELETE FROM rxtrack_internal.api_key k
	WHERE k.application_id = id
	  AND k.key_hash NOT IN (SELECT n.key_hash FROM rxtrack_internal.api_key n WHERE n.application_id = id
							 ORDER BY n.created_at DESC, n.valid_until DESC LIMIT 1);
	UPDATE rxtrack_internal.api_key k SET valid_until = least(k.valid_until, now() + rotate_key.overlap)
	WHERE k.application_id = id;
	INSERT INTO rxtrack_internal.api_key (key_hash, application_id, created_at)
	VALUES (sha256(convert_to(key, 'UTF8')), id, clock_timestamp());
	RETURN key;
END
$$;
COMMENT ON FUNCTION rxtrack.rotate_key(text, interval) IS
	'Gives an application another API key and returns it, this once. The one that it had stays valid for the overlap (0: not at all), any older one is revoked. Errors: 22004 where an argument is NULL, 42704 where there is no such application';

-- ---------- Public keys ----------

CREATE FUNCTION rxtrack_internal.public_key_algorithms(pem text)
RETURNS text[]
LANGUAGE C IMMUTABLE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.public_key_algorithms(text) IS
	'The JWS algorithms (RFC 7518) that a public key is for: RS256 and RS512, ES256, or ES384; NULL where it is no key of an accepted kind';

CREATE FUNCTION rxtrack_internal.verify_signature(algorithm text, pem text, message bytea, signature bytea)
RETURNS boolean
LANGUAGE C IMMUTABLE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.verify_signature(text, text, bytea, bytea) IS
	'Whether a JWS signature (RFC 7515, 7518) is right, by OpenSSL. False for any algorithm that the key is not for';

CREATE FUNCTION rxtrack.add_public_key(
	application text, kid text, pem text, valid_from timestamptz DEFAULT now(), valid_until timestamptz DEFAULT 'infinity')
RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(add_public_key.application);
BEGIN
	PERFORM rxtrack_internal.refuse_null('kid', kid);
	PERFORM rxtrack_internal.refuse_null('pem', pem);
	PERFORM rxtrack_internal.refuse_null('valid_from', valid_from);
	PERFORM rxtrack_internal.refuse_null('valid_until', valid_until);
	IF rxtrack_internal.public_key_algorithms(pem) IS NULL THEN
		RAISE EXCEPTION 'not a public key of an accepted kind'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'A PEM of an RSA key of 2048 bits or more, or of an EC key on P-256 or P-384.';
	END IF;
	INSERT INTO rxtrack_internal.public_key (application_id, kid, pem, valid_from, valid_until)
	VALUES (id, add_public_key.kid, add_public_key.pem, add_public_key.valid_from, add_public_key.valid_until);
	RETURN (SELECT a.client_id FROM rxtrack_internal.application a WHERE a.application_id = id);
END
$$;
COMMENT ON FUNCTION rxtrack.add_public_key(text, text, text, timestamptz, timestamptz) IS
	'Registers a public key (PEM) of an application, under the name (kid) by which its token requests say which key has signed them; returns the client id that they name as issuer and subject. Errors: 22004 where an argument is NULL, 22023 where the key is of no accepted kind, 23505 where the application has a key of that name, 42704 where there is no such application';

CREATE FUNCTION rxtrack.drop_public_key(application text, kid text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.refuse_null('kid', drop_public_key.kid);
	DELETE FROM rxtrack_internal.public_key p
	WHERE p.application_id = rxtrack_internal.find_application(drop_public_key.application)
	  AND p.kid = drop_public_key.kid;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION rxtrack.drop_public_key(text, text) IS
	'Removes a public key of an application: token requests that it has signed are refused from now on. Returns whether there was one. Errors: 22004 where an argument is NULL, 42704 where there is no such application';

-- ---------- Client certificates ----------

-- The fingerprint as openssl prints it, or any other spelling of its 64 hex digits.
CREATE FUNCTION rxtrack_internal.read_fingerprint(fingerprint text)
RETURNS bytea
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	digits text := translate(regexp_replace(trim(fingerprint), '^sha256 fingerprint=', '', 'i'), ': ', '');
BEGIN
	PERFORM rxtrack_internal.refuse_null('fingerprint', fingerprint);
	IF digits !~ '^[0-9A-Fa-f]{64}$' THEN
		RAISE EXCEPTION 'not the SHA-256 fingerprint of a certificate'
			USING ERRCODE = 'invalid_parameter_value',
				  HINT = 'openssl x509 -in certificate.pem -noout -fingerprint -sha256 prints it.';
	END IF;
	RETURN decode(digits, 'hex');
END
$$;
COMMENT ON FUNCTION rxtrack_internal.read_fingerprint(text) IS
	'The bytes of a SHA-256 fingerprint that is written in hex, with or without colons. Errors: 22004 where it is NULL, 22023 where it is none';

CREATE FUNCTION rxtrack.bind_certificate(application text, fingerprint text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(bind_certificate.application);
	certificate bytea := rxtrack_internal.read_fingerprint(bind_certificate.fingerprint);
BEGIN
	UPDATE rxtrack_internal.application a SET certificates = array_append(a.certificates, certificate)
	WHERE a.application_id = id AND array_position(a.certificates, certificate) IS NULL;
END
$$;
COMMENT ON FUNCTION rxtrack.bind_certificate(text, text) IS
	'Binds an application to a client certificate, named by the SHA-256 fingerprint of its DER: from now on its keys and tokens are accepted only over connections that have shown this certificate, or another one that it is bound to. Errors: 22004 where an argument is NULL, 22023 where that is no fingerprint, 42704 where there is no such application';

-- An application that loses its last certificate stays bound: who has its key alone does not get in.
CREATE FUNCTION rxtrack.unbind_certificate(application text, fingerprint text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	id integer := rxtrack_internal.find_application(unbind_certificate.application);
	certificate bytea := rxtrack_internal.read_fingerprint(unbind_certificate.fingerprint);
BEGIN
	UPDATE rxtrack_internal.application a SET certificates = array_remove(a.certificates, certificate)
	WHERE a.application_id = id AND array_position(a.certificates, certificate) IS NOT NULL;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION rxtrack.unbind_certificate(text, text) IS
	'Takes a certificate of an application out of force; returns whether it was bound. Without any the application is refused, until another is bound or rxtrack.waive_certificate is called. Errors as rxtrack.bind_certificate';

CREATE FUNCTION rxtrack.waive_certificate(application text)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	UPDATE rxtrack_internal.application a SET certificates = NULL
	WHERE a.application_id = rxtrack_internal.find_application(waive_certificate.application);
END
$$;
COMMENT ON FUNCTION rxtrack.waive_certificate(text) IS
	'Asks an application for no certificate any more: those that it is bound to are forgotten, and its keys and tokens are accepted over any connection. Errors: 22004 where application is NULL, 42704 where there is none';
