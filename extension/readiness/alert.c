/*
 * alert.c
 *		Whether a patient is to be alerted about an event: the settings, which are the
 *		tables of pharmacies and applications, and the cooldown.
 *
 * Each process that releases events remembers the settings.  Ten thousand
 * pharmacies are a small thing to remember, and a dear one to look up thrice for
 * each event.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "settings.h"
#include "tables/access.h"
#include "tables/catalog.h"
#include "tables/statement.h"
#include "readiness/readiness.h"
#include "tables/remembered.h"
#include "types/types.h"

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

/* What the settings of now say. */
static AlertReason
find_barrier(OdsCode pharmacy, int32 application_id)
{
	if (contains(&blocked_pharmacies, pharmacy))
		return ALERT_PHARMACY_BLOCKED;
	if (!contains(&enabled_pharmacies, pharmacy))
		return ALERT_PHARMACY_NOT_ENABLED;
	if (!contains(&enabled_applications, application_id))
		return ALERT_APPLICATION_NOT_ENABLED;
	return ALERT_REASON_COUNT;
}

Access *
alert_begin(void)
{
	Access	   *alerts = access_open_to_read("readiness_event", "readiness_event_alert");

	/* nobody else releases events until this transaction ends */
	alerts->latest = alerts->steady = true;
	return alerts;
}

/* Was the patient alerted about that pharmacy lately?  What this transaction has released counts too. */
static bool
is_in_cooldown(Access *alerts, OdsCode pharmacy, NhsNumber patient, TimestampTz now)
{
	Datum		key[2] = {NhsNumberGetDatum(patient), OdsCodeGetDatum(pharmacy)};
	TimestampTz since = now - (int64) settings_alert_cooldown * USECS_PER_SEC;
	bool		found = false;

	if (settings_alert_cooldown == 0)
		return false;
	access_search(alerts, key, 2);
	while (!found && access_next(alerts))
	{
		bool		isnull;

		found = DatumGetTimestampTz(access_column(alerts, EVENT_RELEASED_AT, &isnull)) > since;
	}
	return found;
}

AlertReason
alert_find_reason(Access *alerts, OdsCode pharmacy, int32 application_id, NhsNumber patient, TimestampTz now)
{
	AlertReason barrier = find_barrier(pharmacy, application_id);

	if (barrier != ALERT_REASON_COUNT || !is_in_cooldown(alerts, pharmacy, patient, now))
		return barrier;
	return ALERT_COOLDOWN;
}
