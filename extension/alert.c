/*
 * alert.c
 *		Whether the settings allow to alert patients: the tables of pharmacies and
 *		applications, which each process that releases events remembers.
 *
 * Ten thousand pharmacies are a small thing to remember, and a dear one to look up
 * thrice for each event.
 */
#include "postgres.h"

#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "catalog.h"
#include "readiness.h"
#include "remembered.h"
#include "types.h"

/* A table of one column, in order. */
typedef struct Column
{
	Remembered	remembered;
	Statement	select;
	int64	   *values;
	int			count;
} Column;

static Column enabled_pharmacies = {
	.remembered.table = "alert_pharmacy",
	.select.sql = "SELECT ods_code FROM rxtrack.alert_pharmacy ORDER BY ods_code"
};

static Column blocked_pharmacies = {
	.remembered.table = "blocked_pharmacy",
	.select.sql = "SELECT ods_code FROM rxtrack.blocked_pharmacy ORDER BY ods_code"
};

static Column enabled_applications = {
	.remembered.table = "alert_application",
	.select.sql = "SELECT application_id::bigint FROM rxtrack.alert_application ORDER BY application_id"
};

void
alert_init(void)
{
	remembered_init(&enabled_pharmacies.remembered);
	remembered_init(&blocked_pharmacies.remembered);
	remembered_init(&enabled_applications.remembered);
}

static void
read_table(Column *table)
{
	bool		isnull;

	remembered_begin(&table->remembered);
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
	remembered_end(&table->remembered);
}

static bool
contains(Column *table, int64 value)
{
	int			low = 0;
	int			high;

	if (!table->remembered.known)
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
