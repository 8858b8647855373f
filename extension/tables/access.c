/*
 * access.c
 *		Reading and writing rows of a table by its keys.
 *
 * What to do with a partitioned table is in the section on partitions; all else
 * happens in one plain table or partition.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "tables/access.h"
#include "tables/catalog.h"
#include "tables/partition.h"
#include "tables/prepared_table.h"

static Oid
relation_oid(const char *name)
{
	Oid			oid = get_relname_relid(name, catalog_get()->namespace_oid);

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"rxtrack.%s\" does not exist", name)));
	return oid;
}

static Access *
begin_access(Oid oid, LOCKMODE lock)
{
	Access	   *access = palloc0(sizeof(Access));

	access->lock = lock;
	access->root = access->at_work = access;
	access->relation = table_open(oid, lock);
	return access;
}

/* The index by which rows are searched: the one of that name, or the primary key (NULL). */
static Oid
find_key_index(Relation table, const char *name)
{
	if (name != NULL)
		return relation_oid(name);
	list_free(RelationGetIndexList(table)); /* makes rd_pkindex known */
	return table->rd_pkindex;
}

/*
 * Opens it; one that is not valid, as CREATE INDEX CONCURRENTLY may leave it, does not
 * have all rows.  REINDEX CONCURRENTLY may put another one in its place, which is then
 * valid, between our look for it and our lock on it.
 */
static Relation
open_key_index(Relation table, const char *name, LOCKMODE lock)
{
	Oid			before = InvalidOid;

	for (;;)
	{
		Oid			oid = find_key_index(table, name);
		Relation	index;

		if (!OidIsValid(oid))
			partition_refuse(table, "it has no primary key");
		index = index_open(oid, lock);
		if (index->rd_index->indisvalid)
			return index;
		if (oid == before)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("index \"%s\" is not valid", RelationGetRelationName(index)),
					 errhint("Run REINDEX.")));
		index_close(index, lock);
		before = oid;
	}
}

static Access *
open_table(Oid oid, const char *index_name, LOCKMODE lock, Access *root)
{
	Access	   *access = begin_access(oid, lock);

	access->root = root == NULL ? access : root;
	if (access->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && index_name == NULL)
	{
		partition_check_key(access->relation, 1);
		return access;
	}
	if (access->relation->rd_rel->relkind != RELKIND_RELATION)
		partition_refuse(access->relation, "it is no plain table");
	access->key_index = open_key_index(access->relation, index_name, lock);
	access->found = table_slot_create(access->relation, NULL);
	prepared_keys(access->key_index, access->keys);
	return access;
}

static Access *
open_with(const char *name, const char *index, LOCKMODE lock)
{
	return open_table(relation_oid(name), index, lock, NULL);
}

Access *
access_open(const char *name)
{
	return open_with(name, NULL, RowExclusiveLock);
}

Access *
access_open_unkeyed(const char *name)
{
	Access	   *access = begin_access(relation_oid(name), RowExclusiveLock);

	if (access->relation->rd_rel->relkind != RELKIND_RELATION)
		partition_refuse(access->relation, "it is no plain table");
	access->found = table_slot_create(access->relation, NULL);
	return access;
}

Access *
access_open_to_read(const char *name, const char *index)
{
	return open_with(name, index, AccessShareLock);
}

/* ---------- Partitions ---------- */

static Access *
find_partition(Access *access, Datum first_column)
{
	Oid			oid = partition_of(access->relation, first_column);
	Access	   *partition;
	ListCell   *cell;

	foreach(cell, access->partitions)
		if (RelationGetRelid(((Access *) lfirst(cell))->relation) == oid)
			return lfirst(cell);
	partition = open_table(oid, NULL, access->lock, access->root);
	if (partition->key_index != NULL && partition->key_index->rd_index->indkey.values[0] != 1)
		partition_refuse(partition->relation, "its primary key does not begin with its first column");
	access->partitions = lappend(access->partitions, partition);
	return partition;
}

