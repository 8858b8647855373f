/*
 * rehearsal.h
 *		Faults on demand in a sandbox, for suppliers whose tests need faults that
 *		are hard to provoke.
 */
#ifndef RXTRACK_REHEARSAL_H
#define RXTRACK_REHEARSAL_H

#include "updates/submit.h"

/*
 * Where rxtrack.sandbox is on, answers the submissions that name a prescription
 * of rxtrack.rehearsal with the fault in its row.  To be called inside SPI.
 */
extern void rehearsal_answer(Submission *submissions, int count, int64 now);

#endif							/* RXTRACK_REHEARSAL_H */
