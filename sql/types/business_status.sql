-- Business status. What is common to the four types stands in nhs_number.sql.

CREATE TYPE rxtrack.business_status;

CREATE FUNCTION rxtrack_internal.business_status_in(cstring) RETURNS rxtrack.business_status
  AS 'MODULE_PATHNAME', 'business_status_in'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.business_status_in(cstring) IS
  'Reads a business status from its text';

CREATE FUNCTION rxtrack_internal.business_status_out(rxtrack.business_status) RETURNS cstring
  AS 'MODULE_PATHNAME', 'business_status_out'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.business_status_out(rxtrack.business_status) IS
  'Writes a business status as its text';

CREATE FUNCTION rxtrack_internal.business_status_recv(internal) RETURNS rxtrack.business_status
  AS 'MODULE_PATHNAME', 'business_status_recv'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.business_status_recv(internal) IS
  'Reads a business status from its binary form: 1 byte, 1 to 9 in the order of the statuses';

CREATE FUNCTION rxtrack_internal.business_status_send(rxtrack.business_status) RETURNS bytea
  AS 'MODULE_PATHNAME', 'business_status_send'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.business_status_send(rxtrack.business_status) IS
  'Writes a business status in its binary form: 1 byte, 1 to 9 in the order of the statuses';

CREATE TYPE rxtrack.business_status (
  INPUT = rxtrack_internal.business_status_in,
  OUTPUT = rxtrack_internal.business_status_out,
  RECEIVE = rxtrack_internal.business_status_recv,
  SEND = rxtrack_internal.business_status_send,
  LIKE = pg_catalog."char"
);
COMMENT ON TYPE rxtrack.business_status IS
  'Business status of a prescription item. 1 byte, by value. One of, in this order: With Pharmacy, With '
  'Pharmacy - Preparing Remainder, Ready to Collect, Ready to Collect - Partial, Ready to Dispatch, Ready to '
  'Dispatch - Partial, Collected, Dispatched, Not Dispensed. Read in any case and shown in this spelling. '
  'Source: the code system https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt.';

CREATE FUNCTION rxtrack.short_name(status rxtrack.business_status) RETURNS text
  AS 'MODULE_PATHNAME', 'business_status_short_name'
  LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack.short_name(rxtrack.business_status) IS
  'The short name of a status, RC for Ready to Collect: WP, WPR, RC, RCP, RD, RDP, C, D or ND';

CREATE FUNCTION rxtrack_internal.business_status_names() RETURNS text[]
  AS 'MODULE_PATHNAME', 'business_status_names'
  LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION rxtrack_internal.business_status_names() IS
  'The business statuses that there are, in their order';
