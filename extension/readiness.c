/*
 * readiness.c
 *		Readiness events: recorded with the update that makes an item ready.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/async.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "catalog.h"
#include "types.h"

#define CHANNEL_ALL "rxtrack_ready"

/* What the event takes over from the row of its update. */
enum
{
	EVENT_PRESCRIPTION_ID,
	EVENT_LINE_ITEM_ID,
	EVENT_NHS_NUMBER,
	EVENT_ODS_CODE,
	EVENT_STATUS,
	EVENT_OCCURRED_AT,
	EVENT_DUE_AT,
	EVENT_RELEASED_AT,
	EVENT_COLUMN_COUNT
};

static Statement insert_event = {
	.sql = "INSERT INTO rxtrack.readiness_event (prescription_id, line_item_id, nhs_number, ods_code, status,"
	" occurred_at, due_at, released_at)"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8) RETURNING event_id",
	.argument_count = EVENT_COLUMN_COUNT,
	.arguments = {
		&element_prescription_id, &element_uuid, &element_nhs_number, &element_ods_code,
		&element_business_status, &element_timestamptz, &element_timestamptz, &element_timestamptz
	}
};

static bool
is_ready(BusinessStatus status)
{
	return status == BUSINESS_STATUS_READY_TO_COLLECT || status == BUSINESS_STATUS_READY_TO_COLLECT_PARTIAL;
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

/* Stores the event; returns its id. */
static int64
record_event(Datum *values, bool is_due)
{
	Datum		arguments[EVENT_COLUMN_COUNT];
	bool		isnull;

	for (int i = 0; i < EVENT_COLUMN_COUNT; i++)
	{
		isnull = i == EVENT_RELEASED_AT && !is_due;
		arguments[i] = element_array(insert_event.arguments[i], &values[i], &isnull, 1);
	}
	statement_execute(&insert_event, arguments);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

/*
 * Anyone who may connect may listen, so that a payload holds the event's id and
 * nothing else.
 */
static void
notify_listeners(int64 event_id, OdsCode ods_code)
{
	char		payload[MAXINT8LEN + 1];
	char		code[ODS_CODE_TEXT];
	char		channel[sizeof(CHANNEL_ALL) + 1 + ODS_CODE_TEXT];

	snprintf(payload, sizeof(payload), INT64_FORMAT, event_id);
	ods_code_format(ods_code, code);
	for (char *c = code; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	snprintf(channel, sizeof(channel), "%s_%s", CHANNEL_ALL, code);
	Async_Notify(CHANNEL_ALL, payload);
	Async_Notify(channel, payload);
}

/* Trigger of rxtrack.status_update, for rows by which an item's status changes. */
PG_FUNCTION_INFO_V1(raise_readiness);
Datum
raise_readiness(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Datum		values[EVENT_COLUMN_COUNT];
	bool		isnull;
	bool		is_due;
	int64		event_id;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("raise_readiness is a trigger function")));
	values[EVENT_STATUS] = column(trigger, "status", &isnull);
	if (!is_ready(DatumGetBusinessStatus(values[EVENT_STATUS])))
		return PointerGetDatum(NULL);

	values[EVENT_PRESCRIPTION_ID] = column(trigger, "prescription_id", &isnull);
	values[EVENT_LINE_ITEM_ID] = column(trigger, "line_item_id", &isnull);
	values[EVENT_NHS_NUMBER] = column(trigger, "nhs_number", &isnull);
	values[EVENT_ODS_CODE] = column(trigger, "ods_code", &isnull);
	values[EVENT_OCCURRED_AT] = column(trigger, "last_modified", &isnull);
	values[EVENT_RELEASED_AT] = column(trigger, "received_at", &isnull);
	column(trigger, "post_dated_set_at", &isnull);
	/* a post-dated update that is to begin later is a promise; any other is due */
	is_due = isnull || DatumGetTimestampTz(values[EVENT_OCCURRED_AT]) <= GetCurrentTimestamp();
	values[EVENT_DUE_AT] = is_due ? values[EVENT_RELEASED_AT] : values[EVENT_OCCURRED_AT];

	SPI_connect();
	event_id = record_event(values, is_due);
	if (is_due)
		notify_listeners(event_id, DatumGetOdsCode(values[EVENT_ODS_CODE]));
	SPI_finish();
	return PointerGetDatum(NULL);
}
