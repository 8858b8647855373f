/*
 * judge.h
 *		What an update does to its item.
 */
#ifndef RXTRACK_JUDGE_H
#define RXTRACK_JUDGE_H

#include "updates/store.h"

#pragma GCC visibility push(hidden)

/*
 * Says what kind an update would be, given where its item stands, and whether
 * the item's status becomes another by it.  To be called inside SPI.
 */
extern TransitionKind judge_update(const ItemState *item, const Update *update, int64 now, bool *changes_status);

#pragma GCC visibility pop

#endif							/* RXTRACK_JUDGE_H */
