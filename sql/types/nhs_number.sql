-- NHS number, the first of the four types: prescription id, ODS code and business status have files like this one.
--
-- A value that breaks its rule can't be stored, whoever writes it. Each type has a text and a binary form, an order
-- that is the order of its texts in the "C" collation (the business statuses have their own), and operator classes for
-- btree and hash indexes. Comparisons are LEAKPROOF, so that an index can be used behind row-level security: they
-- have no way to fail and nothing to say.
--
-- The operators are in pg_catalog, which every search_path has: WHERE prescription_id = '...' works for anyone, as
-- with the server's own types, and cannot be misled to another operator of that name.

CREATE TYPE rxtrack.nhs_number;

CREATE FUNCTION rxtrack.nhs_number_in(cstring) RETURNS rxtrack.nhs_number
  AS 'MODULE_PATHNAME', 'nhs_number_in'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.nhs_number_in(cstring) IS
  'Reads an NHS number from its text';

CREATE FUNCTION rxtrack.nhs_number_out(rxtrack.nhs_number) RETURNS cstring
  AS 'MODULE_PATHNAME', 'nhs_number_out'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.nhs_number_out(rxtrack.nhs_number) IS
  'Writes an NHS number as its text';

CREATE FUNCTION rxtrack.nhs_number_recv(internal) RETURNS rxtrack.nhs_number
  AS 'MODULE_PATHNAME', 'nhs_number_recv'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.nhs_number_recv(internal) IS
  'Reads an NHS number from its binary form: 8 bytes, the ten digits as an integer';

CREATE FUNCTION rxtrack.nhs_number_send(rxtrack.nhs_number) RETURNS bytea
  AS 'MODULE_PATHNAME', 'nhs_number_send'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.nhs_number_send(rxtrack.nhs_number) IS
  'Writes an NHS number in its binary form: 8 bytes, the ten digits as an integer';

CREATE TYPE rxtrack.nhs_number (
  INPUT = rxtrack.nhs_number_in,
  OUTPUT = rxtrack.nhs_number_out,
  RECEIVE = rxtrack.nhs_number_recv,
  SEND = rxtrack.nhs_number_send,
  LIKE = pg_catalog.int4
);
COMMENT ON TYPE rxtrack.nhs_number IS
  'NHS number, the number of a patient in England: ten digits, the tenth of which is the check digit of the '
  'others. 4 bytes, by value. From 0000000000 to 9999999999, those whose check digit is right. Shown as ten '
  'digits; spaces are not accepted. Source: NHS Data Dictionary, NHS NUMBER (weights 10 to 2, modulus 11).';

CREATE CAST (text AS rxtrack.nhs_number) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS rxtrack.nhs_number) IS
  'Reads an NHS number from text, with the checks of its input';
CREATE CAST (rxtrack.nhs_number AS text) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (rxtrack.nhs_number AS text) IS
  'Writes an NHS number in its canonical spelling';

