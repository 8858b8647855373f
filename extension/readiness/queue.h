/*
 * queue.h
 *		The queue of events that are due at once: rxtrack.readiness_queue.
 *
 * Where a dispatcher serves the database, events wait in a table that has no index,
 * because suppliers pay for each, and that is empty but for the last few
 * milliseconds: it is read from its beginning to its end.  A released event leaves
 * it for rxtrack.readiness_event, whose child the table is, so that whoever reads
 * that table sees both.
 */
#ifndef RXTRACK_QUEUE_H
#define RXTRACK_QUEUE_H

#include "postgres.h"
#include "access/htup.h"
#include "datatype/timestamp.h"
#include "utils/relcache.h"

#define READINESS_QUEUE "readiness_queue"

/* Some of the queue, in the order in which they were due. */
typedef struct Queue
{
	Relation	table;
	HeapTuple  *events;			/* with all the columns of the table */
	int			count;
	int			removed;		/* of them, the first ones */
	uint32		first_block;	/* from where it was read */
	bool		is_all;			/* or is there more than fits into memory? */
} Queue;

#pragma GCC visibility push(hidden)

/*
 * Reads it; thoroughly, all of it, however large it is.  To be called with a snapshot
 * that is active until the transaction ends: it keeps rows that somebody else takes out
 * from making room for others.  To be closed with queue_close.
 */
extern Queue *queue_read(bool thoroughly);

/* When the first event that has not been taken out was due; DT_NOEND: there is none. */
extern TimestampTz queue_next_due(const Queue *queue);

/* Takes it out.  Nobody else may have done so meanwhile: XX000 where somebody did. */
extern void queue_remove(Queue *queue);

/* Keeps the lock. */
extern void queue_close(Queue *queue);

/* What was taken out may have been put back: the next read begins at its beginning. */
extern void queue_forget(void);

/* How long (ms) it may rest until it has to be read from its beginning; LONG_MAX where it just was. */
extern long queue_patience(TimestampTz now);

#pragma GCC visibility pop

#endif							/* RXTRACK_QUEUE_H */
