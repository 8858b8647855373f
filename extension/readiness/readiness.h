/*
 * readiness.h
 *		Readiness events: recorded with the update, released when they are due.
 */
#ifndef RXTRACK_READINESS_H
#define RXTRACK_READINESS_H

#include "postgres.h"
#include "datatype/timestamp.h"

#include "tables/access.h"
#include "tables/catalog.h"
#include "readiness/record.h"
#include "types/types.h"

/* The columns of rxtrack.readiness_event, as sql/readiness/events.sql has them. */
enum
{
	EVENT_PRESCRIPTION_ID = 1,
	EVENT_STATUS,
	EVENT_POST_DATED,
	EVENT_NHS_NUMBER,
	EVENT_TASK_ID,
	EVENT_LINE_ITEM_ID,
	EVENT_ODS_CODE,
	EVENT_OCCURRED_AT,
	EVENT_DUE_AT,
	EVENT_APPLICATION_ID,
	EVENT_STATE,
	EVENT_RELEASE_NUMBER,
	EVENT_RELEASED_AT,
	EVENT_ALERT_REASON,
	EVENT_ALERT,
	EVENT_COLUMNS = EVENT_ALERT
};

#pragma GCC visibility push(hidden)

/* Settings and callbacks; when the library is loaded. */
extern void readiness_init(void);
extern void alert_init(void);
extern void dispatch_init(void);
extern void worker_init(void);

/* Locks the table of events for writing: before its indexes, and before its child, the queue. */
extern void readiness_lock(void);

/* An event was recorded in this transaction: see to its release at commit. */
extern void dispatch_at_commit(void);

/*
 * Releases events that are due, at most so many; returns how many it settled.
 * The caller's transaction holds the lock on releases from then on.  Thoroughly,
 * it also finds those that came due long ago.  To be called inside SPI.
 */
extern int	dispatch_due(int most, bool thoroughly);

/* Begins a search for pending events that are due by now; thoroughly, also for those that came due long ago. */
extern Access *due_search(TimestampTz now, bool thoroughly);

/*
 * What is to become of the event that was found: released or cancelled; it stays
 * pending where its update is not there yet.  Inside SPI.
 */
extern EventState due_fate(Access *events);

/*
 * What was found is settled, as far as it can be: all that was due by now, or all up
 * to the event that was found last, where the next search then goes on.
 */
extern void due_settled(Access *events, TimestampTz now, bool all);

/* What was settled may have been taken back: the next search begins with the first event. */
extern void due_forget(void);

/* Sets a setting until the level that NewGUCNestLevel() began ends. */
extern void set_for_now(const char *name, const char *value);

/*
 * When the next pending event is due; DT_NOEND where there is none.  Unless
 * thoroughly, those that came due long ago are not looked at.
 */
extern TimestampTz due_next(bool thoroughly);

/* Opens the alerts that were given, for the next; to be closed with access_close. */
extern Access *alert_begin(void);

/*
 * Why a patient is not to be alerted about an event that is released now;
 * ALERT_REASON_COUNT: is to be.
 */
extern AlertReason alert_find_reason(Access *alerts, OdsCode pharmacy, int32 application_id, NhsNumber patient,
									 TimestampTz now);

/* Whether a dispatcher of its own is to serve this database. */
extern bool worker_serves_this_database(void);

/* Wakes it, if it is there. */
extern void worker_wake(void);

#pragma GCC visibility pop

#endif							/* RXTRACK_READINESS_H */
