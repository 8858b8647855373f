/*
 * due.c
 *		Finding the readiness events that are due, and what is to become of them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "tables/access.h"
#include "tables/catalog.h"
#include "tables/statement.h"
#include "readiness/readiness.h"

/*
 * The index of pending events keeps an entry for each event that was released
 * since it was vacuumed: with much to do, a hundred thousand within half a minute.
 * So most looks begin a little before the last one that came to an end, with events
 * whose transaction took that long to commit, and only every few seconds one begins
 * with the first.
 */
#define LOOK_BACK (2 * USECS_PER_SEC)
#define FULL_LOOK_INTERVAL (5 * USECS_PER_SEC)

static TimestampTz last_full_look = 0;
static TimestampTz settled_until = 0;

/*
 * Whether a post-dated event was overtaken, which it is when a newer assertion
 * about its item came before it was due: then its update never takes effect, and
 * what replaced it has an event of its own, if it is a readiness.  One that came
 * later has found the item ready; so has one that waited for a lock over the moment
 * and then changed nothing.  It is overtaken too when an older assertion came late
 * by which the item had that status already.  Where the update itself is not there
 * yet, a restore is under way.
 *
 * Arguments: its prescription and task, when it was due, and its status.  OFFSET 0
 * keeps the planner from reading a whole table into a hash instead.
 */
static Statement select_overtaken = {
	.sql =
	"SELECT EXISTS ("
	"     SELECT FROM rxtrack.status_update n"
	"     WHERE n.prescription_id = u.prescription_id AND n.line_item_id = u.line_item_id"
	"       AND (coalesce(n.post_dated_set_at, n.last_modified), n.receipt)"
	"         > (coalesce(u.post_dated_set_at, u.last_modified), u.receipt)"
	"       AND n.received_at < ($3)[1] AND (n.changes_status OR n.status <> u.status) OFFSET 0)"
	"   OR coalesce(($4)[1] = (SELECT o.status FROM rxtrack.status_update o"
	"     WHERE o.prescription_id = u.prescription_id AND o.line_item_id = u.line_item_id"
	"       AND (o.last_modified, o.receipt) < (coalesce(u.post_dated_set_at, u.last_modified), u.receipt)"
	"       AND o.post_dated_set_at IS NULL AND o.received_at < ($3)[1]"
	"     ORDER BY o.last_modified DESC, o.receipt DESC LIMIT 1 OFFSET 0), false)"
	" FROM rxtrack.status_update u"
	" WHERE u.prescription_id = ($1)[1] AND u.task_id = ($2)[1]",
	.argument_count = 4,
	.arguments = {&catalog_prescription_id, &catalog_uuid, &catalog_timestamptz, &catalog_business_status}
};

/* From when on a look for events that are due is to begin. */
static TimestampTz
look_from(TimestampTz now, bool thoroughly)
{
	if (thoroughly || Max(settled_until, last_full_look) > now || now - last_full_look >= FULL_LOOK_INTERVAL)
	{
		last_full_look = now;
		return DT_NOBEGIN;
	}
	/* what this transaction has recorded itself is due since it began */
	return Min(settled_until, GetCurrentTransactionStartTimestamp()) - LOOK_BACK;
}

void
due_settled(Access *events, TimestampTz now, bool all)
{
	bool		isnull;

	if (all)
		settled_until = now;
	else
		settled_until = Min(settled_until, DatumGetTimestampTz(access_column(events, EVENT_DUE_AT, &isnull)));
}

void
due_forget(void)
{
	settled_until = last_full_look = 0;
}

/* What others have released before is to be seen, whatever the isolation. */
static Access *
search_between(TimestampTz above, TimestampTz upto)
{
	Access	   *events = access_open_to_read("readiness_event", "readiness_event_pending");

	events->latest = true;
	access_search_between(events, TimestampTzGetDatum(above), TimestampTzGetDatum(upto));
	return events;
}

Access *
due_search(TimestampTz now, bool thoroughly)
{
	return search_between(look_from(now, thoroughly), now);
}

TimestampTz
due_next(bool thoroughly)
{
	Access	   *events = search_between(thoroughly ? DT_NOBEGIN : settled_until - LOOK_BACK, DT_NOEND);
	TimestampTz due = DT_NOEND;
	bool		isnull;

	if (access_next(events))
		due = DatumGetTimestampTz(access_column(events, EVENT_DUE_AT, &isnull));
	access_close(events);
	return due;
}

void
set_for_now(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * A plan is made once, perhaps while the tables are small, and kept: it is to go by
 * the indexes, and is never worth compiling.
 */
static void
execute_by_index(Statement *statement, Datum *arguments)
{
	static const char *const off[] = {
		"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan", "jit"
	};
	int			settings = NewGUCNestLevel();

	for (int i = 0; i < (int) lengthof(off); i++)
		set_for_now(off[i], "off");
	statement_execute_latest(statement, arguments);
	AtEOXact_GUC(true, settings);
}

EventState
due_fate(Access *events)
{
	static const int columns[] = {EVENT_PRESCRIPTION_ID, EVENT_TASK_ID, EVENT_DUE_AT, EVENT_STATUS};
	Datum		arguments[lengthof(columns)];
	EventState	fate = EVENT_PENDING;
	bool		isnull;

	if (!DatumGetBool(access_column(events, EVENT_POST_DATED, &isnull)))
		return EVENT_RELEASED;
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		Datum		value = access_column(events, columns[i], &isnull);

		arguments[i] = statement_array(select_overtaken.arguments[i], &value, NULL, 1);
	}
	execute_by_index(&select_overtaken, arguments);
	if (SPI_processed > 0)
		fate = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)) ?
			EVENT_CANCELLED : EVENT_RELEASED;
	SPI_freetuptable(SPI_tuptable);
	return fate;
}
