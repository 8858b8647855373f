/*
 * at_commit.c
 *		What becomes of a transaction's readiness events when it commits.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "readiness/at_commit.h"
#include "readiness/dispatcher_state.h"
#include "readiness/inbox.h"
#include "readiness/release.h"

#define MOST_RELEASING USECS_PER_SEC

static bool has_recorded = false;	/* this transaction, an event */

/*
 * Without a dispatcher at work, the last thing that a transaction does is to release what is due, its own
 * events among it: as late as that, because the lock on releases is held from here to the end of
 * the commit.  What takes longer than a supplier is to wait stays due, for who comes next.
 */
static void
release_before_commit(void)
{
	TimestampTz until = GetCurrentTimestamp() + MOST_RELEASING;
	int			settings;

	if (dispatcher_state_is_at_work())
		return;
	dispatcher_state_call();
	settings = NewGUCNestLevel();
	(void) set_config_option("lock_timeout", RELEASE_LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());	/* for functions of a DBA's */
	while (release_due(RELEASE_BATCH, INBOX_OWN).has_more && GetCurrentTimestamp() < until)
		;
	PopActiveSnapshot();
	SPI_finish();
	AtEOXact_GUC(true, settings);
}

static void
forget_recorded(void)
{
	has_recorded = false;
	inbox_end_transaction();
}

/*
 * A transaction that is being prepared for two-phase commit releases nothing: it would hold the
 * lock until somebody commits it.  Its events are released by a later one that reads the whole inbox.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	(void) arg;
	if (!has_recorded)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			release_before_commit();
			break;
		case XACT_EVENT_COMMIT:
			forget_recorded();
			dispatcher_state_wake();
			break;
		case XACT_EVENT_ABORT:
			release_forget();
			/* FALLTHROUGH */
		case XACT_EVENT_PREPARE:
			forget_recorded();
			break;
		default:
			break;
	}
}

void
at_commit_release(void)
{
	has_recorded = true;
}

/* rxtrack_internal.release_at_commit() */
PG_FUNCTION_INFO_V1(release_at_commit);
Datum
release_at_commit(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	inbox_note_withdrawal();
	at_commit_release();
	PG_RETURN_VOID();
}

void
at_commit_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
}
