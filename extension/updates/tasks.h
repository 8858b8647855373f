/*
 * tasks.h
 *		The table of updates, one row a task.
 */
#ifndef RXTRACK_TASKS_H
#define RXTRACK_TASKS_H

#include "updates/batch.h"

/* Opens rxtrack.status_update; to be closed with rows_close. */
extern Rows *tasks_open(void);

/* Reads which tasks of the batch are stored.  To be called inside SPI. */
extern void tasks_find(Rows *rows, Batch *batch);

/* Stores the entries that were accepted; raises 23505 where somebody else has stored a task meanwhile. */
extern void tasks_store(Rows *rows, const Batch *batch);

#endif							/* RXTRACK_TASKS_H */
