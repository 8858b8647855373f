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
#include "access/table.h"
#include "access/tableam.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "commands/async.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "tables/access.h"
#include "tables/append.h"
#include "tables/catalog.h"
#include "readiness/queue.h"
#include "readiness/readiness.h"
#include "types/types.h"

#define CHANNEL_ALL "rxtrack_ready"
#define AT_COMMIT_BATCH 1000

/* ---------- As whom ---------- */

/*
 * At a commit it is the supplier's session that releases, whose role may touch no
 * table, and whose search_path is not to lead what a DBA has added (a trigger, an
 * index of an expression) to the supplier's functions.
 */
typedef struct Guise
{
	Oid			user;
	int			security;
	int			settings;
} Guise;

static void
put_on(Guise *guise)
{
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
	set_for_now("search_path", "pg_catalog, rxtrack, pg_temp");
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
	char		channel[sizeof(CHANNEL_ALL "_") + ODS_CODE_TEXT] = CHANNEL_ALL "_";
	char	   *code = channel + strlen(channel);

	pg_lltoa(release_number, payload);
	ods_code_format(ods_code, code);
	for (char *c = code; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
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

static int64
column_int64(Access *access, int column)
{
	bool		isnull;

	return DatumGetInt64(access_column(access, column, &isnull));
}

static int64
highest_removed(void)
{
	Oid			oid = get_relname_relid("last_removed_release", catalog_get()->namespace_oid);
	Relation	table = table_open(oid, AccessShareLock);
	TupleTableSlot *row = table_slot_create(table, NULL);
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(table, latest, 0, NULL);
	int64		highest = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, row))
	{
		bool		isnull;
		int64		number = DatumGetInt64(slot_getattr(row, 1, &isnull));

		highest = Max(highest, number);
	}
	table_endscan(scan);
	UnregisterSnapshot(latest);
	ExecDropSingleTupleTableSlot(row);
	table_close(table, AccessShareLock);
	return highest;
}

/*
 * The number that was given last.  What is removed between the two looks is seen by
 * one of them at least.
 */
static int64
find_last_number(void)
{
	Access	   *events = access_open_to_read("readiness_event", "readiness_event_released");
	int64		last;
	int64		removed;

	events->latest = true;
	last = access_find_last(events) ? column_int64(events, EVENT_RELEASE_NUMBER) : 0;
	access_close(events);
	removed = highest_removed();
	return Max(last, removed);
}

/* One batch of events that are due. */
typedef struct Batch
{
	TimestampTz now;
	Access	   *events;			/* the one that was found last is the one at hand */
	Access	   *released;		/* where those of the queue go; NULL before the first */
	TupleConversionMap *map;	/* how their columns are to be moved; NULL: not at all */
	int			count;			/* that are settled */
	int64		last_number;
	Access	   *alerts;			/* NULL, and no last number, before the first release */
} Batch;

/* What a settled event says of that; no reason: the patient is to be alerted. */
static void
settle_columns(const Batch *batch, EventState state, AlertReason reason, Datum *values, bool *nulls)
{
	bool		alert = reason == ALERT_REASON_COUNT;

	values[EVENT_STATE - 1] = ObjectIdGetDatum(catalog_get()->event_states[state]);
	values[EVENT_RELEASED_AT - 1] = TimestampTzGetDatum(batch->now);
	values[EVENT_RELEASE_NUMBER - 1] = Int64GetDatum(batch->last_number);
	values[EVENT_ALERT - 1] = BoolGetDatum(alert);
	values[EVENT_ALERT_REASON - 1] = alert ? (Datum) 0 : ObjectIdGetDatum(catalog_get()->alert_reasons[reason]);
	nulls[EVENT_RELEASED_AT - 1] = false;
	nulls[EVENT_RELEASE_NUMBER - 1] = nulls[EVENT_ALERT - 1] = state == EVENT_CANCELLED;
	nulls[EVENT_ALERT_REASON - 1] = state == EVENT_CANCELLED || alert;
}

/* Gives the next number, and decides whether the patient is to be alerted. */
static AlertReason
number_event(Batch *batch, OdsCode pharmacy, int32 application_id, NhsNumber patient)
{
	if (batch->alerts == NULL)
	{
		batch->alerts = alert_begin();
		batch->last_number = find_last_number();
	}
	batch->last_number++;
	return alert_find_reason(batch->alerts, pharmacy, application_id, patient, batch->now);
}

static void
change_event(Batch *batch, EventState state, AlertReason reason)
{
	static const bool changes[EVENT_COLUMNS] = {
		[EVENT_STATE - 1] = true, [EVENT_RELEASED_AT - 1] = true, [EVENT_RELEASE_NUMBER - 1] = true,
		[EVENT_ALERT - 1] = true, [EVENT_ALERT_REASON - 1] = true
	};
	Datum		values[EVENT_COLUMNS] = {0};
	bool		nulls[EVENT_COLUMNS] = {false};

	settle_columns(batch, state, reason, values, nulls);
	append_change(batch->events, changes, values, nulls, EVENT_COLUMNS);
}

