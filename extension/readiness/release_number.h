/*
 * release_number.h
 *		The number that was given to a readiness event last.
 */
#ifndef RXTRACK_RELEASE_NUMBER_H
#define RXTRACK_RELEASE_NUMBER_H

#include "postgres.h"

/* 0: none was.  For a transaction that holds the lock on releases, so that it stays the last. */
extern int64 release_number_last(void);

#endif							/* RXTRACK_RELEASE_NUMBER_H */
