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
#include "types.h"

/* Which business statuses are ready ones: rxtrack.ready_status. */
static struct
{
	Remembered	remembered;
	bool		ready[BUSINESS_STATUS_COUNT + 1];
}			statuses = {.remembered.table = "ready_status"};

Appender readiness_events = {.table = "readiness_event", .columns = EVENT_COLUMNS};

static Statement select_ready = {
	.sql = "SELECT status FROM rxtrack.ready_status WHERE ready ORDER BY status"
};

void
readiness_init(void)
{
	remembered_init(&statuses.remembered);
	append_init(&readiness_events);
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

/* A column of the row that fired the trigger. */
static Datum
column(const TriggerData *trigger, const char *name, bool *isnull)
{
	TupleDesc	columns = trigger->tg_relation->rd_att;
	int			number = SPI_fnumber(columns, name);

	if (number <= 0)
		elog(ERROR, "table \"%s\" has no column \"%s\"", RelationGetRelationName(trigger->tg_relation), name);
	return heap_getattr(trigger->tg_trigtuple, number, columns, isnull);
}

/*
 * A post-dated update is a promise for later, unless it has begun when it comes;
 * any other is due at once.
 */
static TimestampTz
due_at(const TriggerData *trigger, bool is_punctual)
{
	bool		isnull;
	TimestampTz received = DatumGetTimestampTz(column(trigger, "received_at", &isnull));

	return is_punctual ? received : Max(received, DatumGetTimestampTz(column(trigger, "last_modified", &isnull)));
}

static void
record_event(const TriggerData *trigger)
{
	Datum		values[EVENT_COLUMNS] = {0};
	bool		nulls[EVENT_COLUMNS] = {false};
	bool		is_punctual;
	bool		isnull;

	column(trigger, "post_dated_set_at", &is_punctual);
	values[EVENT_PRESCRIPTION_ID - 1] = column(trigger, "prescription_id", &isnull);
	values[EVENT_STATUS - 1] = column(trigger, "status", &isnull);
	values[EVENT_POST_DATED - 1] = BoolGetDatum(!is_punctual);
	values[EVENT_NHS_NUMBER - 1] = column(trigger, "nhs_number", &isnull);
	values[EVENT_TASK_ID - 1] = column(trigger, "task_id", &isnull);
	values[EVENT_LINE_ITEM_ID - 1] = column(trigger, "line_item_id", &isnull);
	values[EVENT_ODS_CODE - 1] = column(trigger, "ods_code", &isnull);
	values[EVENT_OCCURRED_AT - 1] = column(trigger, "last_modified", &isnull);
	values[EVENT_DUE_AT - 1] = TimestampTzGetDatum(due_at(trigger, is_punctual));
	values[EVENT_APPLICATION_ID - 1] = column(trigger, "application_id", &isnull);
	values[EVENT_STATE - 1] = ObjectIdGetDatum(catalog_get()->event_pending);
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
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	bool		isnull;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("raise_readiness is a trigger function")));
	if (is_ready(DatumGetBusinessStatus(column(trigger, "status", &isnull))))
	{
		record_event(trigger);
		dispatch_at_commit();
	}
	return PointerGetDatum(NULL);
}
