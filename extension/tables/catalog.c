/*
 * catalog.c
 *		Finding the extension's types.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "catalog/namespace.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/uuid.h"

#include "tables/catalog.h"
#include "types/identifiers.h"

static Catalog catalog;
static uint64 doubts = 1;		/* how often its types may have become others */
static uint64 doubts_settled = 0;

#define OURS(member) .ours = offsetof(Catalog, member)

const CatalogType catalog_nhs_number = {OURS(nhs_number), .length = 4, .by_value = true, .alignment = TYPALIGN_INT};
const CatalogType catalog_prescription_id = {OURS(prescription_id), .length = sizeof(PrescriptionId), .alignment = TYPALIGN_CHAR};
const CatalogType catalog_ods_code = {OURS(ods_code), .length = 8, .by_value = FLOAT8PASSBYVAL, .alignment = TYPALIGN_DOUBLE};
const CatalogType catalog_ods_code_array = {OURS(ods_code_array), .length = -1, .alignment = TYPALIGN_DOUBLE};
const CatalogType catalog_business_status = {OURS(business_status), .length = 1, .by_value = true, .alignment = TYPALIGN_CHAR};
const CatalogType catalog_transition_kind = {
	OURS(transition_kind), .length = sizeof(Oid), .by_value = true, .alignment = TYPALIGN_INT,
	.label_count = TRANSITION_KIND_COUNT, .labels = offsetof(Catalog, transition_kinds)
};
const CatalogType catalog_alert_reason = {
	OURS(alert_reason), .length = sizeof(Oid), .by_value = true, .alignment = TYPALIGN_INT,
	.label_count = ALERT_REASON_COUNT, .labels = offsetof(Catalog, alert_reasons)
};
const CatalogType catalog_uuid = {UUIDOID, .length = UUID_LEN, .alignment = TYPALIGN_CHAR};
const CatalogType catalog_timestamptz = {TIMESTAMPTZOID, .length = 8, .by_value = FLOAT8PASSBYVAL, .alignment = TYPALIGN_DOUBLE};
const CatalogType catalog_smallint = {INT2OID, .length = 2, .by_value = true, .alignment = TYPALIGN_SHORT};
const CatalogType catalog_integer = {INT4OID, .length = 4, .by_value = true, .alignment = TYPALIGN_INT};
const CatalogType catalog_oid = {OIDOID, .length = sizeof(Oid), .by_value = true, .alignment = TYPALIGN_INT};
const CatalogType catalog_bigint = {INT8OID, .length = 8, .by_value = FLOAT8PASSBYVAL, .alignment = TYPALIGN_DOUBLE};
const CatalogType catalog_boolean = {BOOLOID, .length = 1, .by_value = true, .alignment = TYPALIGN_CHAR};
const CatalogType catalog_bytea = {BYTEAOID, .length = -1, .alignment = TYPALIGN_INT};
const CatalogType catalog_bytea_array = {BYTEAARRAYOID, .length = -1, .alignment = TYPALIGN_INT};
const CatalogType catalog_text = {TEXTOID, .length = -1, .alignment = TYPALIGN_INT};
const CatalogType catalog_text_array = {TEXTARRAYOID, .length = -1, .alignment = TYPALIGN_INT};

static const char *const transition_kinds[TRANSITION_KIND_COUNT] = {
	[TRANSITION_FIRST] = "first",
	[TRANSITION_FORWARD] = "forward",
	[TRANSITION_CORRECTION] = "correction",
	[TRANSITION_REPEAT] = "repeat",
	[TRANSITION_UNEXPECTED] = "unexpected",
	[TRANSITION_LATE] = "late"
};

static const char *const alert_reasons[ALERT_REASON_COUNT] = {
	[ALERT_PHARMACY_BLOCKED] = "pharmacy blocked",
	[ALERT_NOT_ENABLED] = "not enabled",
	[ALERT_PATIENT_IN_CONFLICT] = "patient in conflict",
	[ALERT_CANCELLED_OR_EXPIRED] = "cancelled or expired",
	[ALERT_NOT_THE_HOLDING_PHARMACY] = "not the holding pharmacy",
	[ALERT_PREDICTION] = "prediction",
	[ALERT_REPORTED_LATE] = "reported late",
	[ALERT_COOLDOWN] = "cooldown"
};

static Oid
type_oid(Oid schema, const char *name)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, PointerGetDatum(name),
									   ObjectIdGetDatum(schema));

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

	found->nhs_number = type_oid(schema, "nhs_number");
	found->prescription_id = type_oid(schema, "prescription_id");
	found->ods_code = type_oid(schema, "ods_code");
	found->ods_code_array = get_array_type(found->ods_code);
	found->business_status = type_oid(schema, "business_status");
	found->transition_kind = type_oid(schema, "transition_kind");
	found->alert_reason = type_oid(schema, "alert_reason");
	look_up_labels(found->transition_kinds, found->transition_kind, transition_kinds, TRANSITION_KIND_COUNT);
	look_up_labels(found->alert_reasons, found->alert_reason, alert_reasons, ALERT_REASON_COUNT);
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

Oid
catalog_type_oid(const CatalogType *type)
{
	if (OidIsValid(type->built_in))
		return type->built_in;
	return *(const Oid *) ((const char *) catalog_get() + type->ours);
}

Oid
catalog_label(const CatalogType *type, int number)
{
	return ((const Oid *) ((const char *) catalog_get() + type->labels))[number];
}

int
catalog_label_number(const CatalogType *type, Oid label)
{
	int			number = 0;

	while (number < type->label_count - 1 && catalog_label(type, number) != label)
		number++;
	return number;
}
