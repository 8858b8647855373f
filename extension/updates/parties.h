/*
 * parties.h
 *		The table of further applications and patients that updates of a supply have named, beside the pair
 *		that the supply's own row has.
 */
#ifndef RXTRACK_PARTIES_H
#define RXTRACK_PARTIES_H

#include "updates/batch.h"

/* Reads the parties of the batch's supplies that are locked, where an entry is of another pair than the supply's own. */
extern void parties_read(Batch *batch);

/* Stores those that are new or have more updates. */
extern void parties_store(const Batch *batch);

#endif							/* RXTRACK_PARTIES_H */
