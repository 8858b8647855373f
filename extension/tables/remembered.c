/*
 * remembered.c
 *		Knowing when what is remembered of a relation has to be found out again.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "tables/catalog.h"
#include "tables/remembered.h"

static Remembered *all = NULL;

void
remembered_forget(Remembered *remembered)
{
	remembered->changed = true;
	remembered->known = false;
}

/* Somebody changed a relation, perhaps one of ours; InvalidOid stands for all of them. */
static void
forget(Datum arg, Oid relation)
{
	(void) arg;
	for (Remembered *remembered = all; remembered != NULL; remembered = remembered->next)
		if (relation == InvalidOid || relation == remembered->relation)
			remembered_forget(remembered);
}

void
remembered_init(Remembered *remembered)
{
	/* a server has room for ten of these */
	if (all == NULL)
		CacheRegisterRelcacheCallback(forget, (Datum) 0);
	remembered->next = all;
	all = remembered;
}

void
remembered_begin(Remembered *remembered)
{
	if (remembered->table != NULL)
		remembered->relation = get_relname_relid(remembered->table, catalog_get()->namespace_oid);
	/* what is half learned is not known, whatever comes in between */
	remembered->changed = remembered->known = false;
}

/* What this transaction has changed itself may yet be taken back, and nobody would tell. */
void
remembered_end(Remembered *remembered)
{
	remembered->known = !remembered->changed;
}
