/*
 * items.h
 *		The table of items: where each stands, and the row that is locked while it is judged.
 *
 * Everybody locks in one order, so that no two submissions can wait for each other: items by
 * prescription and line item, then tasks by prescription and task id.
 */
#ifndef RXTRACK_ITEMS_H
#define RXTRACK_ITEMS_H

#include "updates/batch.h"

#pragma GCC visibility push(hidden)

/* Opens rxtrack.item; to be closed with rows_close. */
extern Rows *items_open(void);

/* Locks the rows of a batch's items, and reads where they stand. */
extern void items_lock(Rows *rows, Batch *batch);

/* Stores where they stand now; raises 23505 where somebody else has stored one meanwhile. */
extern void items_store(Rows *rows, const Batch *batch);

#pragma GCC visibility pop

#endif							/* RXTRACK_ITEMS_H */
