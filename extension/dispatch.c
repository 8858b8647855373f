/*
 * dispatch.c
 *		Releasing readiness events: one decision, three callers.
 *
 * The background worker, rxtrack.dispatch() and, where a database has neither,
 * the submitting transaction itself at its commit.  Whoever releases holds a lock
 * on the extension until its own commit.  That makes releases one after the
 * other: numbers are in the order of commits, nothing is released twice, and two
 * events cannot both be the first of a cooldown.  Being the extension's, it also
 * keeps DROP EXTENSION from taking the tables away in between.
 */
#include "postgres.h"

#include <limits.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "commands/async.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "readiness.h"
#include "types.h"

#define CHANNEL_ALL "rxtrack_ready"
#define AT_COMMIT_BATCH 1000

/*
 * The index of pending events keeps an entry for each event that was released
 * since the oldest snapshot of anybody's: during a long backup, millions.  So most
 * looks begin with events that came due a little while ago, and only every few
 * seconds one begins with the first.
 */
#define LOOK_BACK (30 * USECS_PER_SEC)
#define FULL_LOOK_INTERVAL (5 * USECS_PER_SEC)

static int	alert_cooldown = 2 * 60 * 60;	/* seconds */
static int	event_retention = 7 * 24 * 60;	/* minutes */
static int	subscription_expiry = 7 * 24 * 60;	/* minutes */

static TimestampTz last_full_look = 0;

/*
 * Arguments: from when on events that are due are looked for, how many at most,
 * now, and when the cooldown began (an alert since then keeps others from being
 * given).
 *
 * A post-dated event is overtaken when a newer assertion about its item came
 * before it was due: then its update never takes effect, and what replaced it has
 * an event of its own, if it is a readiness.  One that came later has found the
 * item ready; so has one that waited for a lock over the moment and then changed
 * nothing.  It is overtaken too when an older assertion came late by which the
 * item had that status already.  Where the update itself is not there yet, a
 * restore is under way.
 *
 * OFFSET 0 keeps the planner from reading a whole table into a hash instead.
 */
static Statement select_due = {
	.sql =
	"SELECT e.ctid, e.nhs_number, e.ods_code,"
	"   CASE WHEN e.post_dated AND EXISTS ("
	"     SELECT FROM rxtrack.status_update u JOIN rxtrack.status_update n USING (prescription_id, line_item_id)"
	"     WHERE u.prescription_id = e.prescription_id AND u.task_id = e.task_id"
	"       AND (coalesce(n.post_dated_set_at, n.last_modified), n.receipt)"
	"         > (coalesce(u.post_dated_set_at, u.last_modified), u.receipt)"
	"       AND n.received_at < e.due_at AND (n.changes_status OR n.status <> u.status) OFFSET 0)"
	"     OR e.post_dated AND e.status = (SELECT o.status"
	"     FROM rxtrack.status_update u JOIN rxtrack.status_update o USING (prescription_id, line_item_id)"
	"     WHERE u.prescription_id = e.prescription_id AND u.task_id = e.task_id"
	"       AND (o.last_modified, o.receipt) < (coalesce(u.post_dated_set_at, u.last_modified), u.receipt)"
	"       AND o.post_dated_set_at IS NULL AND o.received_at < e.due_at"
	"     ORDER BY o.last_modified DESC, o.receipt DESC LIMIT 1 OFFSET 0)"
	"     THEN 'cancelled' ELSE 'released' END::rxtrack.event_state AS state,"
	"   coalesce(rxtrack.alert_barrier(e.ods_code, e.application_id),"
	"     CASE WHEN EXISTS (SELECT FROM rxtrack.readiness_event l WHERE l.alert AND l.nhs_number = e.nhs_number"
	"                       AND l.ods_code = e.ods_code AND l.released_at > ($4)[1] OFFSET 0)"
	"          THEN 'cooldown'::rxtrack.alert_reason END) AS reason,"
	"   (SELECT greatest((SELECT pg_catalog.max(l.release_number) FROM rxtrack.readiness_event l),"
	"                    (SELECT pg_catalog.max(l.release_number) FROM rxtrack.last_removed_release l), 0)) AS last_number,"
	"   'cancelled'::rxtrack.event_state AS cancelled, 'cooldown'::rxtrack.alert_reason AS cooldown"
	" FROM rxtrack.readiness_event e"
	" WHERE e.state = 'pending' AND e.due_at > ($1)[1] AND e.due_at <= ($3)[1]"
	"   AND (NOT e.post_dated OR EXISTS (SELECT FROM rxtrack.status_update u"
	"        WHERE u.prescription_id = e.prescription_id AND u.task_id = e.task_id OFFSET 0))"
	" ORDER BY e.due_at LIMIT ($2)[1]",
	.argument_count = 4,
	.arguments = {&element_timestamptz, &element_integer, &element_timestamptz, &element_timestamptz}
};

