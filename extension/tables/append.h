/*
 * append.h
 *		Adding rows to a table, and changing them, again and again at the least cost.
 */
#ifndef RXTRACK_APPEND_H
#define RXTRACK_APPEND_H

#include "postgres.h"

#include "tables/access.h"

#pragma GCC visibility push(hidden)

/*
 * Inserts a row of so many columns into a table that is open for writing; raises 23505 where its key
 * is there already.  The table may have more columns.  Returns false where a trigger has left it out.
 */
extern bool append_row(Access *access, const Datum *values, const bool *nulls, int count);

/*
 * Changes the row that was found, of so many columns: those whose place in the array is true take
 * the value there.  The table is locked for writing, though it may be open to be read only; nobody
 * else may change the row meanwhile: XX000 where somebody did.
 */
extern void append_change(Access *found, const bool *changes, const Datum *values, const bool *nulls, int count);

#pragma GCC visibility pop

#endif							/* RXTRACK_APPEND_H */
