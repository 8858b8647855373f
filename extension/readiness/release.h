/*
 * release.h
 *		Releasing readiness events that are due: each is numbered, decided upon (is the patient
 *		to be alerted?), moved to rxtrack.readiness_event, and notified.
 */
#ifndef RXTRACK_RELEASE_H
#define RXTRACK_RELEASE_H

#include "postgres.h"

#include "readiness/inbox.h"

/* How many events are released together, at most. */
#define RELEASE_BATCH 1000

/*
 * Releases events that are due, at most max_rows; returns how many it has released or cancelled, which is
 * less only where it has found no more.  Other releases wait until the transaction ends.  Only where the whole
 * inbox is asked for, all promises that came due long ago are looked for too.  Inside SPI.
 */
extern int	release_due(int max_rows, InboxPart part);

/* What was released may have been taken back: it is to be found again. */
extern void release_forget(void);

#endif							/* RXTRACK_RELEASE_H */
