-- NHS number, the first of the four types: prescription id, ODS code and business status have files like this one, and
-- operators.sql has what they have alike.
--
-- A value that breaks its rule can't be stored, whoever writes it. Each type has a text and a binary form, an order
-- that is the order of its texts in the "C" collation (the business statuses have their own), and operator classes for
-- btree and hash indexes. Comparisons are LEAKPROOF, so that an index can be used behind a security barrier or row-level security: they
-- have no way to fail and nothing to say.
--
-- The operators are in pg_catalog, the one schema that every search_path has: no other lets WHERE nhs_number = '...'
-- use an index in the session of anybody who comes with a psql. They are six comparisons of two values of one
-- type, so that nothing else is resolved to them. A parameter that a driver has typed as text or varchar (JDBC's
-- setString), an array of such and a column of text are converted by implicit casts, as core has them for regclass:
-- comparisons with text need no operators of their own, and use the index. What is no such identifier is refused
-- there as it is in a literal. The casts in the other direction are for assignment alone: were they implicit too,
-- nhs_number = $1 would be resolved to text = text, and use no index.

CREATE TYPE rxtrack.nhs_number;

CREATE FUNCTION rxtrack_internal.nhs_number_in(cstring) RETURNS rxtrack.nhs_number
  AS 'MODULE_PATHNAME', 'nhs_number_in'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.nhs_number_in(cstring) IS
  'Reads an NHS number from its text';

CREATE FUNCTION rxtrack_internal.nhs_number_out(rxtrack.nhs_number) RETURNS cstring
  AS 'MODULE_PATHNAME', 'nhs_number_out'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.nhs_number_out(rxtrack.nhs_number) IS
  'Writes an NHS number as its text';

CREATE FUNCTION rxtrack_internal.nhs_number_recv(internal) RETURNS rxtrack.nhs_number
  AS 'MODULE_PATHNAME', 'nhs_number_recv'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.nhs_number_recv(internal) IS
  'Reads an NHS number from its binary form: 8 bytes, the ten digits as an integer';

CREATE FUNCTION rxtrack_internal.nhs_number_send(rxtrack.nhs_number) RETURNS bytea
  AS 'MODULE_PATHNAME', 'nhs_number_send'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.nhs_number_send(rxtrack.nhs_number) IS
  'Writes an NHS number in its binary form: 8 bytes, the ten digits as an integer';

CREATE TYPE rxtrack.nhs_number (
  INPUT = rxtrack_internal.nhs_number_in,
  OUTPUT = rxtrack_internal.nhs_number_out,
  RECEIVE = rxtrack_internal.nhs_number_recv,
  SEND = rxtrack_internal.nhs_number_send,
  LIKE = pg_catalog.int4
);
COMMENT ON TYPE rxtrack.nhs_number IS
  'NHS number, the number of a patient in England: ten digits, the tenth of which is the check digit of the '
  'others. 4 bytes, by value. From 0000000000 to 9999999999, those whose check digit is right. Shown as ten '
  'digits; spaces are not accepted. Source: NHS Data Dictionary, NHS NUMBER (weights 10 to 2, modulus 11).';
