/*
 * ready_status.c
 *		Which business statuses are ready ones, read from their table once a session, and again when
 *		somebody has changed them.
 */
#include "postgres.h"

#include "readiness/ready_status.h"
#include "tables/cached.h"

static CachedSet ready_statuses = {
	.cached.schema = "rxtrack", .cached.table = "ready_status",
	.select.sql = "SELECT status FROM rxtrack.ready_status WHERE ready ORDER BY status"
};

bool
ready_status_is_ready(BusinessStatus status)
{
	return status != 0 && cached_set_has(&ready_statuses, status);
}

/* Some of a supply becoming all of it is one; all of it turning out to be some is none. */
bool
ready_status_is_event(BusinessStatus was, BusinessStatus becomes)
{
	return was != becomes && ready_status_is_ready(becomes) &&
		!(was == BUSINESS_STATUS_READY_TO_COLLECT && becomes == BUSINESS_STATUS_READY_TO_COLLECT_PARTIAL);
}
