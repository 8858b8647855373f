/*
 * subtransaction.c
 *		Work that may fail without its transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/resowner.h"

#include "tables/subtransaction.h"

bool
subtransaction_attempt(bool (*work) (void *argument), void *argument, ErrorData **error)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile raised = NULL;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		done = work(argument);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		raised = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (done)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	*error = raised;
	return done;
}
