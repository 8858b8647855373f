/*
 * inbox.h
 *		Readiness events that are due and not yet released: rxtrack_internal.readiness_inbox.
 *
 * The table has no index, for which suppliers would pay, and is empty but for the last few
 * milliseconds: it is read from its beginning to its end.
 */
#ifndef RXTRACK_INBOX_H
#define RXTRACK_INBOX_H

#include "postgres.h"
#include "utils/timestamp.h"

#include "readiness/event.h"

/* What was read of it; from inbox_read to inbox_close. */
typedef struct Inbox Inbox;

#pragma GCC visibility push(hidden)

/*
 * Reads the events that are there, whoever has committed them, as many as fit into memory.  Unless
 * thoroughly, some may be left out for a second at most.  Those that take back others are there only where all the
 * others are.
 */
extern Inbox *inbox_read(bool thoroughly);

/* When the next of these was due, in that order, and in the order in which they occurred; DT_NOEND: there are no more. */
extern TimestampTz inbox_due_at(const Inbox *inbox);

/*
 * Takes that one out of the table, and goes on to the next; false where a trigger has kept it there.
 * XX000 where somebody else has taken it out meanwhile.
 */
extern bool inbox_take(Inbox *inbox, Event *event);

extern void inbox_close(Inbox *inbox);

/* How long (ms) it may rest until all of it is to be read; LONG_MAX where that was just done. */
extern long inbox_patience(TimestampTz now);

/* What was taken out may have been put back: next time all of it is read. */
extern void inbox_forget(void);

#pragma GCC visibility pop

#endif							/* RXTRACK_INBOX_H */
