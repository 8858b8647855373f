-- Access tokens, given for tokens that an application has signed (RFC 6749, 7521, 7523).

CREATE FUNCTION rxtrack_internal.read_form(form bytea, names text[], OUT field_values text[], OUT problem text)
LANGUAGE C IMMUTABLE STRICT
AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION rxtrack_internal.read_form(bytea, text[]) IS
	'The values of these names in an application/x-www-form-urlencoded body of at most 32 KiB, in their order, NULL where one is absent or empty; or what is wrong with it: one comes twice, an escape is malformed, there is no equals sign, the text is no UTF-8. Reads it once. Errors: none for any form';

CREATE FUNCTION rxtrack_internal.decode_base64url(encoded text)
RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT decode(translate(encoded, '-_', '+/') || repeat('=', (4 - length(encoded) % 4) % 4), 'base64')
$$;
COMMENT ON FUNCTION rxtrack_internal.decode_base64url(text) IS 'Decodes base64url without padding (RFC 7515)';

-- RFC 8414 finds the metadata of an issuer under its URL; RFC 7523 lets an audience be either of the two.
CREATE FUNCTION rxtrack_internal.token_issuer()
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	-- a session that has not loaded the library yet knows the setting only where it is set
	SELECT regexp_replace(nullif(current_setting('rxtrack.token_url', true), ''), '/oauth2/token$', '')
$$;
COMMENT ON FUNCTION rxtrack_internal.token_issuer() IS
	'The issuer of access tokens: rxtrack.token_url without /oauth2/token at its end; NULL where no signed token is accepted';

-- No reason is given for a refusal: an unknown caller must not learn which applications and keys there are.
CREATE FUNCTION rxtrack_internal.accept_assertion(assertion text, client_id text)
RETURNS integer
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	parts text[] := string_to_array(assertion, '.');
	leeway constant numeric := 30;		-- seconds that the clocks may differ
	lifetime constant numeric := 300;
	now_is numeric := extract(epoch FROM clock_timestamp());
	header jsonb;
	claims jsonb;
	key record;
BEGIN
	IF length(assertion) > 16384 OR array_length(parts, 1) IS DISTINCT FROM 3
		OR assertion !~ '^[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$' THEN
		RETURN NULL;
	END IF;
	-- the spare bits of the last character must be zero, or one signature would have several spellings
	IF rtrim(translate(encode(rxtrack_internal.decode_base64url(parts[3]), 'base64'), E'+/\n', '-_'), '=') <> parts[3] THEN
		RETURN NULL;
	END IF;
	header := convert_from(rxtrack_internal.decode_base64url(parts[1]), 'UTF8')::jsonb;
	claims := convert_from(rxtrack_internal.decode_base64url(parts[2]), 'UTF8')::jsonb;
	IF jsonb_typeof(header) <> 'object' OR jsonb_typeof(claims) <> 'object' OR header ? 'crit'
		OR claims->>'iss' IS DISTINCT FROM claims->>'sub' OR lower(client_id) <> lower(claims->>'iss')
		OR jsonb_typeof(claims->'jti') IS DISTINCT FROM 'string' OR length(claims->>'jti') NOT BETWEEN 1 AND 256
		OR jsonb_typeof(claims->'exp') IS DISTINCT FROM 'number'
		OR jsonb_typeof(claims->'nbf') <> 'number' OR jsonb_typeof(claims->'iat') <> 'number' THEN
		RETURN NULL;
	END IF;

	SELECT p.pem, p.application_id INTO key
	FROM rxtrack_internal.application a JOIN rxtrack_internal.public_key p USING (application_id)
	WHERE a.client_id::text = lower(claims->>'iss') AND NOT a.suspended
	  AND p.kid = header->>'kid' AND clock_timestamp() BETWEEN p.valid_from AND p.valid_until;
	-- NULL where the header has no alg
	IF NOT FOUND OR rxtrack_internal.verify_signature(header->>'alg', key.pem, convert_to(parts[1] || '.' || parts[2], 'UTF8'),
											 rxtrack_internal.decode_base64url(parts[3])) IS NOT TRUE THEN
		RETURN NULL;
	END IF;

	-- the claims are looked at only now that their signature is verified
	IF current_setting('rxtrack.token_url') = ''
		OR jsonb_typeof(claims->'aud') NOT IN ('string', 'array')
		OR NOT coalesce(claims->'aud' ?| ARRAY[current_setting('rxtrack.token_url'), rxtrack_internal.token_issuer()], false)
		OR (claims->>'exp')::numeric <= now_is - leeway
		OR (claims->>'exp')::numeric > now_is + lifetime + leeway
		OR (claims->>'nbf')::numeric > now_is + leeway
		OR (claims->>'iat')::numeric > now_is + leeway THEN
		RETURN NULL;
	END IF;
	-- a second use at the same moment is refused, and does not wait for the first: two batches could deadlock
	IF NOT pg_try_advisory_xact_lock(hashtextextended(format('rxtrack_internal.used_assertion %s %s', key.application_id, claims->>'jti'), 0)) THEN
		RETURN NULL;
	END IF;
	INSERT INTO rxtrack_internal.used_assertion (application_id, jti, valid_until)
	VALUES (key.application_id, claims->>'jti', to_timestamp((claims->>'exp')::numeric + leeway))
	ON CONFLICT DO NOTHING;
	RETURN CASE WHEN FOUND THEN key.application_id END;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
	RETURN NULL;				-- no base64url, no UTF-8, no JSON, too deep, or a number beyond all bounds
END
$$;
COMMENT ON FUNCTION rxtrack_internal.accept_assertion(text, text) IS
	'The application that has signed a token (JWT, RFC 7519), which counts as used from now on; NULL where anything is wrong with it, or it is not of the client of that id (NULL: of any)';

CREATE FUNCTION rxtrack_internal.give_token(application_id integer)
RETURNS text
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	token text := rxtrack_internal.new_secret();
BEGIN
	INSERT INTO rxtrack_internal.access_token (token_hash, application_id, valid_until)
	VALUES (sha256(convert_to(token, 'UTF8')), give_token.application_id,
			clock_timestamp() + current_setting('rxtrack.token_lifetime')::interval);
	-- Each call removes a few that have expired. Signed tokens stay an hour longer: a call that began before may still
	-- take one for valid.
	DELETE FROM rxtrack_internal.access_token t USING (
		SELECT o.token_hash FROM rxtrack_internal.access_token o WHERE o.valid_until < clock_timestamp()
		ORDER BY o.valid_until LIMIT 10 FOR UPDATE SKIP LOCKED) AS old
	WHERE t.token_hash = old.token_hash;
	DELETE FROM rxtrack_internal.used_assertion u USING (
		SELECT o.application_id, o.jti FROM rxtrack_internal.used_assertion o
		WHERE o.valid_until < clock_timestamp() - interval '1 hour'
		ORDER BY o.valid_until LIMIT 10 FOR UPDATE SKIP LOCKED) AS old
	WHERE u.application_id = old.application_id AND u.jti = old.jti;
	RETURN token;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.give_token(integer) IS
	'A new access token of an application, valid for rxtrack.token_lifetime and kept only as a SHA-256 hash';
