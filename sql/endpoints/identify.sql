-- What the gateway asks by itself: whose a credential is

CREATE FUNCTION rxtrack_http.identify(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
	SELECT CASE WHEN (c).application_id IS NULL THEN rxtrack_internal.http_refusal(c)
				ELSE rxtrack_internal.http_answer_to(c, CASE WHEN (c).granted AND (c).ods_codes IS DISTINCT FROM '{}' THEN 200 ELSE 403 END, NULL,
					stream_ods_codes => nullif((c).ods_codes, '{}')::text[]) END
	FROM rxtrack_internal.callers(identify.credential, identify.scope) AS c
$$;
COMMENT ON FUNCTION rxtrack_http.identify(text, bytea[], text[], text[], bytea[]) IS
	'For the gateway: which application each credential is of, and how often that may call; with a status of 200 it holds the scope, and stream_ods_codes are the pharmacies that it is restricted to. Asked before the first request of a credential, so that this counts for its application, and again while a stream is open';
