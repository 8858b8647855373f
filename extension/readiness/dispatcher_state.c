/*
 * dispatcher_state.c
 *		What the dispatcher and the sessions share.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "fmgr.h"
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
#include "settings.h"

/* In shared memory. */
typedef struct DispatcherState
{
	slock_t		mutex;
	Oid			database;		/* that the dispatcher is connected to; InvalidOid: it is not */
	Latch	   *latch;			/* of the dispatcher */
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
		SpinLockInit(&state->mutex);
		state->database = InvalidOid;
		state->latch = NULL;
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

/* ---------- The dispatcher's side ---------- */

/* Both or neither: a session that sees the database uses the latch. */
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

void
dispatcher_state_enter(void)
{
	before_shmem_exit(leave, (Datum) 0);
	set_state(MyDatabaseId, MyLatch);
}

/* ---------- The sessions' side ---------- */

/* The dispatcher's, where it is connected to this database. */
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
dispatcher_state_is_served(void)
{
	const char *name;

	if (state == NULL || settings_database[0] == '\0')
		return false;
	if (latch_here() != NULL)
		return true;
	/* it may be starting or restarting, and then sees to what was committed meanwhile */
	name = get_database_name(MyDatabaseId);
	return name != NULL && strcmp(name, settings_database) == 0;
}

/* rxtrack_internal.dispatcher_state() */
PG_FUNCTION_INFO_V1(dispatcher_state);
Datum
dispatcher_state(PG_FUNCTION_ARGS)
{
	bool		present = state != NULL && latch_here() != NULL;

	PG_RETURN_TEXT_P(cstring_to_text(present ? "present" : dispatcher_state_is_served() ? "absent" : "none"));
}

void
dispatcher_state_wake(void)
{
	Latch	   *latch = state == NULL ? NULL : latch_here();

	/* the latch of a process that has ended is there still: at worst it is another's by now, which wakes for nothing */
	if (latch != NULL)
		SetLatch(latch);
}
