/*
 * rows.c
 *		Reading and writing rows of a table by its keys.
 *
 * What a partitioned table needs is in the section on partitions; all else happens in one
 * plain table or partition.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupmacs.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "optimizer/optimizer.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "rewrite/rewriteHandler.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "compat.h"
#include "tables/rows.h"
#include "tables/through_sql.h"

/* The table that was opened, or a partition of it; what follows the columns is of plain ones. */
typedef struct Part
{
	Relation	relation;
	Columns		columns;
	Relation	index;			/* by which rows are searched, or NULL */
	ScanKeyData keys[ROWS_MAX_KEY]; /* made when there is a first search */
	bool		has_keys;
	IndexScanDesc scan;			/* the search under way, or NULL: */
	TableScanDesc table_scan;	/* likewise */
	TupleTableSlot *found;		/* the row that was found */

	/* for writing; NULL until the first write */
	ResultRelInfo *result;
	TupleTableSlot *written;
	TupleTableSlot *before;		/* the row that it replaces, where some of that stays */
	ExprState **defaults;		/* of columns that are not ours, NULL where one has none; NULL: there are no such columns */
} Part;

struct Rows
{
	const RowsTable *table;
	const RowsKey *key;
	LOCKMODE	lock;
	List	   *parts;			/* the table, and those of its partitions that were used */
	Part	   *part;			/* that was searched last */
	bool		sees_latest;
	Snapshot	latest;			/* of the first search, where it does; NULL before that */
	Snapshot	snapshot;		/* of the search under way, or NULL */
	bool		finds;			/* that is of rows_find, whose next one goes on with it */
	EState	   *estate;			/* NULL until the first write */
	EPQState	recheck;
};

/* ---------- Opening ---------- */

/* The relation is made for something else, and not ours to guess at. */
static void
refuse(Relation relation, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot use relation \"%s\": %s", RelationGetRelationName(relation), why),
			 errhint("Tables of rxtrack may be partitioned by hash of their first column, "
					 "with a primary key that begins with it.")));
}

static Oid
find_relation(const char *schema, const char *name)
{
	Oid			oid = get_relname_relid(name, get_namespace_oid(schema, false));

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", schema, name)));
	return oid;
}

/*
 * Opens the index of a key.  One that is not valid, as CREATE INDEX CONCURRENTLY may leave it, does
 * not have all rows.  REINDEX CONCURRENTLY may put another one in its place, which is then valid,
 * between our look for it and our lock on it.
 */
static Relation
open_index(const Rows *rows, Relation table)
{
	Oid			before = InvalidOid;

	for (;;)
	{
		Oid			oid = rows->key->index == NULL ? compat_primary_key_index(table) :
			find_relation(rows->table->schema, rows->key->index);
		Relation	index;

		if (!OidIsValid(oid))
			refuse(table, "it has no primary key");
		index = index_open(oid, rows->lock);
		if (index->rd_index->indisvalid)
			return index;
		if (oid == before)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("index \"%s\" is not valid", RelationGetRelationName(index)),
					 errhint("Run REINDEX.")));
		index_close(index, rows->lock);
		before = oid;
	}
}

/* Refuses an index that is not the one that the key describes. */
static void
check_index(const Rows *rows, const Part *part)
{
	const RowsKey *key = rows->key;
	Form_pg_index index = part->index->rd_index;

	if (index->indrelid != RelationGetRelid(part->relation) || part->index->rd_rel->relam != BTREE_AM_OID)
		refuse(part->relation, psprintf("\"%s\" is no btree index of it", RelationGetRelationName(part->index)));
	for (int i = 0; i < key->count; i++)
		if (i >= index->indnkeyatts || index->indkey.values[i] != part->columns.numbers[key->columns[i]])
			refuse(part->relation,
							 psprintf("column %d of its index \"%s\" is not \"%s\"", i + 1,
									  RelationGetRelationName(part->index), rows->table->columns[key->columns[i]].name));
}

