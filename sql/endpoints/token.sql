-- POST /oauth2/token

CREATE FUNCTION rxtrack_http.token(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
DECLARE
	form bytea;
	field text[];				-- grant_type, client_assertion_type, client_assertion, client_id
	problem text;				-- what is wrong with the form
	application rxtrack_internal.application;
	id integer;
	error text;
	answer jsonb;
BEGIN
	FOREACH form IN ARRAY body LOOP
		application := NULL;
		SELECT f.field_values, f.problem INTO field, problem
		FROM rxtrack_internal.read_form(form, '{grant_type,client_assertion_type,client_assertion,client_id}') AS f;
		problem := coalesce(problem,
			CASE WHEN field[1] IS NULL THEN 'grant_type is missing'
				 WHEN field[1] <> 'client_credentials' THEN NULL
				 WHEN field[2] IS DISTINCT FROM 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
				 THEN 'client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
				 WHEN field[3] IS NULL THEN 'client_assertion is missing' END);
		error := CASE WHEN problem IS NOT NULL THEN 'invalid_request'
					  WHEN field[1] <> 'client_credentials' THEN 'unsupported_grant_type' END;
		IF error IS NULL THEN
			id := rxtrack_internal.accept_assertion(field[3], field[4]);
			SELECT a.* INTO application FROM rxtrack_internal.application a WHERE a.application_id = id;
			error := CASE WHEN application.application_id IS NULL THEN 'invalid_client' END;
		END IF;
		answer := CASE WHEN error IS NULL THEN jsonb_build_object(
				'access_token', rxtrack_internal.give_token(application.application_id), 'token_type', 'Bearer',
				'expires_in', extract(epoch FROM current_setting('rxtrack.token_lifetime')::interval)::integer,
				'scope', array_to_string(application.scopes, ' '))
			ELSE jsonb_strip_nulls(jsonb_build_object('error', error, 'error_description', problem)) END;
		RETURN NEXT rxtrack_internal.http_answer(
			CASE error WHEN 'invalid_client' THEN 401 ELSE CASE WHEN error IS NULL THEN 200 ELSE 400 END END, answer,
			E'Content-Type: application/json\nPragma: no-cache\n'
				|| CASE error WHEN 'invalid_client' THEN E'WWW-Authenticate: Bearer realm="rxtrack"\n' ELSE '' END,
			application.name);
	END LOOP;
END
$$;
COMMENT ON FUNCTION rxtrack_http.token(text, bytea[], text[], text[], bytea[]) IS
	'POST /oauth2/token: an access token for a signed one (grant_type client_credentials, client_assertion a JWT, client_id, where given, its issuer). Errors are those of RFC 6749, section 5.2';
