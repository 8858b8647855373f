/*
 * remembered.h
 *		What a process remembers of a table or an index, and finds out again when
 *		somebody has changed it.
 *
 * Where it is the rows that are remembered, the table has the trigger announce_change.
 * What is remembered is kept by who has found it out.
 */
#ifndef RXTRACK_REMEMBERED_H
#define RXTRACK_REMEMBERED_H

#include "postgres.h"

/* To be kept where it never goes away. */
typedef struct Remembered
{
	const char *table;			/* of the schema rxtrack; NULL: relation is set, and stays */
	Oid			relation;
	bool		changed;		/* by somebody, since we began to look at it */
	bool		known;			/* does what we hold still hold? */
	struct Remembered *next;
} Remembered;

#pragma GCC visibility push(hidden)

/* To be called once for each, before anything is remembered. */
extern void remembered_init(Remembered *remembered);

/* To be called before it is looked at, and after. */
extern void remembered_begin(Remembered *remembered);
extern void remembered_end(Remembered *remembered);

/* Somebody has changed it, or something that it goes by. */
extern void remembered_forget(Remembered *remembered);

#pragma GCC visibility pop

#endif							/* RXTRACK_REMEMBERED_H */
