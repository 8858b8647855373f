/*
 * append.c
 *		Writing rows without the executor, where a table is as plain as ours are.
 *
 * The indexes are written as the executor would, each by its own description.  A
 * table to which somebody has added columns, triggers, checks or other kinds of indexes gets
 * its rows from the executor.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "access.h"
#include "append.h"
#include "catalog.h"
#include "prepared_table.h"

/* Is there nothing about the table that only the executor knows to do? */
static bool
is_plain(const Appender *appender, const PreparedTable *prepared, Relation table)
{
	const TriggerDesc *triggers = table->trigdesc;
	const TupleConstr *constraints = table->rd_att->constr;

	if (!prepared->simple || table->rd_rel->relkind != RELKIND_RELATION || table->rd_rel->relispartition ||
		table->rd_att->natts != appender->columns)
		return false;
	if (triggers != NULL &&
		(triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
		 triggers->trig_insert_before_statement || triggers->trig_insert_after_statement ||
		 triggers->trig_update_before_row || triggers->trig_update_after_row ||
		 triggers->trig_update_before_statement || triggers->trig_update_after_statement))
		return false;
	return constraints == NULL || constraints->num_check == 0;
}

static void
append_to_index(const PreparedTable *prepared, int n, Relation table, TupleTableSlot *row)
{
	IndexInfo  *info = prepared->infos[n];
	ExprContext *context = GetPerTupleExprContext(prepared->estate);
	Relation	index;
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	context->ecxt_scantuple = row;
	if (info->ii_Predicate != NIL && !ExecQual(info->ii_PredicateState, context))
		return;
	index = index_open(prepared->indexes[n], RowExclusiveLock);
	FormIndexDatum(info, row, prepared->estate, values, nulls);
	index_insert(index, values, nulls, &row->tts_tid, table,
				 info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
	index_close(index, NoLock);
}

static void
append_plainly(const PreparedTable *prepared, Relation table, Datum *values, bool *nulls)
{
	TupleTableSlot *row = table_slot_create(table, NULL);
	int			count = table->rd_att->natts;

	memcpy(row->tts_values, values, count * sizeof(Datum));
	memcpy(row->tts_isnull, nulls, count * sizeof(bool));
	ExecStoreVirtualTuple(row);
	table_tuple_insert(table, row, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < prepared->index_count; i++)
		append_to_index(prepared, i, table, row);
	ResetPerTupleExprContext(prepared->estate);
	ExecDropSingleTupleTableSlot(row);
	/* as a statement of its own: what comes after it sees the row */
	CommandCounterIncrement();
}

static void
change_plainly(const PreparedTable *prepared, Relation table, Access *access,
			   const bool *changes, const Datum *values, const bool *nulls)
{
	TupleTableSlot *found = access->found;
	TupleTableSlot *row;
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes reindex;
#else
	bool		reindex;
#endif

	if (access->written == NULL)
		access->written = table_slot_create(table, NULL);
	row = ExecClearTuple(access->written);
	slot_getallattrs(found);
	for (int i = 0; i < table->rd_att->natts; i++)
	{
		row->tts_values[i] = changes[i] ? values[i] : found->tts_values[i];
		row->tts_isnull[i] = changes[i] ? nulls[i] : found->tts_isnull[i];
	}
	ExecStoreVirtualTuple(row);
	simple_table_tuple_update(table, &found->tts_tid, row, InvalidSnapshot, &reindex);
	for (int i = 0; i < prepared->index_count && reindex; i++)
		append_to_index(prepared, i, table, row);
	ResetPerTupleExprContext(prepared->estate);
}

static void
append_by_executor(const Appender *appender, Datum *values, bool *nulls)
{
	Access	   *access = access_open_unkeyed(appender->table);

	access_insert(access, values, nulls, appender->columns);
	access_close(access);
}

static void
change_by_executor(const Appender *appender, TupleTableSlot *found,
				   const bool *changes, const Datum *values, const bool *nulls)
{
	Access	   *access = access_open_unkeyed(appender->table);
	int			count = appender->columns;
	Datum	   *all = palloc(count * sizeof(Datum));
	bool	   *all_nulls = palloc(count * sizeof(bool));

	for (int i = 0; i < count; i++)
	{
		Datum		before = slot_getattr(found, i + 1, &all_nulls[i]);

		all[i] = changes[i] ? values[i] : before;
		all_nulls[i] = changes[i] ? nulls[i] : all_nulls[i];
	}
	access_update(access, &found->tts_tid, all, all_nulls, count);
	access_close(access);
}

static Relation
open_table(const Appender *appender)
{
	return table_open(get_relname_relid(appender->table, catalog_get()->namespace_oid), RowExclusiveLock);
}

void
append_row(const Appender *appender, Datum *values, bool *nulls)
{
	Relation	table = open_table(appender);
	const PreparedTable *prepared = prepared_table(table);

	if (is_plain(appender, prepared, table))
		append_plainly(prepared, table, values, nulls);
	else
		append_by_executor(appender, values, nulls);
	table_close(table, NoLock);
}

void
append_change(const Appender *appender, Access *found, const bool *changes, const Datum *values, const bool *nulls)
{
	Relation	table = found->relation;
	const PreparedTable *prepared;

	LockRelation(table, RowExclusiveLock);	/* it is open, but perhaps only to be read */
	prepared = prepared_table(table);
	if (is_plain(appender, prepared, table))
		change_plainly(prepared, table, found, changes, values, nulls);
	else
		change_by_executor(appender, found->found, changes, values, nulls);
}