/* The columns of its rows. */
enum
{
	DUE_PLACE = 1,
	DUE_NHS_NUMBER,
	DUE_ODS_CODE,
	DUE_STATE,
	DUE_REASON,
	DUE_LAST_NUMBER,
	DUE_CANCELLED,
	DUE_COOLDOWN
};

static Statement next_due = {
	.sql = "SELECT e.due_at FROM rxtrack.readiness_event e"
	" WHERE e.state = 'pending' AND e.due_at > ($1)[1]"
	" ORDER BY e.due_at LIMIT 1",
	.argument_count = 1,
	.arguments = {&element_timestamptz}
};

/* ---------- As whom, and how ---------- */

/* What a release is not to take over from the session that happens to do it. */
typedef struct Guise
{
	Oid			user;
	int			security;
	int			settings;
} Guise;

static void
set_here(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * At a commit it is the supplier's session that releases, whose role may touch no
 * table.  A plan is made once, perhaps while the tables are small, and kept: it is
 * to go by the indexes, event by event, and is never worth compiling.
 */
static void
put_on(Guise *guise)
{
	static const char *const off[] = {
		"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan", "jit"
	};
	Oid			events = get_relname_relid("readiness_event", catalog_get()->namespace_oid);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(events));

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"rxtrack.readiness_event\" does not exist")));
	GetUserIdAndSecContext(&guise->user, &guise->security);
	SetUserIdAndSecContext(((Form_pg_class) GETSTRUCT(tuple))->relowner,
						   guise->security | SECURITY_LOCAL_USERID_CHANGE);
	ReleaseSysCache(tuple);
	guise->settings = NewGUCNestLevel();
	set_here("search_path", "pg_catalog, rxtrack, pg_temp");
	for (int i = 0; i < (int) lengthof(off); i++)
		set_here(off[i], "off");
}

static void
take_off(const Guise *guise)
{
	AtEOXact_GUC(true, guise->settings);
	SetUserIdAndSecContext(guise->user, guise->security);
}

/* ---------- Releasing ---------- */

/*
 * Anyone who may connect may listen, so that a payload holds the event's id and
 * nothing else.
 */
