/*
 * prepared_table.c
 *		Keeping what it takes to write a table.
 *
 * It is remembered (remembered.h) until somebody changes the table or index: whoever
 * does has every session told.  A changed function or domain may be part of
 * a check, so it makes a session forget all tables.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteManip.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "tables/prepared_table.h"

/* An index by which rows are searched. */
typedef struct PreparedIndex
{
	Prepared	prepared;
	int			key_count;
	ScanKeyData keys[PREPARED_MAX_KEYS];
} PreparedIndex;

static Prepared *tables = NULL;
static Prepared *indexes = NULL;

static void
forget_all(Datum arg, int cache, uint32 hash)
{
	(void) arg;
	(void) cache;
	(void) hash;
	for (Prepared *table = tables; table != NULL; table = table->next)
		remembered_forget(&table->remembered);
	for (Prepared *index = indexes; index != NULL; index = index->next)
		remembered_forget(&index->remembered);
}

/* Nobody is at work any more, also where an error has kept somebody from saying so. */
static void
at_transaction_end(XactEvent event, void *arg)
{
	(void) arg;
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	for (Prepared *table = tables; table != NULL; table = table->next)
		((PreparedTable *) table)->users = 0;
}

void
prepared_table_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	CacheRegisterSyscacheCallback(PROCOID, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(CONSTROID, forget_all, (Datum) 0);
}

/* What is kept of a relation; a new one, with so many bytes, where nothing is yet. */
static Prepared *
find(Prepared **all, Oid relation, Size size)
{
	Prepared   *prepared = *all;

	while (prepared != NULL && prepared->remembered.relation != relation)
		prepared = prepared->next;
	if (prepared != NULL)
		return prepared;
	prepared = MemoryContextAllocZero(TopMemoryContext, size);
	prepared->remembered.relation = relation;
	remembered_init(&prepared->remembered);
	prepared->next = *all;
	*all = prepared;
	return prepared;
}

/* ---------- Learning ---------- */

/*
 * Expressions of some kinds keep something for the next row in the memory of whoever
 * has them evaluated, which for us is another one each time.  Only those that are known
 * not to are kept.
 */
static bool
has_memory(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Var:
			return ((Var *) node)->varattno <= 0;
		case T_NullTest:
			if (((NullTest *) node)->argisrow)
				return true;
			break;
		case T_List:
		case T_Const:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_FuncExpr:
		case T_BoolExpr:
		case T_BooleanTest:
		case T_RelabelType:
			break;
		default:
			return true;
	}
	return expression_tree_walker(node, has_memory, context);
}

static void
learn_index(PreparedTable *prepared, Oid oid)
{
	Relation	index = index_open(oid, RowExclusiveLock);
	IndexInfo  *info = BuildIndexInfo(index);

	if (index->rd_rel->relam != BTREE_AM_OID || info->ii_ExclusionOps != NULL || !info->ii_ReadyForInserts ||
		!index->rd_index->indimmediate || prepared->index_count == PREPARED_MAX_INDEXES ||
		has_memory((Node *) info->ii_Predicate, NULL) || has_memory((Node *) info->ii_Expressions, NULL))
		prepared->simple = false;
	else
	{
		info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, prepared->estate);
		info->ii_ExpressionsState = ExecPrepareExprList(info->ii_Expressions, prepared->estate);
		prepared->indexes[prepared->index_count] = oid;
		prepared->infos[prepared->index_count++] = info;
	}
	index_close(index, NoLock);
}

static void
learn_checks(PreparedTable *prepared, const TupleConstr *constraints)
{
	int			count = constraints == NULL ? 0 : constraints->num_check;

	prepared->checks = count == 0 ? NULL : palloc0(count * sizeof(ExprState *));
	for (int i = 0; i < count; i++)
	{
		Expr	   *check;

#if PG_VERSION_NUM >= 180000
		if (!constraints->check[i].ccenforced)
			continue;
#endif
		check = stringToNode(constraints->check[i].ccbin);
		if (has_memory((Node *) check, NULL))
			prepared->simple = false;
		else
			prepared->checks[i] = ExecPrepareExpr(check, prepared->estate);
	}
}

static void
learn_conditions(PreparedTable *prepared, const TriggerDesc *triggers)
{
	int			count = triggers == NULL ? 0 : triggers->numtriggers;

	prepared->conditions = palloc0(Max(count, 1) * sizeof(ExprState *));
	for (int i = 0; i < count; i++)
	{
		Node	   *condition = triggers->triggers[i].tgqual == NULL ? NULL : stringToNode(triggers->triggers[i].tgqual);

		if (has_memory(condition, NULL))
			prepared->simple = false;
		else if (condition != NULL)
		{
			/* as the executor wants it: the old row is the inner one, the new row the outer */
			ChangeVarNodes(condition, PRS2_OLD_VARNO, INNER_VAR, 0);
			ChangeVarNodes(condition, PRS2_NEW_VARNO, OUTER_VAR, 0);
			prepared->conditions[i] = ExecPrepareQual(make_ands_implicit((Expr *) condition), prepared->estate);
		}
	}
}

