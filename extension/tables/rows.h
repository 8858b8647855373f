/*
 * rows.h
 *		Rows of the extension's own tables, found by their keys and written by the executor.
 *
 * A query would start an executor of its own for each of the few tables that an update
 * touches, which costs more than all the rest of it.  This is what logical replication's
 * apply worker does: index scans, and the executor's simple operations one row at a time,
 * with all that belongs to them: indexes, constraints, defaults, triggers for each row.
 * What these cannot do goes through SQL (through_sql.h).
 *
 * A table may be partitioned by hash of its first column, which then leads its primary key
 * too: each row is looked for, and written, in its partition.
 */
#ifndef RXTRACK_ROWS_H
#define RXTRACK_ROWS_H

#include "postgres.h"
#include "storage/block.h"
#include "storage/itemptr.h"
#include "storage/lockdefs.h"

#include "tables/columns.h"

#define ROWS_MAX_KEY 4

/*
 * An index by which rows are searched: its first columns.  The primary key, or the index of
 * that name in the table's schema; it is refused where its columns are others.
 */
typedef struct RowsKey
{
	const char *index;			/* NULL: the primary key */
	int			count;
	int			columns[ROWS_MAX_KEY];	/* by their numbers */
} RowsKey;

/* Whether a row that is looked for is locked. */
typedef enum RowsLock
{
	ROWS_UNLOCKED,
	ROWS_LOCKED,
	ROWS_REFERENCED,			/* as the check of a foreign key does, FOR KEY SHARE: only FOR UPDATE conflicts */
	ROWS_LOCKED_AT_ONCE			/* or not found, where somebody else has it locked */
} RowsLock;

/* Where a row is. */
typedef struct RowsPlace
{
	Oid			relation;		/* the table, or a partition of it */
	ItemPointerData tid;
} RowsPlace;

/* A table that is open, from rows_open to rows_close; palloc'd. */
typedef struct Rows Rows;

/*
 * Opens a table under a lock, for searches by a key (NULL: for none), and for writing where
 * the lock allows that.  Raises 42P01 or 42703 where it or a column is not there, 42804 where a
 * column has another type, 0A000 for what is no table that commits with us, 55000 where the
 * index is not valid.
 */
extern Rows *rows_open(const RowsTable *table, const RowsKey *key, LOCKMODE lock);

/* Ends searches and writes, and fires the triggers of these; keeps the lock. */
extern void rows_close(Rows *rows);

/*
 * Searches see what others have committed when the first of them began, whatever the
 * isolation, and what this transaction has written by each.
 */
extern void rows_see_latest(Rows *rows);

/* Begins a search for rows that have in the first key_count columns of the key what a row in memory has there. */
extern void rows_search(Rows *rows, const void *row, int key_count);

/* Begins a search for rows whose first column of the key is greater than one value and at most another, in its order. */
extern void rows_search_between(Rows *rows, Datum above, Datum upto);

/* Begins a search for all rows in some of the blocks of a table that is not partitioned. */
extern void rows_scan(Rows *rows, BlockNumber first, BlockNumber last);

/* How many blocks that has. */
extern BlockNumber rows_block_count(Rows *rows);

/* The next row of a search; false at its end. */
extern bool rows_next(Rows *rows);

/*
 * Searches for the one row with the key of a row in memory; false where there is none.  Locked, it is the row's
 * last version, whoever wrote it; raises 40001 where the isolation forbids to see that.  Until
 * one is locked, or this transaction writes, all see what others had committed at the first.
 */
extern bool rows_find(Rows *rows, const void *row, RowsLock lock);

/* Finds the row that has the highest key; false where there is none. */
extern bool rows_find_last(Rows *rows);

/* Whether another transaction, still under way, has locked, changed or deleted the row that was found. */
extern bool rows_is_locked(Rows *rows);

/*
 * Copies the row that was found into memory, where the table says; a null is zeroes there.  XX000 where a column is null that
 * may not be.
 */
extern void rows_read(Rows *rows, void *row);

/* Where the row that was found is. */
extern RowsPlace rows_place(const Rows *rows);

/*
 * Inserts a row; columns that the table has beside ours get their defaults.  False where a
 * trigger or a rule has left it out; raises what INSERT raises (23505 where its key is there already).
 */
extern bool rows_insert(Rows *rows, const void *row);

/* The block of the row that was just inserted into a table that is not partitioned; InvalidBlockNumber: SQL has done so. */
extern BlockNumber rows_inserted_block(const Rows *rows);

/*
 * Changes the row at a place, which is locked in this transaction: those of our columns that
 * changes says (NULL: all).  False where a trigger or a rule has left it as it was.
 */
extern bool rows_update(Rows *rows, const RowsPlace *place, const bool *changes, const void *row);

/*
 * Deletes the row at a place; false where a trigger or a rule has kept it.  XX000 where somebody else
 * has changed or deleted it meanwhile.
 */
extern bool rows_delete(Rows *rows, const RowsPlace *place);

/* Takes out of an error what may quote a row, and with it a patient: the detail of a violated constraint. */
extern void rows_hide_detail(ErrorData *error);

#endif							/* RXTRACK_ROWS_H */
