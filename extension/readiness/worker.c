/*
 * worker.c
 *		The dispatcher: a background worker that releases readiness events.
 *
 * It exists where the library is in shared_preload_libraries and rxtrack.database
 * names its database.  A backend that has committed an event sets its latch, so
 * that a supplier's commit does no NOTIFY itself: a commit that does has to take
 * one lock for the whole server, from before its flush until after it.
 */
#include "postgres.h"

#include <math.h>
#include <time.h>

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/backend_status.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "readiness/queue.h"
#include "readiness/readiness.h"
#include "settings.h"

/* How many events are released in one transaction, at most. */
#define BATCH 1000

/*
 * After a release it waits, however often it is woken: with many suppliers at work,
 * a release for each of their updates would cost as much as the updates.  With few
 * events listeners come first, and it waits as little as it can.  With many, what a
 * larger batch saves (a transaction, a flush, cold caches) is the suppliers'.  What
 * many are is a question of the machine, so the pause goes by the processor time
 * that an event costs it: twelve times that for each event beyond the first few.
 * As long as events take less than a twelfth of a processor, it falls again after
 * a burst.
 */
#define FEW_EVENTS 10
#define PAUSE_FOR_COST 12
#define LEAST_PAUSE 1000		/* us */
#define MOST_PAUSE 30000

/* What an event costs (us), before that is known, and what a release costs by itself. */
#define FIRST_COST 12.0
#define RELEASE_COST 100.0
#define COST_WEIGHT 0.1			/* of the newest release in the average */

/*
 * Without being woken, it looks again after that long (ms).  Only what nobody tells
 * it of depends on that: a prepared transaction's events, or a restore's.
 */
#define IDLE_TIMEOUT 10000

/* The same, where its last look was not a thorough one. */
#define THOROUGH_TIMEOUT 5000

#define PRUNE_INTERVAL 60000	/* ms */
#define PRUNE_BATCH 1000		/* events wait while it prunes */

#define RESTART_SECONDS 1

/* In shared memory: whom to wake. */
typedef struct WorkerState
{
	slock_t		mutex;
	Oid			database;		/* that the worker is connected to; InvalidOid: it is not */
	Latch	   *latch;
} WorkerState;

static WorkerState *state = NULL;

#ifdef COMPAT_HAS_SHMEM_REQUEST_HOOK
static shmem_request_hook_type previous_request_hook = NULL;
#endif
static shmem_startup_hook_type previous_startup_hook = NULL;

PGDLLEXPORT void dispatcher_main(Datum arg);

/* ---------- Shared memory ---------- */

static void
request_memory(void)
{
#ifdef COMPAT_HAS_SHMEM_REQUEST_HOOK
	if (previous_request_hook != NULL)
		previous_request_hook();
#endif
	RequestAddinShmemSpace(MAXALIGN(sizeof(WorkerState)));
}

static void
start_memory(void)
{
	bool		found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	state = ShmemInitStruct("rxtrack dispatcher", sizeof(WorkerState), &found);
	if (!found)
	{
		SpinLockInit(&state->mutex);
		state->database = InvalidOid;
		state->latch = NULL;
	}
	LWLockRelease(AddinShmemInitLock);
}

static void
set_state(Oid database, Latch *latch)
{
	SpinLockAcquire(&state->mutex);
	state->database = database;
	state->latch = latch;
	SpinLockRelease(&state->mutex);
}

static void
leave(int code, Datum arg)
{
	(void) code;
	(void) arg;
	set_state(InvalidOid, NULL);
}

/* The worker's, where it is connected to this database. */
static Latch *
latch_here(void)
{
	Latch	   *latch;

	SpinLockAcquire(&state->mutex);
	latch = state->database == MyDatabaseId ? state->latch : NULL;
	SpinLockRelease(&state->mutex);
	return latch;
}

bool
worker_serves_this_database(void)
{
	char	   *name;

	if (state == NULL || settings_database[0] == '\0')
		return false;
	if (latch_here() != NULL)
		return true;
	/* it may be starting or restarting: it will see to the event all the same */
	name = get_database_name(MyDatabaseId);
	return name != NULL && strcmp(name, settings_database) == 0;
}

