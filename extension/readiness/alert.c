/*
 * alert.c
 *		Whether a patient is to be alerted about an event: what the tables of pharmacies and
 *		applications say, and the cooldown.
 *
 * Each process that releases events caches these tables: ten thousand pharmacies take little
 * memory, and three index lookups for each event would cost as much as the rest of its release.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "readiness/alert.h"
#include "settings.h"
#include "tables/cached.h"
#include "types/types.h"

const RowsKey alert_key = {"readiness_event_alert", 2, {EVENT_NHS_NUMBER, EVENT_ODS_CODE}};

/* All of them with the latest snapshot: a release is of what others have committed, whatever the isolation. */
static CachedSet enabled_pharmacies = {
	.cached.schema = "rxtrack_internal", .cached.table = "alert_pharmacy", .latest = true,
	.select.sql = "SELECT ods_code FROM rxtrack_internal.alert_pharmacy ORDER BY ods_code"
};

static CachedSet blocked_pharmacies = {
	.cached.schema = "rxtrack_internal", .cached.table = "blocked_pharmacy", .latest = true,
	.select.sql = "SELECT ods_code FROM rxtrack_internal.blocked_pharmacy ORDER BY ods_code"
};

static CachedSet enabled_applications = {
	.cached.schema = "rxtrack_internal", .cached.table = "alert_application", .latest = true,
	.select.sql = "SELECT application_id::bigint FROM rxtrack_internal.alert_application ORDER BY application_id"
};

static CachedSet predicting_applications = {
	.cached.schema = "rxtrack_internal", .cached.table = "application", .latest = true,
	.select.sql = "SELECT application_id::bigint FROM rxtrack_internal.application"
	" WHERE alert_on_predictions ORDER BY application_id"
};

/* Was it received long after it took effect? */
static bool
is_late(const Event *event)
{
	return settings_alert_max_lateness > 0 &&
		event->due_at - event->occurred_at > (int64) settings_alert_max_lateness * USECS_PER_SEC;
}

/* What stands in the way, whenever the patient was alerted last. */
static AlertReason
find_barrier(const Event *event)
{
	OdsCode		pharmacy = event->supply.ods_code;
	int32		application_id = event->application_id;

	if (cached_set_has(&blocked_pharmacies, pharmacy))
		return ALERT_PHARMACY_BLOCKED;
	if (!cached_set_has(&enabled_pharmacies, pharmacy) && !cached_set_has(&enabled_applications, application_id))
		return ALERT_NOT_ENABLED;
	if (event->in_conflict)
		return ALERT_PATIENT_IN_CONFLICT;
	if (event->post_dated && !cached_set_has(&predicting_applications, application_id))
		return ALERT_PREDICTION;
	if (is_late(event))
		return ALERT_REPORTED_LATE;
	return ALERT_REASON_COUNT;
}

/* Was the patient alerted about that pharmacy lately?  What this transaction has released counts too. */
static bool
is_in_cooldown(Rows *released, const Event *event, TimestampTz now)
{
	TimestampTz since = now - (int64) settings_alert_cooldown * USECS_PER_SEC;
	Event		earlier = {.released_at = DT_NOBEGIN};

	if (settings_alert_cooldown == 0)
		return false;
	rows_search(released, event, alert_key.count);
	while (earlier.released_at <= since && rows_next(released))
		rows_read(released, &earlier);
	return earlier.released_at > since;
}

AlertReason
alert_find_reason(Rows *released, const Event *event, TimestampTz now)
{
	AlertReason barrier = find_barrier(event);

	if (barrier != ALERT_REASON_COUNT || !is_in_cooldown(released, event, now))
		return barrier;
	return ALERT_COOLDOWN;
}
