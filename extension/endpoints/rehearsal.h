/*
 * rehearsal.h
 *		A sandbox's answers on demand, for suppliers who rehearse what is hard to
 *		provoke.
 */
#ifndef RXTRACK_REHEARSAL_H
#define RXTRACK_REHEARSAL_H

#include "updates/submit.h"

#pragma GCC visibility push(hidden)

/*
 * Where rxtrack.sandbox is on: answers those submissions that name a prescription
 * of rxtrack.rehearsal with what is written there.  To be called inside SPI.
 */
extern void rehearsal_answer(Submission *submissions, int count, int64 now);

#pragma GCC visibility pop

#endif							/* RXTRACK_REHEARSAL_H */