void
worker_wake(void)
{
	Latch	   *latch = state == NULL ? NULL : latch_here();

	/* a latch stays where it is when its process ends: at worst another one wakes up for nothing */
	if (latch != NULL)
		SetLatch(latch);
}

/* ---------- The worker ---------- */

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

/* Returns how many events it has settled, and the processor time that it has used (us). */
static int
release(bool thoroughly, double *used)
{
	double		before = time_used();
	int			settled;

	begin_work("releasing readiness events");
	settled = dispatch_due(BATCH, thoroughly);
	end_work();
	*used = time_used() - before;
	return settled;
}

/* How long (ms) to wait after a release that has used so much processor time (us). */
static long
pause_after(int settled, double used)
{
	static double cost = FIRST_COST;

	if (settled <= FEW_EVENTS)
		return LEAST_PAUSE / 1000;
	cost += COST_WEIGHT * (Max(used - RELEASE_COST, 0) / settled - cost);
	return lrint(Max(LEAST_PAUSE, Min(MOST_PAUSE, (settled - FEW_EVENTS) * cost * PAUSE_FOR_COST)) / 1000);
}

/* For how long (ms) there is nothing to do, unless somebody commits an event. */
static long
time_to_next(bool thoroughly)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = DT_NOEND;
	long		longest = thoroughly ? IDLE_TIMEOUT : THOROUGH_TIMEOUT;

	begin_work("looking for the next readiness event");
	if (OidIsValid(get_extension_oid("rxtrack", true)))
		next = due_next(thoroughly);
	end_work();
	longest = Min(longest, queue_patience(now));
	if (next == DT_NOEND)
		return longest;
	/* one that is due, and yet was not settled, is not to be waited for in a loop */
	return next <= now ? 1000 : Min(longest, Max(1, TimestampDifferenceMilliseconds(now, next)));
}

/* Once a minute, removes what is too old; returns whether there is more of it. */
static bool
prune(TimestampTz *last)
{
	int			removed = 0;
	bool		isnull;

	if (!TimestampDifferenceExceeds(*last, GetCurrentTimestamp(), PRUNE_INTERVAL))
		return false;
	begin_work("removing old readiness events");
	if (OidIsValid(get_extension_oid("rxtrack", true)) &&
		SPI_execute("SELECT rxtrack.prune_events(" CppAsString2(PRUNE_BATCH) ")", false, 0) == SPI_OK_SELECT)
		removed = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	end_work();
	if (removed >= PRUNE_BATCH)
		return true;
	*last = GetCurrentTimestamp();
	return false;
}

/*
 * What a DBA has set for the database is meant for people and applications, and
 * could keep this process from doing its work.
 */
static void
settle_down(void)
{
	SetConfigOption("search_path", "pg_catalog, rxtrack, pg_temp", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
}

static void
reload_configuration(void)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
}

/* Waits until it is woken, or for so long (ms); returns whether it was woken. */
static bool
wait_for_work(int events, long timeout)
{
	int			woken = WaitLatch(MyLatch, events | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION);

	CHECK_FOR_INTERRUPTS();
	return (woken & WL_LATCH_SET) != 0;
}

void
dispatcher_main(Datum arg)
{
	TimestampTz pruned = GetCurrentTimestamp();
	bool		thoroughly = true;

	(void) arg;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(settings_database, NULL, 0);
	settle_down();
	before_shmem_exit(leave, (Datum) 0);
	set_state(MyDatabaseId, MyLatch);

	for (;;)
	{
		int			settled;
		double		used;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		reload_configuration();
		settled = release(thoroughly, &used);
		if (prune(&pruned) || settled == BATCH)
			continue;
		if (settled > 0)
		{
			wait_for_work(0, pause_after(settled, used));
			thoroughly = false;
		}
		else
			thoroughly = !wait_for_work(WL_LATCH_SET, time_to_next(thoroughly));
	}
}

static void
register_worker(void)
{
	BackgroundWorker worker = {0};

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

void
worker_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
#ifdef COMPAT_HAS_SHMEM_REQUEST_HOOK
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
#else
	request_memory();
#endif
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
	if (settings_database[0] != '\0')
		register_worker();
}
