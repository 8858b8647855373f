-- Prescription id. What is common to all types stands in 10_nhs_number.sql.

CREATE TYPE rxtrack.prescription_id;

CREATE FUNCTION rxtrack.prescription_id_in(cstring) RETURNS rxtrack.prescription_id
  AS 'MODULE_PATHNAME', 'prescription_id_in'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.prescription_id_in(cstring) IS
  'Reads a prescription id from its text';

CREATE FUNCTION rxtrack.prescription_id_out(rxtrack.prescription_id) RETURNS cstring
  AS 'MODULE_PATHNAME', 'prescription_id_out'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.prescription_id_out(rxtrack.prescription_id) IS
  'Writes a prescription id as its text';

CREATE FUNCTION rxtrack.prescription_id_recv(internal) RETURNS rxtrack.prescription_id
  AS 'MODULE_PATHNAME', 'prescription_id_recv'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.prescription_id_recv(internal) IS
  'Reads a prescription id from its binary form: the 10 bytes as they are stored';

CREATE FUNCTION rxtrack.prescription_id_send(rxtrack.prescription_id) RETURNS bytea
  AS 'MODULE_PATHNAME', 'prescription_id_send'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.prescription_id_send(rxtrack.prescription_id) IS
  'Writes a prescription id in its binary form: the 10 bytes as they are stored';

CREATE TYPE rxtrack.prescription_id (
  INPUT = rxtrack.prescription_id_in,
  OUTPUT = rxtrack.prescription_id_out,
  RECEIVE = rxtrack.prescription_id_recv,
  SEND = rxtrack.prescription_id_send,
  INTERNALLENGTH = 10,
  ALIGNMENT = char,
  STORAGE = plain
);
COMMENT ON TYPE rxtrack.prescription_id IS
  'Short-form prescription id of the Electronic Prescription Service: HHHHHH-CCCCCC-HHHHHX, six hex digits, '
  'six letters or digits of the prescriber''s organisation, five hex digits and a check character out of 0-9, '
  'A-Z and +. 10 bytes, without a length. Every id with the right check character. Letters are read in either '
  'case and shown in upper case. Source: EPS short-form prescription id (modulus 37, 2).';

CREATE CAST (text AS rxtrack.prescription_id) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS rxtrack.prescription_id) IS
  'Reads a prescription id from text, with the checks of its input';
CREATE CAST (rxtrack.prescription_id AS text) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (rxtrack.prescription_id AS text) IS
  'Writes a prescription id in its canonical spelling';

