/*
 * dispatcher_state.c
 *		What the dispatcher and the sessions share.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/builtins.h"

#include "compat.h"
#include "readiness/dispatcher_state.h"
#include "readiness/release.h"
#include "settings.h"

/*
 * It gives a sign of life every few seconds.  One that gives none for so long (ms) is stopped, or waits for what
 * is not to be had, and transactions release their events themselves.
 */
#define SILENCE 10000

/* How long (s) it waits at most after attempts to connect that failed: twice as long after each. */
#define MOST_RETRY 64

#define WARNING_INTERVAL 60000	/* ms */

/* In shared memory; zero: nothing of it is so. */
typedef struct DispatcherState
{
	slock_t		mutex;
	Latch	   *latch;			/* of the dispatcher's process; NULL: there is none */
	int			pid;			/* of that */
	bool		is_inside;		/* it is in its database, or just connecting */
	Oid			database;		/* that it is connected to */
	TimestampTz alive_at;		/* its last sign of life */
	int			problem;		/* SQLSTATE of the error that keeps it from its work; 0: none */
	int			failures;		/* attempts to connect since it last was */
	TimestampTz failed_at;		/* when the last of these was made */
	TimestampTz paused_until;
	TimestampTz warned_at;
} DispatcherState;

static DispatcherState *state = NULL;	/* NULL: the library is not preloaded */

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

/* ---------- Shared memory ---------- */

static void
request_memory(void)
{
	if (previous_request_hook != NULL)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(DispatcherState)));
}

static void
start_memory(void)
{
	bool		found;

	if (previous_startup_hook != NULL)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	state = ShmemInitStruct("rxtrack dispatcher", sizeof(DispatcherState), &found);
	if (!found)
	{
		memset(state, 0, sizeof(DispatcherState));
		SpinLockInit(&state->mutex);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
dispatcher_state_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}

static DispatcherState
read_state(void)
{
	DispatcherState copy = {0};

	if (state == NULL)
		return copy;
	SpinLockAcquire(&state->mutex);
	copy = *state;
	SpinLockRelease(&state->mutex);
	return copy;
}

/* ---------- The dispatcher's side ---------- */

static void
leave(int code, Datum arg)
{
	(void) code;
	(void) arg;
	SpinLockAcquire(&state->mutex);
	state->latch = NULL;
	state->pid = 0;
	state->is_inside = false;
	state->database = InvalidOid;
	SpinLockRelease(&state->mutex);
}

void
dispatcher_state_begin(void)
{
	before_shmem_exit(leave, (Datum) 0);
	SpinLockAcquire(&state->mutex);
	state->latch = MyLatch;
	state->pid = MyProcPid;
	SpinLockRelease(&state->mutex);
}

/* How long (ms) until a time; 0: it is past. */
static long
time_until(TimestampTz then)
{
	return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), then);
}

long
dispatcher_state_enter(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz retry_at;
	TimestampTz wait_until;

	SpinLockAcquire(&state->mutex);
	retry_at = state->failures == 0 ? now : state->failed_at + Min(1 << Min(state->failures, 10), MOST_RETRY) * USECS_PER_SEC;
	wait_until = Max(retry_at, state->paused_until);
	if (wait_until <= now)
	{
		state->is_inside = true;
		state->failures++;
		state->failed_at = now;
	}
	SpinLockRelease(&state->mutex);
	return wait_until <= now ? 0 : Max(1, time_until(wait_until));
}

bool
dispatcher_state_is_paused(void)
{
	return read_state().paused_until > GetCurrentTimestamp();
}

void
dispatcher_state_beat(int problem)
{
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&state->mutex);
	state->database = MyDatabaseId;
	state->failures = 0;
	state->alive_at = now;
	state->problem = problem;
	SpinLockRelease(&state->mutex);
}

/* ---------- The sessions' side ---------- */

