-- ODS code. What is common to the four types stands in nhs_number.sql.

CREATE TYPE rxtrack.ods_code;

CREATE FUNCTION rxtrack_internal.ods_code_in(cstring) RETURNS rxtrack.ods_code
  AS 'MODULE_PATHNAME', 'ods_code_in'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.ods_code_in(cstring) IS
  'Reads an ODS code from its text';

CREATE FUNCTION rxtrack_internal.ods_code_out(rxtrack.ods_code) RETURNS cstring
  AS 'MODULE_PATHNAME', 'ods_code_out'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.ods_code_out(rxtrack.ods_code) IS
  'Writes an ODS code as its text';

CREATE FUNCTION rxtrack_internal.ods_code_recv(internal) RETURNS rxtrack.ods_code
  AS 'MODULE_PATHNAME', 'ods_code_recv'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.ods_code_recv(internal) IS
  'Reads an ODS code from its binary form: the text';

CREATE FUNCTION rxtrack_internal.ods_code_send(rxtrack.ods_code) RETURNS bytea
  AS 'MODULE_PATHNAME', 'ods_code_send'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.ods_code_send(rxtrack.ods_code) IS
  'Writes an ODS code in its binary form: the text';

CREATE TYPE rxtrack.ods_code (
  INPUT = rxtrack_internal.ods_code_in,
  OUTPUT = rxtrack_internal.ods_code_out,
  RECEIVE = rxtrack_internal.ods_code_recv,
  SEND = rxtrack_internal.ods_code_send,
  LIKE = pg_catalog.int8
);
COMMENT ON TYPE rxtrack.ods_code IS
  'ODS code of a pharmacy or another organisation: 1 to 12 letters or digits. 8 bytes, by value. White space '
  'around it is dropped, letters are read in either case and shown in upper case. Source: the Organisation '
  'Data Service, which gives the codes out; they have no check character.';