static void
notify_listeners(int64 release_number, OdsCode ods_code)
{
	char		payload[32];
	char		code[ODS_CODE_TEXT];
	char		channel[sizeof(CHANNEL_ALL) + 1 + ODS_CODE_TEXT];

	snprintf(payload, sizeof(payload), INT64_FORMAT, release_number);
	ods_code_format(ods_code, code);
	for (char *c = code; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	snprintf(channel, sizeof(channel), "%s_%s", CHANNEL_ALL, code);
	Async_Notify(CHANNEL_ALL, payload);
	Async_Notify(channel, payload);
}

/*
 * Waits for whoever releases, to be the only one until this transaction ends;
 * false where the extension is not there, or no longer.
 */
static bool
lock_releases(void)
{
	Oid			extension = get_extension_oid("rxtrack", true);

	if (!OidIsValid(extension))
		return false;
	LockDatabaseObject(ExtensionRelationId, extension, 0, ShareUpdateExclusiveLock);
	return get_extension_oid("rxtrack", true) == extension;
}

/* From when on a look for events that are due is to begin. */
static TimestampTz
look_from(TimestampTz now, bool thoroughly)
{
	if (thoroughly || last_full_look > now || now - last_full_look >= FULL_LOOK_INTERVAL)
	{
		last_full_look = now;
		return DT_NOBEGIN;
	}
	return last_full_look - LOOK_BACK;
}

/* Whom an alert is for, and about which pharmacy. */
typedef struct Alert
{
	OdsCode		ods_code;
	int64		nhs_number;
} Alert;

/* One batch of events that are due. */
typedef struct Batch
{
	TimestampTz now;
	SPITupleTable *due;
	int			count;
	int64		last_number;
	HTAB	   *alerts;			/* given in this batch; NULL: without cooldown */
} Batch;

static Datum
due_column(const Batch *batch, int row, int column, bool *isnull)
{
	return SPI_getbinval(batch->due->vals[row], batch->due->tupdesc, column, isnull);
}

static HTAB *
make_alerts(int count)
{
	HASHCTL		control = {.keysize = sizeof(Alert), .entrysize = sizeof(Alert), .hcxt = CurrentMemoryContext};

	if (alert_cooldown == 0)
		return NULL;
	return hash_create("rxtrack alerts", count, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Is it the first alert of its batch for that patient at that pharmacy? */
static bool
is_first_alert(const Batch *batch, int row)
{
	bool		isnull;
	bool		found;
	Alert		alert = {
		.ods_code = DatumGetOdsCode(due_column(batch, row, DUE_ODS_CODE, &isnull)),
		.nhs_number = DatumGetNhsNumber(due_column(batch, row, DUE_NHS_NUMBER, &isnull))
	};

	if (batch->alerts == NULL)
		return true;
	(void) hash_search(batch->alerts, &alert, HASH_ENTER, &found);
	return !found;
}

/* Settles one event: it is cancelled, or released and notified. */
static void
settle(Batch *batch, int row)
{
	static const bool changes[EVENT_COLUMNS] = {
		[EVENT_STATE - 1] = true, [EVENT_RELEASED_AT - 1] = true, [EVENT_RELEASE_NUMBER - 1] = true,
		[EVENT_ALERT - 1] = true, [EVENT_ALERT_REASON - 1] = true
	};
	Datum		values[EVENT_COLUMNS] = {0};
	bool		nulls[EVENT_COLUMNS] = {false};
	bool		isnull;
	Datum		state = due_column(batch, row, DUE_STATE, &isnull);
	bool		cancelled = state == due_column(batch, row, DUE_CANCELLED, &isnull);
	bool		alert;
	Datum		reason = due_column(batch, row, DUE_REASON, &alert);

	if (!cancelled && alert && !is_first_alert(batch, row))
	{
		reason = due_column(batch, row, DUE_COOLDOWN, &isnull);
		alert = false;
	}
	values[EVENT_STATE - 1] = state;
	values[EVENT_RELEASED_AT - 1] = TimestampTzGetDatum(batch->now);
	values[EVENT_RELEASE_NUMBER - 1] = Int64GetDatum(cancelled ? 0 : ++batch->last_number);
	values[EVENT_ALERT - 1] = BoolGetDatum(alert);
	values[EVENT_ALERT_REASON - 1] = reason;
	nulls[EVENT_RELEASE_NUMBER - 1] = nulls[EVENT_ALERT - 1] = cancelled;
	nulls[EVENT_ALERT_REASON - 1] = cancelled || alert;
	append_change(&readiness_events, (ItemPointer) DatumGetPointer(due_column(batch, row, DUE_PLACE, &isnull)),
				  changes, values, nulls);
	if (!cancelled)
		notify_listeners(batch->last_number, DatumGetOdsCode(due_column(batch, row, DUE_ODS_CODE, &isnull)));
}

static void
find_due(Batch *batch, int most, bool thoroughly)
{
	Datum		values[4] = {
		TimestampTzGetDatum(look_from(batch->now, thoroughly)),
		Int32GetDatum(most),
		TimestampTzGetDatum(batch->now),
		TimestampTzGetDatum(batch->now - (int64) alert_cooldown * USECS_PER_SEC)
	};
	Datum		arguments[4];
	bool		isnull;

	for (int i = 0; i < 4; i++)
		arguments[i] = element_array(select_due.arguments[i], &values[i], NULL, 1);
	/* what others have released before is to be seen, whatever the isolation */
	statement_execute_latest(&select_due, arguments);
	batch->due = SPI_tuptable;
	batch->count = (int) SPI_processed;
	if (batch->count > 0)
		batch->last_number = DatumGetInt64(due_column(batch, 0, DUE_LAST_NUMBER, &isnull));
}

int
dispatch_due(int most, bool thoroughly)
{
	Batch		batch = {0};
	Guise		guise;

	if (!lock_releases())
		return 0;
	put_on(&guise);
	batch.now = GetCurrentTimestamp();
	find_due(&batch, most, thoroughly);
	if (batch.count > 0)
	{
		batch.alerts = make_alerts(batch.count);
		for (int row = 0; row < batch.count; row++)
			settle(&batch, row);
		if (batch.alerts != NULL)
			hash_destroy(batch.alerts);
		CommandCounterIncrement();
	}
	SPI_freetuptable(batch.due);
	take_off(&guise);
	return batch.count;
}

TimestampTz
dispatch_next_due(bool thoroughly)
{
	TimestampTz due = DT_NOEND;
	Datum		from = TimestampTzGetDatum(thoroughly ? DT_NOBEGIN : last_full_look - LOOK_BACK);
	Datum		argument = element_array(&element_timestamptz, &from, NULL, 1);
	Guise		guise;
	bool		isnull;

	put_on(&guise);
	statement_execute(&next_due, &argument);
	if (SPI_processed > 0)
		due = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	take_off(&guise);
	return due;
}

/* rxtrack.dispatch(most) */
PG_FUNCTION_INFO_V1(dispatch);
Datum
dispatch(PG_FUNCTION_ARGS)
{
	int			most = PG_GETARG_INT32(0);
	int			settled;

	if (most < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("most must be 1 or more")));
	SPI_connect();
	settled = dispatch_due(most, true);
	SPI_finish();
	PG_RETURN_INT32(settled);
}

/* rxtrack.duration(setting) */
PG_FUNCTION_INFO_V1(setting_duration);
Datum
setting_duration(PG_FUNCTION_ARGS)
{
	char	   *setting = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Interval   *interval = palloc0(sizeof(Interval));

	if (strcmp(setting, "rxtrack.alert_cooldown") == 0)
		interval->time = alert_cooldown * USECS_PER_SEC;
	else if (strcmp(setting, "rxtrack.event_retention") == 0)
		interval->time = event_retention * USECS_PER_MINUTE;
	else if (strcmp(setting, "rxtrack.subscription_expiry") == 0)
		interval->time = subscription_expiry * USECS_PER_MINUTE;
	else
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("\"%s\" is no duration among rxtrack's settings", setting)));
	PG_RETURN_INTERVAL_P(interval);
}

