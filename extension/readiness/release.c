/*
 * release.c
 *		Releasing readiness events that are due.
 *
 * The dispatcher does so, rxtrack.release_events(), and, in a database without a dispatcher, the
 * submitting transaction at its commit.  A release holds a lock on the extension until its
 * transaction ends.  So releases happen one after the other: numbers are in the order of commits,
 * nothing is released twice, and two events cannot both be the first of a cooldown.  Being on the
 * extension, the lock also keeps DROP EXTENSION from taking the tables away in between.
 *
 * A release is attempted in a subtransaction.  Where something in it raises, a trigger of a DBA's, say, it is done
 * again carefully: each event in a subtransaction of its own, so that those that fail can be told from the others.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "commands/async.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "readiness/alert.h"
#include "readiness/event.h"
#include "readiness/inbox.h"
#include "readiness/promise.h"
#include "readiness/release.h"
#include "readiness/release_number.h"
#include "settings.h"
#include "tables/catalog.h"
#include "tables/rows.h"
#include "tables/subtransaction.h"
#include "types/types.h"

#define CHANNEL_ALL "rxtrack_ready"

#define LOG_INTERVAL 60000		/* ms */
#define QUEUE_LOOK 1000			/* ms, between two looks at the server's notification queue */

/* A release of events that are due by now. */
typedef struct Release
{
	int			max_rows;
	InboxPart	part;
	bool		is_careful;
	bool		has_begun;		/* no other one is under way, and all tables are open */
	TimestampTz now;
	Inbox	   *inbox;
	Promises   *promises;
	Rows	   *released;		/* NULL while it is closed */
	int64		last_number;
	int			failed;			/* how many events are set aside by it */
	Released	result;
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

bool
release_notifies(void)
{
	static TimestampTz looked_at = 0;
	static bool notifies = true;
	TimestampTz now = GetCurrentTimestamp();

	if (looked_at > now || TimestampDifferenceExceeds(looked_at, now, QUEUE_LOOK))
	{
		notifies = DatumGetFloat8(OidFunctionCall0(F_PG_NOTIFICATION_QUEUE_USAGE)) < settings_notification_queue_limit;
		looked_at = now;
	}
	return notifies;
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

/* Does an event come before another one of its supply?  Those that are due at one time come in the order of its updates. */
static bool
is_before(const Event *event, const Event *other)
{
	return event->due_at != other->due_at ? event->due_at < other->due_at : event->receipt < other->receipt;
}

/*
 * Finds the event by which the supply became ready that an event takes back: the newest before that, unless
 * it takes back another itself, as a settlement may have done while the supply was ready.
 */
static bool
find_withdrawn(const Event *event, Event *newest)
{
	static const RowsKey by_supply = {"readiness_event_supply", EVENT_SUPPLY_COLUMN_COUNT, EVENT_SUPPLY_COLUMNS};
	Rows	   *rows = rows_open(&event_released, &by_supply, AccessShareLock);
	Event		found;

	*newest = (Event) {.due_at = DT_NOBEGIN, .is_withdrawal = true};
	rows_see_latest(rows);
	rows_search(rows, event, EVENT_SUPPLY_COLUMN_COUNT);
	while (rows_next(rows))
	{
		rows_read(rows, &found);
		if (is_before(&found, event) && is_before(newest, &found))
			*newest = found;
	}
	rows_close(rows);
	return !newest->is_withdrawal;
}

static void
open_released(Release *release)
{
	release->released = rows_open(&event_released, &alert_key, RowExclusiveLock);
	rows_see_latest(release->released);
}

/*
 * An event that a trigger leaves out is neither numbered nor notified; nor is a withdrawal where nothing
 * was said that it could take back.  One that takes back another names the patient of that, and alerts nobody.
 */
static void
release_event(Release *release, const Event *event)
{
	Event		released = *event;
	Event		withdrawn = {0};
	AlertReason reason = ALERT_REASON_COUNT;

	if (event->is_withdrawal && !find_withdrawn(event, &withdrawn))
		return;
	if (release->released == NULL)
		open_released(release);
	released.release_number = release->last_number + 1;
	released.released_at = release->now;
	if (event->is_withdrawal)
	{
		released.nhs_number = withdrawn.nhs_number;
		released.withdraws = withdrawn.release_number;
		released.withdraws_alert = withdrawn.alert;
	}
	else
		reason = alert_find_reason(release->released, event, release->now);
	released.alert_reason = reason;
	released.has_alert_reason = reason != ALERT_REASON_COUNT;
	released.alert = !event->is_withdrawal && !released.has_alert_reason;
	if (!rows_insert(release->released, &released))
		return;
	release->last_number++;
	if (release_notifies())
		notify_listeners(release->last_number, event->supply.ods_code);
}

/* ---------- Acting as the owner of rxtrack's tables ---------- */

/*
 * At a commit it is the supplier's session that releases events. Its role may touch no table, and
 * its search_path must not lead what a DBA has added to a table (a trigger, an index of an
 * expression) to functions of the supplier's.
 */
typedef struct Owner
{
	Oid			user;
	int			security_context;
	int			settings;		/* the nesting level of its settings */
} Owner;

static Oid
owner_of_events(void)
{
	Oid			events = get_relname_relid("readiness_event", get_namespace_oid("rxtrack", false));
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(events));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"rxtrack.readiness_event\" does not exist")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* With a search_path as functions of ours have it. */
static void
become_owner(Owner *before)
{
	Oid			owner = owner_of_events();

	GetUserIdAndSecContext(&before->user, &before->security_context);
	SetUserIdAndSecContext(owner, before->security_context | SECURITY_LOCAL_USERID_CHANGE);
	before->settings = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, rxtrack, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/* The end of a transaction that fails does the same. */
static void
leave_owner(const Owner *before)
{
	AtEOXact_GUC(true, before->settings);
	SetUserIdAndSecContext(before->user, before->security_context);
}

/* ---------- One event ---------- */

/* The event that was due first is in the inbox, or else among the promises. */
static bool
is_in_inbox(const Release *release)
{
	return inbox_due_at(release->inbox) < promise_due_at(release->promises);
}

/* Settles it; false where it has to wait, or somebody else has settled it. */
static bool
settle(Release *release)
{
	Event		event;

	if (is_in_inbox(release))
	{
		if (!inbox_take(release->inbox))
			return false;
		release_event(release, inbox_event(release->inbox));
		return true;
	}
	event = *promise_event(release->promises);
	switch (promise_settle_found(release->promises, &event))
	{
		case PROMISE_KEPT:
			release_event(release, &event);
			return true;
		case PROMISE_CANCELLED:
			return true;
		case PROMISE_GONE:
		case PROMISE_WAITS:
			break;
	}
	return false;
}

static void
close_tables(Release *release, bool failed)
{
	if (release->released != NULL && !failed)
		rows_close(release->released);
	release->released = NULL;
	inbox_close_table(release->inbox, failed);
}

/* Work for a subtransaction, which closes what it opens. */
static bool
settle_alone(void *argument)
{
	Release    *release = argument;
	bool		settled = settle(release);

	close_tables(release, false);
	return settled;
}

/* Is an error one of an event, or a trigger on it?  Or does it concern the whole release? */
static bool
is_of_event(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category != ERRCODE_INSUFFICIENT_RESOURCES && category != ERRCODE_OPERATOR_INTERVENTION &&
		category != ERRCODE_SYSTEM_ERROR && error->sqlerrcode != ERRCODE_T_R_SERIALIZATION_FAILURE;
}

/* Notes in the row of the event at hand, which could not be released, when to try it again. */
static void
set_aside(Release *release, const ErrorData *error)
{
	bool		in_inbox = is_in_inbox(release);
	const Event *event = in_inbox ? inbox_event(release->inbox) : promise_event(release->promises);
	Oid			types[] = {TIDOID, catalog_get()->prescription_id, UUIDOID, TEXTOID, TEXTOID};

	SPI_execute_with_args("SELECT rxtrack_internal.set_aside($1, $2, $3, $4, $5)", lengthof(types), types,
						  (Datum[]) {
							  PointerGetDatum(in_inbox ? inbox_place(release->inbox) : NULL),
							  PrescriptionIdGetDatum(&event->supply.prescription_id), PointerGetDatum(&event->task_id),
							  CStringGetTextDatum(unpack_sql_state(error->sqlerrcode)), CStringGetTextDatum(error->message)
						  }, in_inbox ? "     " : "n    ", false, 0);
	release->failed++;
}

static bool
settle_carefully(Release *release)
{
	ErrorData  *error;
	int64		last_number = release->last_number;
	bool		settled = subtransaction_attempt(settle_alone, release, &error);

	if (error == NULL)
		return settled;
	if (!is_of_event(error))
		ReThrowError(error);
	release->last_number = last_number;
	close_tables(release, true);
	set_aside(release, error);
	return false;
}

/* ---------- A batch ---------- */

static bool
is_at_end(const Release *release)
{
	return inbox_due_at(release->inbox) == DT_NOEND && promise_due_at(release->promises) == DT_NOEND;
}

static void
settle_batch(Release *release)
{
	Released   *result = &release->result;

	while (!is_at_end(release) && result->settled < release->max_rows &&
		   GetCurrentTimestamp() - release->now < RELEASE_TIME)
	{
		bool		from_inbox = is_in_inbox(release);
		bool		settled = release->is_careful ? settle_carefully(release) : settle(release);

		result->settled += settled;
		if (from_inbox)
			inbox_pass(release->inbox, !settled);
		else
			promise_pass(release->promises, !settled);
	}
	result->has_more = !is_at_end(release);
}

/* Deferred triggers of a DBA's fire now, while what raises can still be rolled back alone. */
static void
fire_deferred_triggers(void)
{
	ConstraintsSetStmt all = {.type = T_ConstraintsSetStmt};

	AfterTriggerSetState(&all);
}

static bool
release_batch(void *argument)
{
	Release    *release = argument;
	Owner		before;

	if (!lock_releases())
		return true;
	become_owner(&before);
	if (release->is_careful)
		fire_deferred_triggers();
	release->inbox = inbox_read(release->part);
	release->now = GetCurrentTimestamp();
	release->promises = promise_search(release->now, release->part <= INBOX_WHOLE, release->part == INBOX_RETRY);
	if (!is_at_end(release))
	{
		open_released(release);
		release->last_number = release_number_last();
	}
	if (release->is_careful)
		close_tables(release, false);
	release->has_begun = true;
	settle_batch(release);
	close_tables(release, false);
	promise_close(release->promises);
	inbox_close(release->inbox);
	CommandCounterIncrement();
	fire_deferred_triggers();
	leave_owner(&before);
	return true;
}

/* Where a supplier's transaction cannot release its events, its update is stored all the same; the log hears of it once a minute. */
static void
log_error(const ErrorData *error)
{
	static TimestampTz logged_at = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (!TimestampDifferenceExceeds(logged_at, now, LOG_INTERVAL))
		return;
	logged_at = now;
	ereport(LOG,
			(errmsg("readiness events could not be released, and stay due: error %s", unpack_sql_state(error->sqlerrcode)),
			 errhidestmt(true), errhidecontext(true)));
}

Released
release_due(int max_rows, InboxPart part)
{
	ErrorData  *error;

	for (bool is_careful = false;; is_careful = true)
	{
		Release		release = {.max_rows = Min(max_rows, RELEASE_BATCH), .part = part, .is_careful = is_careful};

		if (subtransaction_attempt(release_batch, &release, &error))
		{
			if (release.failed > 0)
				ereport(LOG,
						(errmsg("%d readiness events could not be released, and are set aside", release.failed),
						 errhint("rxtrack.pending_events says why, and when they are tried again."),
						 errhidestmt(true), errhidecontext(true)));
			return release.result;
		}
		release_forget();
		if (!release.has_begun && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
			return (Released) {.is_busy = true};
		if (!is_of_event(error) || (part != INBOX_OWN && (is_careful || !release.has_begun)))
			ReThrowError(error);
		if (is_careful || !release.has_begun)
		{
			log_error(error);
			return (Released) {.is_busy = true};
		}
	}
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
	InboxPart	part = INBOX_RETRY;
	Released	batch;

	if (max_rows < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must be 1 or more")));
	SPI_connect();
	do
	{
		batch = release_due(max_rows - settled, part);
		settled += batch.settled;
		part = INBOX_WHOLE;
	} while (batch.has_more && settled < max_rows);
	if (batch.is_busy)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("another release of readiness events, or a lock on their tables, is in the way")));
	SPI_finish();
	/* the caller may yet roll back to a savepoint, of which nobody would tell */
	release_forget();
	PG_RETURN_INT32(settled);
}
