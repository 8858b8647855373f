/*
 * record.c
 *		Recording readiness events with the updates by which items become ready.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "utils/timestamp.h"

#include "readiness/at_commit.h"
#include "readiness/event.h"
#include "readiness/inbox.h"
#include "readiness/record.h"
#include "tables/cached.h"
#include "tables/rows.h"
#include "tables/statement.h"
#include "types/types.h"

/* Which business statuses are ready ones: rxtrack.ready_status. */
static struct
{
	Cached		cached;
	bool		ready[BUSINESS_STATUS_COUNT + 1];
}			statuses = {.cached.schema = "rxtrack", .cached.table = "ready_status"};

static Statement select_ready = {
	.sql = "SELECT status FROM rxtrack.ready_status WHERE ready ORDER BY status"
};

static void
read_statuses(void)
{
	cached_begin(&statuses.cached);
	SPI_connect();
	statement_execute(&select_ready, NULL);
	memset(statuses.ready, 0, sizeof(statuses.ready));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		status = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		statuses.ready[DatumGetBusinessStatus(status)] = true;
	}
	SPI_finish();
	cached_end(&statuses.cached, false);
}

static bool
is_ready(BusinessStatus status)
{
	if (!cached_is_valid(&statuses.cached))
		read_statuses();
	return statuses.ready[status];
}

/* A post-dated update is a prediction: its event waits until it takes effect, unless it has when it comes. */
static bool
is_promise(const Update *update)
{
	return update->post_dated && update->last_modified > GetCurrentTransactionStartTimestamp();
}

static void
record_event(Rows *rows, const StatusChange *change, bool for_promises)
{
	const Update *update = change->update;
	TimestampTz due_at = for_promises ? update->last_modified : GetCurrentTransactionStartTimestamp();
	/* of a promise one column more, that is null */
	Datum		values[EVENT_PROMISE_COLUMNS] = {0};
	bool		nulls[EVENT_PROMISE_COLUMNS] = {[EVENT_CANCELLED_AT] = true};

	values[EVENT_PRESCRIPTION_ID] = PrescriptionIdGetDatum(&update->prescription_id);
	values[EVENT_STATUS] = BusinessStatusGetDatum(update->status);
	values[EVENT_POST_DATED] = BoolGetDatum(update->post_dated);
	values[EVENT_NHS_NUMBER] = NhsNumberGetDatum(update->nhs_number);
	values[EVENT_TASK_ID] = PointerGetDatum(&update->task_id);
	values[EVENT_LINE_ITEM_ID] = PointerGetDatum(&update->line_item_id);
	values[EVENT_ODS_CODE] = OdsCodeGetDatum(update->ods_code);
	values[EVENT_OCCURRED_AT] = TimestampTzGetDatum(update->last_modified);
	values[EVENT_DUE_AT] = TimestampTzGetDatum(due_at);
	values[EVENT_APPLICATION_ID] = Int32GetDatum(change->application_id);
	if (for_promises)
		rows_insert(rows, values, nulls);
	else
		inbox_add(rows, values, nulls);
}

/* Records the events that belong into one of the two tables; returns whether there were any. */
static bool
record_into(const RowsTable *table, const StatusChange *changes, int count)
{
	bool		for_promises = table == &event_promises;
	Rows	   *rows = NULL;

	for (int i = 0; i < count; i++)
	{
		if (!is_ready(changes[i].update->status) || is_promise(changes[i].update) != for_promises)
			continue;
		if (rows == NULL)
			rows = rows_open(table, NULL, RowExclusiveLock);
		record_event(rows, &changes[i], for_promises);
	}
	if (rows == NULL)
		return false;
	rows_close(rows);
	return true;
}

void
record_events(const StatusChange *changes, int count)
{
	bool		recorded = record_into(&event_inbox, changes, count);

	if (record_into(&event_promises, changes, count) || recorded)
	{
		CommandCounterIncrement();	/* a release at the commit sees them */
		at_commit_release();
	}
}
