/*
 * submit.c
 *		The way of a batch of bundles: lock, judge, store, record, answer.
 *
 * The first attempt takes it that no task is stored already, which the unique index will say.  Only
 * when that fails, or a rule refuses something (which a repeated task would be told otherwise), is it
 * done again with the tasks looked up.  A retry is rare, and a probe for each task is not free.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "callers/application.h"
#include "readiness/record.h"
#include "tables/subtransaction.h"
#include "tables/transitions.h"
#include "updates/batch.h"
#include "wire/bundle.h"

/* Each attempt that fails means that another transaction got its work done. */
#define MAX_ATTEMPTS 20

/* A supply whose newest assertion was a prediction, which has begun by now or is replaced. */
static bool
is_settled_prediction(const Supply *supply)
{
	return supply->before.newest.post_dated && supply->state.receipts > supply->before.receipts &&
		(supply->before.newest.last_modified <= supply->state.received_at || supply->state.newest_entry != NULL);
}

static void
record_settled_predictions(const Batch *batch)
{
	Prediction *predictions = palloc(batch->supply_count * sizeof(Prediction));
	int			count = 0;

	for (int i = 0; i < batch->entry_count; i++)
	{
		const Entry *entry = &batch->entries[i];
		const Supply *supply = entry->supply;

		/* its first new update stands for the supply */
		if (entry->fate != FATE_STORED || entry->submission->status != 201 ||
			entry->judged.receipt != supply->before.receipts + 1 || !is_settled_prediction(supply))
			continue;
		predictions[count++] = (Prediction)
		{
			.update = entry->update,
				.nhs_number = supply->state.nhs_number,
				.was = supply->before.plain.status,
				.has_begun = supply->before.newest.last_modified <= supply->state.received_at,
				.received_at = supply->state.received_at
		};
	}
	record_predictions(predictions, count);
}

/*
 * The change by an entry that is accepted to another status at once.  Where it predicts, and so replaces a
 * prediction that has begun, the supply falls back to its newest plain assertion.
 */
static StatusChange
change_at_once(const Entry *entry, StatusChange change)
{
	const Assertion *plain = &entry->before.plain;

	change.was = entry->was;
	change.becomes = entry->becomes;
	change.withdraws = transitions_withdraw(change.was, change.becomes);
	if (entry->takes_effect_at <= entry->judged.received_at)
		change.occurs_at = entry->takes_effect_at;
	else if (plain->status != 0)
	{
		change.application_id = plain->application_id;
		change.post_dated = false;
		change.occurs_at = plain->asserted_at;
	}
	return change;
}

/* The change when a prediction begins, unless it is replaced before. */
static StatusChange
change_later(const Entry *entry, StatusChange change)
{
	change.was = entry->plain;
	change.becomes = entry->update->status;
	change.withdraws = transitions_withdraw(change.was, change.becomes);
	change.occurs_at = entry->takes_effect_at;
	change.is_replaced = entry->supply->state.newest_entry != entry;
	return change;
}

/* What listeners may have to hear of an accepted entry: that the status changes at once, and that it will. */
static int
find_changes(const Entry *entry, StatusChange *changes)
{
	const Supply *supply = entry->supply;
	const PrescriptionState *prescription = &supply->prescription->state;
	const StatusChange change = {
		.update = entry->update,
		.receipt = entry->judged.receipt,
		.application_id = entry->submission->application_id,
		.post_dated = entry->update->post_dated,
		.nhs_number = prescription->nhs_number,
		.in_conflict = entry->judged.other_patient || prescription->hidden || supply->state.nhs_number != prescription->nhs_number,
		.received_at = entry->judged.received_at,
		.occurs_at = entry->judged.received_at
	};
	int			count = 0;

	if (entry->becomes != entry->was)
		changes[count++] = change_at_once(entry, change);
	if (entry->is_newest && entry->takes_effect_at > entry->judged.received_at)
		changes[count++] = change_later(entry, change);
	return count;
}

