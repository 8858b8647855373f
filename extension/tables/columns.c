/*
 * columns.c
 *		Finding columns by name and type, and keeping their numbers until the relation changes.
 *
 * As logical replication's map of relations, it is kept over transactions and invalidated by
 * the relation cache.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_namespace.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "tables/columns.h"

typedef struct KnownKey
{
	const RowsTable *table;
	Oid			relation;
} KnownKey;

typedef struct Known
{
	KnownKey	key;
	bool		valid;
	Columns		columns;
} Known;

static HTAB *known = NULL;

/* Somebody changed a relation, perhaps one of ours; InvalidOid stands for all of them. */
static void
invalidate(Datum arg, Oid relation)
{
	HASH_SEQ_STATUS all;
	Known	   *entry;

	(void) arg;
	hash_seq_init(&all, known);
	while ((entry = hash_seq_search(&all)) != NULL)
		if (relation == InvalidOid || relation == entry->key.relation)
			entry->valid = false;
}

static void
make_hash(void)
{
	HASHCTL		control = {
		.keysize = sizeof(KnownKey),
		.entrysize = sizeof(Known),
		.hcxt = CacheMemoryContext
	};

	known = hash_create("rxtrack columns", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
}

/* Is it listed in Citus's catalog?  A row that we wrote would stay here, where no query looks for it. */
static bool
is_distributed(Oid relation)
{
	Oid			catalog = get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE);
	AttrNumber	column = OidIsValid(catalog) ? get_attnum(catalog, "logicalrelid") : InvalidAttrNumber;
	Relation	table;
	SysScanDesc scan;
	ScanKeyData key;
	bool		found;

	if (column == InvalidAttrNumber)
		return false;
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	table = table_open(catalog, AccessShareLock);
	scan = systable_beginscan(table, InvalidOid, false, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

/* Refuses what is no table of ours: its rows would not commit, or not be found, together with the others. */
static void
check_kind(Relation relation)
{
	char		kind = relation->rd_rel->relkind;
	const char *why = NULL;

	if (kind == RELKIND_FOREIGN_TABLE)
		why = "it is a foreign table, which does not commit together with the others";
	else if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		why = "it is no table";
	else if (is_distributed(RelationGetRelid(relation)))
		why = "it is distributed (pg_dist_partition)";
	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot use relation \"%s\": %s", RelationGetRelationName(relation), why)));
}

static AttrNumber
find_column(Relation relation, const char *name, Oid type)
{
	TupleDesc	columns = RelationGetDescr(relation);
	Form_pg_attribute column = NULL;

	for (int i = 0; i < columns->natts && column == NULL; i++)
		if (!TupleDescAttr(columns, i)->attisdropped && strcmp(NameStr(TupleDescAttr(columns, i)->attname), name) == 0)
			column = TupleDescAttr(columns, i);
	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", name, RelationGetRelationName(relation)),
				 errhint("Run ALTER EXTENSION rxtrack UPDATE, or add the column as the extension makes it.")));
	if (column->atttypid != type || column->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is not of type %s",
						name, RelationGetRelationName(relation), format_type_be(type)),
				 errdetail("It is %s %s.", column->attgenerated == '\0' ? "of type" : "generated, of type",
						   format_type_be(column->atttypid))));
	return column->attnum;
}

static void
find_columns(const RowsTable *table, Relation relation, Columns *columns)
{
	Assert(table->columns[table->column_count - 1].name != NULL);
	columns->is_all = RelationGetNumberOfAttributes(relation) == table->column_count;
	for (int i = 0; i < table->column_count; i++)
		columns->numbers[i] = find_column(relation, table->columns[i].name, catalog_type_oid(table->columns[i].type));
}

Columns
columns_find(const RowsTable *table, Relation relation)
{
	KnownKey	key;
	Known	   *entry;
	bool		found;

	if (known == NULL)
		make_hash();
	memset(&key, 0, sizeof(key));	/* its padding is compared too */
	key.table = table;
	key.relation = RelationGetRelid(relation);
	entry = hash_search(known, &key, HASH_ENTER, &found);
	if (!found)
		entry->valid = false;
	if (!entry->valid)
	{
		/* the relation is locked: what is invalidated meanwhile is not that */
		check_kind(relation);
		find_columns(table, relation, &entry->columns);
		entry->valid = true;
	}
	return entry->columns;
}
