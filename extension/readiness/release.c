/*
 * release.c
 *		Releasing readiness events that are due.
 *
 * The dispatcher does so, rxtrack.release_events(), and, in a database without a dispatcher, the
 * submitting transaction at its commit.  A release holds a lock on the extension until its
 * transaction ends.  So releases happen one after the other: numbers are in the order of commits,
 * nothing is released twice, and two events cannot both be the first of a cooldown.  Being on the
 * extension, the lock also keeps DROP EXTENSION from taking the tables away in between.
 */
#include "postgres.h"

#include "catalog/pg_extension.h"
#include "commands/async.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "readiness/alert.h"
#include "readiness/event.h"
#include "readiness/inbox.h"
#include "readiness/owner.h"
#include "readiness/promise.h"
#include "readiness/release.h"
#include "readiness/release_number.h"
#include "tables/catalog.h"
#include "tables/rows.h"
#include "tables/statement.h"
#include "types/types.h"

#define CHANNEL_ALL "rxtrack_ready"

/* A release of events that are due by now. */
typedef struct Release
{
	TimestampTz now;
	Inbox	   *inbox;
	Promises   *promises;
	Rows	   *released;		/* NULL, and no last number, before the first release */
	int64		last_number;
} Release;

/* False where the extension is not there, or no longer. */
static bool
lock_releases(void)
{
	Oid			extension = get_extension_oid("rxtrack", true);

	if (!OidIsValid(extension))
		return false;
	LockDatabaseObject(ExtensionRelationId, extension, 0, ShareUpdateExclusiveLock);
	return get_extension_oid("rxtrack", true) == extension;
}

