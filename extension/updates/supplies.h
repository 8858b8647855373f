/*
 * supplies.h
 *		The table of supplies: where each stands, and the row that is locked while it is judged; and that of
 *		further applications and patients that updates of a supply have named, beside the pair in its own row.
 *
 * Everybody locks in one order, so that no two submissions can wait for each other: the rows of supplies
 * that are there; then what they insert: prescriptions, supplies, parties, tasks; each in the order of its key.
 */
#ifndef RXTRACK_SUPPLIES_H
#define RXTRACK_SUPPLIES_H

#include "updates/batch.h"

/* Opens rxtrack.supply; to be closed with rows_close. */
extern Rows *supplies_open(void);

/* Locks the rows of a batch's supplies, and reads where they stand. */
extern void supplies_lock(Rows *rows, Batch *batch);

/* Counts what applications that begin further supplies of a prescription have begun of it already. */
extern void supplies_count_shares(Rows *rows, Batch *batch);

/* Stores where they stand now; raises 23505 where somebody else has stored one meanwhile. */
extern void supplies_store(Rows *rows, Batch *batch);

/* Reads the parties of the batch's supplies that are locked, where an entry is of another pair than the supply's own. */
extern void supplies_read_parties(Batch *batch);

/* Stores those that are new or have more updates. */
extern void supplies_store_parties(const Batch *batch);

#endif							/* RXTRACK_SUPPLIES_H */
