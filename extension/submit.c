/*
 * submit.c
 *		The way of a batch of bundles: lock, judge, store, answer.
 *
 * The batch is judged in memory on top of the locked rows, one submission after
 * the other, and written at the end with a statement a table.
 *
 * It is done in hope first: that no task is stored already, which the unique
 * index will say.  Only when that fails, or a rule refuses something (which a
 * repeated task would be told otherwise), is it done over with the tasks looked
 * up.  A retry is rare, and a probe for each task is not free.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "answer.h"
#include "application.h"
#include "batch.h"
#include "json_jsonb.h"
#include "judge.h"
#include "outcome.h"
#include "submit.h"

/* Each attempt that fails means that another transaction got its work done. */
#define MAX_ATTEMPTS 20

/* ---------- Judging ---------- */

static bool
is_same_update(const Update *a, const Update *b)
{
	return memcmp(&a->task_id, &b->task_id, sizeof(Uuid)) == 0 &&
		memcmp(&a->prescription_id, &b->prescription_id, sizeof(PrescriptionId)) == 0 &&
		memcmp(&a->line_item_id, &b->line_item_id, sizeof(Uuid)) == 0 &&
		a->nhs_number == b->nhs_number && a->ods_code == b->ods_code &&
		a->status == b->status && a->completed == b->completed &&
		a->last_modified == b->last_modified && a->repeat_number == b->repeat_number &&
		a->post_dated == b->post_dated && a->post_dated_set_at == b->post_dated_set_at;
}

/*
 * Looks at tasks that are stored already; returns whether there are any.  Only
 * the same request with the same content all over is a retry.
 */
static bool
find_repeated(Submission *submission)
{
	int			retried = 0;
	int			stored = 0;

	for (int i = 0; i < submission->bundle->count; i++)
	{
		Entry	   *entry = &submission->entries[i];
		const TaskState *task = entry->task;

		entry->fate = FATE_STORED;
		if (!task->stored)
			continue;
		stored++;
		entry->fate = FATE_CONFLICT;
		retried += task->application_id == submission->application_id &&
			memcmp(&task->request_id, &submission->request_id, sizeof(Uuid)) == 0 &&
			is_same_update(&task->update, entry->acceptance.update);
	}
	if (stored == 0)
		return false;
	submission->status = retried == submission->bundle->count ? 201 : 409;
	if (submission->status == 201)
		for (int i = 0; i < submission->bundle->count; i++)
			submission->entries[i].fate = FATE_RETRIED;
	return true;
}

/* Is it the first of an item that these parties are told in? */
static bool
introduces_parties(const ItemState *item, const Acceptance *acceptance)
{
	return item->receipts == 0 ||
		item->parties.application_id != acceptance->application_id ||
		item->parties.nhs_number != acceptance->update->nhs_number ||
		item->parties.ods_code != acceptance->update->ods_code;
}

/* Lets an update change what is known of its item. */
static void
accept_update(Entry *entry)
{
	ItemState  *item = entry->item;
	const Update *update = entry->acceptance.update;
	Assertion	assertion = {
		.status = update->status,
		.post_dated = update->post_dated,
		.asserted_at = update_asserted_at(update),
		.takes_effect_at = update->last_modified
	};

	entry->acceptance.item = item;
	entry->acceptance.introduces = introduces_parties(item, &entry->acceptance);
	entry->acceptance.receipt = assertion.receipt = ++item->receipts;
	item_learn(item, &assertion);
	if (entry->acceptance.kind != TRANSITION_LATE)
	{
		item->newest = assertion;
		item->parties.application_id = entry->acceptance.application_id;
		item->parties.nhs_number = update->nhs_number;
		item->parties.ods_code = update->ods_code;
		item->newest_accepted = &entry->acceptance;
	}
}

static void
undo_update(Entry *entry)
{
	ItemState  *item = entry->item;

	item->receipts = entry->before.receipts;
	item->newest = entry->before.newest;
	item->parties = entry->before.parties;
	item->newest_accepted = entry->before.newest_accepted;
	item->known_count = entry->before.known_count;
}

/* Judges all entries of a bundle, in order; returns whether the rules allow them all. */
static bool
judge_entries(Submission *submission, int64 now)
{
	bool		allowed = true;

	for (int i = 0; i < submission->bundle->count; i++)
	{
		Entry	   *entry = &submission->entries[i];
		Acceptance *acceptance = &entry->acceptance;

		entry->before = *entry->item;
		entry->from = entry->item->newest.status;
		acceptance->kind = judge_update(entry->item, acceptance->update, now, &acceptance->changes_status);
		if (acceptance->kind == TRANSITION_UNEXPECTED && transition_policy == TRANSITION_POLICY_ENFORCE)
		{
			entry->fate = FATE_REFUSED;
			allowed = false;
		}
		else
			accept_update(entry);
	}
	return allowed;
}

