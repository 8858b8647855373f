/*
 * promise.c
 *		Finding promises that are due, and whether their updates still hold.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "utils/timestamp.h"

#include "readiness/promise.h"
#include "readiness/ready_status.h"
#include "tables/catalog.h"
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
	bool		retrying;
	bool		found;			/* a promise, the one at hand */
	TimestampTz waits_since;	/* when the first that was left as it is was due */
	TimestampTz due_at;			/* of that */
};

const RowsKey promise_key = {"readiness_promise_supply", EVENT_SUPPLY_COLUMN_COUNT, EVENT_SUPPLY_COLUMNS};
static const RowsKey by_task = {NULL, 2, {EVENT_PRESCRIPTION_ID, EVENT_TASK_ID}};

static const RowsKey by_due_time = {"readiness_promise_pending", 1, {EVENT_DUE_AT}};

/* What a promise depends on: where its supply stands, and whose the prescription is. */
enum
{
	SUPPLY_PRESCRIPTION_ID,
	SUPPLY_LINE_ITEM_ID,
	SUPPLY_ISSUE_NUMBER,
	SUPPLY_ODS_CODE,
	SUPPLY_NHS_NUMBER,
	SUPPLY_PLAIN_STATUS,
	SUPPLY_COLUMNS
};

static const RowsTable supplies = {
	"rxtrack", "supply", SUPPLY_COLUMNS, {
		[SUPPLY_PRESCRIPTION_ID] = {"prescription_id", &catalog_prescription_id},
		[SUPPLY_LINE_ITEM_ID] = {"line_item_id", &catalog_uuid},
		[SUPPLY_ISSUE_NUMBER] = {"issue_number", &catalog_integer},
		[SUPPLY_ODS_CODE] = {"ods_code", &catalog_ods_code},
		[SUPPLY_NHS_NUMBER] = {"nhs_number", &catalog_nhs_number},
		[SUPPLY_PLAIN_STATUS] = {"plain_status", &catalog_business_status}
	}
};

static const RowsKey supply_key = {
	.count = 4, .columns = {SUPPLY_PRESCRIPTION_ID, SUPPLY_LINE_ITEM_ID, SUPPLY_ISSUE_NUMBER, SUPPLY_ODS_CODE}
};

enum
{
	PATIENT_PRESCRIPTION_ID,
	PATIENT_NHS_NUMBER,
	PATIENT_HIDDEN,
	PATIENT_COLUMNS
};

static const RowsTable patients = {
	"rxtrack", "prescription_patient", PATIENT_COLUMNS, {
		[PATIENT_PRESCRIPTION_ID] = {"prescription_id", &catalog_prescription_id},
		[PATIENT_NHS_NUMBER] = {"nhs_number", &catalog_nhs_number},
		[PATIENT_HIDDEN] = {"hidden", &catalog_boolean}
	}
};

static const RowsKey patient_key = {.count = 1, .columns = {PATIENT_PRESCRIPTION_ID}};

/* ---------- Adding ---------- */

/* A promise of the same task, or one that is pending of the supply, is of an update that was removed. */
static void
remove_orphan(const RowsKey *by, const Event *event)
{
	Rows	   *rows = rows_open(&event_promises, by, RowExclusiveLock);
	Datum		key[ROWS_MAX_KEY];

	for (int i = 0; i < by->count; i++)
		key[i] = event->values[by->columns[i]];
	if (rows_find(rows, key, by->count, true))
	{
		RowsPlace	place = rows_place(rows);

		rows_delete(rows, &place);
	}
	rows_close(rows);
}

