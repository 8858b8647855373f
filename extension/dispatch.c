/*
 * dispatch.c
 *		Releasing readiness events: one decision, three callers.
 *
 * The background worker, rxtrack.dispatch() and, where a database has neither,
 * the submitting transaction itself at its commit.  Whoever releases holds the
 * row of rxtrack.release_counter until its own commit.  That makes releases one
 * after the other, across servers' workers and manual calls alike: numbers are in
 * the order of commits, nothing is released twice, and two events cannot both be
 * the first of a cooldown.
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "commands/async.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "readiness.h"
#include "types.h"

#define CHANNEL_ALL "rxtrack_ready"
#define AT_COMMIT_BATCH 1000

static int	alert_cooldown = 2 * 60 * 60;
static int	event_retention = 7 * 24 * 60;
static int	subscription_expiry = 7 * 24 * 60;

static Statement lock_counter = {
	.sql = "SELECT last_number FROM rxtrack.release_counter FOR NO KEY UPDATE"
};

static Statement begin_counter = {
	.sql = "INSERT INTO rxtrack.release_counter (last_number) VALUES (0) ON CONFLICT DO NOTHING"
};

static Statement set_counter = {
	.sql = "UPDATE rxtrack.release_counter SET last_number = last_number + ($1)[1]",
	.argument_count = 1,
	.arguments = {&element_bigint}
};

/*
 * Arguments: the last number, how many at most, now, and when the cooldown began
 * (an alert since then keeps others from being given).
 *
 * A post-dated event is overtaken when its update is no longer the item's newest
 * assertion: then it never takes effect, and what replaced it has an event of its
 * own, if it is a readiness.
 */
static Statement release_due = {
	.sql =
	"WITH due AS ("
	" SELECT e.*, e.post_dated AND EXISTS ("
	"   SELECT FROM rxtrack.status_update u JOIN rxtrack.status_update n USING (prescription_id, line_item_id)"
	"   WHERE u.prescription_id = e.prescription_id AND u.task_id = e.task_id"
	"     AND (coalesce(n.post_dated_set_at, n.last_modified), n.receipt)"
	"       > (coalesce(u.post_dated_set_at, u.last_modified), u.receipt)) AS overtaken"
	" FROM rxtrack.readiness_event e"
	" WHERE e.state = 'pending' AND e.due_at <= ($3)[1]"
	" ORDER BY e.due_at, e.event_id LIMIT ($2)[1]"
	"), judged AS ("
	" SELECT d.event_id, d.nhs_number, d.ods_code, d.overtaken,"
	"   CASE WHEN NOT d.overtaken THEN"
	"     ($1)[1] + pg_catalog.row_number() OVER (PARTITION BY d.overtaken ORDER BY d.due_at, d.event_id) END AS number,"
	"   CASE WHEN EXISTS (SELECT FROM rxtrack.blocked_pharmacy b WHERE b.ods_code = d.ods_code)"
	"        THEN 'pharmacy blocked'"
	"        WHEN NOT EXISTS (SELECT FROM rxtrack.alert_pharmacy p WHERE p.ods_code = d.ods_code)"
	"        THEN 'pharmacy not enabled'"
	"        WHEN NOT EXISTS (SELECT FROM rxtrack.alert_application a WHERE a.application_id = d.application_id)"
	"        THEN 'application not enabled'"
	"        WHEN EXISTS (SELECT FROM rxtrack.last_alert l WHERE l.nhs_number = d.nhs_number"
	"                     AND l.ods_code = d.ods_code AND l.alerted_at > ($4)[1])"
	"        THEN 'cooldown' END AS reason"
	" FROM due d"
	"), decided AS ("
	" SELECT j.event_id, j.nhs_number, j.ods_code, j.overtaken, j.number,"
	"   CASE WHEN j.reason IS NULL AND ($4)[1] < ($3)[1] AND pg_catalog.row_number() OVER ("
	"          PARTITION BY j.overtaken, j.reason, j.nhs_number, j.ods_code ORDER BY j.number) > 1"
	"        THEN 'cooldown' ELSE j.reason END::rxtrack.alert_reason AS reason"
	" FROM judged j"
	"), released AS ("
	" UPDATE rxtrack.readiness_event e SET released_at = ($3)[1], release_number = d.number,"
	"   state = CASE WHEN d.overtaken THEN 'cancelled' ELSE 'released' END::rxtrack.event_state,"
	"   alert = CASE WHEN NOT d.overtaken THEN d.reason IS NULL END,"
	"   alert_reason = CASE WHEN NOT d.overtaken THEN d.reason END"
	" FROM decided d WHERE e.event_id = d.event_id"
	" RETURNING e.event_id, e.ods_code, e.release_number"
	"), alerted AS ("
	" INSERT INTO rxtrack.last_alert (nhs_number, ods_code, alerted_at)"
	" SELECT DISTINCT d.nhs_number, d.ods_code, ($3)[1] FROM decided d WHERE NOT d.overtaken AND d.reason IS NULL"
	" ON CONFLICT (nhs_number, ods_code) DO UPDATE SET alerted_at = excluded.alerted_at"
	")"
	" SELECT r.event_id, r.ods_code, r.release_number FROM released r ORDER BY r.release_number",
	.argument_count = 4,
	.arguments = {&element_bigint, &element_integer, &element_timestamptz, &element_timestamptz}
};

