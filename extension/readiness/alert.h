/*
 * alert.h
 *		Whether a patient is to be alerted about a readiness event.
 */
#ifndef RXTRACK_ALERT_H
#define RXTRACK_ALERT_H

#include "postgres.h"
#include "utils/timestamp.h"

#include "readiness/event.h"
#include "tables/rows.h"
#include "tables/catalog.h"

/* By which an open table of released events can be searched for alerts. */
extern const RowsKey alert_key;

/*
 * Why the patient is not to be alerted about an event that is released now;
 * ALERT_REASON_COUNT: is to be.  Searches released events for earlier alerts.
 */
extern AlertReason alert_find_reason(Rows *released, const Event *event, TimestampTz now);

#endif							/* RXTRACK_ALERT_H */