/* A column of an index and an operator, as a scan key whose argument is yet to come. */
static void
make_key(Relation index, ScanKey key, int column, StrategyNumber strategy)
{
	Oid			type = index->rd_opcintype[column];
	Oid			family = index->rd_opfamily[column];
	TypeCacheEntry *cached = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY | TYPECACHE_EQ_OPR_FINFO);

	/* the type cache has what each call would have to look up in the catalog */
	if (strategy == BTEqualStrategyNumber && family == cached->btree_opf)
		ScanKeyEntryInitializeWithInfo(key, 0, column + 1, strategy, InvalidOid, index->rd_indcollation[column],
									   &cached->eq_opr_finfo, (Datum) 0);
	else
		ScanKeyEntryInitialize(key, 0, column + 1, strategy, InvalidOid, index->rd_indcollation[column],
							   get_opcode(get_opfamily_member(family, type, type, strategy)), (Datum) 0);
}

static bool
is_partitioned(const Part *part)
{
	return part->relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
}

/*
 * In no other way may a table of rxtrack be partitioned: its first column is the one that leads every key, so that
 * it tells where a row is to be looked for.
 */
static void
check_partition_key(Relation relation, AttrNumber first_column)
{
	PartitionKey key = RelationGetPartitionKey(relation);

	if (key->strategy != PARTITION_STRATEGY_HASH || key->partnatts != 1 || key->partattrs[0] != first_column)
		refuse(relation, "it is not partitioned by hash of its first column");
}

static Part *
open_part(Rows *rows, Oid relation)
{
	MemoryContext context = MemoryContextSwitchTo(GetMemoryChunkContext(rows));
	Part	   *part = palloc0(sizeof(Part));

	part->relation = table_open(relation, rows->lock);
	part->columns = columns_find(rows->table, part->relation);
	if (is_partitioned(part))
		check_partition_key(part->relation, part->columns.numbers[0]);
	else
		part->found = table_slot_create(part->relation, NULL);
	if (!is_partitioned(part) && rows->key != NULL)
	{
		part->index = open_index(rows, part->relation);
		check_index(rows, part);
	}
	rows->parts = lappend(rows->parts, part);
	MemoryContextSwitchTo(context);
	return part;
}

Rows *
rows_open(const RowsTable *table, const RowsKey *key, LOCKMODE lock)
{
	Rows	   *rows = palloc0(sizeof(Rows));

	rows->table = table;
	rows->key = key;
	rows->lock = lock;
	rows->part = open_part(rows, find_relation(table->schema, table->name));
	if (is_partitioned(rows->part) && key != NULL && key->index != NULL)
		refuse(rows->part->relation, "it is searched by an index that is not its primary key");
	return rows;
}

void
rows_see_latest(Rows *rows)
{
	rows->sees_latest = true;
}

/* ---------- Partitions ---------- */

static Part *
find_part(Rows *rows, Oid relation)
{
	ListCell   *cell;

	foreach(cell, rows->parts)
		if (RelationGetRelid(((Part *) lfirst(cell))->relation) == relation)
			return lfirst(cell);
	return open_part(rows, relation);
}

/* The partition of rows with that first column. */
static Oid
find_partition(Relation table, Datum first_column)
{
	PartitionKey key = RelationGetPartitionKey(table);
	PartitionDesc partitions = RelationGetPartitionDesc(table, true);
	bool		isnull = false;
	uint64		hash = compute_partition_hash_value(1, key->partsupfunc, key->partcollation, &first_column, &isnull);
	int			place = -1;

	if (partitions->nparts > 0)
		place = partitions->boundinfo->indexes[hash % partitions->boundinfo->nindexes];
	if (place < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" has no partition for a row", RelationGetRelationName(table)),
				 errhint("Create a partition for each remainder of the modulus.")));
	return partitions->oids[place];
}

/* The plain table in which rows with that first column are. */
static Part *
choose_part(Rows *rows, Datum first_column)
{
	Part	   *part = linitial(rows->parts);

	while (is_partitioned(part))
		part = find_part(rows, find_partition(part->relation, first_column));
	return part;
}

/* The table itself, for who looks for rows with any first column. */
static Part *
only_part(Rows *rows)
{
	Part	   *part = linitial(rows->parts);

	if (is_partitioned(part))
		refuse(part->relation, "it is not searched by its first column alone");
	return part;
}

/* ---------- Rows in memory ---------- */

