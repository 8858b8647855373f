/*
 * judge_batch.h
 *		What becomes of each submission of a batch.
 */
#ifndef RXTRACK_JUDGE_BATCH_H
#define RXTRACK_JUDGE_BATCH_H

#include "updates/batch.h"

#pragma GCC visibility push(hidden)

/*
 * Locks the items of a batch and judges it: the status of each submission, the fate
 * of each of its entries, and where that leaves the items.  False when the tasks
 * that are stored have to be known for it.  To be called inside SPI.
 */
extern bool judge_batch(Batch *batch);

#pragma GCC visibility pop

#endif							/* RXTRACK_JUDGE_BATCH_H */