static bool
has_generated_columns(Relation table)
{
	for (int i = 0; i < table->rd_att->natts; i++)
		if (TupleDescAttr(table->rd_att, i)->attgenerated != '\0')
			return true;
	return false;
}

static void
learn_in_its_context(PreparedTable *prepared, Relation table, List *table_indexes)
{
	ListCell   *cell;

	prepared->simple = !has_generated_columns(table);
	prepared->index_count = 0;
	foreach(cell, table_indexes)
		if (prepared->simple)
			learn_index(prepared, lfirst_oid(cell));
	if (!prepared->simple)
		return;
	learn_checks(prepared, table->rd_att->constr);
	/* the table's own may be made anew while we go by it */
	learn_conditions(prepared, CopyTriggerDesc(table->trigdesc));
}

/* What was known before goes; where somebody up there has it in use, with the transaction. */
static void
retire(PreparedTable *prepared)
{
	if (prepared->estate != NULL && prepared->users > 0)
		MemoryContextSetParent(prepared->estate->es_query_cxt, TopTransactionContext);
	else if (prepared->estate != NULL)
		FreeExecutorState(prepared->estate);
	prepared->estate = NULL;
}

static void
learn(PreparedTable *prepared, Relation table)
{
	List	   *table_indexes = RelationGetIndexList(table);
	MemoryContext context;

	retire(prepared);
	context = MemoryContextSwitchTo(TopMemoryContext);
	prepared->estate = CreateExecutorState();
	MemoryContextSwitchTo(prepared->estate->es_query_cxt);
	remembered_begin(&prepared->prepared.remembered);
	learn_in_its_context(prepared, table, table_indexes);
	MemoryContextSwitchTo(context);
	list_free(table_indexes);
	remembered_end(&prepared->prepared.remembered);
}

PreparedTable *
prepared_table(Relation table)
{
	PreparedTable *prepared = (PreparedTable *) find(&tables, RelationGetRelid(table), sizeof(PreparedTable));

	if (!prepared->prepared.remembered.known)
		learn(prepared, table);
	return prepared;
}

void
prepared_hold(PreparedTable *prepared)
{
	prepared->users++;
}

void
prepared_release(PreparedTable *prepared)
{
	prepared->users--;
}

/* ---------- Indexes that are searched by ---------- */

void
prepare_key(Relation index, ScanKey key, int column, StrategyNumber strategy)
{
	Oid			type = index->rd_opcintype[column];
	Oid			operator = get_opfamily_member(index->rd_opfamily[column], type, type, strategy);

	ScanKeyEntryInitialize(key, 0, column + 1, strategy, InvalidOid, index->rd_indcollation[column],
						   get_opcode(operator), (Datum) 0);
}

void
prepared_keys(Relation index, ScanKey keys)
{
	PreparedIndex *prepared = (PreparedIndex *) find(&indexes, RelationGetRelid(index), sizeof(PreparedIndex));

	if (!prepared->prepared.remembered.known)
	{
		remembered_begin(&prepared->prepared.remembered);
		prepared->key_count = Min(PREPARED_MAX_KEYS, IndexRelationGetNumberOfKeyAttributes(index));
		for (int i = 0; i < prepared->key_count; i++)
			prepare_key(index, &prepared->keys[i], i, BTEqualStrategyNumber);
		remembered_end(&prepared->prepared.remembered);
	}
	memcpy(keys, prepared->keys, prepared->key_count * sizeof(ScanKeyData));
	/* what a function keeps for its next call goes with the keys */
	for (int i = 0; i < prepared->key_count; i++)
		keys[i].sk_func.fn_mcxt = CurrentMemoryContext;
}

/* ---------- For the executor ---------- */

static void
take_over_expressions(const PreparedTable *prepared, ResultRelInfo *result)
{
	const TriggerDesc *triggers = result->ri_TrigDesc;

#if PG_VERSION_NUM >= 180000
	result->ri_CheckConstraintExprs = prepared->checks;
#else
	result->ri_ConstraintExprs = prepared->checks;
#endif
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		result->ri_TrigWhenExprs[i] = prepared->conditions[i];
}

void
prepared_open_indexes(const PreparedTable *prepared, ResultRelInfo *result)
{
	int			count = prepared->index_count;

	if (!prepared->simple)
	{
		ExecOpenIndices(result, false);
		return;
	}
	result->ri_NumIndices = count;
	result->ri_IndexRelationDescs = palloc(Max(count, 1) * sizeof(Relation));
	result->ri_IndexRelationInfo = palloc(Max(count, 1) * sizeof(IndexInfo *));
	for (int i = 0; i < count; i++)
	{
		result->ri_IndexRelationDescs[i] = index_open(prepared->indexes[i], RowExclusiveLock);
		result->ri_IndexRelationInfo[i] = prepared->infos[i];
	}
	take_over_expressions(prepared, result);
}