CREATE FUNCTION rxtrack.prescription_id_eq(rxtrack.prescription_id, rxtrack.prescription_id) RETURNS boolean
  AS 'MODULE_PATHNAME', 'prescription_id_eq'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.prescription_id_eq(rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Implementation of the = operator';

CREATE FUNCTION rxtrack.prescription_id_ne(rxtrack.prescription_id, rxtrack.prescription_id) RETURNS boolean
  AS 'MODULE_PATHNAME', 'prescription_id_ne'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.prescription_id_ne(rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Implementation of the <> operator';

CREATE FUNCTION rxtrack.prescription_id_lt(rxtrack.prescription_id, rxtrack.prescription_id) RETURNS boolean
  AS 'MODULE_PATHNAME', 'prescription_id_lt'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.prescription_id_lt(rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Implementation of the < operator';

CREATE FUNCTION rxtrack.prescription_id_le(rxtrack.prescription_id, rxtrack.prescription_id) RETURNS boolean
  AS 'MODULE_PATHNAME', 'prescription_id_le'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.prescription_id_le(rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Implementation of the <= operator';

CREATE FUNCTION rxtrack.prescription_id_gt(rxtrack.prescription_id, rxtrack.prescription_id) RETURNS boolean
  AS 'MODULE_PATHNAME', 'prescription_id_gt'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.prescription_id_gt(rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Implementation of the > operator';

CREATE FUNCTION rxtrack.prescription_id_ge(rxtrack.prescription_id, rxtrack.prescription_id) RETURNS boolean
  AS 'MODULE_PATHNAME', 'prescription_id_ge'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.prescription_id_ge(rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Implementation of the >= operator';

CREATE FUNCTION rxtrack.prescription_id_cmp(rxtrack.prescription_id, rxtrack.prescription_id) RETURNS integer
  AS 'MODULE_PATHNAME', 'prescription_id_cmp'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.prescription_id_cmp(rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Less than, equal to or greater than: a number below, equal to or above 0';

CREATE FUNCTION rxtrack.prescription_id_hash(rxtrack.prescription_id) RETURNS integer
  AS 'MODULE_PATHNAME', 'prescription_id_hash'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.prescription_id_hash(rxtrack.prescription_id) IS
  'Hash';

CREATE FUNCTION rxtrack.prescription_id_hash_extended(rxtrack.prescription_id, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME', 'prescription_id_hash_extended'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.prescription_id_hash_extended(rxtrack.prescription_id, bigint) IS
  'Hash of 64 bits with a seed';

CREATE FUNCTION rxtrack.prescription_id_sortsupport(internal) RETURNS void
  AS 'MODULE_PATHNAME', 'prescription_id_sortsupport'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.prescription_id_sortsupport(internal) IS
  'Faster sorts and index builds';

CREATE OPERATOR pg_catalog.= (
  FUNCTION = rxtrack.prescription_id_eq, LEFTARG = rxtrack.prescription_id, RIGHTARG = rxtrack.prescription_id,
  COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
  RESTRICT = eqsel, JOIN = eqjoinsel,
  HASHES, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Equal';

CREATE OPERATOR pg_catalog.<> (
  FUNCTION = rxtrack.prescription_id_ne, LEFTARG = rxtrack.prescription_id, RIGHTARG = rxtrack.prescription_id,
  COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
  RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Not equal';

CREATE OPERATOR pg_catalog.< (
  FUNCTION = rxtrack.prescription_id_lt, LEFTARG = rxtrack.prescription_id, RIGHTARG = rxtrack.prescription_id,
  COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
  RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Less than';

CREATE OPERATOR pg_catalog.<= (
  FUNCTION = rxtrack.prescription_id_le, LEFTARG = rxtrack.prescription_id, RIGHTARG = rxtrack.prescription_id,
  COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
  RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Less than or equal';

CREATE OPERATOR pg_catalog.> (
  FUNCTION = rxtrack.prescription_id_gt, LEFTARG = rxtrack.prescription_id, RIGHTARG = rxtrack.prescription_id,
  COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
  RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Greater than';

CREATE OPERATOR pg_catalog.>= (
  FUNCTION = rxtrack.prescription_id_ge, LEFTARG = rxtrack.prescription_id, RIGHTARG = rxtrack.prescription_id,
  COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
  RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (rxtrack.prescription_id, rxtrack.prescription_id) IS
  'Greater than or equal';

CREATE OPERATOR CLASS rxtrack.prescription_id_ops DEFAULT FOR TYPE rxtrack.prescription_id USING btree AS
  OPERATOR 1 pg_catalog.<,
  OPERATOR 2 pg_catalog.<=,
  OPERATOR 3 pg_catalog.=,
  OPERATOR 4 pg_catalog.>=,
  OPERATOR 5 pg_catalog.>,
  FUNCTION 1 rxtrack.prescription_id_cmp(rxtrack.prescription_id, rxtrack.prescription_id),
  FUNCTION 2 rxtrack.prescription_id_sortsupport(internal),
  FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS rxtrack.prescription_id_ops USING btree IS
  'Prescription ids in the order of their texts in the "C" collation; 10 bytes a key';

CREATE OPERATOR CLASS rxtrack.prescription_id_ops DEFAULT FOR TYPE rxtrack.prescription_id USING hash AS
  OPERATOR 1 pg_catalog.=,
  FUNCTION 1 rxtrack.prescription_id_hash(rxtrack.prescription_id),
  FUNCTION 2 rxtrack.prescription_id_hash_extended(rxtrack.prescription_id, bigint);
COMMENT ON OPERATOR CLASS rxtrack.prescription_id_ops USING hash IS
  'Prescription ids by hash: indexes, joins and hash partitions';
