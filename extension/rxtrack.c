/*
 * rxtrack.c
 *		The library's door: what happens when the server loads it.
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "readiness/at_commit.h"
#include "readiness/dispatcher.h"
#include "settings.h"
#include "tables/catalog.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	settings_init();
	catalog_init();
	at_commit_init();
	dispatcher_init();
}
