/*
 * rxtrack.c
 *		The library's door: what happens when the server loads it.
 */
#include "postgres.h"

#include "fmgr.h"

#include "tables/catalog.h"
#include "tables/prepared_table.h"
#include "readiness/readiness.h"
#include "settings.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	settings_init();
	catalog_init();
	prepared_table_init();
	readiness_init();
	alert_init();
	dispatch_init();
	worker_init();
}
