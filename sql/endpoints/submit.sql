-- POST /

CREATE FUNCTION rxtrack_http.submit(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME', 'endpoint_submit';
COMMENT ON FUNCTION rxtrack_http.submit(text, bytea[], text[], text[], bytea[]) IS
	'POST /: takes a FHIR transaction Bundle of Tasks: status updates, of which all are stored or none. For the gateway: rxtrack.submit for a batch of requests, each with its own caller, its own request id and its own answer. parameters: not used; credential: SHA-256 of the API key, and behind it that of the client certificate (DER) where the connection has shown one';