static void
release_event(Batch *batch)
{
	bool		isnull;
	OdsCode		pharmacy = DatumGetOdsCode(access_column(batch->events, EVENT_ODS_CODE, &isnull));
	NhsNumber	patient = DatumGetNhsNumber(access_column(batch->events, EVENT_NHS_NUMBER, &isnull));
	int32		application_id = DatumGetInt32(access_column(batch->events, EVENT_APPLICATION_ID, &isnull));

	change_event(batch, EVENT_RELEASED, number_event(batch, pharmacy, application_id, patient));
	notify_listeners(batch->last_number, pharmacy);
}

/* Settles the event at hand: it is cancelled, or released and notified; or left, where its update is not there yet. */
static void
settle(Batch *batch)
{
	EventState	fate = due_fate(batch->events);

	if (fate == EVENT_PENDING)
		return;
	if (fate == EVENT_CANCELLED)
		change_event(batch, fate, ALERT_REASON_COUNT);
	else
		release_event(batch);
	batch->count++;
}

static void
open_released(Batch *batch, Queue *queue)
{
	batch->released = access_open_unkeyed("readiness_event");
	batch->map = convert_tuples_by_name(RelationGetDescr(queue->table), RelationGetDescr(batch->released->relation));
}

/*
 * Moves the queue's next event to those that are released.  One that a DBA has given
 * another state by hand moves as it is; and one that a DBA's trigger leaves out is gone,
 * as if it had been left out when it was recorded.
 */
static void
release_queued(Batch *batch, Queue *queue)
{
	HeapTuple	event = queue->events[queue->removed];
	TupleDesc	columns;
	Datum	   *values;
	bool	   *nulls;
	OdsCode		pharmacy;
	bool		is_pending;

	if (batch->released == NULL)
		open_released(batch, queue);
	if (batch->map != NULL)
		event = execute_attr_map_tuple(event, batch->map);
	columns = RelationGetDescr(batch->released->relation);
	values = palloc(columns->natts * sizeof(Datum));
	nulls = palloc(columns->natts * sizeof(bool));
	heap_deform_tuple(event, columns, values, nulls);
	pharmacy = DatumGetOdsCode(values[EVENT_ODS_CODE - 1]);
	is_pending = DatumGetObjectId(values[EVENT_STATE - 1]) == catalog_get()->event_states[EVENT_PENDING];
	if (is_pending)
	{
		AlertReason reason = number_event(batch, pharmacy, DatumGetInt32(values[EVENT_APPLICATION_ID - 1]),
										  DatumGetNhsNumber(values[EVENT_NHS_NUMBER - 1]));

		settle_columns(batch, EVENT_RELEASED, reason, values, nulls);
	}
	queue_remove(queue);
	batch->count++;
	if (!append_row(batch->released, values, nulls, columns->natts))
		batch->last_number -= is_pending;
	else if (is_pending)
		notify_listeners(batch->last_number, pharmacy);
	pfree(values);
	pfree(nulls);
}

static void
release_queued_until(Batch *batch, Queue *queue, TimestampTz due_at, int most)
{
	while (batch->count < most && queue->removed < queue->count && queue_next_due(queue) <= due_at)
		release_queued(batch, queue);
}

/* Settles events of the index of pending ones (promises, and all where there is no dispatcher), and what was due in the queue before them. */
static void
settle_pending(Batch *batch, Queue *queue, int most, bool thoroughly)
{
	batch->events = due_search(batch->now, thoroughly);
	while (batch->count < most && access_next(batch->events))
	{
		release_queued_until(batch, queue, column_int64(batch->events, EVENT_DUE_AT), most);
		if (batch->count < most)
			settle(batch);
	}
	due_settled(batch->events, batch->now, batch->count < most);
	access_close(batch->events);
}

/* Releases what else was read of the queue, and what there is beyond that. */
static void
release_queue(Batch *batch, Queue *queue, int most, bool thoroughly)
{
	for (;;)
	{
		bool		is_all = queue->is_all;

		release_queued_until(batch, queue, DT_NOEND, most);
		queue_close(queue);
		if (is_all || batch->count >= most)
			break;
		CommandCounterIncrement();
		queue = queue_read(thoroughly);
		batch->now = GetCurrentTimestamp();
	}
	if (batch->released != NULL)
		access_close(batch->released);
}

int
dispatch_due(int most, bool thoroughly)
{
	Batch		batch = {0};
	Guise		guise;
	Queue	   *queue;

	if (!lock_releases())
		return 0;
	put_on(&guise);
	readiness_lock();
	queue = queue_read(thoroughly);
	batch.now = GetCurrentTimestamp();
	settle_pending(&batch, queue, most, thoroughly);
	release_queue(&batch, queue, most, thoroughly);
	if (batch.alerts != NULL)
		access_close(batch.alerts);
	CommandCounterIncrement();
	take_off(&guise);
	return batch.count;
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
	/* the caller may yet roll back to a savepoint, of which nobody would tell */
	due_forget();
	queue_forget();
	PG_RETURN_INT32(settled);
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
	PushActiveSnapshot(GetTransactionSnapshot());	/* for functions of a DBA's */
	while (dispatch_due(AT_COMMIT_BATCH, false) == AT_COMMIT_BATCH)
		;
	PopActiveSnapshot();
	SPI_finish();
	/* those that a DBA has added to the table are due too, and nobody looks for them after us */
	AfterTriggerFireDeferred();
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
			due_forget();
			queue_forget();
			/* FALLTHROUGH */
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
	RegisterXactCallback(at_transaction_end, NULL);
}