void
promise_add(const Event *events, const TimestampTz *cancelled_at, int count)
{
	Rows	   *rows = rows_open(&event_promises, NULL, RowExclusiveLock);

	for (int i = 0; i < count; i++)
	{
		Datum		values[EVENT_PROMISE_COLUMNS];
		bool		nulls[EVENT_PROMISE_COLUMNS] = {
			[EVENT_FAILURES] = true, [EVENT_RETRY_AT] = true, [EVENT_ERROR] = true,
			[EVENT_CANCELLED_AT] = cancelled_at[i] == DT_NOEND
		};

		remove_orphan(&by_task, &events[i]);
		if (cancelled_at[i] == DT_NOEND)
			remove_orphan(&promise_key, &events[i]);
		memcpy(values, events[i].values, sizeof(events[i].values));
		values[EVENT_CANCELLED_AT] = TimestampTzGetDatum(cancelled_at[i]);
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

void
promise_pass(Promises *promises, bool waits)
{
	do
	{
		if (waits)
			promises->waits_since = Min(promises->waits_since, promises->due_at);
		promises->found = rows_next(promises->rows);
		if (promises->found)
			promises->due_at = DatumGetTimestampTz(rows_value(promises->rows, EVENT_DUE_AT));
		waits = promises->found && !promises->retrying && event_is_set_aside(promises->rows, promises->now);
	} while (waits);
}

Promises *
promise_search(TimestampTz now, bool thoroughly, bool retrying)
{
	Promises   *promises = palloc0(sizeof(Promises));

	promises->now = now;
	promises->retrying = retrying;
	promises->waits_since = promises->due_at = DT_NOEND;
	promises->rows = search_between(search_from(now, thoroughly), now, RowExclusiveLock);
	promise_pass(promises, false);
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
	if (promises->found || promises->waits_since != DT_NOEND)
		settled_until = Min(settled_until, Min(promises->due_at, promises->waits_since));
	else
		settled_until = promises->now;
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

void
promise_cancel(Rows *rows, TimestampTz at)
{
	static const bool changes[EVENT_PROMISE_COLUMNS] = {[EVENT_CANCELLED_AT] = true};
	Datum		values[EVENT_PROMISE_COLUMNS] = {[EVENT_CANCELLED_AT] = TimestampTzGetDatum(at)};
	bool		nulls[EVENT_PROMISE_COLUMNS] = {false};
	RowsPlace	place = rows_place(rows);

	rows_update(rows, &place, changes, values, nulls);
}

/* By the transition rules, which are the updates' business. */
static bool
takes_back(BusinessStatus was, BusinessStatus becomes)
{
	static Statement select_takes_back = {
		.sql = "SELECT rxtrack_internal.takes_back(($1)[1], ($2)[1])",
		.argument_count = 2,
		.arguments = {&catalog_business_status, &catalog_business_status}
	};
	Datum		values[] = {BusinessStatusGetDatum(was), BusinessStatusGetDatum(becomes)};
	Datum		arguments[] = {
		statement_array(&catalog_business_status, &values[0], NULL, 1),
		statement_array(&catalog_business_status, &values[1], NULL, 1)
	};
	bool		result;
	bool		isnull;

	statement_execute(&select_takes_back, arguments);
	result = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return result;
}

/* Takes the patient from the prescription, who may have been settled since the promise was recorded. */
static void
take_patient(Event *event, NhsNumber named)
{
	Rows	   *rows = rows_open(&patients, &patient_key, AccessShareLock);
	bool		in_conflict = true;

	rows_see_latest(rows);
	if (rows_find(rows, &event->values[EVENT_PRESCRIPTION_ID], 1, false))
	{
		event->values[EVENT_NHS_NUMBER] = rows_value(rows, PATIENT_NHS_NUMBER);
		in_conflict = DatumGetBool(rows_value(rows, PATIENT_HIDDEN)) ||
			DatumGetNhsNumber(event->values[EVENT_NHS_NUMBER]) != named;
	}
	event->values[EVENT_IN_CONFLICT] = BoolGetDatum(DatumGetBool(event->values[EVENT_IN_CONFLICT]) || in_conflict);
	rows_close(rows);
}

PromiseFate
promise_settle(Rows *rows, Event *event, BusinessStatus was, NhsNumber named, TimestampTz at)
{
	BusinessStatus becomes = DatumGetBusinessStatus(event->values[EVENT_STATUS]);
	bool		is_kept = event_is_withdrawal(event) ? ready_status_is_ready(was) && takes_back(was, becomes) :
		ready_status_is_event(was, becomes);
	RowsPlace	place = rows_place(rows);

	if (!is_kept)
	{
		promise_cancel(rows, at);
		return PROMISE_CANCELLED;
	}
	if (!rows_delete(rows, &place))
		return PROMISE_WAITS;
	take_patient(event, named);
	return PROMISE_KEPT;
}

/*
 * Settles the promise at hand, whose supply is locked: the row that was found.  The promise is looked up again, because
 * what is stored since the search began may have settled it.
 */
static PromiseFate
settle_locked(Promises *promises, Rows *supply, Event *event)
{
	Rows	   *rows = rows_open(&event_promises, &promise_key, RowExclusiveLock);
	Datum		key[] = {
		event->values[EVENT_PRESCRIPTION_ID], event->values[EVENT_LINE_ITEM_ID],
		event->values[EVENT_ISSUE_NUMBER], event->values[EVENT_ODS_CODE]
	};
	PromiseFate fate;
	bool		is_none;
	Datum		was = rows_column(supply, SUPPLY_PLAIN_STATUS, &is_none);

	rows_see_latest(rows);
	if (!rows_find(rows, key, lengthof(key), false) ||
		DatumGetTimestampTz(rows_value(rows, EVENT_DUE_AT)) > promises->now)
		fate = PROMISE_GONE;
	else if (!rows_find_skip_locked(rows, key, lengthof(key)))
		fate = PROMISE_WAITS;
	else
	{
		event_read(event, rows);
		fate = promise_settle(rows, event, is_none ? 0 : DatumGetBusinessStatus(was),
							  DatumGetNhsNumber(rows_value(supply, SUPPLY_NHS_NUMBER)), promises->now);
	}
	rows_close(rows);
	return fate;
}

/*
 * Locks the supply of the promise at hand, and settles it.  While somebody else has the supply locked, the
 * promise waits: what is being stored may replace it.
 */
PromiseFate
promise_settle_found(Promises *promises, Event *event)
{
	Rows	   *rows = rows_open(&supplies, &supply_key, RowShareLock);
	Datum		key[] = {
		event->values[EVENT_PRESCRIPTION_ID], event->values[EVENT_LINE_ITEM_ID],
		event->values[EVENT_ISSUE_NUMBER], event->values[EVENT_ODS_CODE]
	};
	PromiseFate fate = PROMISE_WAITS;

	rows_see_latest(rows);
	if (rows_find_skip_locked(rows, key, lengthof(key)))
		fate = settle_locked(promises, rows, event);
	rows_close(rows);
	return fate;
}

void
promise_read(Promises *promises, Event *event)
{
	event_read(event, promises->rows);
}
