-- ODS code. What is common to all types stands in 10_nhs_number.sql.

CREATE TYPE rxtrack.ods_code;

CREATE FUNCTION rxtrack.ods_code_in(cstring) RETURNS rxtrack.ods_code
  AS 'MODULE_PATHNAME', 'ods_code_in'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.ods_code_in(cstring) IS
  'Reads an ODS code from its text';

CREATE FUNCTION rxtrack.ods_code_out(rxtrack.ods_code) RETURNS cstring
  AS 'MODULE_PATHNAME', 'ods_code_out'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.ods_code_out(rxtrack.ods_code) IS
  'Writes an ODS code as its text';

CREATE FUNCTION rxtrack.ods_code_recv(internal) RETURNS rxtrack.ods_code
  AS 'MODULE_PATHNAME', 'ods_code_recv'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.ods_code_recv(internal) IS
  'Reads an ODS code from its binary form: the text';

CREATE FUNCTION rxtrack.ods_code_send(rxtrack.ods_code) RETURNS bytea
  AS 'MODULE_PATHNAME', 'ods_code_send'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.ods_code_send(rxtrack.ods_code) IS
  'Writes an ODS code in its binary form: the text';

CREATE TYPE rxtrack.ods_code (
  INPUT = rxtrack.ods_code_in,
  OUTPUT = rxtrack.ods_code_out,
  RECEIVE = rxtrack.ods_code_recv,
  SEND = rxtrack.ods_code_send,
  LIKE = pg_catalog.int8
);
COMMENT ON TYPE rxtrack.ods_code IS
  'ODS code of a pharmacy or another organisation: 1 to 12 letters or digits. 8 bytes, by value. White space '
  'around it is dropped, letters are read in either case and shown in upper case. Source: the Organisation '
  'Data Service, which gives the codes out; they have no check character.';

CREATE CAST (text AS rxtrack.ods_code) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS rxtrack.ods_code) IS
  'Reads an ODS code from text, with the checks of its input';
CREATE CAST (rxtrack.ods_code AS text) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (rxtrack.ods_code AS text) IS
  'Writes an ODS code in its canonical spelling';

CREATE FUNCTION rxtrack.ods_code_eq(rxtrack.ods_code, rxtrack.ods_code) RETURNS boolean
  AS 'MODULE_PATHNAME', 'ods_code_eq'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.ods_code_eq(rxtrack.ods_code, rxtrack.ods_code) IS
  'Implementation of the = operator';

CREATE FUNCTION rxtrack.ods_code_ne(rxtrack.ods_code, rxtrack.ods_code) RETURNS boolean
  AS 'MODULE_PATHNAME', 'ods_code_ne'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.ods_code_ne(rxtrack.ods_code, rxtrack.ods_code) IS
  'Implementation of the <> operator';

CREATE FUNCTION rxtrack.ods_code_lt(rxtrack.ods_code, rxtrack.ods_code) RETURNS boolean
  AS 'MODULE_PATHNAME', 'ods_code_lt'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.ods_code_lt(rxtrack.ods_code, rxtrack.ods_code) IS
  'Implementation of the < operator';

CREATE FUNCTION rxtrack.ods_code_le(rxtrack.ods_code, rxtrack.ods_code) RETURNS boolean
  AS 'MODULE_PATHNAME', 'ods_code_le'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.ods_code_le(rxtrack.ods_code, rxtrack.ods_code) IS
  'Implementation of the <= operator';

CREATE FUNCTION rxtrack.ods_code_gt(rxtrack.ods_code, rxtrack.ods_code) RETURNS boolean
  AS 'MODULE_PATHNAME', 'ods_code_gt'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.ods_code_gt(rxtrack.ods_code, rxtrack.ods_code) IS
  'Implementation of the > operator';

CREATE FUNCTION rxtrack.ods_code_ge(rxtrack.ods_code, rxtrack.ods_code) RETURNS boolean
  AS 'MODULE_PATHNAME', 'ods_code_ge'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.ods_code_ge(rxtrack.ods_code, rxtrack.ods_code) IS
  'Implementation of the >= operator';

