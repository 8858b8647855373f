/*
 * cached.c
 *		Invalidation of what sessions cache of small tables.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "tables/cached.h"

static Cached *all = NULL;

/* Somebody changed a relation, perhaps one of ours; InvalidOid stands for all of them. */
static void
invalidate(Datum arg, Oid relation)
{
	(void) arg;
	for (Cached *cached = all; cached != NULL; cached = cached->next)
		if (relation == InvalidOid || relation == cached->relation)
		{
			cached->invalidated = true;
			cached->valid = false;
		}
}

bool
cached_is_valid(const Cached *cached)
{
	/* a transaction that holds its locks already would not look */
	AcceptInvalidationMessages();
	return cached->valid;
}

void
cached_begin(Cached *cached)
{
	if (!cached->registered)
	{
		/* a session has room for ten of these */
		if (all == NULL)
			CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
		cached->next = all;
		cached->registered = true;
		all = cached;
	}
	cached->relation = get_relname_relid(cached->table, get_namespace_oid(cached->schema, false));
	cached->valid = cached->invalidated = false;
}

void
cached_end(Cached *cached, bool latest)
{
	/* what an old snapshot saw must not outlive it, and nobody would tell */
	cached->valid = !cached->invalidated && (latest || !IsolationUsesXactSnapshot());
}

static void
read_set(CachedSet *set)
{
	bool		isnull;

	cached_begin(&set->cached);
	SPI_connect();
	statement_execute(&set->select, NULL, set->latest);
	if (set->values != NULL)
		pfree(set->values);
	set->values = NULL;
	set->values = MemoryContextAllocHuge(TopMemoryContext, (SPI_processed + 1) * sizeof(int64));
	set->count = (int) SPI_processed;
	for (int i = 0; i < set->count; i++)
		set->values[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	cached_end(&set->cached, set->latest);
}

static int
compare_numbers(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return (left > right) - (left < right);
}

bool
cached_set_has(CachedSet *set, int64 number)
{
	if (!cached_is_valid(&set->cached))
		read_set(set);
	return bsearch(&number, set->values, set->count, sizeof(int64), compare_numbers) != NULL;
}

/* Trigger of a table that sessions cache. */
PG_FUNCTION_INFO_V1(announce_change);
Datum
announce_change(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("announce_change is a trigger function")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}