static void
remember_tasks(Submission *submission)
{
	for (int i = 0; i < submission->bundle->count; i++)
	{
		TaskState  *task = submission->entries[i].task;

		task->stored = true;
		task->application_id = submission->application_id;
		task->request_id = submission->request_id;
		task->update = *submission->entries[i].acceptance.update;
	}
}

static void
judge_submission(Submission *submission, int64 now)
{
	if (find_repeated(submission))
		return;
	if (judge_entries(submission, now))
	{
		submission->status = 201;
		remember_tasks(submission);
		return;
	}
	submission->status = 422;
	for (int i = submission->bundle->count - 1; i >= 0; i--)
		undo_update(&submission->entries[i]);
}

/* Judges the batch; false when the tasks that are stored have to be known for it. */
static bool
judge_batch(Batch *batch)
{
	store_lock_items(batch->items, batch->item_count, batch->now);
	/* what others have asserted while we waited for their locks has begun */
	batch->now = GetCurrentTimestamp();
	for (int i = 0; i < batch->task_count; i++)
		batch->tasks[i].stored = false;
	if (batch->tasks_known)
		store_find_tasks(batch->tasks, batch->task_count);
	for (int i = 0; i < batch->count; i++)
	{
		judge_submission(batch->submissions[i], batch->now);
		if (batch->submissions[i]->status == 422 && !batch->tasks_known)
			return false;
	}
	return true;
}

/* ---------- Storing ---------- */

static void
store_batch(Batch *batch)
{
	Acceptance **acceptances = palloc(batch->entry_count * sizeof(Acceptance *));
	int			count = 0;

	for (int i = 0; i < batch->count; i++)
	{
		Submission *submission = batch->submissions[i];

		for (int j = 0; submission->status == 201 && j < submission->bundle->count; j++)
			if (submission->entries[j].fate == FATE_STORED)
				acceptances[count++] = &submission->entries[j].acceptance;
	}
	if (count > 0)
		store_write(acceptances, count, batch->items, batch->item_count);
}

/*
 * One attempt, in a subtransaction of its own: what somebody else stored between
 * our look and our write is found by the unique indexes, and then all of it is
 * taken back and judged again.  No other error may leave the subtransaction open
 * either: the session would be stuck in it.
 */
static bool
attempt_batch(Batch *batch)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		if (judge_batch(batch))
		{
			store_batch(batch);
			done = true;
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (done)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error != NULL && error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
	{
		/* the detail of a violated constraint quotes the row, and with it a patient */
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
			error->detail = error->detail_log = NULL;
		ReThrowError(error);
	}
	batch->tasks_known = true;
	return done;
}

void
submit_batch(Submission *submissions, int count, int64 now)
{
	Batch	   *batch;

	/* what is written below does not go through the executor, which would ask */
	PreventCommandDuringRecovery("rxtrack.submit");
	PreventCommandIfReadOnly("rxtrack.submit");
	batch = batch_make(submissions, count, now);
	for (int attempt = 1; batch->count > 0 && !attempt_batch(batch); attempt++)
		if (attempt == MAX_ATTEMPTS)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not store a bundle because of concurrent ones"),
					 errhint("The same request may be sent again.")));
	for (int i = 0; i < count; i++)
		if (submissions[i].bundle != NULL)
			answer_submission(&submissions[i], now);
}

void
submission_fault(Submission *submission, int64 now, int status, const char *code, const char *diagnostics)
{
	Issue		issue = {.severity = "error", .code = code, .diagnostics = diagnostics};

	submission->status = status;
	submission->bundle = NULL;
	response_of_one(&submission->answer, now, http_status_line(status), &issue);
}

/* ---------- rxtrack.submit ---------- */

static Datum
answer_datum(FunctionCallInfo fcinfo, const Submission *submission)
{
	TupleDesc	columns;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "rxtrack.submit must return a row");
	values[0] = Int32GetDatum(submission->status);
	values[1] = DirectFunctionCall1(jsonb_in, CStringGetDatum(submission->answer.data));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls));
}

/* rxtrack.submit(bundle jsonb, request_id uuid, application text) */
PG_FUNCTION_INFO_V1(submit);
Datum
submit(PG_FUNCTION_ARGS)
{
	Submission	submission = {0};
	TimestampTz now = GetCurrentTimestamp();
	MemoryContext context = CurrentMemoryContext;

	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("application must not be null")));
	initStringInfo(&submission.answer);
	SPI_connect();
	submission.application_id = application_by_name(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	if (PG_ARGISNULL(1))
		submission_fault(&submission, now, 400, "value", "X-Request-ID is missing");
	else
	{
		memcpy(&submission.request_id, PG_GETARG_UUID_P(1), sizeof(Uuid));
		submission.bundle = bundle_validate(PG_ARGISNULL(0) ? NULL : json_from_jsonb(PG_GETARG_JSONB_P(0)), now);
	}
	submit_batch(&submission, 1, now);
	SPI_finish();
	MemoryContextSwitchTo(context);
	return answer_datum(fcinfo, &submission);
}