CREATE FUNCTION rxtrack.nhs_number_eq(rxtrack.nhs_number, rxtrack.nhs_number) RETURNS boolean
  AS 'MODULE_PATHNAME', 'nhs_number_eq'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.nhs_number_eq(rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Implementation of the = operator';

CREATE FUNCTION rxtrack.nhs_number_ne(rxtrack.nhs_number, rxtrack.nhs_number) RETURNS boolean
  AS 'MODULE_PATHNAME', 'nhs_number_ne'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.nhs_number_ne(rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Implementation of the <> operator';

CREATE FUNCTION rxtrack.nhs_number_lt(rxtrack.nhs_number, rxtrack.nhs_number) RETURNS boolean
  AS 'MODULE_PATHNAME', 'nhs_number_lt'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.nhs_number_lt(rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Implementation of the < operator';

CREATE FUNCTION rxtrack.nhs_number_le(rxtrack.nhs_number, rxtrack.nhs_number) RETURNS boolean
  AS 'MODULE_PATHNAME', 'nhs_number_le'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.nhs_number_le(rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Implementation of the <= operator';

CREATE FUNCTION rxtrack.nhs_number_gt(rxtrack.nhs_number, rxtrack.nhs_number) RETURNS boolean
  AS 'MODULE_PATHNAME', 'nhs_number_gt'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.nhs_number_gt(rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Implementation of the > operator';

CREATE FUNCTION rxtrack.nhs_number_ge(rxtrack.nhs_number, rxtrack.nhs_number) RETURNS boolean
  AS 'MODULE_PATHNAME', 'nhs_number_ge'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.nhs_number_ge(rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Implementation of the >= operator';

CREATE FUNCTION rxtrack.nhs_number_cmp(rxtrack.nhs_number, rxtrack.nhs_number) RETURNS integer
  AS 'MODULE_PATHNAME', 'nhs_number_cmp'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.nhs_number_cmp(rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Less than, equal to or greater than: a number below, equal to or above 0';

CREATE FUNCTION rxtrack.nhs_number_hash(rxtrack.nhs_number) RETURNS integer
  AS 'MODULE_PATHNAME', 'nhs_number_hash'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.nhs_number_hash(rxtrack.nhs_number) IS
  'Hash';

CREATE FUNCTION rxtrack.nhs_number_hash_extended(rxtrack.nhs_number, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME', 'nhs_number_hash_extended'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.nhs_number_hash_extended(rxtrack.nhs_number, bigint) IS
  'Hash of 64 bits with a seed';

CREATE OPERATOR pg_catalog.= (
  FUNCTION = rxtrack.nhs_number_eq, LEFTARG = rxtrack.nhs_number, RIGHTARG = rxtrack.nhs_number,
  COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
  RESTRICT = eqsel, JOIN = eqjoinsel,
  HASHES, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Equal';

CREATE OPERATOR pg_catalog.<> (
  FUNCTION = rxtrack.nhs_number_ne, LEFTARG = rxtrack.nhs_number, RIGHTARG = rxtrack.nhs_number,
  COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
  RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Not equal';

CREATE OPERATOR pg_catalog.< (
  FUNCTION = rxtrack.nhs_number_lt, LEFTARG = rxtrack.nhs_number, RIGHTARG = rxtrack.nhs_number,
  COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
  RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Less than';

CREATE OPERATOR pg_catalog.<= (
  FUNCTION = rxtrack.nhs_number_le, LEFTARG = rxtrack.nhs_number, RIGHTARG = rxtrack.nhs_number,
  COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
  RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Less than or equal';

CREATE OPERATOR pg_catalog.> (
  FUNCTION = rxtrack.nhs_number_gt, LEFTARG = rxtrack.nhs_number, RIGHTARG = rxtrack.nhs_number,
  COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
  RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Greater than';

CREATE OPERATOR pg_catalog.>= (
  FUNCTION = rxtrack.nhs_number_ge, LEFTARG = rxtrack.nhs_number, RIGHTARG = rxtrack.nhs_number,
  COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
  RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (rxtrack.nhs_number, rxtrack.nhs_number) IS
  'Greater than or equal';

CREATE OPERATOR CLASS rxtrack.nhs_number_ops DEFAULT FOR TYPE rxtrack.nhs_number USING btree AS
  OPERATOR 1 pg_catalog.<,
  OPERATOR 2 pg_catalog.<=,
  OPERATOR 3 pg_catalog.=,
  OPERATOR 4 pg_catalog.>=,
  OPERATOR 5 pg_catalog.>,
  FUNCTION 1 rxtrack.nhs_number_cmp(rxtrack.nhs_number, rxtrack.nhs_number),
  FUNCTION 2 pg_catalog.btint4sortsupport(internal),
  FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS rxtrack.nhs_number_ops USING btree IS
  'NHS numbers in the order of their texts in the "C" collation; 4 bytes a key';

CREATE OPERATOR CLASS rxtrack.nhs_number_ops DEFAULT FOR TYPE rxtrack.nhs_number USING hash AS
  OPERATOR 1 pg_catalog.=,
  FUNCTION 1 rxtrack.nhs_number_hash(rxtrack.nhs_number),
  FUNCTION 2 rxtrack.nhs_number_hash_extended(rxtrack.nhs_number, bigint);
COMMENT ON OPERATOR CLASS rxtrack.nhs_number_ops USING hash IS
  'NHS numbers by hash: indexes, joins and hash partitions';
