/*
 * event.h
 *		A readiness event, and the three tables in which it may be: the inbox and the promises,
 *		from which it moves, when it is due, to those that were released.
 */
#ifndef RXTRACK_EVENT_H
#define RXTRACK_EVENT_H

#include "postgres.h"
#include "utils/timestamp.h"

#include "tables/rows.h"
#include "types/types.h"

/* The columns of the tables: those that all three have first. */
enum
{
	EVENT_PRESCRIPTION_ID,
	EVENT_STATUS,
	EVENT_POST_DATED,
	EVENT_NHS_NUMBER,
	EVENT_TASK_ID,
	EVENT_LINE_ITEM_ID,
	EVENT_ODS_CODE,
	EVENT_OCCURRED_AT,
	EVENT_DUE_AT,
	EVENT_APPLICATION_ID,
	EVENT_ISSUE_NUMBER,
	EVENT_RECEIPT,
	EVENT_COMMON_COLUMNS,

	/* the inbox and the promises */
	EVENT_IS_WITHDRAWAL = EVENT_COMMON_COLUMNS,
	EVENT_IN_CONFLICT,
	EVENT_RECORDED_COLUMNS,
	EVENT_FAILURES = EVENT_RECORDED_COLUMNS,	/* this and what follows is null until a release of it fails */
	EVENT_RETRY_AT,
	EVENT_ERROR,
	EVENT_PENDING_COLUMNS,

	/* rxtrack.readiness_event */
	EVENT_ALERT_REASON = EVENT_COMMON_COLUMNS,
	EVENT_RELEASE_NUMBER,
	EVENT_RELEASED_AT,
	EVENT_ALERT,
	EVENT_WITHDRAWS,
	EVENT_WITHDRAWS_ALERT,
	EVENT_COLUMNS,

	/* rxtrack.readiness_promise */
	EVENT_CANCELLED_AT = EVENT_PENDING_COLUMNS,
	EVENT_PROMISE_COLUMNS
};

/* What is recorded of an event, of which nothing is null; there is room for the rest of a row. */
typedef struct Event
{
	Datum		values[EVENT_PENDING_COLUMNS];
} Event;

extern const RowsTable event_inbox;
extern const RowsTable event_promises;
extern const RowsTable event_released;

/* The key of a supply, by which promises that are pending and events that were released are found. */
#define EVENT_SUPPLY_COLUMNS {EVENT_PRESCRIPTION_ID, EVENT_LINE_ITEM_ID, EVENT_ISSUE_NUMBER, EVENT_ODS_CODE}
#define EVENT_SUPPLY_COLUMN_COUNT 4

/* Whether a release of the event in the row that was found has failed, and it is not to be tried again by now. */
extern bool event_is_set_aside(Rows *rows, TimestampTz now);

extern bool event_is_of_same_supply(const Event *event, const Event *other);

/* Copies the event in the row that was found; what its values point to is palloc'd. */
extern void event_read(Event *event, Rows *rows);

static inline TimestampTz
event_due_at(const Event *event)
{
	return DatumGetTimestampTz(event->values[EVENT_DUE_AT]);
}

/* The place of its update among those received of its supply. */
static inline int32
event_receipt(const Event *event)
{
	return DatumGetInt32(event->values[EVENT_RECEIPT]);
}

static inline bool
event_is_withdrawal(const Event *event)
{
	return DatumGetBool(event->values[EVENT_IS_WITHDRAWAL]);
}

static inline TimestampTz
event_occurred_at(const Event *event)
{
	return DatumGetTimestampTz(event->values[EVENT_OCCURRED_AT]);
}

#endif							/* RXTRACK_EVENT_H */
