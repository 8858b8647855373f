/*
 * promise.h
 *		Readiness events of post-dated updates: rxtrack.readiness_promise.
 */
#ifndef RXTRACK_PROMISE_H
#define RXTRACK_PROMISE_H

#include "postgres.h"
#include "utils/timestamp.h"

#include "readiness/event.h"

/* What has become of a promise that is due. */
typedef enum PromiseFate
{
	PROMISE_KEPT,				/* taken out of the table, to be released */
	PROMISE_CANCELLED,			/* marked so: the supply's status does not become another by it */
	PROMISE_GONE,				/* somebody else has settled it meanwhile */
	PROMISE_WAITS				/* left as it is: it or its supply is locked or not there, or a trigger wants it so */
} PromiseFate;

/* A search for promises that are due; from promise_search to promise_close. */
typedef struct Promises Promises;

/* By which an open table of promises can be searched for the pending one of a supply. */
extern const RowsKey promise_key;

/* Adds promises; those that are replaced already as cancelled. */
extern void promise_add(const Event *events, int count);

/*
 * Begins a search for those that are due by now, in the order in which they came due, whoever has
 * committed them; thoroughly, also for those that came due long ago; retrying, also for those that are set aside
 * because their release has failed.
 */
extern Promises *promise_search(TimestampTz now, bool thoroughly, bool retrying);

/* When the next one that it has found was due; DT_NOEND: there are no more. */
extern TimestampTz promise_due_at(const Promises *promises);

/* That one. */
extern const Event *promise_event(const Promises *promises);

/* Settles it, unless its supply is just being written to.  Inside SPI. */
extern PromiseFate promise_settle_found(Promises *promises, Event *event);

/* Goes on to the next; waits: the one at hand is left as it is. */
extern void promise_pass(Promises *promises, bool waits);

extern void promise_close(Promises *promises);

/*
 * Settles a promise that has begun: the row that was found, and was read as the event; its supply is locked.  Given where
 * that stood without it (0: nowhere), and whom its updates name.  An event that is to be released is of who is the
 * prescription's patient by now.  Inside SPI.
 */
extern PromiseFate promise_settle(Rows *rows, Event *event, BusinessStatus was, NhsNumber named, TimestampTz at);

/* Marks one that was found as cancelled: it will never begin. */
extern void promise_cancel(Rows *rows, TimestampTz at);

/* When the next pending one is due; DT_NOEND: there is none.  Unless thoroughly, those of long ago are not looked at. */
extern TimestampTz promise_next_due(bool thoroughly);

/* What was settled may have been taken back: the next search begins with the first promise. */
extern void promise_forget(void);

#endif							/* RXTRACK_PROMISE_H */
