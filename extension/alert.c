/*
 * alert.c
 *		Whether the settings allow to alert patients: the tables of pharmacies and
 *		applications, which each process that releases events remembers.
 *
 * Ten thousand pharmacies are a small thing to remember, and a dear one to look up
 * thrice for each event.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "catalog.h"
#include "readiness.h"
#include "types.h"

/* A table of one column, in order. */
typedef struct Remembered
{
	const char *table;
	Statement	select;
	Oid			relation;
	bool		changed;		/* by somebody, since we began to read it */
	bool		known;			/* do we hold what it holds? */
	int64	   *values;
	int			count;
} Remembered;

static Remembered enabled_pharmacies = {
	.table = "alert_pharmacy",
	.select.sql = "SELECT ods_code FROM rxtrack.alert_pharmacy ORDER BY ods_code"
};

static Remembered blocked_pharmacies = {
	.table = "blocked_pharmacy",
	.select.sql = "SELECT ods_code FROM rxtrack.blocked_pharmacy ORDER BY ods_code"
};

static Remembered enabled_applications = {
	.table = "alert_application",
	.select.sql = "SELECT application_id::bigint FROM rxtrack.alert_application ORDER BY application_id"
};

static Remembered *const remembered[] = {&enabled_pharmacies, &blocked_pharmacies, &enabled_applications};

static void
forget_tables(Datum arg, Oid relation)
{
	(void) arg;
	for (int i = 0; i < (int) lengthof(remembered); i++)
	{
		if (relation != InvalidOid && relation != remembered[i]->relation)
			continue;
		remembered[i]->changed = true;
		remembered[i]->known = false;
	}
}

void
alert_init(void)
{
	CacheRegisterRelcacheCallback(forget_tables, (Datum) 0);
}

static void
read_table(Remembered *table)
{
	bool		isnull;

	table->relation = get_relname_relid(table->table, catalog_get()->namespace_oid);
	table->changed = false;
	SPI_connect();
	statement_execute_latest(&table->select, NULL);
	if (table->values != NULL)
		pfree(table->values);
	table->values = NULL;
	table->values = MemoryContextAllocHuge(TopMemoryContext, (SPI_processed + 1) * sizeof(int64));
	table->count = (int) SPI_processed;
	for (int i = 0; i < table->count; i++)
		table->values[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	/* what this transaction has changed itself may yet be taken back, and nobody would tell */
	table->known = !table->changed;
}

static bool
contains(Remembered *table, int64 value)
{
	int			low = 0;
	int			high;

	if (!table->known)
		read_table(table);
	high = table->count;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (table->values[middle] < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low < table->count && table->values[low] == value;
}

static Datum
reason(const char *label)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("alert_reason"),
									   ObjectIdGetDatum(catalog_get()->namespace_oid));

	return ObjectIdGetDatum(GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid, ObjectIdGetDatum(type),
											CStringGetDatum(label)));
}

/* rxtrack.alert_barrier(ods_code, application_id) */
PG_FUNCTION_INFO_V1(alert_barrier);
Datum
alert_barrier(PG_FUNCTION_ARGS)
{
	OdsCode		pharmacy = DatumGetOdsCode(PG_GETARG_DATUM(0));

	if (contains(&blocked_pharmacies, pharmacy))
		PG_RETURN_DATUM(reason("pharmacy blocked"));
	if (!contains(&enabled_pharmacies, pharmacy))
		PG_RETURN_DATUM(reason("pharmacy not enabled"));
	if (!contains(&enabled_applications, PG_GETARG_INT32(1)))
		PG_RETURN_DATUM(reason("application not enabled"));
	PG_RETURN_NULL();
}
