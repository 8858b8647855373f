/*
 * at_commit.h
 *		What becomes of a transaction's readiness events when it commits: the dispatcher is
 *		woken, or, where there is none, the transaction releases them itself.
 */
#ifndef RXTRACK_AT_COMMIT_H
#define RXTRACK_AT_COMMIT_H

extern void at_commit_init(void);

/* This transaction has recorded an event. */
extern void at_commit_release(void);

#endif							/* RXTRACK_AT_COMMIT_H */
