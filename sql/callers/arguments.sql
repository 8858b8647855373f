-- Reading the arguments of the functions that people call. Identifiers come as text, which every driver can send, and
-- are read here: an error says which argument and which rule, never the value, as errors reach logs.

CREATE FUNCTION rxtrack_internal.refuse_null(argument text, value anyelement)
RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	IF value IS NULL THEN
		RAISE EXCEPTION '% must not be null', argument USING ERRCODE = 'null_value_not_allowed';
	END IF;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.refuse_null(text, anyelement) IS
	'Refuses an argument that is NULL. Errors: 22004';

CREATE FUNCTION rxtrack_internal.require_rows(max_rows integer)
RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	PERFORM rxtrack_internal.refuse_null('max_rows', max_rows);
	IF max_rows < 1 THEN
		RAISE EXCEPTION 'max_rows must be 1 or more' USING ERRCODE = 'invalid_parameter_value';
	END IF;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.require_rows(integer) IS
	'Refuses a max_rows that is NULL or less than 1. Errors: 22004, 22023';

CREATE FUNCTION rxtrack_internal.read_ods_codes(ods_codes text[])
RETURNS rxtrack.ods_code[]
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	IF array_position(ods_codes, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'ods_codes must not contain null' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	RETURN ods_codes;
END
$$;
COMMENT ON FUNCTION rxtrack_internal.read_ods_codes(text[]) IS
	'Reads a list of ODS codes; NULL where there is none. Errors: 22004 where a code is NULL, 22P02 where one is malformed';

-- As uuid's own input function, but for its error, which repeats the value.
CREATE FUNCTION rxtrack_internal.read_uuid(argument text, value text)
RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, rxtrack, pg_temp
AS $$
BEGIN
	RETURN value::uuid;
EXCEPTION WHEN invalid_text_representation THEN
	RAISE EXCEPTION 'invalid input syntax for type uuid'
		USING ERRCODE = 'invalid_text_representation', DETAIL = format('%s must be a UUID.', argument);
END
$$;
COMMENT ON FUNCTION rxtrack_internal.read_uuid(text, text) IS
	'Reads a UUID; NULL where there is none. Errors: 22P02, which does not repeat the value';
