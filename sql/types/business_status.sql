-- Business status. What is common to all types stands in 10_nhs_number.sql.

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
