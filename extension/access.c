/*
 * access.c
 *		Reading and writing rows of a table by its primary key.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "access.h"
#include "catalog.h"

/* The equality operators of the key's columns, as scan keys. */
static void
prepare_keys(Access *access)
{
	int			count = Min(ACCESS_MAX_KEYS, IndexRelationGetNumberOfKeyAttributes(access->key_index));

	for (int i = 0; i < count; i++)
	{
		Oid			type = access->key_index->rd_opcintype[i];
		Oid			equals = get_opfamily_member(access->key_index->rd_opfamily[i], type, type,
												 BTEqualStrategyNumber);

		ScanKeyEntryInitialize(&access->keys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   access->key_index->rd_indcollation[i], get_opcode(equals), (Datum) 0);
	}
}

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
open_with(const char *name, const char *index, LOCKMODE lock)
{
	Access	   *access = palloc0(sizeof(Access));

	access->lock = lock;
	access->relation = table_open(relation_oid(name), lock);
	list_free(RelationGetIndexList(access->relation));	/* makes rd_pkindex known */
	access->key_index = index_open(index == NULL ? access->relation->rd_pkindex : relation_oid(index), lock);
	access->found = table_slot_create(access->relation, NULL);
	prepare_keys(access);
	return access;
}

Access *
access_open(const char *name)
{
	return open_with(name, NULL, RowExclusiveLock);
}

Access *
access_open_to_read(const char *name, const char *index)
{
	return open_with(name, index, AccessShareLock);
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

/* What others have committed by now is seen, and what this transaction has written. */
void
access_search(Access *access, const Datum *key, int key_count)
{
	end_search(access);
	CommandCounterIncrement();
	access->snapshot = RegisterSnapshot(GetTransactionSnapshot());
#if PG_VERSION_NUM >= 180000
	access->scan = index_beginscan(access->relation, access->key_index, access->snapshot, NULL, key_count, 0);
#else
	access->scan = index_beginscan(access->relation, access->key_index, access->snapshot, key_count, 0);
#endif
	for (int i = 0; i < key_count; i++)
		access->keys[i].sk_argument = key[i];
	index_rescan(access->scan, access->keys, key_count, NULL, 0);
}

bool
access_next(Access *access)
{
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
	found = access_next(access) && (!lock || lock_found(access));
	if (found)
		ExecMaterializeSlot(access->found);
	end_search(access);
	return found;
}

Datum
access_column(Access *access, int column, bool *isnull)
{
	return slot_getattr(access->found, column, isnull);
}

/* ---------- Writing ---------- */

static void
begin_writing(Access *access)
{
	if (access->result != NULL)
		return;
	access->estate = CreateExecutorState();
	access->result = makeNode(ResultRelInfo);
	InitResultRelInfo(access->result, access->relation, 0, NULL, 0);
	ExecOpenIndices(access->result, false);
	/* where triggers look for it, before they would open it again */
	access->estate->es_opened_result_relations = list_make1(access->result);
#if PG_VERSION_NUM >= 160000
	EvalPlanQualInit(&access->recheck, access->estate, NULL, NIL, -1, NIL);
#else
	EvalPlanQualInit(&access->recheck, access->estate, NULL, NIL, -1);
#endif
	access->written = table_slot_create(access->relation, NULL);
	AfterTriggerBeginQuery();
}

static void
store_written(Access *access, const Datum *values, const bool *nulls)
{
	int			count = access->relation->rd_att->natts;

	begin_writing(access);
	ExecClearTuple(access->written);
	memcpy(access->written->tts_values, values, count * sizeof(Datum));
	memcpy(access->written->tts_isnull, nulls, count * sizeof(bool));
	ExecStoreVirtualTuple(access->written);
	/* checks and triggers allocate by the row */
	ResetPerTupleExprContext(access->estate);
}

void
access_insert(Access *access, const Datum *values, const bool *nulls)
{
	store_written(access, values, nulls);
	PushActiveSnapshot(GetTransactionSnapshot());
	ExecSimpleRelationInsert(access->result, access->estate, access->written);
	PopActiveSnapshot();
}

void
access_update(Access *access, const ItemPointerData *place, const Datum *values, const bool *nulls)
{
	store_written(access, values, nulls);
	/* only that is looked at; the values may well lie in the row that was found */
	access->found->tts_tid = *place;
	PushActiveSnapshot(GetTransactionSnapshot());
	ExecSimpleRelationUpdate(access->result, access->estate, &access->recheck, access->found, access->written);
	PopActiveSnapshot();
}

void
access_close(Access *access)
{
	end_search(access);
	if (access->result != NULL)
	{
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		AfterTriggerEndQuery(access->estate);
		PopActiveSnapshot();
		EvalPlanQualEnd(&access->recheck);
		ExecCloseResultRelations(access->estate);
		ExecDropSingleTupleTableSlot(access->written);
		ExecResetTupleTable(access->estate->es_tupleTable, false);
		FreeExecutorState(access->estate);
	}
	ExecDropSingleTupleTableSlot(access->found);
	index_close(access->key_index, NoLock);
	table_close(access->relation, NoLock);
}