/* The value that a row has for a column, if any. */
static Datum
take_member(const RowsTable *table, int column, const void *row, bool *isnull)
{
	const CatalogType *type = table->columns[column].type;
	const char *member = (const char *) row + table->columns[column].member;
	size_t		present = table->columns[column].present;

	*isnull = present != 0 && !*((const bool *) row + present);
	if (*isnull)
		return (Datum) 0;
	if (type->label_count > 0)
		return ObjectIdGetDatum(catalog_label(type, *(const int *) member));
	if (type->length < 0)
		return PointerGetDatum(*(void *const *) member);
	return fetch_att(member, type->by_value, type->length);
}

static void
take_row(const RowsTable *table, const void *row, Datum *values, bool *nulls)
{
	for (int i = 0; i < table->column_count; i++)
		values[i] = take_member(table, i, row, &nulls[i]);
}

static void
set_member(const RowsTable *table, int column, void *row, Datum value, bool isnull)
{
	const CatalogType *type = table->columns[column].type;
	char	   *member = (char *) row + table->columns[column].member;

	if (table->columns[column].present != 0)
		*((bool *) row + table->columns[column].present) = !isnull;
	else if (isnull)
		elog(ERROR, "column \"%s\" of relation \"%s\" is null", table->columns[column].name, table->name);
	if (type->label_count > 0)
		*(int *) member = isnull ? 0 : catalog_label_number(type, DatumGetObjectId(value));
	else if (type->length < 0)
		*(void **) member = isnull ? NULL : PG_DETOAST_DATUM_COPY(value);
	else if (type->by_value)
		store_att_byval(member, isnull ? (Datum) 0 : value, type->length);
	else
		memcpy(member, DatumGetPointer(value), type->length);
}

void
rows_read(Rows *rows, void *row)
{
	for (int i = 0; i < rows->table->column_count; i++)
	{
		bool		isnull;
		Datum		value = slot_getattr(rows->part->found, rows->part->columns.numbers[i], &isnull);

		set_member(rows->table, i, row, value, isnull);
	}
}

/* ---------- Reading ---------- */

static void
end_search(Rows *rows)
{
	Part	   *part = rows->part;

	if (rows->snapshot == NULL)
		return;
	if (part->scan != NULL)
		index_endscan(part->scan);
	if (part->table_scan != NULL)
		table_endscan(part->table_scan);
	part->scan = NULL;
	part->table_scan = NULL;
	UnregisterSnapshot(rows->snapshot);
	rows->snapshot = NULL;
	rows->finds = false;
}

/* What the next search sees: always also what this transaction has written. */
static Snapshot
take_snapshot(Rows *rows)
{
	Snapshot	snapshot;

	CommandCounterIncrement();
	if (!rows->sees_latest)
		return RegisterSnapshot(GetTransactionSnapshot());
	if (rows->latest == NULL)
		rows->latest = RegisterSnapshot(GetLatestSnapshot());
	PushCopiedSnapshot(rows->latest);
	UpdateActiveSnapshotCommandId();
	snapshot = RegisterSnapshot(GetActiveSnapshot());
	PopActiveSnapshot();
	return snapshot;
}

static void
begin_search(Rows *rows, Part *part, ScanKey keys, int key_count)
{
	end_search(rows);
	/* the row that was found keeps its page from being pruned */
	ExecClearTuple(part->found);
	rows->part = part;
	rows->snapshot = take_snapshot(rows);
	part->scan = compat_index_beginscan(part->relation, part->index, rows->snapshot, key_count);
	index_rescan(part->scan, keys, key_count, NULL, 0);
}

/* The part where rows with that key are, whose scan keys are set to it. */
static Part *
choose_keys(Rows *rows, const void *row, int key_count)
{
	bool		isnull;
	Part	   *part = choose_part(rows, take_member(rows->table, rows->key->columns[0], row, &isnull));

	for (int i = 0; i < rows->key->count && !part->has_keys; i++)
		make_key(part->index, &part->keys[i], i, BTEqualStrategyNumber);
	part->has_keys = true;
	for (int i = 0; i < key_count; i++)
		part->keys[i].sk_argument = take_member(rows->table, rows->key->columns[i], row, &isnull);
	return part;
}

void
rows_search(Rows *rows, const void *row, int key_count)
{
	Part	   *part = choose_keys(rows, row, key_count);

	begin_search(rows, part, part->keys, key_count);
}