/* Any role that may connect may listen, so that a payload holds the number alone. */
static void
notify_listeners(int64 number, OdsCode ods_code)
{
	char		payload[32];
	char		channel[sizeof(CHANNEL_ALL "_") + ODS_CODE_TEXT] = CHANNEL_ALL "_";
	char	   *code = channel + strlen(channel);

	pg_lltoa(number, payload);
	ods_code_format(ods_code, code);
	for (char *c = code; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	Async_Notify(CHANNEL_ALL, payload);
	Async_Notify(channel, payload);
}

/* A released event that another one is to take back. */
typedef struct Withdrawn
{
	int64		number;			/* 0: there is none */
	NhsNumber	nhs_number;
	bool		alert;
} Withdrawn;

/* Does an event come before another one of its supply?  Those that are due at one time come in the order of its updates. */
static bool
is_before(TimestampTz due_at, int32 receipt, TimestampTz other_due_at, int32 other_receipt)
{
	return due_at != other_due_at ? due_at < other_due_at : receipt < other_receipt;
}

/*
 * Finds the event by which the supply became ready that an event takes back: the newest before that, unless
 * it takes back another itself, as a settlement may have done while the supply was ready.
 */
static Withdrawn
find_withdrawn(const Event *event)
{
	static const RowsKey by_supply = {"readiness_event_supply", EVENT_SUPPLY_COLUMN_COUNT, EVENT_SUPPLY_COLUMNS};
	Datum		key[] = {
		event->values[EVENT_PRESCRIPTION_ID], event->values[EVENT_LINE_ITEM_ID],
		event->values[EVENT_ISSUE_NUMBER], event->values[EVENT_ODS_CODE]
	};
	Rows	   *rows = rows_open(&event_released, &by_supply, AccessShareLock);
	TimestampTz newest_due_at = DT_NOBEGIN;
	int32		newest_receipt = 0;
	Withdrawn	newest = {0};

	rows_see_latest(rows);
	rows_search(rows, key, lengthof(key));
	while (rows_next(rows))
	{
		TimestampTz due_at = DatumGetTimestampTz(rows_value(rows, EVENT_DUE_AT));
		int32		receipt = DatumGetInt32(rows_value(rows, EVENT_RECEIPT));
		bool		says_ready;

		if (!is_before(due_at, receipt, event_due_at(event), event_receipt(event)) ||
			!is_before(newest_due_at, newest_receipt, due_at, receipt))
			continue;
		newest_due_at = due_at;
		newest_receipt = receipt;
		(void) rows_column(rows, EVENT_WITHDRAWS, &says_ready);
		newest.number = says_ready ? DatumGetInt64(rows_value(rows, EVENT_RELEASE_NUMBER)) : 0;
		newest.nhs_number = DatumGetNhsNumber(rows_value(rows, EVENT_NHS_NUMBER));
		newest.alert = DatumGetBool(rows_value(rows, EVENT_ALERT));
	}
	rows_close(rows);
	return newest;
}

/* Inserts an event under the next number; false where a trigger leaves it out. One that withdraws another names the patient of that, and alerts nobody. */
static bool
insert_released(Release *release, const Event *event, AlertReason reason, const Withdrawn *withdrawn)
{
	bool		withdraws = withdrawn->number != 0;
	Datum		values[EVENT_COLUMNS];
	bool		nulls[EVENT_COLUMNS] = {
		[EVENT_ALERT_REASON] = reason == ALERT_REASON_COUNT,
		[EVENT_WITHDRAWS] = !withdraws, [EVENT_WITHDRAWS_ALERT] = !withdraws
	};

	memcpy(values, event->values, EVENT_COMMON_COLUMNS * sizeof(Datum));
	if (withdraws)
		values[EVENT_NHS_NUMBER] = NhsNumberGetDatum(withdrawn->nhs_number);
	values[EVENT_WITHDRAWS] = Int64GetDatum(withdrawn->number);
	values[EVENT_WITHDRAWS_ALERT] = BoolGetDatum(withdrawn->alert);
	values[EVENT_ALERT_REASON] = reason == ALERT_REASON_COUNT ? (Datum) 0 : ObjectIdGetDatum(catalog_get()->alert_reasons[reason]);
	values[EVENT_RELEASE_NUMBER] = Int64GetDatum(release->last_number + 1);
	values[EVENT_RELEASED_AT] = TimestampTzGetDatum(release->now);
	values[EVENT_ALERT] = BoolGetDatum(reason == ALERT_REASON_COUNT && !withdraws);
	return rows_insert(release->released, values, nulls);
}

/*
 * An event that a trigger leaves out is neither numbered nor notified; nor is a withdrawal where nothing
 * was said that it could take back.
 */
static void
release_event(Release *release, const Event *event)
{
	Withdrawn	withdrawn = {0};
	AlertReason reason = ALERT_REASON_COUNT;

	if (event_is_withdrawal(event))
	{
		withdrawn = find_withdrawn(event);
		if (withdrawn.number == 0)
			return;
	}
	if (release->released == NULL)
	{
		release->last_number = release_number_last();
		release->released = rows_open(&event_released, &alert_key, RowExclusiveLock);
		rows_see_latest(release->released);
	}
	if (withdrawn.number == 0)
		reason = alert_find_reason(release->released, event, release->now);
	if (insert_released(release, event, reason, &withdrawn))
		notify_listeners(++release->last_number, DatumGetOdsCode(event->values[EVENT_ODS_CODE]));
}

/* Settles what was due first, in the inbox or among the promises; returns how many events that were: 0 where one has to wait, or somebody else has settled it. */
static int
settle_next(Release *release)
{
	Event		event;

	if (inbox_due_at(release->inbox) < promise_due_at(release->promises))
	{
		if (!inbox_take(release->inbox, &event))
			return 0;
		release_event(release, &event);
		return 1;
	}
	switch (promise_settle_next(release->promises, &event))
	{
		case PROMISE_KEPT:
			release_event(release, &event);
			return 1;
		case PROMISE_CANCELLED:
			return 1;
		case PROMISE_GONE:
		case PROMISE_WAITS:
			break;
	}
	return 0;
}

static bool
is_at_end(const Release *release)
{
	return inbox_due_at(release->inbox) == DT_NOEND && promise_due_at(release->promises) == DT_NOEND;
}

int
release_due(int max_rows, InboxPart part)
{
	Release		release = {0};
	Owner		before;
	int			settled = 0;

	if (!lock_releases())
		return 0;
	owner_become(&before);
	release.inbox = inbox_read(part);
	release.now = GetCurrentTimestamp();
	release.promises = promise_search(release.now, part == INBOX_WHOLE);
	while (settled < max_rows && !is_at_end(&release))
		settled += settle_next(&release);
	if (release.released != NULL)
		rows_close(release.released);
	promise_close(release.promises);
	inbox_close(release.inbox);
	CommandCounterIncrement();
	owner_leave(&before);
	return settled;
}

void
release_forget(void)
{
	inbox_forget();
	promise_forget();
}

/* rxtrack.release_events(max_rows) */
PG_FUNCTION_INFO_V1(release_events);
Datum
release_events(PG_FUNCTION_ARGS)
{
	int			max_rows = PG_GETARG_INT32(0);
	int			settled = 0;
	int			batch;

	if (max_rows < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must be 1 or more")));
	SPI_connect();
	do
	{
		batch = release_due(Min(max_rows - settled, RELEASE_BATCH), INBOX_WHOLE);
		settled += batch;
	} while (batch == RELEASE_BATCH && settled < max_rows);
	SPI_finish();
	/* the caller may yet roll back to a savepoint, of which nobody would tell */
	release_forget();
	PG_RETURN_INT32(settled);
}
