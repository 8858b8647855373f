/*
 * append.h
 *		Adding rows to a table, and changing them, again and again at the least cost.
 */
#ifndef RXTRACK_APPEND_H
#define RXTRACK_APPEND_H

#include "postgres.h"

#include "access.h"

/* A table of the schema rxtrack. */
typedef struct Appender
{
	const char *table;
	int			columns;		/* that rows are given with; the table may have more */
} Appender;

#pragma GCC visibility push(hidden)

/* Inserts a row; raises 23505 where its key is there already. */
extern void append_row(const Appender *appender, Datum *values, bool *nulls);

/*
 * Changes the row that was found: those columns whose place in the array is true take
 * the value there.  Nobody else may change it meanwhile: XX000 where somebody did.
 */
extern void append_change(const Appender *appender, Access *found, const bool *changes, const Datum *values, const bool *nulls);

#pragma GCC visibility pop

#endif							/* RXTRACK_APPEND_H */
