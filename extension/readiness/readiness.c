/*
 * readiness.c
 *		Recording a readiness event with the update that makes an item ready.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "tables/append.h"
#include "tables/catalog.h"
#include "tables/statement.h"
#include "readiness/queue.h"
#include "readiness/readiness.h"
#include "tables/remembered.h"
#include "types/types.h"

/* Which business statuses are ready ones: rxtrack.ready_status. */
static struct
{
	Remembered	remembered;
	bool		ready[BUSINESS_STATUS_COUNT + 1];
}			statuses = {.remembered.table = "ready_status"};

static Statement select_ready = {
	.sql = "SELECT status FROM rxtrack.ready_status WHERE ready ORDER BY status"
};

void
readiness_init(void)
{
	remembered_init(&statuses.remembered);
}

static void
read_statuses(void)
{
	remembered_begin(&statuses.remembered);
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
	/* what an old snapshot saw must not outlive it, and nobody would tell */
	if (!IsolationUsesXactSnapshot())
		remembered_end(&statuses.remembered);
}

static bool
is_ready(BusinessStatus status)
{
	/* in a long transaction, which holds its locks already, nothing else would */
	AcceptInvalidationMessages();
	if (!statuses.remembered.known)
		read_statuses();
	return statuses.ready[status];
}

/*
 * A post-dated update is a promise for later, unless it has begun when it comes;
 * any other is due at once.
 */
static TimestampTz
due_at(const Update *update)
{
	TimestampTz received = GetCurrentTransactionStartTimestamp();

	return update->post_dated ? Max(received, update->last_modified) : received;
}

static void
record_event(Access *events, const StatusChange *change)
{
	const Update *update = change->update;
	Datum		values[EVENT_COLUMNS] = {0};
	bool		nulls[EVENT_COLUMNS] = {false};

	values[EVENT_PRESCRIPTION_ID - 1] = PrescriptionIdGetDatum(&update->prescription_id);
	values[EVENT_STATUS - 1] = BusinessStatusGetDatum(update->status);
	values[EVENT_POST_DATED - 1] = BoolGetDatum(update->post_dated);
	values[EVENT_NHS_NUMBER - 1] = NhsNumberGetDatum(update->nhs_number);
	values[EVENT_TASK_ID - 1] = PointerGetDatum(&update->task_id);
	values[EVENT_LINE_ITEM_ID - 1] = PointerGetDatum(&update->line_item_id);
	values[EVENT_ODS_CODE - 1] = OdsCodeGetDatum(update->ods_code);
	values[EVENT_OCCURRED_AT - 1] = TimestampTzGetDatum(update->last_modified);
	values[EVENT_DUE_AT - 1] = TimestampTzGetDatum(due_at(update));
	values[EVENT_APPLICATION_ID - 1] = Int32GetDatum(change->application_id);
	values[EVENT_STATE - 1] = ObjectIdGetDatum(catalog_get()->event_states[EVENT_PENDING]);
	nulls[EVENT_RELEASE_NUMBER - 1] = true;
	nulls[EVENT_RELEASED_AT - 1] = true;
	nulls[EVENT_ALERT_REASON - 1] = true;
	nulls[EVENT_ALERT - 1] = true;
	append_row(events, values, nulls, EVENT_COLUMNS);
}

/*
 * What is due at once is queued, where a dispatcher is there to read the queue; what
 * is not, and all where there is none, is found by an index.
 */
static bool
is_queued(const StatusChange *change, bool served)
{
	return served && !change->update->post_dated;
}

void
readiness_lock(void)
{
	LockRelationOid(get_relname_relid("readiness_event", catalog_get()->namespace_oid), RowExclusiveLock);
}

/* Records the events that belong into one of the two tables; returns whether there were any. */
static bool
record_table(const char *table, const StatusChange *changes, int count, bool served, bool queued)
{
	Access	   *events = NULL;

	for (int i = 0; i < count; i++)
	{
		if (!is_ready(changes[i].update->status) ||
			is_queued(&changes[i], served) != queued)
			continue;
		if (events == NULL)
		{
			readiness_lock();
			events = access_open_unkeyed(table);
		}
		record_event(events, &changes[i]);
	}
	if (events == NULL)
		return false;
	access_close(events);
	return true;
}

void
record_events(const StatusChange *changes, int count)
{
	bool		served = worker_serves_this_database();
	bool		recorded = false;

	if (served)
		recorded = record_table(READINESS_QUEUE, changes, count, served, true);
	if (record_table("readiness_event", changes, count, served, false) || recorded)
	{
		CommandCounterIncrement();	/* a release at the commit sees them */
		dispatch_at_commit();
	}
}
