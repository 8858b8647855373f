/*
 * columns.h
 *		Tables as C knows them, and where their columns are.
 *
 * A DBA may drop a column and add it anew, or restore a table with its columns in another
 * order, and partitions may have orders of their own.  So columns are found by name and type,
 * once a session for each relation, and again when that has changed.
 */
#ifndef RXTRACK_COLUMNS_H
#define RXTRACK_COLUMNS_H

#include "postgres.h"
#include "access/attnum.h"
#include "utils/relcache.h"

#include "tables/catalog.h"

#define COLUMNS_MAX 24

/* What C knows of a table.  Its user numbers the columns from 0, by an enum. */
typedef struct RowsTable
{
	const char *schema;
	const char *name;
	int			column_count;
	struct
	{
		const char *name;
		const CatalogType *type;
	}			columns[COLUMNS_MAX];
} RowsTable;

/* Where its columns are in a relation: the table itself, or a partition of it. */
typedef struct Columns
{
	bool		is_all;			/* has the relation no others? */
	AttrNumber	numbers[COLUMNS_MAX];
} Columns;

/*
 * Finds the columns of a table in a relation that is open.  Raises 42703 where one is missing,
 * 42804 where it has another type, and 0A000 where the relation is not one whose rows are here and commit
 * with us.
 */
extern Columns columns_find(const RowsTable *table, Relation relation);

#endif							/* RXTRACK_COLUMNS_H */
