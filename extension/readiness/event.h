/*
 * event.h
 *		A readiness event, and the three tables in which it may be: the inbox and the promises,
 *		from which it moves, when it is due, to those that were released; and which changes of a status are one.
 */
#ifndef RXTRACK_EVENT_H
#define RXTRACK_EVENT_H

#include "postgres.h"
#include "utils/timestamp.h"

#include "tables/rows.h"
#include "types/types.h"
#include "types/update.h"

/* The columns that are spoken of by their numbers.  The first four name a supply. */
enum
{
	EVENT_PRESCRIPTION_ID,
	EVENT_LINE_ITEM_ID,
	EVENT_ISSUE_NUMBER,
	EVENT_ODS_CODE,
	EVENT_TASK_ID,
	EVENT_NHS_NUMBER,
	EVENT_DUE_AT,
	EVENT_CANCELLED_AT = 17,	/* of a promise */
	EVENT_PROMISE_COLUMNS
};

typedef struct Event
{
	SupplyKey	supply;
	Uuid		task_id;
	NhsNumber	nhs_number;
	TimestampTz due_at;
	TimestampTz occurred_at;
	BusinessStatus status;
	bool		post_dated;
	int32		application_id;
	int32		receipt;		/* the place of its update among those received of the supply */
	bool		is_withdrawal;

	/* in the inbox and among the promises */
	bool		in_conflict;
	bool		has_failed;		/* a release of it, so often: */
	int32		failures;
	TimestampTz retry_at;
	text	   *error;
	bool		is_cancelled;	/* a promise, at this time: */
	TimestampTz cancelled_at;

	/* released */
	int64		release_number;
	TimestampTz released_at;
	bool		alert;
	bool		has_alert_reason;	/* why not: */
	AlertReason alert_reason;
	int64		withdraws;		/* the number of that which a withdrawal takes back, */
	bool		withdraws_alert;	/* and whether its patient was alerted */
} Event;

extern const RowsTable event_inbox;
extern const RowsTable event_promises;
extern const RowsTable event_released;

/* The key of a supply, by which promises that are pending and events that were released are found. */
#define EVENT_SUPPLY_COLUMNS {EVENT_PRESCRIPTION_ID, EVENT_LINE_ITEM_ID, EVENT_ISSUE_NUMBER, EVENT_ODS_CODE}
#define EVENT_SUPPLY_COLUMN_COUNT 4

/* Whether a status (0: none) is a ready one, by rxtrack.ready_status. */
extern bool event_is_ready_status(BusinessStatus status);

/* Whether it is a readiness event when a supply's status becomes another one than it was (0: none). */
extern bool event_is_change(BusinessStatus was, BusinessStatus becomes);

/* Whether a release of it has failed, and it is not to be tried again by now. */
static inline bool
event_is_set_aside(const Event *event, TimestampTz now)
{
	return event->has_failed && event->retry_at > now;
}

#endif							/* RXTRACK_EVENT_H */
