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

/*
 * What C knows of a table, and where a row of it has its values in memory: each in a member of a struct, of the
 * column's type by value or of its fixed length (of a varlena a pointer, of an enumeration its number).  Where a
 * column may be null, a bool says that it is not.
 */
typedef struct RowsTable
{
	const char *schema;
	const char *name;
	int			column_count;
	struct
	{
		const char *name;
		const CatalogType *type;
		size_t		member;
		size_t		present;	/* that bool; 0: never null */
	}			columns[COLUMNS_MAX];
} RowsTable;

/* For the initializer of a table: a column that is never null, and one that may be. */
#define COLUMN(name, type, row, member) {name, &catalog_##type, offsetof(row, member), 0}
#define COLUMN_OR_NULL(name, type, row, member, present) \
	{name, &catalog_##type, offsetof(row, member), offsetof(row, present)}

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
