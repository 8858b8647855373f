/*
 * through_sql.h
 *		Writing rows by SQL, where a table has what the executor's simple operations leave out:
 *		rules, triggers for each statement (transition tables with them), and triggers on UPDATE OF
 *		columns.
 *
 * In the same transaction, with the same answers, and slower.  Each row is a statement of its own.
 */
#ifndef RXTRACK_THROUGH_SQL_H
#define RXTRACK_THROUGH_SQL_H

#include "postgres.h"
#include "nodes/nodes.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

#include "tables/columns.h"

/* Is it needed for that command, given the table that a statement would name and the one that the row is in? */
extern bool through_sql_is_needed(Relation named, Relation part, CmdType command);

/*
 * These return whether there was such a row to write.  They see what others have committed as rows.h
 * says, latest or not.
 */
extern bool through_sql_insert(const RowsTable *table, const Datum *values, const bool *nulls);
extern bool through_sql_update(const RowsTable *table, Oid relation, const ItemPointerData *tid, bool latest,
							   const bool *changes, const Datum *values, const bool *nulls);
extern bool through_sql_delete(const RowsTable *table, Oid relation, const ItemPointerData *tid, bool latest);

#endif							/* RXTRACK_THROUGH_SQL_H */
