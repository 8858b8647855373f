-- The types: NHS number, prescription id, ODS code and business status.
--
-- A value that breaks its rule can't be stored, whoever writes it. Each type has a text and a binary form, an order
-- that is the order of its texts in the "C" collation (the business statuses have their own), and operator classes for
-- btree and hash indexes. Comparisons are LEAKPROOF, so that an index can be used behind row-level security: they
-- have no way to fail and nothing to say.
--
-- The operators are in pg_catalog, which every search_path has: WHERE prescription_id = '...' works for anyone, as
-- with the server's own types, and cannot be misled to another operator of that name.

-- ---------- NHS number ----------

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

-- ---------- Prescription id ----------

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

-- ---------- ODS code ----------

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

-- ---------- Business status ----------

CREATE TYPE rxtrack.business_status;

CREATE FUNCTION rxtrack.business_status_in(cstring) RETURNS rxtrack.business_status
  AS 'MODULE_PATHNAME', 'business_status_in'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.business_status_in(cstring) IS
  'Reads a business status from its text';

CREATE FUNCTION rxtrack.business_status_out(rxtrack.business_status) RETURNS cstring
  AS 'MODULE_PATHNAME', 'business_status_out'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.business_status_out(rxtrack.business_status) IS
  'Writes a business status as its text';

CREATE FUNCTION rxtrack.business_status_recv(internal) RETURNS rxtrack.business_status
  AS 'MODULE_PATHNAME', 'business_status_recv'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.business_status_recv(internal) IS
  'Reads a business status from its binary form: 1 byte, 1 to 9 in the order of the statuses';

CREATE FUNCTION rxtrack.business_status_send(rxtrack.business_status) RETURNS bytea
  AS 'MODULE_PATHNAME', 'business_status_send'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.business_status_send(rxtrack.business_status) IS
  'Writes a business status in its binary form: 1 byte, 1 to 9 in the order of the statuses';

CREATE TYPE rxtrack.business_status (
  INPUT = rxtrack.business_status_in,
  OUTPUT = rxtrack.business_status_out,
  RECEIVE = rxtrack.business_status_recv,
  SEND = rxtrack.business_status_send,
  LIKE = pg_catalog."char"
);
COMMENT ON TYPE rxtrack.business_status IS
  'Business status of a prescription item. 1 byte, by value. One of, in this order: With Pharmacy, With '
  'Pharmacy - Preparing Remainder, Ready to Collect, Ready to Collect - Partial, Ready to Dispatch, Ready to '
  'Dispatch - Partial, Collected, Dispatched, Not Dispensed. Read in any case and shown in this spelling. '
  'Source: the code system https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt.';

CREATE CAST (text AS rxtrack.business_status) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS rxtrack.business_status) IS
  'Reads a business status from text, with the checks of its input';
CREATE CAST (rxtrack.business_status AS text) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (rxtrack.business_status AS text) IS
  'Writes a business status in its canonical spelling';

CREATE FUNCTION rxtrack.business_status_eq(rxtrack.business_status, rxtrack.business_status) RETURNS boolean
  AS 'MODULE_PATHNAME', 'business_status_eq'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.business_status_eq(rxtrack.business_status, rxtrack.business_status) IS
  'Implementation of the = operator';

CREATE FUNCTION rxtrack.business_status_ne(rxtrack.business_status, rxtrack.business_status) RETURNS boolean
  AS 'MODULE_PATHNAME', 'business_status_ne'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.business_status_ne(rxtrack.business_status, rxtrack.business_status) IS
  'Implementation of the <> operator';

CREATE FUNCTION rxtrack.business_status_lt(rxtrack.business_status, rxtrack.business_status) RETURNS boolean
  AS 'MODULE_PATHNAME', 'business_status_lt'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.business_status_lt(rxtrack.business_status, rxtrack.business_status) IS
  'Implementation of the < operator';

CREATE FUNCTION rxtrack.business_status_le(rxtrack.business_status, rxtrack.business_status) RETURNS boolean
  AS 'MODULE_PATHNAME', 'business_status_le'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.business_status_le(rxtrack.business_status, rxtrack.business_status) IS
  'Implementation of the <= operator';

CREATE FUNCTION rxtrack.business_status_gt(rxtrack.business_status, rxtrack.business_status) RETURNS boolean
  AS 'MODULE_PATHNAME', 'business_status_gt'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.business_status_gt(rxtrack.business_status, rxtrack.business_status) IS
  'Implementation of the > operator';

