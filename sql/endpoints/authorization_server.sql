-- GET /.well-known/oauth-authorization-server

CREATE FUNCTION rxtrack_http.authorization_server(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT CASE WHEN rxtrack_internal.token_issuer() IS NOT NULL THEN rxtrack_internal.http_answer(200, jsonb_build_object(
			'issuer', rxtrack_internal.token_issuer(),
			'token_endpoint', current_setting('rxtrack.token_url'),
			'grant_types_supported', '["client_credentials"]'::jsonb,
			'response_types_supported', '[]'::jsonb,
			'token_endpoint_auth_methods_supported', '["private_key_jwt"]'::jsonb,
			'token_endpoint_auth_signing_alg_values_supported', '["RS256", "RS512", "ES256", "ES384"]'::jsonb),
			E'Content-Type: application/json\n')
		ELSE rxtrack_internal.http_fault(NULL, 404, 'not-found', '{Access tokens are not given here}') END
	FROM unnest(authorization_server.request_id)
$$;
COMMENT ON FUNCTION rxtrack_http.authorization_server(text, bytea[], text[], text[], bytea[]) IS
	'GET /.well-known/oauth-authorization-server: where access tokens are given, and how (RFC 8414). For the gateway: 404 where rxtrack.token_url is empty';
