/*
 * dispatcher.c
 *		The dispatcher: a background worker that releases readiness events.
 *
 * It is there where the library is in shared_preload_libraries and rxtrack.database names its
 * database.  A session that has committed an event sets its latch, so that a supplier's commit need
 * not NOTIFY: one that does takes a lock of the whole server from before its flush until after it.
 *
 * An error ends its transaction and not its process.  Where it cannot connect, or is not to (it is paused), its
 * process waits without a database.
 */
#include "postgres.h"

#include <math.h>
#include <time.h>

#include "access/xact.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "readiness/dispatcher.h"
#include "readiness/dispatcher_state.h"
#include "readiness/inbox.h"
#include "readiness/promise.h"
#include "readiness/release.h"
#include "settings.h"
#include "tables/rows.h"

/*
 * After a release it pauses, even when it is woken, so that what is committed meanwhile is released
 * together: a release for each update would cost as much as the update.
 *
 *		pause = PAUSE_FOR_COST * processor time of an event * (events released - FEW_EVENTS)
 *
 * within the two bounds.  So with few events listeners hear at once; with many, releasing takes about
 * an eighth of one processor, and more than that only once the pause is at its longest.  The time
 * of an event is measured, as machines differ.
 */
#define FEW_EVENTS 10
#define PAUSE_FOR_COST 8
#define LEAST_PAUSE 1000		/* us */
#define MOST_PAUSE 30000

/* What an event costs (us) before that is known, and what a release costs beside its events. */
#define FIRST_COST 12.0
#define RELEASE_COST 150.0
#define COST_WEIGHT 0.1			/* of the newest release in the average */

/*
 * How long (ms) it sleeps at most without being woken.  Nobody wakes it for the events of a prepared transaction, or of
 * a restore.
 */
#define IDLE_TIMEOUT 5000

/* How soon (ms) it looks again for what is due and could not be settled. */
#define WAITING_TIMEOUT 1000

#define PRUNE_INTERVAL 60000	/* ms */
#define PRUNE_BATCH 1000		/* events wait while it prunes */

#define LOOK_INTERVAL 5000		/* ms, between two looks for what is overdue */
#define REPORT_INTERVAL 60000	/* ms, between two lines about it in the log */

#define MOST_BACK_OFF 64000		/* ms, after errors: twice as long after each, from a second on */

#define RESTART_SECONDS 1

PGDLLEXPORT void dispatcher_main(Datum arg);

/* Begins a transaction, seen as that activity in pg_stat_activity. */
static void
begin_work(const char *activity)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
}

static void
end_work(void)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/* The processor time that this process has used (us). */
static double
time_used(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec * 1e6 + used.tv_nsec / 1e3;
}

/* Gives also the processor time that it has used (us). */
static Released
release(bool thoroughly, double *used)
{
	double		before = time_used();
	Released	released;

	begin_work("releasing readiness events");
	released = release_due(RELEASE_BATCH, thoroughly ? INBOX_WHOLE : INBOX_END);
	end_work();
	*used = time_used() - before;
	return released;
}

/* How long (ms) to pause after a release that has used so much processor time (us). */
static long
pause_after(int settled, double used)
{
	static double cost = FIRST_COST;

	if (settled <= FEW_EVENTS)
		return LEAST_PAUSE / 1000;
	cost += COST_WEIGHT * (Max(used - RELEASE_COST, 0) / settled - cost);
	return lrint(Max(LEAST_PAUSE, Min(MOST_PAUSE, (settled - FEW_EVENTS) * cost * PAUSE_FOR_COST)) / 1000);
}

/* For how long (ms) there is nothing to do, unless a session commits an event. */
static long
time_to_next(bool thoroughly)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = DT_NOEND;
	long		longest = Min(IDLE_TIMEOUT, inbox_patience(now));

	begin_work("looking for the next readiness event");
	if (OidIsValid(get_extension_oid("rxtrack", true)))
		next = promise_next_due(thoroughly);
	end_work();
	if (next == DT_NOEND)
		return longest;
	return next <= now ? WAITING_TIMEOUT : Min(longest, Max(1, TimestampDifferenceMilliseconds(now, next)));
}

