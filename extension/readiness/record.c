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
	if (event_is_ready_status(change->becomes) ||
		change->becomes == BUSINESS_STATUS_COLLECTED || change->becomes == BUSINESS_STATUS_DISPATCHED)
		return false;
	return is_promise(change) || (change->withdraws && event_is_ready_status(change->was));
}

/* Has a change an event, or may it have one when it occurs? */
static bool
is_recorded(const StatusChange *change)
{
	if (is_promise(change) && event_is_ready_status(change->becomes))
		return true;
	return is_withdrawal(change) || event_is_change(change->was, change->becomes);
}

static Event
make_event(const StatusChange *change)
{
	const Update *update = change->update;

	return (Event)
	{
		.supply = update_supply(update),
			.task_id = update->task_id,
			.nhs_number = change->nhs_number,
			.due_at = Max(change->occurs_at, change->received_at),
			.occurred_at = change->occurs_at,
			.status = change->becomes != 0 ? change->becomes : update->status,
			.post_dated = change->post_dated,
			.application_id = change->application_id,
			.receipt = change->receipt,
			.is_withdrawal = is_withdrawal(change),
			.in_conflict = change->in_conflict,
			.is_cancelled = change->is_replaced,
			.cancelled_at = change->received_at
	};
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
	int			due_count = 0;
	int			promised_count = 0;

	for (int i = 0; i < count; i++)
	{
		if (!is_recorded(&changes[i]))
			continue;
		if (is_promise(&changes[i]))
			promised[promised_count++] = make_event(&changes[i]);
		else
			due[due_count++] = make_event(&changes[i]);
	}
	if (due_count > 0)
		inbox_add(due, due_count);
	if (promised_count > 0)
		promise_add(promised, promised_count);
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
		Event		event = {.supply = update_supply(predictions[i].update)};

		if (!rows_find(rows, &event, ROWS_LOCKED))
			continue;
		rows_read(rows, &event);
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
