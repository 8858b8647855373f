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
#if PG_VERSION_NUM >= 140000
#include "utils/backend_status.h"
#include "utils/wait_event.h"
#endif

#include "readiness.h"

/* How many events are released in one transaction, at most. */
#define BATCH 1000

/* Without being woken, it looks again after that long (ms): nothing depends on it but what others restored. */
#define IDLE_TIMEOUT 10000

#define PRUNE_INTERVAL 60000	/* ms */

#define RESTART_SECONDS 5

/* In shared memory: whom to wake. */
typedef struct WorkerState
{
	slock_t		mutex;
	Oid			database;		/* that the worker is connected to; InvalidOid: it is not */
	Latch	   *latch;
} WorkerState;

static WorkerState *state = NULL;
static char *worker_database = NULL;

#if PG_VERSION_NUM >= 150000
static shmem_request_hook_type previous_request_hook = NULL;
#endif
static shmem_startup_hook_type previous_startup_hook = NULL;

PGDLLEXPORT void dispatcher_main(Datum arg);

/* ---------- Shared memory ---------- */

static void
request_memory(void)
{
#if PG_VERSION_NUM >= 150000
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

bool
worker_serves_this_database(void)
{
	char	   *name;

	if (state == NULL || worker_database[0] == '\0')
		return false;
	/* it may be starting or restarting: it will see to the event all the same */
	name = get_database_name(MyDatabaseId);
	return name != NULL && strcmp(name, worker_database) == 0;
}

void
worker_wake(void)
{
	Latch	   *latch;

	if (state == NULL)
		return;
	SpinLockAcquire(&state->mutex);
	latch = state->database == MyDatabaseId ? state->latch : NULL;
	SpinLockRelease(&state->mutex);
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

/* Releases what is due; returns when it is to be looked at again, in ms from now. */
static long
release_all(void)
{
	TimestampTz next = DT_NOEND;
	bool		installed;
	int			settled;

	do
	{
		begin_work("releasing readiness events");
		installed = OidIsValid(get_extension_oid("rxtrack", true));
		settled = installed ? dispatch_due(BATCH) : 0;
		if (installed && settled < BATCH)
			next = dispatch_next_due();
		end_work();
		CHECK_FOR_INTERRUPTS();
	} while (settled == BATCH);
	if (next == DT_NOEND)
		return IDLE_TIMEOUT;
	return Min(IDLE_TIMEOUT, Max(1, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next)));
}

static void
prune(TimestampTz *last)
{
	if (!TimestampDifferenceExceeds(*last, GetCurrentTimestamp(), PRUNE_INTERVAL))
		return;
	*last = GetCurrentTimestamp();
	begin_work("removing old readiness events");
	if (OidIsValid(get_extension_oid("rxtrack", true)))
		SPI_execute("SELECT rxtrack.prune_events()", false, 0);
	end_work();
}

void
dispatcher_main(Datum arg)
{
	TimestampTz pruned = GetCurrentTimestamp();

	(void) arg;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(worker_database, NULL, 0);
	SetConfigOption("search_path", "pg_catalog, rxtrack, pg_temp", PGC_USERSET, PGC_S_SESSION);
	before_shmem_exit(leave, (Datum) 0);
	set_state(MyDatabaseId, MyLatch);

	for (;;)
	{
		long		timeout;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		timeout = release_all();
		prune(&pruned);
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION);
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
	DefineCustomStringVariable("rxtrack.database",
							   "The database whose readiness events the dispatcher releases.",
							   "Empty: there is no dispatcher, and transactions release their events themselves.",
							   &worker_database, "", PGC_POSTMASTER, 0, NULL, NULL, NULL);
#if PG_VERSION_NUM >= 150000
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
#else
	request_memory();
#endif
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
	if (worker_database[0] != '\0')
		register_worker();
}
