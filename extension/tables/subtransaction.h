/*
 * subtransaction.h
 *		Work that may fail without its transaction.
 */
#ifndef RXTRACK_SUBTRANSACTION_H
#define RXTRACK_SUBTRANSACTION_H

#include "postgres.h"

/*
 * Works in a subtransaction; false where the work says so, or raises (error: what, palloc'd; else NULL), and then all
 * of it is rolled back.  No error leaves the subtransaction open: the session would be stuck in it.
 */
extern bool subtransaction_attempt(bool (*work) (void *argument), void *argument, ErrorData **error);

#endif							/* RXTRACK_SUBTRANSACTION_H */
