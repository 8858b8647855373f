/*
 * inbox.h
 *		Readiness events that are due and not yet released: rxtrack_internal.readiness_inbox.
 *
 * The table has no index, for which suppliers would pay, and is empty but for the last few
 * milliseconds: a release reads it from its beginning to its end, or a part of it.
 */
#ifndef RXTRACK_INBOX_H
#define RXTRACK_INBOX_H

#include "postgres.h"
#include "utils/timestamp.h"

#include "readiness/event.h"

/*
 * Which part a release reads.  Dead rows are read too, until the table is vacuumed and no snapshot
 * sees them any more; so the whole of it may take long.
 */
typedef enum InboxPart
{
	INBOX_RETRY,				/* the whole, and what is set aside before its time */
	INBOX_WHOLE,
	INBOX_END,					/* where new rows go; the whole at least once a second */
	INBOX_OWN					/* where this transaction has added events; the whole once in a while */
} InboxPart;

/* What was read; from inbox_read to inbox_close. */
typedef struct Inbox Inbox;

extern void inbox_add(const Event *events, int count);

/* This transaction has added, by SQL, an event that takes back another. */
extern void inbox_note_withdrawal(void);

/*
 * Reads events that are there, whoever has committed them, as many as fit into memory, but for those that have to wait:
 * somebody has their row locked, or their release has failed.  Where this transaction has added an event that takes back
 * another, its own part is the whole.
 */
extern Inbox *inbox_read(InboxPart part);

/* When the next of these was due, in that order, and in the order in which they occurred; DT_NOEND: there are no more. */
extern TimestampTz inbox_due_at(const Inbox *inbox);

extern const Event *inbox_event(const Inbox *inbox);

/* Where that one is in the table. */
extern const ItemPointerData *inbox_place(const Inbox *inbox);

/*
 * Takes it out of the table; false where a trigger has kept it there, or where it takes back another, which has to
 * wait, or may stand where nobody has read.  XX000 where somebody else has taken it out meanwhile.
 */
extern bool inbox_take(Inbox *inbox);

/* Goes on to the next; waits: the one at hand is left there. */
extern void inbox_pass(Inbox *inbox, bool waits);

/* Closes the table, which the next event opens again; failed: a subtransaction that was rolled back has closed it. */
extern void inbox_close_table(Inbox *inbox, bool failed);

extern void inbox_close(Inbox *inbox);

/* How long (ms) until the whole is to be read; LONG_MAX where that was just done, and no event has to wait. */
extern long inbox_patience(TimestampTz now);

/* What was taken out may have been put back: next time the whole is read. */
extern void inbox_forget(void);

/* The transaction ends that has added events. */
extern void inbox_end_transaction(void);

#endif							/* RXTRACK_INBOX_H */