static bool
is_connected_here(const DispatcherState *seen)
{
	return seen->database == MyDatabaseId && OidIsValid(MyDatabaseId);
}

static bool
is_silent(const DispatcherState *seen)
{
	return TimestampDifferenceExceeds(seen->alive_at, GetCurrentTimestamp(), SILENCE);
}

bool
dispatcher_state_is_at_work(void)
{
	DispatcherState seen = read_state();

	return is_connected_here(&seen) && !is_silent(&seen) && seen.problem == 0;
}

void
dispatcher_state_wake(void)
{
	DispatcherState seen = read_state();

	/* the latch of a process that has ended is there still: at worst it is another's by now, which wakes for nothing */
	if (is_connected_here(&seen) && seen.latch != NULL)
		SetLatch(seen.latch);
}

/* Is it to serve this database? */
static bool
is_configured_here(void)
{
	const char *name = state == NULL || settings_database[0] == '\0' ? NULL : get_database_name(MyDatabaseId);

	return name != NULL && strcmp(name, settings_database) == 0;
}

/* At most so often, whoever asks. */
static bool
may_warn(void)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		may;

	SpinLockAcquire(&state->mutex);
	may = TimestampDifferenceExceeds(state->warned_at, now, WARNING_INTERVAL);
	if (may)
		state->warned_at = now;
	SpinLockRelease(&state->mutex);
	return may;
}

void
dispatcher_state_call(void)
{
	Latch	   *latch;

	if (!is_configured_here() || dispatcher_state_is_paused())
		return;
	SpinLockAcquire(&state->mutex);
	latch = state->is_inside ? NULL : state->latch;
	state->failures = 0;
	SpinLockRelease(&state->mutex);
	if (latch != NULL)
		SetLatch(latch);
	if (may_warn())
		ereport(LOG,
				(errmsg("the dispatcher of readiness events is not at work: transactions release their own"),
				 errhint("rxtrack.dispatcher says what is wrong. Is max_worker_processes large enough?"),
				 errhidestmt(true), errhidecontext(true)));
}

/* ---------- SQL ---------- */

static const char *
name_state(const DispatcherState *seen)
{
	if (!is_configured_here())
		return "none";
	if (seen->paused_until > GetCurrentTimestamp())
		return "paused";
	if (!is_connected_here(seen))
		return "absent";
	return seen->problem != 0 ? "failing" : is_silent(seen) ? "silent" : "present";
}

/* rxtrack_internal.dispatcher_state() */
PG_FUNCTION_INFO_V1(dispatcher_state);
Datum
dispatcher_state(PG_FUNCTION_ARGS)
{
	DispatcherState seen = read_state();
	TupleDesc	columns;
	bool		is_connected = is_connected_here(&seen);
	Datum		values[] = {
		CStringGetTextDatum(name_state(&seen)), BoolGetDatum(seen.is_inside), Int32GetDatum(seen.pid),
		TimestampTzGetDatum(seen.alive_at), TimestampTzGetDatum(seen.paused_until),
		CStringGetTextDatum(unpack_sql_state(seen.problem)),
		BoolGetDatum(release_notifies())
	};
	bool		nulls[] = {
		false, false, !is_connected,
		!is_connected, seen.paused_until <= GetCurrentTimestamp(), !is_connected || seen.problem == 0,
		false
	};

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "rxtrack_internal.dispatcher_state must return a row");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}

/* rxtrack_internal.set_pause(until) */
PG_FUNCTION_INFO_V1(set_pause);
Datum
set_pause(PG_FUNCTION_ARGS)
{
	Latch	   *latch;

	if (state == NULL)
		PG_RETURN_BOOL(false);
	SpinLockAcquire(&state->mutex);
	state->paused_until = PG_GETARG_TIMESTAMPTZ(0);
	latch = state->latch;
	SpinLockRelease(&state->mutex);
	if (latch != NULL)
		SetLatch(latch);
	PG_RETURN_BOOL(true);
}
