/*
 * readiness.c
 *		Recording a readiness event with the update that makes an item ready.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "readiness.h"
#include "remembered.h"
#include "store.h"
#include "types.h"

/* Which business statuses are ready ones: rxtrack.ready_status. */
static struct
{
	Remembered	remembered;
	bool		ready[BUSINESS_STATUS_COUNT + 1];
}			statuses = {.remembered.table = "ready_status"};

const Appender readiness_events = {.table = "readiness_event", .columns = EVENT_COLUMNS};

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

/* The row that fired the trigger. */
typedef struct Row
{
	Datum		values[MaxHeapAttributeNumber];
	bool		nulls[MaxHeapAttributeNumber];
} Row;

static Datum
column(const Row *row, int number)
{
	return row->values[number - 1];
}

static void
read_row(const TriggerData *trigger, Row *row)
{
	Relation	table = trigger->tg_relation;

	if (table->rd_att->natts < UPDATE_COLUMNS)
		elog(ERROR, "table \"%s\" has not the columns of rxtrack.status_update", RelationGetRelationName(table));
	heap_deform_tuple(trigger->tg_trigtuple, table->rd_att, row->values, row->nulls);
}

/*
 * A post-dated update is a promise for later, unless it has begun when it comes;
 * any other is due at once.
 */
static TimestampTz
due_at(const Row *update, bool post_dated)
{
	TimestampTz received = DatumGetTimestampTz(column(update, UPDATE_RECEIVED_AT));

	return post_dated ? Max(received, DatumGetTimestampTz(column(update, UPDATE_LAST_MODIFIED))) : received;
}

static void
record_event(const Row *update)
{
	Datum		values[EVENT_COLUMNS] = {0};
	bool		nulls[EVENT_COLUMNS] = {false};
	bool		post_dated = !update->nulls[UPDATE_POST_DATED_SET_AT - 1];

	values[EVENT_PRESCRIPTION_ID - 1] = column(update, UPDATE_PRESCRIPTION_ID);
	values[EVENT_STATUS - 1] = column(update, UPDATE_STATUS);
	values[EVENT_POST_DATED - 1] = BoolGetDatum(post_dated);
	values[EVENT_NHS_NUMBER - 1] = column(update, UPDATE_NHS_NUMBER);
	values[EVENT_TASK_ID - 1] = column(update, UPDATE_TASK_ID);
	values[EVENT_LINE_ITEM_ID - 1] = column(update, UPDATE_LINE_ITEM_ID);
	values[EVENT_ODS_CODE - 1] = column(update, UPDATE_ODS_CODE);
	values[EVENT_OCCURRED_AT - 1] = column(update, UPDATE_LAST_MODIFIED);
	values[EVENT_DUE_AT - 1] = TimestampTzGetDatum(due_at(update, post_dated));
	values[EVENT_APPLICATION_ID - 1] = column(update, UPDATE_APPLICATION_ID);
	values[EVENT_STATE - 1] = ObjectIdGetDatum(catalog_get()->event_states[EVENT_PENDING]);
	nulls[EVENT_RELEASE_NUMBER - 1] = true;
	nulls[EVENT_RELEASED_AT - 1] = true;
	nulls[EVENT_ALERT_REASON - 1] = true;
	nulls[EVENT_ALERT - 1] = true;
	append_row(&readiness_events, values, nulls);
}

/* Trigger of rxtrack.status_update, for rows by which an item's status changes. */
PG_FUNCTION_INFO_V1(raise_readiness);
Datum
raise_readiness(PG_FUNCTION_ARGS)
{
	Row			update;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("raise_readiness is a trigger function")));
	read_row((TriggerData *) fcinfo->context, &update);
	if (is_ready(DatumGetBusinessStatus(column(&update, UPDATE_STATUS))))
	{
		record_event(&update);
		dispatch_at_commit();
	}
	return PointerGetDatum(NULL);
}
