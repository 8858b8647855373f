-- Prescription id. What is common to the four types stands in nhs_number.sql.

CREATE TYPE rxtrack.prescription_id;

CREATE FUNCTION rxtrack_internal.prescription_id_in(cstring) RETURNS rxtrack.prescription_id
  AS 'MODULE_PATHNAME', 'prescription_id_in'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.prescription_id_in(cstring) IS
  'Reads a prescription id from its text';

CREATE FUNCTION rxtrack_internal.prescription_id_out(rxtrack.prescription_id) RETURNS cstring
  AS 'MODULE_PATHNAME', 'prescription_id_out'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.prescription_id_out(rxtrack.prescription_id) IS
  'Writes a prescription id as its text';

CREATE FUNCTION rxtrack_internal.prescription_id_recv(internal) RETURNS rxtrack.prescription_id
  AS 'MODULE_PATHNAME', 'prescription_id_recv'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.prescription_id_recv(internal) IS
  'Reads a prescription id from its binary form: the 10 bytes as they are stored';

CREATE FUNCTION rxtrack_internal.prescription_id_send(rxtrack.prescription_id) RETURNS bytea
  AS 'MODULE_PATHNAME', 'prescription_id_send'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.prescription_id_send(rxtrack.prescription_id) IS
  'Writes a prescription id in its binary form: the 10 bytes as they are stored';

CREATE TYPE rxtrack.prescription_id (
  INPUT = rxtrack_internal.prescription_id_in,
  OUTPUT = rxtrack_internal.prescription_id_out,
  RECEIVE = rxtrack_internal.prescription_id_recv,
  SEND = rxtrack_internal.prescription_id_send,
  INTERNALLENGTH = 10,
  ALIGNMENT = char,
  STORAGE = plain
);
COMMENT ON TYPE rxtrack.prescription_id IS
  'Short-form prescription id of the Electronic Prescription Service: HHHHHH-CCCCCC-HHHHHX, six hex digits, '
  'six letters or digits of the prescriber''s organisation, five hex digits and a check character out of 0-9, '
  'A-Z and +. 10 bytes, without a length. Every id with the right check character. Letters are read in either '
  'case and shown in upper case. Source: EPS short-form prescription id (modulus 37, 2).';

CREATE FUNCTION rxtrack_internal.prescription_id_sortsupport(internal) RETURNS void
  AS 'MODULE_PATHNAME', 'prescription_id_sortsupport'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.prescription_id_sortsupport(internal) IS
  'Faster sorts and index builds';
