/*
 * promise.c
 *		Promises: adding them, finding those that are due, and whether their updates still hold.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "readiness/promise.h"
#include "tables/rows.h"
#include "tables/statement.h"

/*
 * A promise that was settled keeps its entry in the index of pending ones until the table is
 * vacuumed, and longer where an old snapshot still sees it.  So most searches begin a little before
 * the time up to which all is settled, for transactions that committed so long after their promise
 * came due, and one every few seconds begins with the first entry.
 */
#define LOOK_BACK (2 * USECS_PER_SEC)
#define FULL_SEARCH_INTERVAL (5 * USECS_PER_SEC)

static TimestampTz full_search_at = 0;	/* when the last of these was */
static TimestampTz settled_until = 0;

struct Promises
{
	Rows	   *rows;
	TimestampTz now;
	bool		found;			/* a promise, the one at hand */
	TimestampTz due_at;			/* of that */
};

static const RowsKey by_task = {NULL, 2, {EVENT_PRESCRIPTION_ID, EVENT_TASK_ID}};
static const RowsKey by_due_time = {"readiness_promise_pending", 1, {EVENT_DUE_AT}};

static Statement select_overtaken = {
	.sql = "SELECT rxtrack_internal.is_overtaken(($1)[1], ($2)[1], ($3)[1])",
	.argument_count = 3,
	.arguments = {&catalog_prescription_id, &catalog_uuid, &catalog_timestamptz}
};

/* ---------- Adding ---------- */

/* A promise of that task is one of an update that was removed, for this one is new. */
static void
remove_orphan(Rows *rows, const Event *event)
{
	Datum		key[2] = {event->values[EVENT_PRESCRIPTION_ID], event->values[EVENT_TASK_ID]};
	RowsPlace	place;

	if (!rows_find(rows, key, 2, true))
		return;
	place = rows_place(rows);
	rows_delete(rows, &place);
}

void
promise_add(const Event *events, int count)
{
	Datum		values[EVENT_PROMISE_COLUMNS] = {0};
	bool		nulls[EVENT_PROMISE_COLUMNS] = {[EVENT_CANCELLED_AT] = true};
	Rows	   *rows = rows_open(&event_promises, &by_task, RowExclusiveLock);

	for (int i = 0; i < count; i++)
	{
		remove_orphan(rows, &events[i]);
		memcpy(values, events[i].values, sizeof(events[i].values));
		rows_insert(rows, values, nulls);
	}
	rows_close(rows);
}

/* ---------- Searching ---------- */

/* What others have settled is seen, whatever the isolation. */
static Rows *
search_between(TimestampTz above, TimestampTz upto, LOCKMODE lock)
{
	Rows	   *rows = rows_open(&event_promises, &by_due_time, lock);

	rows_see_latest(rows);
	rows_search_between(rows, TimestampTzGetDatum(above), TimestampTzGetDatum(upto));
	return rows;
}

/* From when on promises are looked for that are due by now. */
static TimestampTz
search_from(TimestampTz now, bool thoroughly)
{
	if (thoroughly || Max(settled_until, full_search_at) > now || now - full_search_at >= FULL_SEARCH_INTERVAL)
	{
		full_search_at = now;
		return DT_NOBEGIN;
	}
	/* what this transaction has recorded itself is due since it began */
	return Min(settled_until, GetCurrentTransactionStartTimestamp()) - LOOK_BACK;
}

static void
find_next(Promises *promises)
{
	promises->found = rows_next(promises->rows);
	if (promises->found)
		promises->due_at = DatumGetTimestampTz(rows_value(promises->rows, EVENT_DUE_AT));
}

Promises *
promise_search(TimestampTz now, bool thoroughly)
{
	Promises   *promises = palloc0(sizeof(Promises));

	promises->now = now;
	promises->rows = search_between(search_from(now, thoroughly), now, RowExclusiveLock);
	find_next(promises);
	return promises;
}

TimestampTz
promise_due_at(const Promises *promises)
{
	return promises->found ? promises->due_at : DT_NOEND;
}

void
promise_close(Promises *promises)
{
	settled_until = promises->found ? Min(settled_until, promises->due_at) : promises->now;
	rows_close(promises->rows);
}

TimestampTz
promise_next_due(bool thoroughly)
{
	Rows	   *rows = search_between(thoroughly ? DT_NOBEGIN : settled_until - LOOK_BACK, DT_NOEND, AccessShareLock);
	TimestampTz due_at = rows_next(rows) ? DatumGetTimestampTz(rows_value(rows, EVENT_DUE_AT)) : DT_NOEND;

	rows_close(rows);
	return due_at;
}

void
promise_forget(void)
{
	settled_until = full_search_at = 0;
}

/* ---------- Settling ---------- */

/* Whether its update still says what the item's status is, now that it takes effect. */
static PromiseFate
find_fate(const Event *event)
{
	static const int columns[] = {EVENT_PRESCRIPTION_ID, EVENT_TASK_ID, EVENT_DUE_AT};
	Datum		arguments[lengthof(columns)];
	bool		is_missing;
	bool		is_overtaken;

	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		Datum		value = event->values[columns[i]];

		arguments[i] = statement_array(select_overtaken.arguments[i], &value, NULL, 1);
	}
	statement_execute_latest(&select_overtaken, arguments);
	is_overtaken = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_missing));
	SPI_freetuptable(SPI_tuptable);
	if (is_missing)
		return PROMISE_WAITS;	/* a restore is under way */
	return is_overtaken ? PROMISE_CANCELLED : PROMISE_KEPT;
}

static bool
cancel(Promises *promises, const RowsPlace *place)
{
	static const bool changes[EVENT_PROMISE_COLUMNS] = {[EVENT_CANCELLED_AT] = true};
	Datum		values[EVENT_PROMISE_COLUMNS] = {[EVENT_CANCELLED_AT] = TimestampTzGetDatum(promises->now)};
	bool		nulls[EVENT_PROMISE_COLUMNS] = {false};

	return rows_update(promises->rows, place, changes, values, nulls);
}

PromiseFate
promise_settle(Promises *promises, Event *event)
{
	RowsPlace	place = rows_place(promises->rows);
	PromiseFate fate;
	bool		is_settled = false;

	event_read(event, promises->rows);
	fate = find_fate(event);
	if (fate == PROMISE_KEPT)
		is_settled = rows_delete(promises->rows, &place);
	else if (fate == PROMISE_CANCELLED)
		is_settled = cancel(promises, &place);
	find_next(promises);
	return is_settled ? fate : PROMISE_WAITS;
}
