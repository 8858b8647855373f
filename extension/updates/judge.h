/*
 * judge.h
 *		What becomes of each submission of a batch, and where that leaves its supplies.
 */
#ifndef RXTRACK_JUDGE_H
#define RXTRACK_JUDGE_H

#include "updates/batch.h"

/*
 * Judges a batch whose supplies are locked: the status of each submission, and the fate of each of its
 * entries.  False when the tasks that are stored have to be known for it.  To be called inside SPI.
 */
extern bool judge_batch(Batch *batch);

#endif							/* RXTRACK_JUDGE_H */
