/*
 * catalog.c
 *		Finding the extension's types, and keeping prepared statements.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "catalog/namespace.h"
#include "utils/array.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "tables/catalog.h"

static Catalog catalog;
static uint64 doubts = 1;		/* how often its types may have become others */
static uint64 doubts_settled = 0;

#define OURS(member) .ours = offsetof(Catalog, member)

const ElementType element_nhs_number = {OURS(nhs_number), .length = 4, .by_value = true, .alignment = TYPALIGN_INT};
const ElementType element_prescription_id = {OURS(prescription_id), .length = sizeof(PrescriptionId), .alignment = TYPALIGN_CHAR};
const ElementType element_ods_code = {OURS(ods_code), .length = 8, .by_value = FLOAT8PASSBYVAL, .alignment = TYPALIGN_DOUBLE};
const ElementType element_business_status = {OURS(business_status), .length = 1, .by_value = true, .alignment = TYPALIGN_CHAR};
const ElementType element_transition_kind = {OURS(transition_kind), .length = sizeof(Oid), .by_value = true, .alignment = TYPALIGN_INT};
const ElementType element_uuid = {UUIDOID, .length = UUID_LEN, .alignment = TYPALIGN_CHAR};
const ElementType element_timestamptz = {TIMESTAMPTZOID, .length = 8, .by_value = FLOAT8PASSBYVAL, .alignment = TYPALIGN_DOUBLE};
const ElementType element_integer = {INT4OID, .length = 4, .by_value = true, .alignment = TYPALIGN_INT};
const ElementType element_bigint = {INT8OID, .length = 8, .by_value = FLOAT8PASSBYVAL, .alignment = TYPALIGN_DOUBLE};
const ElementType element_boolean = {BOOLOID, .length = 1, .by_value = true, .alignment = TYPALIGN_CHAR};
const ElementType element_bytea = {BYTEAOID, .length = -1, .alignment = TYPALIGN_INT};
const ElementType element_text = {TEXTOID, .length = -1, .alignment = TYPALIGN_INT};

static const char *const event_states[EVENT_STATE_COUNT] = {
	[EVENT_PENDING] = "pending",
	[EVENT_RELEASED] = "released",
	[EVENT_CANCELLED] = "cancelled"
};

static const char *const alert_reasons[ALERT_REASON_COUNT] = {
	[ALERT_PHARMACY_BLOCKED] = "pharmacy blocked",
	[ALERT_PHARMACY_NOT_ENABLED] = "pharmacy not enabled",
	[ALERT_APPLICATION_NOT_ENABLED] = "application not enabled",
	[ALERT_COOLDOWN] = "cooldown"
};

static Oid
type_oid(Oid namespace_oid, const char *name)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, PointerGetDatum(name),
									   ObjectIdGetDatum(namespace_oid));

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type rxtrack.%s does not exist", name),
				 errhint("Run CREATE EXTENSION rxtrack or ALTER EXTENSION rxtrack UPDATE.")));
	return type;
}

static Oid
enum_label(Oid type, const char *label)
{
	Oid			value = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid, ObjectIdGetDatum(type),
										CStringGetDatum(label));

	if (!OidIsValid(value))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("enum label \"%s\" does not exist", label)));
	return value;
}

/* Some type was made, changed or dropped, perhaps ours. */
static void
doubt_catalog(Datum arg, int cache, uint32 hash)
{
	(void) arg;
	(void) cache;
	(void) hash;
	doubts++;
}

void
catalog_init(void)
{
	CacheRegisterSyscacheCallback(TYPEOID, doubt_catalog, (Datum) 0);
}

static void
look_up_labels(Oid *values, Oid type, const char *const *labels, int count)
{
	for (int i = 0; i < count; i++)
		values[i] = enum_label(type, labels[i]);
}

static void
look_up(Catalog *found)
{
	Oid			schema = get_namespace_oid("rxtrack", false);

	found->namespace_oid = schema;
	found->nhs_number = type_oid(schema, "nhs_number");
	found->prescription_id = type_oid(schema, "prescription_id");
	found->ods_code = type_oid(schema, "ods_code");
	found->business_status = type_oid(schema, "business_status");
	found->transition_kind = type_oid(schema, "transition_kind");
	for (int kind = 0; kind < TRANSITION_KIND_COUNT; kind++)
		found->transition_kinds[kind] = enum_label(found->transition_kind, transition_kind_name(kind));
	look_up_labels(found->event_states, type_oid(schema, "event_state"), event_states, EVENT_STATE_COUNT);
	look_up_labels(found->alert_reasons, type_oid(schema, "alert_reason"), alert_reasons, ALERT_REASON_COUNT);
}

const Catalog *
catalog_get(void)
{
	uint64		doubts_before = doubts;
	Catalog		found = {0};

	if (doubts == doubts_settled)
		return &catalog;
	look_up(&found);
	if (memcmp(&found, &catalog, offsetof(Catalog, generation)) != 0)
	{
		found.generation = catalog.generation + 1;
		catalog = found;
	}
	/* a doubt that came while looking is for the next call to settle */
	doubts_settled = doubts_before;
	return &catalog;
}

static Oid
element_oid(const ElementType *type, const Catalog *types)
{
	if (OidIsValid(type->built_in))
		return type->built_in;
	return *(const Oid *) ((const char *) types + type->ours);
}

Datum
element_array(const ElementType *type, Datum *values, bool *nulls, int count)
{
	int			lower_bound = 1;

	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower_bound,
											  element_oid(type, catalog_get()),
											  type->length, type->by_value, type->alignment));
}

static void
prepare(Statement *statement, const Catalog *types)
{
	Oid			arguments[STATEMENT_MAX_ARGUMENTS];

	if (statement->plan != NULL)
	{
		SPI_freeplan(statement->plan);
		statement->plan = NULL;
	}
	for (int i = 0; i < statement->argument_count; i++)
		arguments[i] = get_array_type(element_oid(statement->arguments[i], types));
	/* one plan for all lengths of the arrays; a custom one would be made at each call */
	statement->plan = SPI_prepare_cursor(statement->sql, statement->argument_count, arguments,
										 CURSOR_OPT_GENERIC_PLAN);
	if (statement->plan == NULL || SPI_keepplan(statement->plan) != 0)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
	statement->generation = types->generation;
}

static void
execute_at(Statement *statement, Datum *arguments, Snapshot snapshot)
{
	const Catalog *types = catalog_get();
	int			result;

	if (statement->plan == NULL || statement->generation != types->generation)
		prepare(statement, types);
	result = SPI_execute_snapshot(statement->plan, arguments, NULL, snapshot, InvalidSnapshot, false, true, 0);
	if (result < 0)
		elog(ERROR, "could not execute a statement: %s", SPI_result_code_string(result));
}

void
statement_execute(Statement *statement, Datum *arguments)
{
	execute_at(statement, arguments, InvalidSnapshot);
}

void
statement_execute_latest(Statement *statement, Datum *arguments)
{
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());

	execute_at(statement, arguments, latest);
	UnregisterSnapshot(latest);
}
