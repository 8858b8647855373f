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
	PROMISE_CANCELLED,			/* marked so: a newer assertion has replaced its update */
	PROMISE_WAITS				/* left as it is: its update is not there, or a trigger wants it so */
} PromiseFate;

/* A search for promises that are due; from promise_search to promise_close. */
typedef struct Promises Promises;

#pragma GCC visibility push(hidden)

extern void promise_add(const Event *events, int count);

/*
 * Begins a search for those that are due by now, in the order in which they came due, whoever has
 * committed them; thoroughly, also for those that came due long ago.
 */
extern Promises *promise_search(TimestampTz now, bool thoroughly);

/* When the next one that it has found was due; DT_NOEND: there are no more. */
extern TimestampTz promise_due_at(const Promises *promises);

/* Settles that one, and goes on to the next.  Inside SPI. */
extern PromiseFate promise_settle(Promises *promises, Event *event);

extern void promise_close(Promises *promises);

/* When the next pending one is due; DT_NOEND: there is none.  Unless thoroughly, those of long ago are not looked at. */
extern TimestampTz promise_next_due(bool thoroughly);

/* What was settled may have been taken back: the next search begins with the first promise. */
extern void promise_forget(void);

#pragma GCC visibility pop

#endif							/* RXTRACK_PROMISE_H */
