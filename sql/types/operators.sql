-- Casts, operators and operator classes of the four types: one text, run for each, as they differ in their names alone.
-- Where a type is stored as one of core's (LIKE), core's own functions compare and hash it.
-- Why they are as they are stands at the head of nhs_number.sql.

DO $do$
DECLARE
	type record;
	statement text;
	word text;
	value text;
	statements constant text := $$
CREATE CAST (text AS rxtrack.@type@) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (text AS rxtrack.@type@) IS 'Reads the text of one @words@. Errors: 22P02';
CREATE CAST (varchar AS rxtrack.@type@) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (varchar AS rxtrack.@type@) IS 'Reads the text of one @words@. Errors: 22P02';
CREATE CAST (rxtrack.@type@ AS text) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (rxtrack.@type@ AS text) IS 'Writes the @words@ in its canonical spelling';

CREATE FUNCTION rxtrack_internal.@type@_eq(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS @file@'@compare@eq'
  LANGUAGE @language@ IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_eq(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the = operator';
CREATE FUNCTION rxtrack_internal.@type@_ne(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS @file@'@compare@ne'
  LANGUAGE @language@ IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_ne(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the <> operator';
CREATE FUNCTION rxtrack_internal.@type@_lt(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS @file@'@compare@lt'
  LANGUAGE @language@ IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_lt(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the < operator';
CREATE FUNCTION rxtrack_internal.@type@_le(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS @file@'@compare@le'
  LANGUAGE @language@ IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_le(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the <= operator';
CREATE FUNCTION rxtrack_internal.@type@_gt(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS @file@'@compare@gt'
  LANGUAGE @language@ IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_gt(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the > operator';
CREATE FUNCTION rxtrack_internal.@type@_ge(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS @file@'@compare@ge'
  LANGUAGE @language@ IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_ge(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the >= operator';

CREATE FUNCTION rxtrack_internal.@type@_cmp(rxtrack.@type@, rxtrack.@type@) RETURNS integer
  AS @file@'@cmp@'
  LANGUAGE @language@ IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_cmp(rxtrack.@type@, rxtrack.@type@) IS
  'Less than, equal to or greater than: a number below, equal to or above 0';
CREATE FUNCTION rxtrack_internal.@type@_hash(rxtrack.@type@) RETURNS integer
  AS @file@'@hash@'
  LANGUAGE @language@ IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_hash(rxtrack.@type@) IS 'Hash';
CREATE FUNCTION rxtrack_internal.@type@_hash_extended(rxtrack.@type@, bigint) RETURNS bigint
  AS @file@'@hash_extended@'
  LANGUAGE @language@ IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_hash_extended(rxtrack.@type@, bigint) IS 'Hash of 64 bits with a seed';

CREATE OPERATOR pg_catalog.= (
  FUNCTION = rxtrack_internal.@type@_eq, LEFTARG = rxtrack.@type@, RIGHTARG = rxtrack.@type@,
  COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>),
  RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR pg_catalog.= (rxtrack.@type@, rxtrack.@type@) IS 'Equal';
CREATE OPERATOR pg_catalog.<> (
  FUNCTION = rxtrack_internal.@type@_ne, LEFTARG = rxtrack.@type@, RIGHTARG = rxtrack.@type@,
  COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=),
  RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR pg_catalog.<> (rxtrack.@type@, rxtrack.@type@) IS 'Not equal';
CREATE OPERATOR pg_catalog.< (
  FUNCTION = rxtrack_internal.@type@_lt, LEFTARG = rxtrack.@type@, RIGHTARG = rxtrack.@type@,
  COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=),
  RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR pg_catalog.< (rxtrack.@type@, rxtrack.@type@) IS 'Less than';
CREATE OPERATOR pg_catalog.<= (
  FUNCTION = rxtrack_internal.@type@_le, LEFTARG = rxtrack.@type@, RIGHTARG = rxtrack.@type@,
  COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>),
  RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR pg_catalog.<= (rxtrack.@type@, rxtrack.@type@) IS 'Less than or equal';
CREATE OPERATOR pg_catalog.> (
  FUNCTION = rxtrack_internal.@type@_gt, LEFTARG = rxtrack.@type@, RIGHTARG = rxtrack.@type@,
  COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=),
  RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR pg_catalog.> (rxtrack.@type@, rxtrack.@type@) IS 'Greater than';
CREATE OPERATOR pg_catalog.>= (
  FUNCTION = rxtrack_internal.@type@_ge, LEFTARG = rxtrack.@type@, RIGHTARG = rxtrack.@type@,
  COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<),
  RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR pg_catalog.>= (rxtrack.@type@, rxtrack.@type@) IS 'Greater than or equal';

CREATE OPERATOR CLASS rxtrack_internal.@type@_ops DEFAULT FOR TYPE rxtrack.@type@ USING btree AS
  OPERATOR 1 pg_catalog.<,
  OPERATOR 2 pg_catalog.<=,
  OPERATOR 3 pg_catalog.=,
  OPERATOR 4 pg_catalog.>=,
  OPERATOR 5 pg_catalog.>,
  FUNCTION 1 rxtrack_internal.@type@_cmp(rxtrack.@type@, rxtrack.@type@),@sortsupport@
  FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS rxtrack_internal.@type@_ops USING btree IS 'The @words@ in the order of @order@';
CREATE OPERATOR CLASS rxtrack_internal.@type@_ops DEFAULT FOR TYPE rxtrack.@type@ USING hash AS
  OPERATOR 1 pg_catalog.=,
  FUNCTION 1 rxtrack_internal.@type@_hash(rxtrack.@type@),
  FUNCTION 2 rxtrack_internal.@type@_hash_extended(rxtrack.@type@, bigint);
COMMENT ON OPERATOR CLASS rxtrack_internal.@type@_ops USING hash IS
  'The @words@ by hash: indexes, joins and hash partitions';
$$;
BEGIN
	FOR type IN
		SELECT * FROM (VALUES
			('nhs_number', 'NHS number', 'internal', 'int4', 'btint4cmp', 'hashint4', 'hashint4extended',
			 ' FUNCTION 2 pg_catalog.btint4sortsupport(internal),', 'its text in the "C" collation; 4 bytes a key'),
			('prescription_id', 'prescription id', 'C', 'prescription_id_', 'prescription_id_cmp', 'prescription_id_hash',
			 'prescription_id_hash_extended',
			 ' FUNCTION 2 rxtrack_internal.prescription_id_sortsupport(internal),', 'its text in the "C" collation; 10 bytes a key'),
			('ods_code', 'ODS code', 'internal', 'int8', 'btint8cmp', 'hashint8', 'hashint8extended',
			 ' FUNCTION 2 pg_catalog.btint8sortsupport(internal),', 'its text in the "C" collation; 8 bytes a key'),
			('business_status', 'business status', 'internal', 'char', 'btcharcmp', 'hashchar', 'hashcharextended',
			 '', 'the statuses; 1 byte a key')
		) AS t (type, words, language, compare, cmp, hash, hash_extended, sortsupport, "order")
	LOOP
		statement := replace(statements, '@file@', CASE type.language WHEN 'C' THEN $$'MODULE_PATHNAME', $$ ELSE '' END);
		FOR word, value IN SELECT * FROM json_each_text(row_to_json(type)) LOOP
			statement := replace(statement, '@' || word || '@', value);
		END LOOP;
		EXECUTE statement;
	END LOOP;
END
$do$;
