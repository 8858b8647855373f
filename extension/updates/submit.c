/*
 * submit.c
 *		The way of a batch of bundles: lock, judge, store, answer.
 *
 * The batch is judged in memory, and written at the end a table after the other.
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

#include "compat.h"
#include "updates/answer.h"
#include "callers/application.h"
#include "updates/batch.h"
#include "wire/fhir_bundle.h"
#include "updates/judge_batch.h"
#include "wire/response.h"
#include "updates/submit.h"

/* Each attempt that fails means that another transaction got its work done. */
#define MAX_ATTEMPTS 20

/* What a fault of the request id names. */
#define REQUEST_ID_FIELD "X-Request-ID"

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
		store_write(batch->item_table, acceptances, count, batch->items, batch->item_count);
	else
		access_close(batch->item_table);
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
		batch->item_table = store_open_items();
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
	OutcomeIssue issue = {.severity = "error", .code = code, .diagnostics = diagnostics};

	submission->status = status;
	submission->bundle = NULL;
	response_of_one(&submission->answer, now, status, &issue);
}

Bundle *
submission_read(const struct varlena *body, BundleReader read, int64 now)
{
	const char *problem = NULL;
	const JsonNode *document = body == NULL ? NULL :
		json_from_text(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &problem);

	if (problem != NULL)
		return bundle_unreadable(psprintf("is not JSON: %s", problem));
	return read(document, now);
}

void
submission_take(Submission *submission, Bundle *bundle, const text *request_id)
{
	if (request_id == NULL)
		faults_add(&bundle->faults, REQUEST_ID_FIELD, "is missing");
	else if (uuid_parse(VARDATA_ANY(request_id), VARSIZE_ANY_EXHDR(request_id), &submission->request_id) != NULL)
		faults_add(&bundle->faults, REQUEST_ID_FIELD, "must be a UUID");
	submission->bundle = bundle;
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
