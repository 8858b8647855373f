/*
 * partition.c
 *		Finding the partition of a row, where a DBA has partitioned a table.
 */
#include "postgres.h"

#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "utils/partcache.h"
#include "utils/rel.h"

#include "tables/partition.h"

void
partition_refuse(Relation relation, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot use relation \"%s\": %s", RelationGetRelationName(relation), why),
			 errhint("Tables of rxtrack may be partitioned by hash of their first column, "
					 "with a primary key that begins with it.")));
}

void
partition_check_key(Relation relation, AttrNumber first_column)
{
	PartitionKey key = RelationGetPartitionKey(relation);

	if (key->strategy != PARTITION_STRATEGY_HASH || key->partnatts != 1 || key->partattrs[0] != first_column)
		partition_refuse(relation, "it is not partitioned by hash of its first column");
}

Oid
partition_of(Relation table, Datum first_column)
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
