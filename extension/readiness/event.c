/*
 * event.c
 *		The tables of readiness events, as C knows them.
 */
#include "postgres.h"

#include "utils/datum.h"

#include "readiness/event.h"
#include "tables/catalog.h"

#define COMMON_COLUMNS \
	[EVENT_PRESCRIPTION_ID] = {"prescription_id", &catalog_prescription_id}, \
	[EVENT_STATUS] = {"status", &catalog_business_status}, \
	[EVENT_POST_DATED] = {"post_dated", &catalog_boolean}, \
	[EVENT_NHS_NUMBER] = {"nhs_number", &catalog_nhs_number}, \
	[EVENT_TASK_ID] = {"task_id", &catalog_uuid}, \
	[EVENT_LINE_ITEM_ID] = {"line_item_id", &catalog_uuid}, \
	[EVENT_ODS_CODE] = {"ods_code", &catalog_ods_code}, \
	[EVENT_OCCURRED_AT] = {"occurred_at", &catalog_timestamptz}, \
	[EVENT_DUE_AT] = {"due_at", &catalog_timestamptz}, \
	[EVENT_APPLICATION_ID] = {"application_id", &catalog_integer}, \
	[EVENT_ISSUE_NUMBER] = {"issue_number", &catalog_integer}, \
	[EVENT_RECEIPT] = {"receipt", &catalog_integer}

#define PENDING_COLUMNS \
	COMMON_COLUMNS, \
	[EVENT_IS_WITHDRAWAL] = {"is_withdrawal", &catalog_boolean}, \
	[EVENT_IN_CONFLICT] = {"in_conflict", &catalog_boolean}, \
	[EVENT_FAILURES] = {"failures", &catalog_integer}, \
	[EVENT_RETRY_AT] = {"retry_at", &catalog_timestamptz}, \
	[EVENT_ERROR] = {"error", &catalog_text}

const RowsTable event_inbox = {
	"rxtrack_internal", "readiness_inbox", EVENT_PENDING_COLUMNS, {PENDING_COLUMNS}
};

const RowsTable event_promises = {
	"rxtrack", "readiness_promise", EVENT_PROMISE_COLUMNS, {
		PENDING_COLUMNS,
		[EVENT_CANCELLED_AT] = {"cancelled_at", &catalog_timestamptz}
	}
};

const RowsTable event_released = {
	"rxtrack", "readiness_event", EVENT_COLUMNS, {
		COMMON_COLUMNS,
		[EVENT_ALERT_REASON] = {"alert_reason", &catalog_alert_reason},
		[EVENT_RELEASE_NUMBER] = {"release_number", &catalog_bigint},
		[EVENT_RELEASED_AT] = {"released_at", &catalog_timestamptz},
		[EVENT_ALERT] = {"alert", &catalog_boolean},
		[EVENT_WITHDRAWS] = {"withdraws", &catalog_bigint},
		[EVENT_WITHDRAWS_ALERT] = {"withdraws_alert", &catalog_boolean}
	}
};

void
event_read(Event *event, Rows *rows)
{
	for (int i = 0; i < EVENT_RECORDED_COLUMNS; i++)
	{
		const CatalogType *type = event_inbox.columns[i].type;

		event->values[i] = datumCopy(rows_value(rows, i), type->by_value, type->length);
	}
}

bool
event_is_set_aside(Rows *rows, TimestampTz now)
{
	bool		isnull;
	Datum		retry_at = rows_column(rows, EVENT_RETRY_AT, &isnull);

	return !isnull && DatumGetTimestampTz(retry_at) > now;
}

bool
event_is_of_same_supply(const Event *event, const Event *other)
{
	static const int columns[] = EVENT_SUPPLY_COLUMNS;

	for (int i = 0; i < EVENT_SUPPLY_COLUMN_COUNT; i++)
	{
		const CatalogType *type = event_inbox.columns[columns[i]].type;

		if (!datumIsEqual(event->values[columns[i]], other->values[columns[i]], type->by_value, type->length))
			return false;
	}
	return true;
}
