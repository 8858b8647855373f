/*
 * remembered.h
 *		Small tables that a process remembers, and reads again when somebody has
 *		changed them.
 *
 * Each has the trigger announce_change.  What it holds is kept by who reads it.
 */
#ifndef RXTRACK_REMEMBERED_H
#define RXTRACK_REMEMBERED_H

#include "postgres.h"

/* A table of the schema rxtrack; to be kept in static storage. */
typedef struct Remembered
{
	const char *table;
	Oid			relation;
	bool		changed;		/* by somebody, since we began to read it */
	bool		known;			/* do we hold what it holds? */
	struct Remembered *next;
} Remembered;

#pragma GCC visibility push(hidden)

/* To be called once for each, when the library is loaded. */
extern void remembered_init(Remembered *remembered);

/* To be called before the table is read, and after. */
extern void remembered_begin(Remembered *remembered);
extern void remembered_end(Remembered *remembered);

#pragma GCC visibility pop

#endif							/* RXTRACK_REMEMBERED_H */