void
rows_search_between(Rows *rows, Datum above, Datum upto)
{
	Part	   *part = only_part(rows);
	ScanKeyData range[2];

	make_key(part->index, &range[0], 0, BTGreaterStrategyNumber);
	make_key(part->index, &range[1], 0, BTLessEqualStrategyNumber);
	range[0].sk_argument = above;
	range[1].sk_argument = upto;
	begin_search(rows, part, range, 2);
}

void
rows_scan(Rows *rows, BlockNumber first, BlockNumber last)
{
	Part	   *part = only_part(rows);
	ItemPointerData from;
	ItemPointerData to;

	end_search(rows);
	rows->part = part;
	rows->snapshot = take_snapshot(rows);
	ItemPointerSet(&from, first, FirstOffsetNumber);
	ItemPointerSet(&to, last, MaxOffsetNumber);
	part->table_scan = table_beginscan_tidrange(part->relation, rows->snapshot, &from, &to);
}

BlockNumber
rows_block_count(Rows *rows)
{
	return RelationGetNumberOfBlocks(only_part(rows)->relation);
}

bool
rows_next(Rows *rows)
{
	Part	   *part = rows->part;

	if (part->table_scan != NULL)
		return table_scan_getnextslot_tidrange(part->table_scan, ForwardScanDirection, part->found);
	return index_getnext_slot(part->scan, ForwardScanDirection, part->found);
}

/*
 * Locks the row that was found; false when it has been deleted meanwhile, or is not to be waited for.  A
 * newer version that somebody else committed takes its place, but for a
 * transaction whose isolation forbids to see it.
 */
