/*
 * prepared_table.c
 *		Keeping what it takes to write a table.
 *
 * Whoever changes the table makes every session forget it, by the message that has
 * the server forget its own description.  A changed function or domain may be part of
 * a check, so it makes a session forget all tables.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteManip.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "prepared_table.h"

static PreparedTable *all = NULL;

/* InvalidOid stands for all tables. */
static void
forget_table(Datum arg, Oid relation)
{
	(void) arg;
	for (PreparedTable *table = all; table != NULL; table = table->next)
	{
		if (relation != InvalidOid && relation != table->relation)
			continue;
		table->changed = true;
		table->known = false;
	}
}

static void
forget_all(Datum arg, int cache, uint32 hash)
{
	(void) cache;
	(void) hash;
	forget_table(arg, InvalidOid);
}

void
prepared_table_init(void)
{
	CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, forget_all, (Datum) 0);
	CacheRegisterSyscacheCallback(CONSTROID, forget_all, (Datum) 0);
}

static PreparedTable *
find(Oid relation)
{
	PreparedTable *table = all;

	while (table != NULL && table->relation != relation)
		table = table->next;
	if (table != NULL)
		return table;
	table = MemoryContextAllocZero(TopMemoryContext, sizeof(PreparedTable));
	table->relation = relation;
	table->next = all;
	all = table;
	return table;
}

/* ---------- Learning ---------- */

static void
learn_index(PreparedTable *prepared, Oid oid)
{
	Relation	index = index_open(oid, RowExclusiveLock);
	IndexInfo  *info = BuildIndexInfo(index);

	if (index->rd_rel->relam != BTREE_AM_OID || info->ii_ExclusionOps != NULL || !info->ii_ReadyForInserts ||
		!index->rd_index->indimmediate || prepared->index_count == PREPARED_MAX_INDEXES)
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
#if PG_VERSION_NUM >= 180000
		if (!constraints->check[i].ccenforced)
			continue;
#endif
		prepared->checks[i] = ExecPrepareExpr(stringToNode(constraints->check[i].ccbin), prepared->estate);
	}
}

/* As the executor wants it: the old row is the inner one, the new row the outer. */
static ExprState *
prepare_condition(const char *condition, EState *estate)
{
	Node	   *node = stringToNode(condition);

	ChangeVarNodes(node, PRS2_OLD_VARNO, INNER_VAR, 0);
	ChangeVarNodes(node, PRS2_NEW_VARNO, OUTER_VAR, 0);
	return ExecPrepareQual(make_ands_implicit((Expr *) node), estate);
}

static void
learn_conditions(PreparedTable *prepared, const TriggerDesc *triggers)
{
	int			count = triggers == NULL ? 0 : triggers->numtriggers;

	prepared->conditions = palloc0(Max(count, 1) * sizeof(ExprState *));
	for (int i = 0; i < count; i++)
		if (triggers->triggers[i].tgqual != NULL)
			prepared->conditions[i] = prepare_condition(triggers->triggers[i].tgqual, prepared->estate);
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
learn_in_its_context(PreparedTable *prepared, Relation table, List *indexes)
{
	ListCell   *cell;

	prepared->simple = !has_generated_columns(table);
	prepared->index_count = 0;
	foreach(cell, indexes)
		if (prepared->simple)
			learn_index(prepared, lfirst_oid(cell));
	if (!prepared->simple)
		return;
	learn_checks(prepared, table->rd_att->constr);
	/* the table's own may be made anew while we go by it */
	learn_conditions(prepared, CopyTriggerDesc(table->trigdesc));
}

/* What was known before may be in use further up, so it goes with the transaction. */
static void
retire(PreparedTable *prepared)
{
	if (prepared->estate != NULL)
		MemoryContextSetParent(prepared->estate->es_query_cxt, TopTransactionContext);
	prepared->estate = NULL;
}

static void
learn(PreparedTable *prepared, Relation table)
{
	List	   *indexes = RelationGetIndexList(table);
	MemoryContext context;

	retire(prepared);
	context = MemoryContextSwitchTo(TopMemoryContext);
	prepared->estate = CreateExecutorState();
	MemoryContextSwitchTo(prepared->estate->es_query_cxt);
	prepared->changed = false;
	learn_in_its_context(prepared, table, indexes);
	MemoryContextSwitchTo(context);
	list_free(indexes);
	prepared->known = !prepared->changed;
}

const PreparedTable *
prepared_table(Relation table)
{
	PreparedTable *prepared = find(RelationGetRelid(table));

	if (!prepared->known)
		learn(prepared, table);
	return prepared;
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