/* The plain table in which rows with that first column are. */
static Access *
choose(Access *access, Datum first_column)
{
	Access	   *chosen = access;

	while (chosen->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		chosen = find_partition(chosen, first_column);
	access->at_work = chosen;
	return chosen;
}

/* ---------- Reading ---------- */

static void
end_search(Access *access)
{
	if (access->scan == NULL)
		return;
	index_endscan(access->scan);
	access->scan = NULL;
	UnregisterSnapshot(access->snapshot);
}

/* Over the same scan: it costs half of a new one, and takes no look at who is at work. */
static void
search_again(Access *access, ScanKey keys, int key_count)
{
	CommandCounterIncrement();
	/* it is our own copy, which nobody else goes by */
	access->snapshot->curcid = GetCurrentCommandId(false);
	index_rescan(access->scan, keys, key_count, NULL, 0);
}

/* What others have committed by now is seen, and what this transaction has written. */
static void
begin_search(Access *access, ScanKey keys, int key_count)
{
	if (access->scan != NULL && access->root->steady && access->scan->numberOfKeys == key_count)
	{
		search_again(access, keys, key_count);
		return;
	}
	end_search(access);
	CommandCounterIncrement();
	access->snapshot = RegisterSnapshot(access->root->latest ? GetLatestSnapshot() : GetTransactionSnapshot());
#if PG_VERSION_NUM >= 180000
	access->scan = index_beginscan(access->relation, access->key_index, access->snapshot, NULL, key_count, 0);
#else
	access->scan = index_beginscan(access->relation, access->key_index, access->snapshot, key_count, 0);
#endif
	index_rescan(access->scan, keys, key_count, NULL, 0);
}

void
access_search(Access *access, const Datum *key, int key_count)
{
	access = choose(access, key[0]);
	for (int i = 0; i < key_count; i++)
		access->keys[i].sk_argument = key[i];
	begin_search(access, access->keys, key_count);
}

void
access_search_between(Access *access, Datum above, Datum upto)
{
	ScanKeyData range[2];

	prepare_key(access->key_index, &range[0], 0, BTGreaterStrategyNumber);
	prepare_key(access->key_index, &range[1], 0, BTLessEqualStrategyNumber);
	range[0].sk_argument = above;
	range[1].sk_argument = upto;
	begin_search(access, range, 2);
}

bool
access_next(Access *access)
{
	access = access->at_work;
	return index_getnext_slot(access->scan, ForwardScanDirection, access->found);
}

/*
 * Locks the row that was found; false when it has been deleted meanwhile.  A
 * newer version that somebody else committed takes its place, but for a
 * transaction whose isolation forbids to see it.
 */
static bool
lock_found(Access *access)
{
	TM_FailureData failure;
	TM_Result	result = table_tuple_lock(access->relation, &access->found->tts_tid, access->snapshot,
										  access->found, GetCurrentCommandId(false),
										  LockTupleNoKeyExclusive, LockWaitBlock,
										  IsolationUsesXactSnapshot() ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
										  &failure);

	switch (result)
	{
		case TM_Ok:
			return true;
		case TM_Deleted:
			if (!IsolationUsesXactSnapshot())
				return false;
			/* FALLTHROUGH */
		case TM_Updated:
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent update")));
			break;
		default:
			elog(ERROR, "unexpected result of locking a row: %d", (int) result);
	}
	return false;
}

bool
access_find(Access *access, const Datum *key, int key_count, bool lock)
{
	bool		found;

	access_search(access, key, key_count);
	access = access->at_work;
	found = access_next(access) && (!lock || lock_found(access));
	if (found)
		ExecMaterializeSlot(access->found);
	end_search(access);
	return found;
}

bool
access_find_last(Access *access)
{
	bool		found;

	begin_search(access, NULL, 0);
	found = index_getnext_slot(access->scan, BackwardScanDirection, access->found);
	if (found)
		ExecMaterializeSlot(access->found);
	end_search(access);
	return found;
}

Datum
access_column(Access *access, int column, bool *isnull)
{
	return slot_getattr(access->at_work->found, column, isnull);
}

ItemPointerData
access_place(Access *access)
{
	return access->at_work->found->tts_tid;
}

/* ---------- Writing ---------- */

/* One statement, as it were, with all that it does in partitions. */
static void
begin_statement(Access *root)
{
	if (root->estate != NULL)
		return;
	root->estate = CreateExecutorState();
#if PG_VERSION_NUM >= 160000
	EvalPlanQualInit(&root->recheck, root->estate, NULL, NIL, -1, NIL);
#else
	EvalPlanQualInit(&root->recheck, root->estate, NULL, NIL, -1);
#endif
	AfterTriggerBeginQuery();
}

static void
begin_writing(Access *access)
{
	EState	   *estate;

	if (access->result != NULL)
		return;
	begin_statement(access->root);
	estate = access->root->estate;
	access->result = makeNode(ResultRelInfo);
	InitResultRelInfo(access->result, access->relation, 0, NULL, 0);
	access->prepared = prepared_table(access->relation);
	prepared_hold(access->prepared);
	prepared_open_indexes(access->prepared, access->result);
	/* where triggers look for it, before they would open it again */
	estate->es_opened_result_relations = lappend(estate->es_opened_result_relations, access->result);
	if (access->written == NULL)
		access->written = table_slot_create(access->relation, NULL);
}

static void
store_default(Access *access, int column)
{
	Form_pg_attribute attribute = TupleDescAttr(access->relation->rd_att, column);
	EState	   *estate = access->root->estate;
	Expr	   *expression = NULL;

	access->written->tts_isnull[column] = true;
	/* a generated one is computed when the row is written */
	if (!attribute->attisdropped && attribute->attgenerated == '\0')
		expression = (Expr *) build_column_default(access->relation, column + 1);
	if (expression != NULL)
		access->written->tts_values[column] =
			ExecEvalExprSwitchContext(ExecInitExpr(expression_planner(expression), NULL),
									  GetPerTupleExprContext(estate), &access->written->tts_isnull[column]);
}

/* Columns that somebody has added: those of the row at that place, or their defaults (NULL). */
static void
store_further_columns(Access *access, const ItemPointerData *place, int count)
{
	int			all = access->relation->rd_att->natts;

	if (place != NULL)
	{
		if (access->before == NULL)
			access->before = table_slot_create(access->relation, NULL);
		if (!table_tuple_fetch_row_version(access->relation, (ItemPointer) place, SnapshotAny, access->before))
			elog(ERROR, "a row that was to be changed is gone");
		slot_getallattrs(access->before);
	}
	for (int i = count; i < all; i++)
	{
		if (place == NULL)
			store_default(access, i);
		else
		{
			access->written->tts_values[i] = access->before->tts_values[i];
			access->written->tts_isnull[i] = access->before->tts_isnull[i];
		}
	}
}

static void
store_written(Access *access, const ItemPointerData *place, const Datum *values, const bool *nulls, int count)
{
	int			all = access->relation->rd_att->natts;

	if (all < count)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" has %d columns and not %d", RelationGetRelationName(access->relation), all, count),
				 errhint("Run ALTER EXTENSION rxtrack UPDATE.")));
	begin_writing(access);
	/* checks, triggers and defaults allocate by the row */
	ResetPerTupleExprContext(access->root->estate);
	ExecClearTuple(access->written);
	memcpy(access->written->tts_values, values, count * sizeof(Datum));
	memcpy(access->written->tts_isnull, nulls, count * sizeof(bool));
	if (all > count)
		store_further_columns(access, place, count);
	ExecStoreVirtualTuple(access->written);
}

