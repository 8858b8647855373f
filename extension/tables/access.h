/*
 * access.h
 *		Rows of the extension's own tables, by their keys, without a query.
 *
 * The way of an update goes through a handful of tables whose keys are known.  A
 * query would start an executor for each of them, which costs more than all the
 * rest of an update; and its plan could change.  This is what a logical
 * replication worker does: the executor's simple operations, one row at a time,
 * with all that belongs to them (indexes, constraints, triggers for each row; but, as
 * there is no statement, neither triggers for each statement nor UPDATE OF a column).
 *
 * A table may be partitioned by hash of its first column, which is then the first
 * of its primary key too: each row is looked for, and written, in its partition.
 */
#ifndef RXTRACK_ACCESS_H
#define RXTRACK_ACCESS_H

#include "postgres.h"
#include "access/genam.h"
#include "access/skey.h"
#include "nodes/execnodes.h"
#include "storage/lockdefs.h"

#include "tables/prepared_table.h"

/*
 * A table that is being read and written; palloc'd, and good until access_close.
 * Of a partitioned one, each partition that is used has one of its own.
 */
typedef struct Access
{
	Relation	relation;
	struct Access *root;		/* the table that was opened */
	struct Access *at_work;		/* where its rows are found: itself, or a partition */
	List	   *partitions;		/* those that are open, of a partitioned table */
	Relation	key_index;		/* by which rows are searched; NULL: it is partitioned, or has none */
	LOCKMODE	lock;
	ScanKeyData keys[PREPARED_MAX_KEYS];
	IndexScanDesc scan;			/* the search under way, or NULL */
	Snapshot	snapshot;		/* of that search */
	bool		latest;			/* may be set: searches see what others have committed, whatever the isolation */
	bool		steady;			/* may be set: by the first of them; and later ones what this transaction has written */
	EState	   *estate;			/* for writing; of the root alone, NULL until the first write */
	EPQState	recheck;		/* likewise */
	ResultRelInfo *result;		/* NULL until the first write */
	PreparedTable *prepared;	/* what that was made from, and holds */
	TupleTableSlot *found;		/* the row that was found */
	TupleTableSlot *written;	/* the row to be written */
	TupleTableSlot *before;		/* the row that it replaces, where that has to be known */
	Relation	indexes[PREPARED_MAX_INDEXES];	/* those that append.c has open */
} Access;

#pragma GCC visibility push(hidden)

/* Opens a table of the schema rxtrack, by name, for writing; rows are searched by the primary key. */
extern Access *access_open(const char *name);

/* Opens one that has no primary key, and is not partitioned, for writing only. */
extern Access *access_open_unkeyed(const char *name);

/* Opens one for searches only; rows are searched by an index of that name, or the primary key (NULL). */
extern Access *access_open_to_read(const char *name, const char *index);

/* Ends searches and writes (and fires the triggers of these); keeps the lock. */
extern void access_close(Access *access);

/* Begins a search for rows with the first key_count columns of the key. */
extern void access_search(Access *access, const Datum *key, int key_count);

/* Begins a search for rows whose first column of the key is greater than one value, and at most another, in its order. */
extern void access_search_between(Access *access, Datum above, Datum upto);

/* The next row of a search; false at its end. */
extern bool access_next(Access *access);

/*
 * Searches for the one row with that key; false where there is none.  Locked, it is the row's last version, whoever wrote it.
 */
extern bool access_find(Access *access, const Datum *key, int key_count, bool lock);

/* Finds the row that has the highest key; false where there is none. */
extern bool access_find_last(Access *access);

/* A column of the row that was found. */
extern Datum access_column(Access *access, int column, bool *isnull);

/* Where it was found: its place in the table or partition. */
extern ItemPointerData access_place(Access *access);

/*
 * Inserts a row of so many columns; raises 23505 where its key is there already.
 * Columns that somebody has added to the table get their defaults.
 */
extern void access_insert(Access *access, const Datum *values, const bool *nulls, int count);

/*
 * Replaces the row at a place where it was found and locked in this transaction.
 * Columns that somebody has added keep their values.
 */
extern void access_update(Access *access, const ItemPointerData *place, const Datum *values, const bool *nulls, int count);

#pragma GCC visibility pop

#endif							/* RXTRACK_ACCESS_H */
