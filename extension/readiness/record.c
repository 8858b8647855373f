/*
 * record.c
 *		Recording readiness events with the updates by which supplies become ready, or are no longer.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "readiness/at_commit.h"
#include "readiness/event.h"
#include "readiness/inbox.h"
#include "readiness/promise.h"
#include "readiness/ready_status.h"
#include "readiness/record.h"
#include "tables/rows.h"
#include "types/types.h"

/* ---------- Changes ---------- */

static bool
is_promise(const StatusChange *change)
{
	return change->occurs_at > change->received_at;
}

/* What a promise takes back, if anything, is seen when it is due: what it follows may be another status by then. */
static bool
is_withdrawal(const StatusChange *change)
{
	if (ready_status_is_ready(change->becomes) ||
		change->becomes == BUSINESS_STATUS_COLLECTED || change->becomes == BUSINESS_STATUS_DISPATCHED)
		return false;
	return is_promise(change) || (change->withdraws && ready_status_is_ready(change->was));
}

/* Has a change an event, or may it have one when it occurs? */
static bool
is_recorded(const StatusChange *change)
{
	if (is_promise(change) && ready_status_is_ready(change->becomes))
		return true;
	return is_withdrawal(change) || ready_status_is_event(change->was, change->becomes);
}

static void
make_event(Event *event, const StatusChange *change)
{
	const Update *update = change->update;
	Datum	   *values = event->values;

	values[EVENT_PRESCRIPTION_ID] = PrescriptionIdGetDatum(&update->prescription_id);
	values[EVENT_STATUS] = BusinessStatusGetDatum(change->becomes != 0 ? change->becomes : update->status);
	values[EVENT_POST_DATED] = BoolGetDatum(change->post_dated);
	values[EVENT_NHS_NUMBER] = NhsNumberGetDatum(change->nhs_number);
	values[EVENT_TASK_ID] = PointerGetDatum(&update->task_id);
	values[EVENT_LINE_ITEM_ID] = PointerGetDatum(&update->line_item_id);
	values[EVENT_ODS_CODE] = OdsCodeGetDatum(update->ods_code);
	values[EVENT_OCCURRED_AT] = TimestampTzGetDatum(change->occurs_at);
	values[EVENT_DUE_AT] = TimestampTzGetDatum(Max(change->occurs_at, change->received_at));
	values[EVENT_APPLICATION_ID] = Int32GetDatum(change->application_id);
	values[EVENT_ISSUE_NUMBER] = Int32GetDatum(update->issue_number);
	values[EVENT_IS_WITHDRAWAL] = BoolGetDatum(is_withdrawal(change));
	values[EVENT_IN_CONFLICT] = BoolGetDatum(change->in_conflict);
	values[EVENT_RECEIPT] = Int32GetDatum(change->receipt);
}

/* A release at the commit sees what was recorded. */
static void
release_at_commit(void)
{
	CommandCounterIncrement();
	at_commit_release();
}

void
record_changes(const StatusChange *changes, int count)
{
	Event	   *due = palloc(count * sizeof(Event));
	Event	   *promised = palloc(count * sizeof(Event));
	TimestampTz *cancelled_at = palloc(count * sizeof(TimestampTz));
	int			due_count = 0;
	int			promised_count = 0;

	for (int i = 0; i < count; i++)
	{
		if (!is_recorded(&changes[i]))
			continue;
		if (!is_promise(&changes[i]))
			make_event(&due[due_count++], &changes[i]);
		else
		{
			cancelled_at[promised_count] = changes[i].is_replaced ? changes[i].received_at : DT_NOEND;
			make_event(&promised[promised_count++], &changes[i]);
		}
	}
	if (due_count > 0)
		inbox_add(due, due_count);
	if (promised_count > 0)
		promise_add(promised, cancelled_at, promised_count);
	if (due_count > 0 || promised_count > 0)
		release_at_commit();
}

/* ---------- Predictions ---------- */

void
record_predictions(const Prediction *predictions, int count)
{
	Rows	   *rows = count > 0 ? rows_open(&event_promises, &promise_key, RowExclusiveLock) : NULL;

	for (int i = 0; i < count; i++)
	{
		const Update *update = predictions[i].update;
		Datum		key[] = {
			PrescriptionIdGetDatum(&update->prescription_id), PointerGetDatum(&update->line_item_id),
			Int32GetDatum(update->issue_number), OdsCodeGetDatum(update->ods_code)
		};
		Event		event;

		if (!rows_find(rows, key, lengthof(key), true))
			continue;
		event_read(&event, rows);
		if (!predictions[i].has_begun)
			promise_cancel(rows, predictions[i].received_at);
		else if (promise_settle(rows, &event, predictions[i].was, predictions[i].nhs_number,
								predictions[i].received_at) == PROMISE_KEPT)
		{
			inbox_add(&event, 1);
			release_at_commit();
		}
	}
	if (rows != NULL)
		rows_close(rows);
}