static Statement next_due = {
	.sql = "SELECT e.due_at FROM rxtrack.readiness_event e WHERE e.state = 'pending'"
	" ORDER BY e.due_at, e.event_id LIMIT 1"
};

/* ---------- Releasing ---------- */

/*
 * Anyone who may connect may listen, so that a payload holds the event's id and
 * nothing else.
 */
static void
notify_listeners(int64 event_id, OdsCode ods_code)
{
	char		payload[32];
	char		code[ODS_CODE_TEXT];
	char		channel[sizeof(CHANNEL_ALL) + 1 + ODS_CODE_TEXT];

	snprintf(payload, sizeof(payload), INT64_FORMAT, event_id);
	ods_code_format(ods_code, code);
	for (char *c = code; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	snprintf(channel, sizeof(channel), "%s_%s", CHANNEL_ALL, code);
	Async_Notify(CHANNEL_ALL, payload);
	Async_Notify(channel, payload);
}

/* Locks the counter, and returns the number of the last release. */
static int64
take_counter(void)
{
	bool		isnull;
	int64		last_number;

	statement_execute(&lock_counter, NULL);
	if (SPI_processed == 0)
	{
		statement_execute(&begin_counter, NULL);
		statement_execute(&lock_counter, NULL);
	}
	last_number = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return last_number;
}

static void
advance_counter(int64 by)
{
	Datum		value = Int64GetDatum(by);
	Datum		argument = element_array(&element_bigint, &value, NULL, 1);

	statement_execute(&set_counter, &argument);
}

/*
 * The plan is made once, perhaps while the tables are small, and kept: it is to
 * use the indexes, and is never worth compiling.
 */
static void
execute_release(Datum *arguments)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	statement_execute(&release_due, arguments);
	AtEOXact_GUC(true, level);
}

int
dispatch_due(int most)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[4];
	Datum		arguments[4];
	int			settled;
	int64		released = 0;

	values[0] = Int64GetDatum(take_counter());
	values[1] = Int32GetDatum(most);
	values[2] = TimestampTzGetDatum(now);
	values[3] = TimestampTzGetDatum(now - (int64) alert_cooldown * USECS_PER_SEC);
	for (int i = 0; i < 4; i++)
		arguments[i] = element_array(release_due.arguments[i], &values[i], NULL, 1);
	execute_release(arguments);
	settled = (int) SPI_processed;
	for (int row = 0; row < settled; row++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[row];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		isnull;
		int64		event_id = DatumGetInt64(SPI_getbinval(tuple, columns, 1, &isnull));
		OdsCode		ods_code = DatumGetOdsCode(SPI_getbinval(tuple, columns, 2, &isnull));

		SPI_getbinval(tuple, columns, 3, &isnull);
		if (isnull)
			continue;			/* cancelled */
		notify_listeners(event_id, ods_code);
		released++;
	}
	SPI_freetuptable(SPI_tuptable);
	if (released > 0)
		advance_counter(released);
	return settled;
}

TimestampTz
dispatch_next_due(void)
{
	TimestampTz due = DT_NOEND;
	bool		isnull;

	statement_execute(&next_due, NULL);
	if (SPI_processed > 0)
		due = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
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
	settled = dispatch_due(most);
	SPI_finish();
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
	while (dispatch_due(AT_COMMIT_BATCH) == AT_COMMIT_BATCH)
		;
	SPI_finish();
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	(void) arg;
	if (!recorded_an_event)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
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
