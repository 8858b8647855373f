/*
 * access.h
 *		Rows of the extension's own tables, by their primary key, without a query.
 *
 * The way of an update goes through a handful of tables whose keys are known.  A
 * query would start an executor for each of them, which costs more than all the
 * rest of an update; and its plan could change.  This is what a logical
 * replication worker does: the executor's simple operations, one row at a time,
 * with all that belongs to them (indexes, constraints, triggers).
 */
#ifndef RXTRACK_ACCESS_H
#define RXTRACK_ACCESS_H

#include "postgres.h"
#include "access/genam.h"
#include "access/skey.h"
#include "nodes/execnodes.h"
#include "storage/lockdefs.h"

#define ACCESS_MAX_KEYS 2

/* A table that is being read and written; palloc'd, and good until access_close. */
typedef struct Access
{
	Relation	relation;
	Relation	key_index;		/* by which rows are searched */
	LOCKMODE	lock;
	ScanKeyData keys[ACCESS_MAX_KEYS];
	IndexScanDesc scan;			/* the search under way, or NULL */
	Snapshot	snapshot;		/* of that search */
	EState	   *estate;
	ResultRelInfo *result;		/* for writing; NULL until the first write */
	EPQState	recheck;
	TupleTableSlot *found;		/* the row that was found */
	TupleTableSlot *written;	/* the row to be written */
} Access;

#pragma GCC visibility push(hidden)

/* Opens a table of the schema rxtrack, by name, for writing; rows are searched by the primary key. */
extern Access *access_open(const char *name);

/* Opens one for reading only; rows are searched by an index of that name, or the primary key (NULL). */
extern Access *access_open_to_read(const char *name, const char *index);

/* Ends searches and writes (and fires the triggers of these); keeps the lock. */
extern void access_close(Access *access);

/* Begins a search for rows with the first key_count columns of the key. */
extern void access_search(Access *access, const Datum *key, int key_count);

/* The next row of a search, in access->found; false at its end. */
extern bool access_next(Access *access);

/*
 * Searches for the one row with that key, in access->found; false where
 * there is none.  Locked, it is the row's last version, whoever wrote it.
 */
extern bool access_find(Access *access, const Datum *key, int key_count, bool lock);

/* A column of the row that was found. */
extern Datum access_column(Access *access, int column, bool *isnull);

/* Inserts a row; raises 23505 where its key is there already. */
extern void access_insert(Access *access, const Datum *values, const bool *nulls);

/* Replaces the row at a place where it was found and locked in this transaction. */
extern void access_update(Access *access, const ItemPointerData *place, const Datum *values, const bool *nulls);

#pragma GCC visibility pop

#endif							/* RXTRACK_ACCESS_H */
