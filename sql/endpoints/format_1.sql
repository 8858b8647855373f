-- POST /format-1

CREATE FUNCTION rxtrack_http.format_1(scope text, credential bytea[], request_id text[], parameters text[], body bytea[])
RETURNS SETOF rxtrack_http.answer
LANGUAGE C VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, rxtrack, pg_temp
AS 'MODULE_PATHNAME', 'endpoint_format_1';
COMMENT ON FUNCTION rxtrack_http.format_1(text, bytea[], text[], text[], bytea[]) IS
	'POST /format-1: takes a message of Format 1, and answers it as the Bundle that it stands for. For the gateway: a batch of such requests. parameters: not used';
