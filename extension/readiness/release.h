/*
 * release.h
 *		Releasing readiness events that are due: each is numbered, decided upon (is the patient
 *		to be alerted?), moved to rxtrack.readiness_event, and notified.
 */
#ifndef RXTRACK_RELEASE_H
#define RXTRACK_RELEASE_H

#include "postgres.h"

#include "readiness/inbox.h"

/* How many events are released together, at most; fewer, where that takes longer than RELEASE_TIME (us). */
#define RELEASE_BATCH 1000
#define RELEASE_TIME 200000

/* For lock_timeout: how long (ms) a supplier or the dispatcher waits for another release, or for a lock on one event. */
#define RELEASE_LOCK_TIMEOUT "100"

/* What a release has come to. */
typedef struct Released
{
	int			settled;		/* events that were released, or cancelled */
	bool		has_more;		/* are others due? */
	bool		is_busy;		/* another release, or a lock on a table, was in the way for longer than lock_timeout */
} Released;

/*
 * Releases events that are due, at most max_rows and RELEASE_BATCH.  Other releases wait until the transaction ends.
 * Only where the whole inbox is asked for, all promises that came due long ago are looked for too.  An event that
 * cannot be released is set aside, to be tried again later, and keeps no other one waiting.  Raises only errors that
 * are no event's own.  Inside SPI, with a snapshot.
 */
extern Released release_due(int max_rows, InboxPart part);

/* Whether listeners are notified: not while the server's notification queue is as full as rxtrack.notification_queue_limit. */
extern bool release_notifies(void);

/* What was released may have been taken back: it is to be found again. */
extern void release_forget(void);

#endif							/* RXTRACK_RELEASE_H */
