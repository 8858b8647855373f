/*
 * event.c
 *		The tables of readiness events, as C knows them, and what is one.
 */
#include "postgres.h"

#include "readiness/event.h"
#include "tables/cached.h"

#define COMMON_COLUMNS \
	COLUMN("prescription_id", prescription_id, Event, supply.prescription_id), \
	COLUMN("line_item_id", uuid, Event, supply.line_item_id), \
	COLUMN("issue_number", integer, Event, supply.issue_number), \
	COLUMN("ods_code", ods_code, Event, supply.ods_code), \
	COLUMN("task_id", uuid, Event, task_id), \
	COLUMN("nhs_number", nhs_number, Event, nhs_number), \
	COLUMN("due_at", timestamptz, Event, due_at), \
	COLUMN("occurred_at", timestamptz, Event, occurred_at), \
	COLUMN("status", business_status, Event, status), \
	COLUMN("post_dated", boolean, Event, post_dated), \
	COLUMN("application_id", integer, Event, application_id), \
	COLUMN("receipt", integer, Event, receipt)

#define PENDING_COLUMNS \
	COMMON_COLUMNS, \
	COLUMN("is_withdrawal", boolean, Event, is_withdrawal), \
	COLUMN("in_conflict", boolean, Event, in_conflict), \
	COLUMN_OR_NULL("failures", integer, Event, failures, has_failed), \
	COLUMN_OR_NULL("retry_at", timestamptz, Event, retry_at, has_failed), \
	COLUMN_OR_NULL("error", text, Event, error, has_failed)

const RowsTable event_inbox = {"rxtrack_internal", "readiness_inbox", EVENT_CANCELLED_AT, {PENDING_COLUMNS}};

const RowsTable event_promises = {
	"rxtrack", "readiness_promise", EVENT_PROMISE_COLUMNS, {
		PENDING_COLUMNS,
		COLUMN_OR_NULL("cancelled_at", timestamptz, Event, cancelled_at, is_cancelled)
	}
};

const RowsTable event_released = {
	"rxtrack", "readiness_event", 18, {
		COMMON_COLUMNS,
		COLUMN("release_number", bigint, Event, release_number),
		COLUMN("released_at", timestamptz, Event, released_at),
		COLUMN("alert", boolean, Event, alert),
		COLUMN_OR_NULL("alert_reason", alert_reason, Event, alert_reason, has_alert_reason),
		COLUMN_OR_NULL("withdraws", bigint, Event, withdraws, is_withdrawal),
		COLUMN_OR_NULL("withdraws_alert", boolean, Event, withdraws_alert, is_withdrawal)
	}
};

static CachedSet ready_statuses = {
	.cached.schema = "rxtrack", .cached.table = "ready_status",
	.select.sql = "SELECT status FROM rxtrack.ready_status WHERE ready ORDER BY status"
};

bool
event_is_ready_status(BusinessStatus status)
{
	return status != 0 && cached_set_has(&ready_statuses, status);
}

/* Some of a supply becoming all of it is one; all of it turning out to be some is none. */
bool
event_is_change(BusinessStatus was, BusinessStatus becomes)
{
	return was != becomes && event_is_ready_status(becomes) &&
		!(was == BUSINESS_STATUS_READY_TO_COLLECT && becomes == BUSINESS_STATUS_READY_TO_COLLECT_PARTIAL);
}
