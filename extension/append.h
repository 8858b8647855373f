/*
 * append.h
 *		Adding rows to a table, and changing them, again and again at the least cost.
 */
#ifndef RXTRACK_APPEND_H
#define RXTRACK_APPEND_H

#include "postgres.h"
#include "nodes/execnodes.h"

#include "access.h"

#define APPEND_MAX_INDEXES 16

/*
 * A table of the schema rxtrack; to be kept in static storage.  What it takes to
 * write its indexes is remembered from one transaction to the next: to find it out
 * anew costs more than to write them.
 */
typedef struct Appender
{
	const char *table;
	int			columns;		/* that rows are given with; the table may have more */
	Oid			relation;
	bool		changed;		/* by somebody, since we began to look at it */
	bool		known;			/* does the rest hold? */
	bool		simple;			/* or does a row need the executor? */
	EState	   *estate;			/* in which the rest lives */
	int			index_count;
	Oid			indexes[APPEND_MAX_INDEXES];
	IndexInfo  *infos[APPEND_MAX_INDEXES];
} Appender;

#pragma GCC visibility push(hidden)

/* To be called once for each, when the library is loaded. */
extern void append_init(Appender *appender);

/* Inserts a row; raises 23505 where its key is there already. */
extern void append_row(Appender *appender, Datum *values, bool *nulls);

/*
 * Changes the row that was found: those columns whose place in the array is true take
 * the value there.  Nobody else may change it meanwhile: XX000 where somebody did.
 */
extern void append_change(Appender *appender, Access *found, const bool *changes, const Datum *values, const bool *nulls);

#pragma GCC visibility pop

#endif							/* RXTRACK_APPEND_H */