/* ---------- At the commit of an update ---------- */

static bool recorded_an_event = false;

/*
 * Without a worker, the last thing that a transaction does is to release what is
 * due, its own events among it.  As late as that, because the lock on releases is
 * held from here to the end of the commit.
 */
static void
release_before_commit(void)
{
	if (worker_serves_this_database())
		return;
	SPI_connect();
	while (dispatch_due(AT_COMMIT_BATCH, false) == AT_COMMIT_BATCH)
		;
	SPI_finish();
}

/*
 * A transaction that is being prepared for two-phase commit releases nothing: it
 * would hold the lock until somebody commits it.  Its events are released with the
 * next ones, or when the worker has looked for long.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	(void) arg;
	if (!recorded_an_event)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			release_before_commit();
			break;
		case XACT_EVENT_COMMIT:
			recorded_an_event = false;
			worker_wake();
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			recorded_an_event = false;
			break;
		default:
			break;
	}
}

void
dispatch_at_commit(void)
{
	recorded_an_event = true;
}

void
dispatch_init(void)
{
	DefineCustomIntVariable("rxtrack.alert_cooldown",
							"How long after an alert no other is given for the same patient at the same pharmacy.",
							"Zero: no cooldown.",
							&alert_cooldown, 2 * 60 * 60, 0, INT_MAX, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("rxtrack.event_retention",
							"How long a released readiness event is kept at least.",
							"Longer, while a live subscription has not acknowledged it.",
							&event_retention, 7 * 24 * 60, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomIntVariable("rxtrack.subscription_expiry",
							"How long a subscription lives without its consumers being seen.",
							"Events are not kept for a dead one.",
							&subscription_expiry, 7 * 24 * 60, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	RegisterXactCallback(at_transaction_end, NULL);
}
