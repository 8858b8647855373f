/*
 * submit.h
 *		Submission: what becomes of a batch of bundles.
 */
#ifndef RXTRACK_SUBMIT_H
#define RXTRACK_SUBMIT_H

#include "updates/submission.h"

/*
 * Judges, stores and answers a batch in the current transaction, as if its
 * members had come one after the other.  To be called inside SPI.  Raises 40001
 * where others store the same things again and again.
 */
extern void submit_batch(Submission *submissions, int count, int64 now);

#endif							/* RXTRACK_SUBMIT_H */
