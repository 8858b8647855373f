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

/* One that withdraws another (a number; 0: none) alerts nobody, and has no reason for that. */
static bool
insert_released(Release *release, const Event *event, AlertReason reason, int64 withdraws)
{
	bool		alert = reason == ALERT_REASON_COUNT && withdraws == 0;
	Datum		values[EVENT_COLUMNS];
	bool		nulls[EVENT_COLUMNS] = {
		[EVENT_ALERT_REASON] = reason == ALERT_REASON_COUNT, [EVENT_WITHDRAWS] = withdraws == 0
	};

	memcpy(values, event->values, EVENT_COMMON_COLUMNS * sizeof(Datum));
	values[EVENT_WITHDRAWS] = Int64GetDatum(withdraws);
	values[EVENT_ALERT_REASON] = reason == ALERT_REASON_COUNT ? (Datum) 0 : ObjectIdGetDatum(catalog_get()->alert_reasons[reason]);
	values[EVENT_RELEASE_NUMBER] = Int64GetDatum(release->last_number + 1);
	values[EVENT_RELEASED_AT] = TimestampTzGetDatum(release->now);
	values[EVENT_ALERT] = BoolGetDatum(alert);
	return rows_insert(release->released, values, nulls);
}

/* The number of the newest event of a supply that says it is ready and was not withdrawn; 0: there is none. */
static int64
find_withdrawn(const Event *event)
{
	static Statement select_newest = {
		.sql = "SELECT coalesce(max(e.release_number), 0) FROM rxtrack.readiness_event e"
		" WHERE e.prescription_id = ($1)[1] AND e.line_item_id = ($2)[1] AND e.issue_number = ($3)[1] AND e.ods_code = ($4)[1]"
		" AND e.withdraws IS NULL AND NOT EXISTS (SELECT FROM rxtrack.readiness_event w"
		"  WHERE w.prescription_id = e.prescription_id AND w.line_item_id = e.line_item_id"
		"  AND w.issue_number = e.issue_number AND w.ods_code = e.ods_code AND w.withdraws = e.release_number)",
		.argument_count = EVENT_SUPPLY_COLUMN_COUNT,
		.arguments = {&catalog_prescription_id, &catalog_uuid, &catalog_integer, &catalog_ods_code}
	};
	static const int columns[] = EVENT_SUPPLY_COLUMNS;
	Datum		arguments[EVENT_SUPPLY_COLUMN_COUNT];
	int64		number;
	bool		isnull;

	for (int i = 0; i < EVENT_SUPPLY_COLUMN_COUNT; i++)
	{
		Datum		value = event->values[columns[i]];

		arguments[i] = statement_array(select_newest.arguments[i], &value, NULL, 1);
	}
	CommandCounterIncrement();	/* what this release has inserted counts */
	statement_execute_latest(&select_newest, arguments);
	number = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return number;
}

/*
 * An event that a trigger leaves out is neither numbered nor notified; nor is a withdrawal where nothing
 * was said that it could take back.
 */
static void
release_event(Release *release, const Event *event)
{
	int64		withdraws = event_is_withdrawal(event) ? find_withdrawn(event) : 0;
	AlertReason reason;

	if (event_is_withdrawal(event) && withdraws == 0)
		return;
	if (release->released == NULL)
	{
		release->last_number = release_number_last();
		release->released = rows_open(&event_released, &alert_key, RowExclusiveLock);
		rows_see_latest(release->released);
	}
	reason = withdraws != 0 ? ALERT_REASON_COUNT : alert_find_reason(release->released, event, release->now);
	if (insert_released(release, event, reason, withdraws))
		notify_listeners(++release->last_number, DatumGetOdsCode(event->values[EVENT_ODS_CODE]));
}

/* Settles what was due first, in the inbox or among the promises; returns how many events that were: 0 where one has to wait. */
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
release_due(int max_rows, bool thoroughly)
{
	Release		release = {0};
	Owner		before;
	int			settled = 0;

	if (!lock_releases())
		return 0;
	owner_become(&before);
	release.inbox = inbox_read(thoroughly);
	release.now = GetCurrentTimestamp();
	release.promises = promise_search(release.now, thoroughly);
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
		batch = release_due(Min(max_rows - settled, RELEASE_BATCH), true);
		settled += batch;
	} while (batch == RELEASE_BATCH && settled < max_rows);
	SPI_finish();
	/* the caller may yet roll back to a savepoint, of which nobody would tell */
	release_forget();
	PG_RETURN_INT32(settled);
}
