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
#include "readiness/promise.h"
#include "readiness/record.h"
#include "tables/cached.h"
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

/* A table of nine rows, which a session caches. */
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

/* The event of a change, whose values point into the update. */
static Event
make_event(const StatusChange *change)
{
	const Update *update = change->update;
	TimestampTz due_at = is_promise(update) ? update->last_modified : GetCurrentTransactionStartTimestamp();

	return (Event)
	{
		.values = {
			[EVENT_PRESCRIPTION_ID] = PrescriptionIdGetDatum(&update->prescription_id),
			[EVENT_STATUS] = BusinessStatusGetDatum(update->status),
			[EVENT_POST_DATED] = BoolGetDatum(update->post_dated),
			[EVENT_NHS_NUMBER] = NhsNumberGetDatum(update->nhs_number),
			[EVENT_TASK_ID] = PointerGetDatum(&update->task_id),
			[EVENT_LINE_ITEM_ID] = PointerGetDatum(&update->line_item_id),
			[EVENT_ODS_CODE] = OdsCodeGetDatum(update->ods_code),
			[EVENT_OCCURRED_AT] = TimestampTzGetDatum(update->last_modified),
			[EVENT_DUE_AT] = TimestampTzGetDatum(due_at),
			[EVENT_APPLICATION_ID] = Int32GetDatum(change->application_id)
		}
	};
}

void
record_events(const StatusChange *changes, int count)
{
	Event	   *due = palloc(count * sizeof(Event));
	Event	   *promised = palloc(count * sizeof(Event));
	int			due_count = 0;
	int			promised_count = 0;

	for (int i = 0; i < count; i++)
	{
		if (!is_ready(changes[i].update->status))
			continue;
		if (is_promise(changes[i].update))
			promised[promised_count++] = make_event(&changes[i]);
		else
			due[due_count++] = make_event(&changes[i]);
	}
	if (due_count > 0)
		inbox_add(due, due_count);
	if (promised_count > 0)
		promise_add(promised, promised_count);
	if (due_count + promised_count > 0)
	{
		CommandCounterIncrement();	/* a release at the commit sees them */
		at_commit_release();
	}
	pfree(due);
	pfree(promised);
}
