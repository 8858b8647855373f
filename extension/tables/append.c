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
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "utils/rel.h"

#include "tables/append.h"
#include "tables/prepared_table.h"

/* Is there nothing about the table that only the executor knows to do? */
static bool
is_plain(const PreparedTable *prepared, Relation table, int count)
{
	const TriggerDesc *triggers = table->trigdesc;
	const TupleConstr *constraints = table->rd_att->constr;

	if (!prepared->simple || table->rd_rel->relkind != RELKIND_RELATION || table->rd_rel->relispartition ||
		table->rd_att->natts != count)
		return false;
	if (triggers != NULL &&
		(triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
		 triggers->trig_insert_before_statement || triggers->trig_insert_after_statement ||
		 triggers->trig_update_before_row || triggers->trig_update_after_row ||
		 triggers->trig_update_before_statement || triggers->trig_update_after_statement))
		return false;
	return constraints == NULL || constraints->num_check == 0;
}

/* An index that rows are being added to, open from the first of them to the last. */
static Relation
open_index(Access *access, Oid oid, int n)
{
	Relation	index = access->indexes[n];

	/* the table's indexes may have been found out anew meanwhile */
	if (index != NULL && RelationGetRelid(index) == oid)
		return index;
	access->indexes[n] = NULL;
	if (index != NULL)
		index_close(index, NoLock);
	return access->indexes[n] = index_open(oid, RowExclusiveLock);
}

static void
append_to_index(const PreparedTable *prepared, int n, Access *access, TupleTableSlot *row)
{
	IndexInfo  *info = prepared->infos[n];
	ExprContext *context = GetPerTupleExprContext(prepared->estate);
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	context->ecxt_scantuple = row;
	if (info->ii_Predicate != NIL && !ExecQual(info->ii_PredicateState, context))
		return;
	FormIndexDatum(info, row, prepared->estate, values, nulls);
	index_insert(open_index(access, prepared->indexes[n], n), values, nulls, &row->tts_tid, access->relation,
				 info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, info);
}

static void
append_to_indexes(const PreparedTable *prepared, Access *access, TupleTableSlot *row)
{
	for (int i = 0; i < prepared->index_count; i++)
		append_to_index(prepared, i, access, row);
	ResetPerTupleExprContext(prepared->estate);
}

static TupleTableSlot *
empty_row(Access *access)
{
	if (access->written == NULL)
		access->written = table_slot_create(access->relation, NULL);
	return ExecClearTuple(access->written);
}

static void
append_plainly(const PreparedTable *prepared, Access *access, const Datum *values, const bool *nulls)
{
	TupleTableSlot *row = empty_row(access);
	int			count = access->relation->rd_att->natts;

	memcpy(row->tts_values, values, count * sizeof(Datum));
	memcpy(row->tts_isnull, nulls, count * sizeof(bool));
	ExecStoreVirtualTuple(row);
	table_tuple_insert(access->relation, row, GetCurrentCommandId(true), 0, NULL);
	append_to_indexes(prepared, access, row);
}

static void
change_plainly(const PreparedTable *prepared, Access *access, const bool *changes, const Datum *values, const bool *nulls)
{
	TupleTableSlot *found = access->found;
	TupleTableSlot *row = empty_row(access);
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes reindex;
#else
	bool		reindex;
#endif

	slot_getallattrs(found);
	for (int i = 0; i < access->relation->rd_att->natts; i++)
	{
		row->tts_values[i] = changes[i] ? values[i] : found->tts_values[i];
		row->tts_isnull[i] = changes[i] ? nulls[i] : found->tts_isnull[i];
	}
	ExecStoreVirtualTuple(row);
	simple_table_tuple_update(access->relation, &found->tts_tid, row, InvalidSnapshot, &reindex);
	if (reindex)
		append_to_indexes(prepared, access, row);
}

static void
change_by_executor(Access *found, const bool *changes, const Datum *values, const bool *nulls, int count)
{
	Access	   *access = access_open_unkeyed(RelationGetRelationName(found->relation));
	Datum	   *all = palloc(count * sizeof(Datum));
	bool	   *all_nulls = palloc(count * sizeof(bool));

	for (int i = 0; i < count; i++)
	{
		Datum		before = slot_getattr(found->found, i + 1, &all_nulls[i]);

		all[i] = changes[i] ? values[i] : before;
		all_nulls[i] = changes[i] ? nulls[i] : all_nulls[i];
	}
	access_update(access, &found->found->tts_tid, all, all_nulls, count);
	access_close(access);
}

bool
append_row(Access *access, const Datum *values, const bool *nulls, int count)
{
	PreparedTable *prepared = prepared_table(access->relation);

	prepared_hold(prepared);
	if (is_plain(prepared, access->relation, count))
		append_plainly(prepared, access, values, nulls);
	else
		access_insert(access, values, nulls, count);
	prepared_release(prepared);
	return ItemPointerIsValid(&access->written->tts_tid);
}

void
append_change(Access *found, const bool *changes, const Datum *values, const bool *nulls, int count)
{
	PreparedTable *prepared = prepared_table(found->relation);

	prepared_hold(prepared);
	if (is_plain(prepared, found->relation, count))
		change_plainly(prepared, found, changes, values, nulls);
	else
		change_by_executor(found, changes, values, nulls, count);
	prepared_release(prepared);
}