CREATE FUNCTION rxtrack.business_status_ge(rxtrack.business_status, rxtrack.business_status) RETURNS boolean
  AS 'MODULE_PATHNAME', 'business_status_ge'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.business_status_ge(rxtrack.business_status, rxtrack.business_status) IS
  'Implementation of the >= operator';

CREATE FUNCTION rxtrack.business_status_cmp(rxtrack.business_status, rxtrack.business_status) RETURNS integer
  AS 'MODULE_PATHNAME', 'business_status_cmp'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.business_status_cmp(rxtrack.business_status, rxtrack.business_status) IS
  'Less than, equal to or greater than: a number below, equal to or above 0';

CREATE FUNCTION rxtrack.business_status_hash(rxtrack.business_status) RETURNS integer
  AS 'MODULE_PATHNAME', 'business_status_hash'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.business_status_hash(rxtrack.business_status) IS
  'Hash';

CREATE FUNCTION rxtrack.business_status_hash_extended(rxtrack.business_status, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME', 'business_status_hash_extended'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack.business_status_hash_extended(rxtrack.business_status, bigint) IS
  'Hash of 64 bits with a seed';

CREATE OPERATOR pg_catalog.= (
  FUNCTION = rxtrack.business_status_eq, LEFTARG = rxtrack.business_status, RIGHTARG = rxtrack.business_status,
  COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
  RESTRICT = eqsel, JOIN = eqjoinsel,
  HASHES, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (rxtrack.business_status, rxtrack.business_status) IS
  'Equal';

CREATE OPERATOR pg_catalog.<> (
  FUNCTION = rxtrack.business_status_ne, LEFTARG = rxtrack.business_status, RIGHTARG = rxtrack.business_status,
  COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
  RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (rxtrack.business_status, rxtrack.business_status) IS
  'Not equal';

CREATE OPERATOR pg_catalog.< (
  FUNCTION = rxtrack.business_status_lt, LEFTARG = rxtrack.business_status, RIGHTARG = rxtrack.business_status,
  COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
  RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (rxtrack.business_status, rxtrack.business_status) IS
  'Less than';

CREATE OPERATOR pg_catalog.<= (
  FUNCTION = rxtrack.business_status_le, LEFTARG = rxtrack.business_status, RIGHTARG = rxtrack.business_status,
  COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
  RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (rxtrack.business_status, rxtrack.business_status) IS
  'Less than or equal';

CREATE OPERATOR pg_catalog.> (
  FUNCTION = rxtrack.business_status_gt, LEFTARG = rxtrack.business_status, RIGHTARG = rxtrack.business_status,
  COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
  RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (rxtrack.business_status, rxtrack.business_status) IS
  'Greater than';

CREATE OPERATOR pg_catalog.>= (
  FUNCTION = rxtrack.business_status_ge, LEFTARG = rxtrack.business_status, RIGHTARG = rxtrack.business_status,
  COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
  RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (rxtrack.business_status, rxtrack.business_status) IS
  'Greater than or equal';

CREATE OPERATOR CLASS rxtrack.business_status_ops DEFAULT FOR TYPE rxtrack.business_status USING btree AS
  OPERATOR 1 pg_catalog.<,
  OPERATOR 2 pg_catalog.<=,
  OPERATOR 3 pg_catalog.=,
  OPERATOR 4 pg_catalog.>=,
  OPERATOR 5 pg_catalog.>,
  FUNCTION 1 rxtrack.business_status_cmp(rxtrack.business_status, rxtrack.business_status),
  FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS rxtrack.business_status_ops USING btree IS
  'Business statuses in the order of the statuses; 1 byte a key';

CREATE OPERATOR CLASS rxtrack.business_status_ops DEFAULT FOR TYPE rxtrack.business_status USING hash AS
  OPERATOR 1 pg_catalog.=,
  FUNCTION 1 rxtrack.business_status_hash(rxtrack.business_status),
  FUNCTION 2 rxtrack.business_status_hash_extended(rxtrack.business_status, bigint);
COMMENT ON OPERATOR CLASS rxtrack.business_status_ops USING hash IS
  'Business statuses by hash: indexes, joins and hash partitions';

CREATE FUNCTION rxtrack.short_name(rxtrack.business_status) RETURNS text
  AS 'MODULE_PATHNAME', 'business_status_short_name'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.short_name(rxtrack.business_status) IS
  'The short name of a status, RC for Ready to Collect: WP, WPR, RC, RCP, RD, RDP, C, D or ND';

CREATE FUNCTION rxtrack.business_status_names() RETURNS text[]
  AS 'MODULE_PATHNAME', 'business_status_names'
  LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.business_status_names() IS
  'The business statuses that there are, in their order';