/* The value that a query has, as text: palloc'd, to be freed with the transaction; NULL also where the extension is not there. */
static char *
ask(const char *query)
{
	if (!OidIsValid(get_extension_oid("rxtrack", true)) || SPI_execute(query, false, 0) != SPI_OK_SELECT)
		return NULL;
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* Once a minute, removes what is too old; returns whether there is more of it. */
static bool
prune(void)
{
	static TimestampTz begun_at = 0;
	static bool has_more = false;
	TimestampTz now = GetCurrentTimestamp();
	const char *removed;

	if (begun_at == 0)
		begun_at = now;
	if (!has_more && !TimestampDifferenceExceeds(begun_at, now, PRUNE_INTERVAL))
		return false;
	/* where it fails, it is not tried again before its time */
	begun_at = now;
	has_more = false;
	begin_work("removing old readiness events");
	removed = ask("SELECT rxtrack.prune_events(" CppAsString2(PRUNE_BATCH) ")");
	has_more = removed != NULL && atoi(removed) >= PRUNE_BATCH;
	end_work();
	return has_more;
}

/* Tells the log what keeps events from listeners, in its time. */
static void
report(void)
{
	static TimestampTz looked_at = 0;
	static TimestampTz reported_at = 0;
	TimestampTz now = GetCurrentTimestamp();
	const char *what;

	if (!TimestampDifferenceExceeds(looked_at, now, LOOK_INTERVAL))
		return;
	looked_at = now;
	begin_work("looking for what is overdue");
	what = ask("SELECT rxtrack_internal.dispatcher_report()");
	if (what == NULL)
		reported_at = 0;
	else if (TimestampDifferenceExceeds(reported_at, now, REPORT_INTERVAL))
	{
		reported_at = now;
		ereport(WARNING, (errmsg("%s", what)));
	}
	end_work();
}

/*
 * What a DBA has set for the database is meant for people and applications, and could keep this
 * process from doing its work.
 */
static void
override_settings(void)
{
	SetConfigOption("search_path", "pg_catalog, rxtrack, pg_temp", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", RELEASE_LOCK_TIMEOUT, PGC_USERSET, PGC_S_OVERRIDE);
}

static void
reload_configuration(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

/* Waits for so long (ms), or until an event of the set; returns whether it was woken. */
static bool
wait_for_work(int events, long timeout)
{
	int			woken = WaitLatch(MyLatch, events | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION);

	CHECK_FOR_INTERRUPTS();
	return (woken & WL_LATCH_SET) != 0;
}

/* Ends the process where it is paused: only a new one is without a database. */
static void
leave_while_paused(void)
{
	if (!dispatcher_state_is_paused())
		return;
	ereport(LOG, (errmsg("the dispatcher of readiness events leaves database \"%s\": it is paused", settings_database)));
	proc_exit(1);
}

/* Does what is to be done, and waits for more. */
static void
work(void)
{
	static bool thoroughly = true;
	Released	released;
	double		used;

	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	leave_while_paused();
	reload_configuration();
	released = release(thoroughly, &used);
	dispatcher_state_beat(0);
	report();
	if (prune() || released.has_more)
		return;
	if (released.is_busy)
		wait_for_work(0, WAITING_TIMEOUT);
	else if (released.settled > 0)
		wait_for_work(0, pause_after(released.settled, used));
	else
	{
		thoroughly = !wait_for_work(WL_LATCH_SET, time_to_next(thoroughly));
		return;
	}
	thoroughly = false;
}

/* After an error that is no event's own: a table that is locked, or is not there, a full disk. */
static void
recover(int failures)
{
	TimestampTz until = GetCurrentTimestamp() + Min(1000L << Min(failures, 10), MOST_BACK_OFF) * 1000;
	long		left;

	while ((left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until)) > 0)
	{
		wait_for_work(WL_LATCH_SET, Min(left, IDLE_TIMEOUT));
		ResetLatch(MyLatch);
		leave_while_paused();
		reload_configuration();
	}
}

/* Ends the transaction of an error, which the log is told. */
static void
end_failed_work(void)
{
	ErrorData  *error;

	HOLD_INTERRUPTS();
	MemoryContextSwitchTo(TopMemoryContext);
	error = CopyErrorData();
	rows_hide_detail(error);
	FlushErrorState();
	error->elevel = LOG;
	ThrowErrorData(error);
	disable_all_timeouts(false);
	QueryCancelPending = false;
	AbortCurrentTransaction();
	dispatcher_state_beat(error->sqlerrcode);
	FreeErrorData(error);
	release_forget();
	RESUME_INTERRUPTS();
}

/* Waits without a database until it may connect to its own. */
static void
wait_for_turn(void)
{
	long		left;

	dispatcher_state_begin();
	while ((left = dispatcher_state_enter()) > 0)
	{
		wait_for_work(WL_LATCH_SET, left);
		ResetLatch(MyLatch);
		reload_configuration();
	}
}

void
dispatcher_main(Datum arg)
{
	volatile int failures = 0;

	(void) arg;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	wait_for_turn();
	BackgroundWorkerInitializeConnection(settings_database, NULL, 0);
	override_settings();
	dispatcher_state_beat(0);

	for (;;)
	{
		volatile bool failed = false;

		PG_TRY();
		{
			work();
		}
		PG_CATCH();
		{
			end_failed_work();
			failed = true;
		}
		PG_END_TRY();
		if (failed)
			recover(failures++);
		else
			failures = 0;
	}
}

void
dispatcher_init(void)
{
	BackgroundWorker worker = {0};

	if (!process_shared_preload_libraries_in_progress)
		return;
	dispatcher_state_init();
	if (settings_database[0] == '\0')
		return;
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	/* on a standby it waits for the promotion */
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "rxtrack");
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "dispatcher_main");
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "rxtrack dispatcher");
	snprintf(worker.bgw_type, sizeof(worker.bgw_type), "rxtrack dispatcher");
	RegisterBackgroundWorker(&worker);
}
