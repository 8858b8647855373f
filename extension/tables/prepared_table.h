/*
 * prepared_table.h
 *		What it takes to write a table, and to search it, kept from one transaction to
 *		the next: the descriptions of its indexes, its checks and its triggers'
 *		conditions, compiled, and the keys of searches.
 *
 * The executor finds all this out anew for each statement, which costs more than to
 * write a row.
 */
#ifndef RXTRACK_PREPARED_TABLE_H
#define RXTRACK_PREPARED_TABLE_H

#include "postgres.h"
#include "access/skey.h"
#include "nodes/execnodes.h"
#include "utils/relcache.h"

#include "tables/remembered.h"

#define PREPARED_MAX_INDEXES 16
#define PREPARED_MAX_KEYS 2

/* A table or an index of which something is kept. */
typedef struct Prepared
{
	Remembered	remembered;
	struct Prepared *next;
} Prepared;

typedef struct PreparedTable
{
	Prepared	prepared;
	bool		simple;			/* or does it have what only the executor knows to prepare? */
	int			users;			/* for whom what is learned anew must not take the place of this */
	EState	   *estate;			/* in which the rest lives */
	int			index_count;
	Oid			indexes[PREPARED_MAX_INDEXES];
	IndexInfo  *infos[PREPARED_MAX_INDEXES];
	ExprState **checks;			/* NULL: it has none */
	ExprState **conditions;		/* of its triggers, NULL where one has none */
} PreparedTable;

#pragma GCC visibility push(hidden)

/* To be called once, when the library is loaded. */
extern void prepared_table_init(void);

/*
 * What is known of a table that is open and locked for writing.  The next call, perhaps
 * of a function that is called for a row, may learn it anew, in the same place.  What it
 * points to stays until then; for who holds it, until the transaction ends.
 */
extern PreparedTable *prepared_table(Relation table);
extern void prepared_hold(PreparedTable *prepared);
extern void prepared_release(PreparedTable *prepared);

/* A column of an index and an operator, as a scan key whose argument is yet to come. */
extern void prepare_key(Relation index, ScanKey key, int column, StrategyNumber strategy);

/* The same for the first columns of an index, at most PREPARED_MAX_KEYS, each to be equal to its argument. */
extern void prepared_keys(Relation index, ScanKey keys);

/* Opens the table's indexes for the executor, by what is known of it and is held; it closes them itself. */
extern void prepared_open_indexes(const PreparedTable *prepared, ResultRelInfo *result);

#pragma GCC visibility pop

#endif							/* RXTRACK_PREPARED_TABLE_H */
