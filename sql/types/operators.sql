-- Casts, operators and operator classes of the four types: one text, run for each, as they differ in their names alone.
-- Why they are as they are stands at the head of nhs_number.sql.

DO $do$
DECLARE
	type record;
	statements constant text := $$
CREATE CAST (text AS rxtrack.@type@) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (text AS rxtrack.@type@) IS 'Reads the text of one @words@. Errors: 22P02';
CREATE CAST (varchar AS rxtrack.@type@) WITH INOUT AS IMPLICIT;
COMMENT ON CAST (varchar AS rxtrack.@type@) IS 'Reads the text of one @words@. Errors: 22P02';
CREATE CAST (rxtrack.@type@ AS text) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (rxtrack.@type@ AS text) IS 'Writes the @words@ in its canonical spelling';

CREATE FUNCTION rxtrack_internal.@type@_eq(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS 'MODULE_PATHNAME', '@type@_eq'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_eq(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the = operator';
CREATE FUNCTION rxtrack_internal.@type@_ne(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS 'MODULE_PATHNAME', '@type@_ne'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_ne(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the <> operator';
CREATE FUNCTION rxtrack_internal.@type@_lt(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS 'MODULE_PATHNAME', '@type@_lt'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_lt(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the < operator';
CREATE FUNCTION rxtrack_internal.@type@_le(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS 'MODULE_PATHNAME', '@type@_le'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_le(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the <= operator';
CREATE FUNCTION rxtrack_internal.@type@_gt(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS 'MODULE_PATHNAME', '@type@_gt'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_gt(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the > operator';
CREATE FUNCTION rxtrack_internal.@type@_ge(rxtrack.@type@, rxtrack.@type@) RETURNS boolean
  AS 'MODULE_PATHNAME', '@type@_ge'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_ge(rxtrack.@type@, rxtrack.@type@) IS 'Implementation of the >= operator';

CREATE FUNCTION rxtrack_internal.@type@_cmp(rxtrack.@type@, rxtrack.@type@) RETURNS integer
  AS 'MODULE_PATHNAME', '@type@_cmp'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_cmp(rxtrack.@type@, rxtrack.@type@) IS
  'Less than, equal to or greater than: a number below, equal to or above 0';
CREATE FUNCTION rxtrack_internal.@type@_hash(rxtrack.@type@) RETURNS integer
  AS 'MODULE_PATHNAME', '@type@_hash'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION rxtrack_internal.@type@_hash(rxtrack.@type@) IS 'Hash';
CREATE FUNCTION rxtrack_internal.@type@_hash_extended(rxtrack.@type@, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME', '@type@_hash_extended'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
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
			('nhs_number', 'NHS number', ' FUNCTION 2 pg_catalog.btint4sortsupport(internal),',
			 'its text in the "C" collation; 4 bytes a key'),
			('prescription_id', 'prescription id', ' FUNCTION 2 rxtrack_internal.prescription_id_sortsupport(internal),',
			 'its text in the "C" collation; 10 bytes a key'),
			('ods_code', 'ODS code', ' FUNCTION 2 pg_catalog.btint8sortsupport(internal),',
			 'its text in the "C" collation; 8 bytes a key'),
			('business_status', 'business status', '',
			 'the statuses; 1 byte a key')
		) AS t (name, words, sortsupport, order_of)
	LOOP
		EXECUTE replace(replace(replace(replace(statements, '@type@', type.name), '@words@', type.words),
								'@sortsupport@', type.sortsupport), '@order@', type.order_of);
	END LOOP;
END
$do$;
