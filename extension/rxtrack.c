/*
 * rxtrack.c
 *		The library's door: what happens when the server loads it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "callers/application.h"
#include "tables/catalog.h"
#include "tables/prepared_table.h"
#include "readiness/readiness.h"
#include "endpoints/rehearsal.h"
#include "endpoints/submissions.h"
#include "updates/transition.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	catalog_init();
	prepared_table_init();
	application_init();
	transition_init();
	rehearsal_init();
	readiness_init();
	alert_init();
	dispatch_init();
	submissions_init();
	worker_init();
#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved("rxtrack");
#else
	EmitWarningsOnPlaceholders("rxtrack");
#endif
}
