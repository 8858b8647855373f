/*
 * ready_status.c
 *		Which business statuses are ready ones, read from their table once a session, and again when
 *		somebody has changed them.
 */
#include "postgres.h"

#include "executor/spi.h"

#include "readiness/ready_status.h"
#include "tables/cached.h"
#include "tables/statement.h"
#include "types/types.h"

static struct
{
	Cached		cached;
	bool		ready[BUSINESS_STATUS_COUNT + 1];
}			statuses = {.cached.schema = "rxtrack", .cached.table = "ready_status"};

static Statement select_ready = {
	.sql = "SELECT status FROM rxtrack.ready_status WHERE ready ORDER BY status"
};

static void
read_statuses(void)
{
	cached_begin(&statuses.cached);
	SPI_connect();
	statement_execute(&select_ready, NULL);
	memset(statuses.ready, 0, sizeof(statuses.ready));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		status = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		statuses.ready[DatumGetBusinessStatus(status)] = true;
	}
	SPI_finish();
	cached_end(&statuses.cached, false);
}

bool
ready_status_is_ready(BusinessStatus status)
{
	if (status == 0)
		return false;
	if (!cached_is_valid(&statuses.cached))
		read_statuses();
	return statuses.ready[status];
}

/* Some of a supply becoming all of it is one; all of it turning out to be some is none. */
bool
ready_status_is_event(BusinessStatus was, BusinessStatus becomes)
{
	return was != becomes && ready_status_is_ready(becomes) &&
		!(was == BUSINESS_STATUS_READY_TO_COLLECT && becomes == BUSINESS_STATUS_READY_TO_COLLECT_PARTIAL);
}