CREATE FUNCTION rxtrack.ods_code_cmp(rxtrack.ods_code, rxtrack.ods_code) RETURNS integer
  AS 'MODULE_PATHNAME', 'ods_code_cmp'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.ods_code_cmp(rxtrack.ods_code, rxtrack.ods_code) IS
  'Less than, equal to or greater than: a number below, equal to or above 0';

CREATE FUNCTION rxtrack.ods_code_hash(rxtrack.ods_code) RETURNS integer
  AS 'MODULE_PATHNAME', 'ods_code_hash'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.ods_code_hash(rxtrack.ods_code) IS
  'Hash';

CREATE FUNCTION rxtrack.ods_code_hash_extended(rxtrack.ods_code, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME', 'ods_code_hash_extended'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.ods_code_hash_extended(rxtrack.ods_code, bigint) IS
  'Hash of 64 bits with a seed';

CREATE OPERATOR pg_catalog.= (
  FUNCTION = rxtrack.ods_code_eq, LEFTARG = rxtrack.ods_code, RIGHTARG = rxtrack.ods_code,
  COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
  RESTRICT = eqsel, JOIN = eqjoinsel,
  HASHES, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (rxtrack.ods_code, rxtrack.ods_code) IS
  'Equal';

CREATE OPERATOR pg_catalog.<> (
  FUNCTION = rxtrack.ods_code_ne, LEFTARG = rxtrack.ods_code, RIGHTARG = rxtrack.ods_code,
  COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
  RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (rxtrack.ods_code, rxtrack.ods_code) IS
  'Not equal';

CREATE OPERATOR pg_catalog.< (
  FUNCTION = rxtrack.ods_code_lt, LEFTARG = rxtrack.ods_code, RIGHTARG = rxtrack.ods_code,
  COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
  RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (rxtrack.ods_code, rxtrack.ods_code) IS
  'Less than';

CREATE OPERATOR pg_catalog.<= (
  FUNCTION = rxtrack.ods_code_le, LEFTARG = rxtrack.ods_code, RIGHTARG = rxtrack.ods_code,
  COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
  RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (rxtrack.ods_code, rxtrack.ods_code) IS
  'Less than or equal';

CREATE OPERATOR pg_catalog.> (
  FUNCTION = rxtrack.ods_code_gt, LEFTARG = rxtrack.ods_code, RIGHTARG = rxtrack.ods_code,
  COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
  RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (rxtrack.ods_code, rxtrack.ods_code) IS
  'Greater than';

CREATE OPERATOR pg_catalog.>= (
  FUNCTION = rxtrack.ods_code_ge, LEFTARG = rxtrack.ods_code, RIGHTARG = rxtrack.ods_code,
  COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
  RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (rxtrack.ods_code, rxtrack.ods_code) IS
  'Greater than or equal';

CREATE OPERATOR CLASS rxtrack.ods_code_ops DEFAULT FOR TYPE rxtrack.ods_code USING btree AS
  OPERATOR 1 pg_catalog.<,
  OPERATOR 2 pg_catalog.<=,
  OPERATOR 3 pg_catalog.=,
  OPERATOR 4 pg_catalog.>=,
  OPERATOR 5 pg_catalog.>,
  FUNCTION 1 rxtrack.ods_code_cmp(rxtrack.ods_code, rxtrack.ods_code),
  FUNCTION 2 pg_catalog.btint8sortsupport(internal),
  FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS rxtrack.ods_code_ops USING btree IS
  'ODS codes in the order of their texts in the "C" collation; 8 bytes a key';

CREATE OPERATOR CLASS rxtrack.ods_code_ops DEFAULT FOR TYPE rxtrack.ods_code USING hash AS
  OPERATOR 1 pg_catalog.=,
  FUNCTION 1 rxtrack.ods_code_hash(rxtrack.ods_code),
  FUNCTION 2 rxtrack.ods_code_hash_extended(rxtrack.ods_code, bigint);
COMMENT ON OPERATOR CLASS rxtrack.ods_code_ops USING hash IS
  'ODS codes by hash: indexes, joins and hash partitions';
