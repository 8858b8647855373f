/*
 * prescriptions.h
 *		The table of prescriptions' patients.
 */
#ifndef RXTRACK_PRESCRIPTIONS_H
#define RXTRACK_PRESCRIPTIONS_H

#include "updates/batch.h"

/* Opens rxtrack.prescription_patient; to be closed with rows_close. */
extern Rows *prescriptions_open(void);

/* Reads whose the batch's prescriptions are; nobody waits for anybody. */
extern void prescriptions_read(Rows *rows, Batch *batch);

/* Stores those that are new, or hidden from now on; raises 23505 where somebody else has stored one meanwhile. */
extern void prescriptions_store(Rows *rows, const Batch *batch);

#endif							/* RXTRACK_PRESCRIPTIONS_H */