static void
record_readiness(const Batch *batch)
{
	const Entry **accepted;
	int			accepted_count = batch_accepted(batch, &accepted);
	StatusChange *changes = palloc(2 * accepted_count * sizeof(StatusChange));
	int			count = 0;

	record_settled_predictions(batch);
	for (int i = 0; i < accepted_count; i++)
		count += find_changes(accepted[i], &changes[count]);
	record_changes(changes, count);
}

/* Locks the batch's supplies, and reads what it is to be judged by. */
static void
lock_batch(Batch *batch, Rows *prescriptions, Rows *supplies, Rows *tasks)
{
	batch_reset(batch);
	supplies_lock(supplies, batch);
	/* after the locks: who held them may have named the patient, or asserted something later than we began */
	batch->now = GetCurrentTimestamp();
	prescriptions_read(prescriptions, batch);
	supplies_count_shares(supplies, batch);
	supplies_read_parties(batch);
	if (batch->tasks_known)
		tasks_find(tasks, batch);
}

static void
store_batch(Batch *batch, Rows *prescriptions, Rows *supplies, Rows *tasks)
{
	prescriptions_store(prescriptions, batch);
	supplies_store(supplies, batch);
	supplies_store_parties(batch);
	tasks_store(tasks, batch);
}

/* Returns false where the tasks that are stored have to be known. */
static bool
carry_out(void *argument)
{
	Batch	   *batch = argument;
	Rows	   *prescriptions = prescriptions_open();
	Rows	   *supplies = supplies_open();
	Rows	   *tasks = tasks_open();
	bool		judged;

	lock_batch(batch, prescriptions, supplies, tasks);
	judged = judge_batch(batch);
	if (judged)
	{
		store_batch(batch, prescriptions, supplies, tasks);
		record_readiness(batch);
	}
	rows_close(tasks);
	rows_close(supplies);
	rows_close(prescriptions);
	return judged;
}

/*
 * One attempt, in a subtransaction: what somebody else stored between our look and our write is found
 * by the unique indexes, and then all of it is rolled back and judged again.
 */
static bool
attempt(Batch *batch)
{
	ErrorData  *error;
	bool		done = subtransaction_attempt(carry_out, batch, &error);

	if (error != NULL && error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
	{
		rows_hide_detail(error);
		ReThrowError(error);
	}
	batch->tasks_known = true;
	return done;
}

void
submit_batch(Submission *submissions, int count, int64 now)
{
	Batch	   *batch;

	/* what is written below is no statement of the executor's, which would ask */
	PreventCommandDuringRecovery("rxtrack.submit");
	PreventCommandIfReadOnly("rxtrack.submit");
	batch = batch_make(submissions, count, now);
	for (int n = 1; batch->count > 0 && !attempt(batch); n++)
		if (n == MAX_ATTEMPTS)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not store a bundle because of concurrent ones"),
					 errhint("The same request may be sent again.")));
	for (int i = 0; i < count; i++)
		if (submissions[i].bundle != NULL)
			answers_write(&submissions[i], now);
}

static Datum
answer_datum(FunctionCallInfo fcinfo, const Submission *submission)
{
	TupleDesc	columns;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "rxtrack.submit must return a row");
	values[0] = Int32GetDatum(submission->status);
	/* a json is its text, and this one is ours */
	values[1] = PointerGetDatum(cstring_to_text_with_len(submission->answer.data, submission->answer.len));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls));
}

/* rxtrack.submit(bundle text, request_id text, application text) */
PG_FUNCTION_INFO_V1(submit);
Datum
submit(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTimestamp();
	Submission	submission = {0};
	MemoryContext context = CurrentMemoryContext;
	Bundle	   *bundle;

	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("application must not be null")));
	bundle = submission_read(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0), fhir_bundle_read, now);
	submission_take(&submission, bundle, PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1));
	initStringInfo(&submission.answer);
	SPI_connect();
	submission.application_id = application_by_name(text_to_cstring(PG_GETARG_TEXT_PP(2)));
	submit_batch(&submission, 1, now);
	SPI_finish();
	MemoryContextSwitchTo(context);
	return answer_datum(fcinfo, &submission);
}