static bool
lock_found(Rows *rows, RowsLock lock)
{
	TupleTableSlot *found = rows->part->found;
	TM_FailureData failure;
	TM_Result	result = table_tuple_lock(rows->part->relation, &found->tts_tid, rows->snapshot,
										  found, GetCurrentCommandId(false),
										  lock == ROWS_REFERENCED ? LockTupleKeyShare : LockTupleNoKeyExclusive,
										  lock == ROWS_LOCKED_AT_ONCE ? LockWaitSkip : LockWaitBlock,
										  IsolationUsesXactSnapshot() ? 0 : TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
										  &failure);

	switch (result)
	{
		case TM_Ok:
			return true;
		case TM_WouldBlock:
			return false;
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

/*
 * Goes on with the last find's scan and snapshot, unless it locked a row or this transaction has written
 * meanwhile: to begin a scan costs as much as to find that there is no such row.
 */
bool
rows_find(Rows *rows, const void *row, RowsLock lock)
{
	Part	   *part = choose_keys(rows, row, rows->key->count);
	bool		found;

	CommandCounterIncrement();	/* where something was written */
	if (rows->finds && rows->part == part && rows->snapshot->curcid == GetCurrentCommandId(false))
	{
		ExecClearTuple(part->found);
		index_rescan(part->scan, part->keys, rows->key->count, NULL, 0);
	}
	else
		begin_search(rows, part, part->keys, rows->key->count);
	rows->finds = true;
	found = rows_next(rows) && (lock == ROWS_UNLOCKED || lock_found(rows, lock));
	if (found && lock != ROWS_UNLOCKED)
		end_search(rows);		/* who held the lock may have written more */
	else
		table_index_fetch_reset(part->scan->xs_heapfetch);	/* lets go of the page */
	return found;
}

bool
rows_find_last(Rows *rows)
{
	Part	   *part = only_part(rows);
	bool		found;

	begin_search(rows, part, NULL, 0);
	found = index_getnext_slot(part->scan, BackwardScanDirection, part->found);
	end_search(rows);
	return found;
}

bool
rows_is_locked(Rows *rows)
{
	bool		is_copy;
	HeapTupleHeader row = ExecFetchSlotHeapTuple(rows->part->found, false, &is_copy)->t_data;
	TransactionId locker = HeapTupleHeaderGetRawXmax(row);

	if ((row->t_infomask & HEAP_XMAX_INVALID) != 0)
		return false;
	if ((row->t_infomask & HEAP_XMAX_IS_MULTI) != 0)
		return MultiXactIdIsRunning(locker, HEAP_XMAX_IS_LOCKED_ONLY(row->t_infomask));
	return TransactionIdIsInProgress(locker) && !TransactionIdIsCurrentTransactionId(locker);
}

RowsPlace
rows_place(const Rows *rows)
{
	return (RowsPlace)
	{
		.relation = RelationGetRelid(rows->part->relation), .tid = rows->part->found->tts_tid
	};
}

/* ---------- Writing ---------- */

/* Finds what the columns that are not ours have in new rows. */
static void
find_defaults(Rows *rows, Part *part)
{
	TupleDesc	columns = RelationGetDescr(part->relation);

	part->defaults = palloc0(columns->natts * sizeof(ExprState *));
	for (int i = 0; i < columns->natts; i++)
	{
		bool		is_ours = false;
		Expr	   *expression = NULL;

		for (int j = 0; j < rows->table->column_count; j++)
			is_ours |= part->columns.numbers[j] == i + 1;
		/* a generated one is computed when the row is written */
		if (!is_ours && !TupleDescAttr(columns, i)->attisdropped && TupleDescAttr(columns, i)->attgenerated == '\0')
			expression = (Expr *) build_column_default(part->relation, i + 1);
		if (expression != NULL)
			part->defaults[i] = ExecPrepareExpr(expression, rows->estate);
	}
}

/* As logical replication's apply worker does it. */
static void
begin_writing(Rows *rows, Part *part)
{
	MemoryContext context;

	if (part->result != NULL)
		return;
	context = MemoryContextSwitchTo(GetMemoryChunkContext(rows));
	if (rows->estate == NULL)
	{
		rows->estate = CreateExecutorState();
		compat_eval_plan_qual_init(&rows->recheck, rows->estate);
	}
	part->result = makeNode(ResultRelInfo);
	InitResultRelInfo(part->result, part->relation, 0, NULL, 0);
	ExecOpenIndices(part->result, false);
	/* where triggers look for it */
	rows->estate->es_opened_result_relations = lappend(rows->estate->es_opened_result_relations, part->result);
	part->written = table_slot_create(part->relation, NULL);
	if (!part->columns.is_all)
		find_defaults(rows, part);
	MemoryContextSwitchTo(context);
}

/* Reads the row at a place into the one to be written, but for those of our columns that change. */
static void
take_before(Part *part, const RowsPlace *place)
{
	if (part->before == NULL)
		part->before = table_slot_create(part->relation, NULL);
	if (!table_tuple_fetch_row_version(part->relation, (ItemPointer) &place->tid, SnapshotAny, part->before))
		elog(ERROR, "a row that was to be changed is gone");
	slot_getallattrs(part->before);
	memcpy(part->written->tts_values, part->before->tts_values, part->before->tts_nvalid * sizeof(Datum));
	memcpy(part->written->tts_isnull, part->before->tts_isnull, part->before->tts_nvalid * sizeof(bool));
}

static void
take_defaults(Rows *rows, Part *part)
{
	TupleTableSlot *written = part->written;

	for (int i = 0; i < RelationGetNumberOfAttributes(part->relation); i++)
	{
		written->tts_isnull[i] = true;
		if (part->defaults[i] != NULL)
			written->tts_values[i] = ExecEvalExprSwitchContext(part->defaults[i], GetPerTupleExprContext(rows->estate),
															   &written->tts_isnull[i]);
	}
}

/* Makes the row to be written; place: of the one that it replaces, or NULL. */
static void
make_row(Rows *rows, Part *part, const RowsPlace *place, const bool *changes, const Datum *values, const bool *nulls)
{
	TupleTableSlot *written = ExecClearTuple(part->written);

	if (place != NULL && (changes != NULL || !part->columns.is_all))
		take_before(part, place);
	else if (place == NULL && !part->columns.is_all)
		take_defaults(rows, part);
	for (int i = 0; i < rows->table->column_count; i++)
	{
		int			attribute = part->columns.numbers[i] - 1;

		if (changes != NULL && !changes[i])
			continue;
		written->tts_values[attribute] = values[i];
		written->tts_isnull[attribute] = nulls[i];
	}
	ExecStoreVirtualTuple(written);
}

/* Each row is a statement of its own, so that its triggers fire before the next one. */
static void
begin_statement(Rows *rows, Part *part)
{
	begin_writing(rows, part);
	/* checks, triggers and defaults allocate by the row */
	ResetPerTupleExprContext(rows->estate);
	rows->estate->es_output_cid = GetCurrentCommandId(true);
	if (part->result->ri_TrigDesc == NULL)
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	AfterTriggerBeginQuery();
}

static void
end_statement(Rows *rows, Part *part)
{
	if (part->result->ri_TrigDesc == NULL)
		return;
	AfterTriggerEndQuery(rows->estate);
	PopActiveSnapshot();
}

static bool
needs_sql(Rows *rows, Part *part, CmdType command)
{
	return through_sql_is_needed(((Part *) linitial(rows->parts))->relation, part->relation, command);
}

bool
rows_insert(Rows *rows, const void *row)
{
	Datum		values[COLUMNS_MAX];
	bool		nulls[COLUMNS_MAX];
	Part	   *part;

	take_row(rows->table, row, values, nulls);
	part = choose_part(rows, values[0]);
	if (needs_sql(rows, part, CMD_INSERT))
		return through_sql_insert(rows->table, values, nulls);
	begin_statement(rows, part);
	make_row(rows, part, NULL, NULL, values, nulls);
	ExecSimpleRelationInsert(part->result, rows->estate, part->written);
	end_statement(rows, part);
	return ItemPointerIsValid(&part->written->tts_tid);
}

BlockNumber
rows_inserted_block(const Rows *rows)
{
	const Part *part = linitial(rows->parts);

	return part->written == NULL ? InvalidBlockNumber : ItemPointerGetBlockNumberNoCheck(&part->written->tts_tid);
}

bool
rows_update(Rows *rows, const RowsPlace *place, const bool *changes, const void *row)
{
	Part	   *part = find_part(rows, place->relation);
	Datum		values[COLUMNS_MAX];
	bool		nulls[COLUMNS_MAX];

	take_row(rows->table, row, values, nulls);
	if (needs_sql(rows, part, CMD_UPDATE))
		return through_sql_update(rows->table, place->relation, &place->tid, rows->sees_latest, changes, values, nulls);
	begin_statement(rows, part);
	make_row(rows, part, place, changes, values, nulls);
	/* only its place is looked at; the values may well lie in the row that was found */
	part->found->tts_tid = place->tid;
	ExecSimpleRelationUpdate(part->result, rows->estate, &rows->recheck, part->found, part->written);
	end_statement(rows, part);
	return ItemPointerIsValid(&part->written->tts_tid);
}

/* Is a row still there, which a trigger may have kept from being deleted? */
static bool
is_kept(Part *part, const RowsPlace *place)
{
	const TriggerDesc *triggers = part->result->ri_TrigDesc;

	return triggers != NULL && triggers->trig_delete_before_row &&
		table_tuple_fetch_row_version(part->relation, (ItemPointer) &place->tid, SnapshotSelf, part->written);
}

bool
rows_delete(Rows *rows, const RowsPlace *place)
{
	Part	   *part = find_part(rows, place->relation);

	if (needs_sql(rows, part, CMD_DELETE))
		return through_sql_delete(rows->table, place->relation, &place->tid, rows->sees_latest);
	begin_statement(rows, part);
	part->found->tts_tid = place->tid;
	ExecSimpleRelationDelete(part->result, rows->estate, &rows->recheck, part->found);
	end_statement(rows, part);
	return !is_kept(part, place);
}

/* ---------- Closing ---------- */

static void
close_part(Part *part)
{
	if (part->written != NULL)
		ExecDropSingleTupleTableSlot(part->written);
	if (part->before != NULL)
		ExecDropSingleTupleTableSlot(part->before);
	if (part->found != NULL)
		ExecDropSingleTupleTableSlot(part->found);
	if (part->index != NULL)
		index_close(part->index, NoLock);
	table_close(part->relation, NoLock);
}

void
rows_close(Rows *rows)
{
	ListCell   *cell;

	end_search(rows);
	if (rows->latest != NULL)
		UnregisterSnapshot(rows->latest);
	if (rows->estate != NULL)
	{
		EvalPlanQualEnd(&rows->recheck);
		ExecCloseResultRelations(rows->estate);
		ExecResetTupleTable(rows->estate->es_tupleTable, false);
		FreeExecutorState(rows->estate);
	}
	foreach(cell, rows->parts)
		close_part(lfirst(cell));
}

void
rows_hide_detail(ErrorData *error)
{
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
		error->detail = error->detail_log = NULL;
}