void
access_insert(Access *access, const Datum *values, const bool *nulls, int count)
{
	access = choose(access, values[0]);
	store_written(access, NULL, values, nulls, count);
	PushActiveSnapshot(GetTransactionSnapshot());
	ExecSimpleRelationInsert(access->result, access->root->estate, access->written);
	PopActiveSnapshot();
}

void
access_update(Access *access, const ItemPointerData *place, const Datum *values, const bool *nulls, int count)
{
	access = choose(access, values[0]);
	store_written(access, place, values, nulls, count);
	/* only that is looked at; the values may well lie in the row that was found */
	access->found->tts_tid = *place;
	PushActiveSnapshot(GetTransactionSnapshot());
	/* a trigger before it locks the row, which this transaction may have written itself */
	access->root->estate->es_output_cid = GetCurrentCommandId(true);
	ExecSimpleRelationUpdate(access->result, access->root->estate, &access->root->recheck,
							 access->found, access->written);
	PopActiveSnapshot();
}

static void
end_statement(Access *root)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	AfterTriggerEndQuery(root->estate);
	PopActiveSnapshot();
	EvalPlanQualEnd(&root->recheck);
	ExecCloseResultRelations(root->estate);
	ExecResetTupleTable(root->estate->es_tupleTable, false);
	FreeExecutorState(root->estate);
}

void
access_close(Access *access)
{
	ListCell   *cell;

	end_search(access);
	if (access->estate != NULL)
		end_statement(access);
	if (access->prepared != NULL)
		prepared_release(access->prepared);
	foreach(cell, access->partitions)
		access_close(lfirst(cell));
	if (access->written != NULL)
		ExecDropSingleTupleTableSlot(access->written);
	if (access->before != NULL)
		ExecDropSingleTupleTableSlot(access->before);
	if (access->found != NULL)
		ExecDropSingleTupleTableSlot(access->found);
	for (int i = 0; i < PREPARED_MAX_INDEXES; i++)
		if (access->indexes[i] != NULL)
			index_close(access->indexes[i], NoLock);
	if (access->key_index != NULL)
		index_close(access->key_index, NoLock);
	table_close(access->relation, NoLock);
}
