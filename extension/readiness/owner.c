/*
 * owner.c
 *		Acting as the owner of rxtrack's tables.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "readiness/owner.h"

static Oid
owner_of_events(void)
{
	Oid			events = get_relname_relid("readiness_event", get_namespace_oid("rxtrack", false));
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(events));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"rxtrack.readiness_event\" does not exist")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
owner_become(Owner *before)
{
	Oid			owner = owner_of_events();

	GetUserIdAndSecContext(&before->user, &before->security_context);
	SetUserIdAndSecContext(owner, before->security_context | SECURITY_LOCAL_USERID_CHANGE);
	before->settings = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, rxtrack, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
owner_leave(const Owner *before)
{
	AtEOXact_GUC(true, before->settings);
	SetUserIdAndSecContext(before->user, before->security_context);
}
