/*
 * promise.c
 *		Finding promises that are due, and whether their updates still hold.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "readiness/promise.h"
#include "tables/catalog.h"
#include "tables/rows.h"
#include "tables/transitions.h"

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
	bool		found;			/* a promise, the one at hand: */
	Event		event;
	TimestampTz waits_since;	/* when the first that was left as it is was due */
};

const RowsKey promise_key = {"readiness_promise_supply", EVENT_SUPPLY_COLUMN_COUNT, EVENT_SUPPLY_COLUMNS};
static const RowsKey by_task = {NULL, 2, {EVENT_PRESCRIPTION_ID, EVENT_TASK_ID}};

static const RowsKey by_due_time = {"readiness_promise_pending", 1, {EVENT_DUE_AT}};

/* What a promise depends on: where its supply stands, and whose the prescription is. */
typedef struct Stand
{
	SupplyKey	supply;
	NhsNumber	nhs_number;
	bool		has_plain;		/* a plain assertion beside the promise's: */
	BusinessStatus plain;
} Stand;

static const RowsTable supplies = {
	"rxtrack", "supply", 6, {
		COLUMN("prescription_id", prescription_id, Stand, supply.prescription_id),
		COLUMN("line_item_id", uuid, Stand, supply.line_item_id),
		COLUMN("issue_number", integer, Stand, supply.issue_number),
		COLUMN("ods_code", ods_code, Stand, supply.ods_code),
		COLUMN("nhs_number", nhs_number, Stand, nhs_number),
		COLUMN_OR_NULL("plain_status", business_status, Stand, plain, has_plain)
	}
};

static const RowsKey supply_key = {.count = 4, .columns = {0, 1, 2, 3}};

typedef struct Patient
{
	PrescriptionId prescription_id;
	NhsNumber	nhs_number;
	bool		hidden;
} Patient;

static const RowsTable patients = {
	"rxtrack", "prescription_patient", 3, {
		COLUMN("prescription_id", prescription_id, Patient, prescription_id),
		COLUMN("nhs_number", nhs_number, Patient, nhs_number),
		COLUMN("hidden", boolean, Patient, hidden)
	}
};

static const RowsKey patient_key = {.count = 1, .columns = {0}};

/* ---------- Adding ---------- */

/* A promise of the same task, or one that is pending of the supply, is of an update that was removed. */
static void
remove_orphan(const RowsKey *by, const Event *event)
{
	Rows	   *rows = rows_open(&event_promises, by, RowExclusiveLock);

	if (rows_find(rows, event, ROWS_LOCKED))
	{
		RowsPlace	place = rows_place(rows);

		rows_delete(rows, &place);
	}
	rows_close(rows);
}

void
promise_add(const Event *events, int count)
{
	Rows	   *rows = rows_open(&event_promises, NULL, RowExclusiveLock);

	for (int i = 0; i < count; i++)
	{
		remove_orphan(&by_task, &events[i]);
		if (!events[i].is_cancelled)
			remove_orphan(&promise_key, &events[i]);
		rows_insert(rows, &events[i]);
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
			promises->waits_since = Min(promises->waits_since, promises->event.due_at);
		promises->found = rows_next(promises->rows);
		if (promises->found)
			rows_read(promises->rows, &promises->event);
		waits = promises->found && !promises->retrying && event_is_set_aside(&promises->event, promises->now);
	} while (waits);
}

Promises *
promise_search(TimestampTz now, bool thoroughly, bool retrying)
{
	Promises   *promises = palloc0(sizeof(Promises));

	promises->now = now;
	promises->retrying = retrying;
	promises->waits_since = promises->event.due_at = DT_NOEND;
	promises->rows = search_between(search_from(now, thoroughly), now, RowExclusiveLock);
	promise_pass(promises, false);
	return promises;
}

TimestampTz
promise_due_at(const Promises *promises)
{
	return promises->found ? promises->event.due_at : DT_NOEND;
}

void
promise_close(Promises *promises)
{
	if (promises->found || promises->waits_since != DT_NOEND)
		settled_until = Min(settled_until, Min(promises->event.due_at, promises->waits_since));
	else
		settled_until = promises->now;
	rows_close(promises->rows);
}

TimestampTz
promise_next_due(bool thoroughly)
{
	Rows	   *rows = search_between(thoroughly ? DT_NOBEGIN : settled_until - LOOK_BACK, DT_NOEND, AccessShareLock);
	Event		next = {.due_at = DT_NOEND};

	if (rows_next(rows))
		rows_read(rows, &next);
	rows_close(rows);
	return next.due_at;
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
	const Event cancelled = {.is_cancelled = true, .cancelled_at = at};
	RowsPlace	place = rows_place(rows);

	rows_update(rows, &place, changes, &cancelled);
}

/* Takes the patient from the prescription, who may have been settled since the promise was recorded. */
static void
take_patient(Event *event, NhsNumber named)
{
	Rows	   *rows = rows_open(&patients, &patient_key, AccessShareLock);
	Patient		patient = {.prescription_id = event->supply.prescription_id, .hidden = true};

	rows_see_latest(rows);
	if (rows_find(rows, &patient, ROWS_UNLOCKED))
	{
		rows_read(rows, &patient);
		event->nhs_number = patient.nhs_number;
	}
	event->in_conflict |= patient.hidden || event->nhs_number != named;
	rows_close(rows);
}

PromiseFate
promise_settle(Rows *rows, Event *event, BusinessStatus was, NhsNumber named, TimestampTz at)
{
	bool		is_kept = event->is_withdrawal ? event_is_ready_status(was) && transitions_withdraw(was, event->status) :
		event_is_change(was, event->status);
	RowsPlace	place = rows_place(rows);

	if (!is_kept)
	{
		promise_cancel(rows, at);
		return PROMISE_CANCELLED;
	}
	if (!rows_delete(rows, &place))
		return PROMISE_WAITS;
	take_patient(event, named);
	event->has_failed = false;
	return PROMISE_KEPT;
}

/*
 * Settles the promise at hand, whose supply is locked: the row that was found.  The promise is looked up again, because
 * what is stored since the search began may have settled it.
 */
static PromiseFate
settle_locked(Promises *promises, const Stand *stand, Event *event)
{
	Rows	   *rows = rows_open(&event_promises, &promise_key, RowExclusiveLock);
	PromiseFate fate = PROMISE_GONE;

	rows_see_latest(rows);
	if (rows_find(rows, event, ROWS_UNLOCKED))
	{
		rows_read(rows, event);
		if (event->due_at <= promises->now)
			fate = PROMISE_WAITS;
	}
	if (fate == PROMISE_WAITS && rows_find(rows, event, ROWS_LOCKED_AT_ONCE))
	{
		rows_read(rows, event);
		fate = promise_settle(rows, event, stand->plain, stand->nhs_number, promises->now);
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
	Stand		stand = {.supply = event->supply};
	PromiseFate fate = PROMISE_WAITS;

	rows_see_latest(rows);
	if (rows_find(rows, &stand, ROWS_LOCKED_AT_ONCE))
	{
		rows_read(rows, &stand);
		fate = settle_locked(promises, &stand, event);
	}
	rows_close(rows);
	return fate;
}

const Event *
promise_event(const Promises *promises)
{
	return &promises->event;
}
