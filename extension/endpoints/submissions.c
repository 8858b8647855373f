/*
 * submissions.c
 *		POST / and POST /format-1: a batch of submissions, each request with its own caller,
 *		request id and answer, all of them judged and stored in one transaction.
 *
 * The gateway knows HTTP and nothing else; who calls, whether they may, and what a request
 * says is found out on this side.  All other endpoints are SQL (sql/endpoints).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "callers/application.h"
#include "compat.h"
#include "settings.h"
#include "tables/statement.h"
#include "types/types.h"
#include "updates/submission.h"
#include "wire/bundle.h"
#include "wire/outcome.h"

/* ---------- Memory ---------- */

/*
 * Where a call works.  A session keeps it from call to call, emptied, which leaves
 * its first block: to have a megabyte from the system anew, page by page, would
 * cost a large call an eighth of its time.
 */
#define KEPT_BYTES (1024 * 1024)

static MemoryContext kept_memory = NULL;
static bool kept_memory_is_used = false;

static void
release_kept_memory(pg_attribute_unused() void *unused)
{
	MemoryContextReset(kept_memory);
	kept_memory_is_used = false;
}

/* Makes it current until SPI's memory, which is current, goes: at SPI_finish() or with an error. */
static void
use_kept_memory(void)
{
	MemoryContextCallback *callback;

	if (kept_memory_is_used)	/* by a call that this one is within, by way of a trigger */
		return;
	if (kept_memory == NULL)
		kept_memory = AllocSetContextCreate(TopMemoryContext, "rxtrack endpoint", 0, KEPT_BYTES, ALLOCSET_DEFAULT_MAXSIZE);
	callback = palloc0(sizeof(MemoryContextCallback));
	callback->func = release_kept_memory;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	kept_memory_is_used = true;
	MemoryContextSwitchTo(kept_memory);
}

/* ---------- Requests ---------- */

/* A batch of requests; each array has an element a request. */
typedef struct Call
{
	int64		now;			/* when the call began */
	int			count;
	Datum	   *request_id;		/* text */
	bool	   *request_id_null;
	Datum	   *body;			/* bytea */
	bool	   *body_null;
	Caller	   *callers;		/* whom the credentials belong to */
} Call;

static int
take_array(FunctionCallInfo fcinfo, int argument, Oid type, Datum **values, bool **nulls)
{
	int			count = 0;

	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the arrays of a gateway call must not be null")));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), type, -1, false, TYPALIGN_INT, values, nulls, &count);
	return count;
}

/* Takes the arguments apart, connects to SPI and identifies the callers. */
static void
begin_call(Call *call, FunctionCallInfo fcinfo)
{
	char	   *scope = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum	   *credential;
	bool	   *credential_null;

	call->now = GetCurrentTimestamp();
	call->count = take_array(fcinfo, 1, BYTEAOID, &credential, &credential_null);
	if (take_array(fcinfo, 2, TEXTOID, &call->request_id, &call->request_id_null) != call->count ||
		take_array(fcinfo, 4, BYTEAOID, &call->body, &call->body_null) != call->count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the arrays of a gateway call must be of one length")));
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	use_kept_memory();
	call->callers = application_identify(credential, credential_null, call->count, scope);
}

/* Adds a fault of each entry that is of a pharmacy for which the caller may not speak. */
static void
restrict_to_pharmacies(Bundle *bundle, ArrayType *allowed)
{
	Datum	   *values;
	OdsCode    *codes;
	int			count;

	deconstruct_array(allowed, ARR_ELEMTYPE(allowed), sizeof(OdsCode), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &values, NULL, &count);
	codes = palloc(Max(count, 1) * sizeof(OdsCode));
	for (int i = 0; i < count; i++)
		codes[i] = DatumGetOdsCode(values[i]);
	bundle_restrict(bundle, codes, count);
}

/* Reads the n-th request, of a caller who may submit, and answers one who is known and may not. */
static void
take_request(Submission *submission, const Call *call, int n, BundleReader read)
{
	const Caller *caller = &call->callers[n];
	Bundle	   *bundle;

	initStringInfo(&submission->answer);
	if (!caller->known)
		return;
	submission->application_id = caller->application_id;
	if (!caller->granted)
	{
		submission_fault(submission, call->now, 403, "forbidden", "The credential does not have the scope that this needs");
		return;
	}
	bundle = submission_read(call->body_null[n] ? NULL : DatumGetByteaPP(call->body[n]), read, call->now);
	submission_take(submission, bundle, call->request_id_null[n] ? NULL : DatumGetTextPP(call->request_id[n]));
	if (caller->ods_codes != NULL)
		restrict_to_pharmacies(bundle, caller->ods_codes);
}

/* ---------- Rehearsals: faults on demand in a sandbox, for suppliers whose tests need such as are hard to provoke ---------- */

/* Which submissions, each with the prescriptions that it names, get which answer; what is used up is counted down. */
static Statement rehearse = {
	.sql = "SELECT r.submission, r.status, r.code, r.diagnostics, r.headers FROM rxtrack_internal.rehearse($1, $2) AS r",
	.argument_count = 2,
	.arguments = {&catalog_prescription_id, &catalog_integer}
};

/* Finds the rehearsals that the valid submissions call for; they are in SPI_tuptable. */
static void
find_rehearsals(const Submission *submissions, int count)
{
	Datum	   *prescriptions;
	Datum	   *places;
	Datum		arguments[2];
	int			room = 1;
	int			n = 0;

	for (int i = 0; i < count; i++)
		room += submission_is_valid(&submissions[i]) ? submissions[i].bundle->count : 0;
	prescriptions = palloc(room * sizeof(Datum));
	places = palloc(room * sizeof(Datum));
	for (int i = 0; i < count; i++)
		for (int j = 0; submission_is_valid(&submissions[i]) && j < submissions[i].bundle->count; j++)
		{
			prescriptions[n] = PrescriptionIdGetDatum(&submissions[i].bundle->entries[j].update.prescription_id);
			places[n++] = Int32GetDatum(i);
		}
	arguments[0] = statement_array(&catalog_prescription_id, prescriptions, NULL, n);
	arguments[1] = statement_array(&catalog_integer, places, NULL, n);
	statement_execute(&rehearse, arguments, false);
}

/* Answers the submissions that name a prescription of rxtrack.rehearsal, where rxtrack.sandbox is on. */
static void
answer_rehearsed(Submission *submissions, int count, int64 now)
{
	if (!settings_sandbox)
		return;
	find_rehearsals(submissions, count);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		isnull;
		Submission *submission = &submissions[DatumGetInt32(SPI_getbinval(row, columns, 1, &isnull))];

		submission_fault(submission, now, DatumGetInt32(SPI_getbinval(row, columns, 2, &isnull)),
						 SPI_getvalue(row, columns, 3), SPI_getvalue(row, columns, 4));
		submission->headers = SPI_getvalue(row, columns, 5);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* ---------- Answers ---------- */

/* To a caller who is not known the answer is a bare OperationOutcome, not a Bundle. */
static void
refuse_unknown(Submission *submission, int64 now)
{
	static const OutcomeIssue unknown = {
		.severity = "error", .code = "processing", .diagnostics = "The credential is not valid"
	};

	submission->status = 401;
	submission->headers = "WWW-Authenticate: Bearer realm=\"rxtrack\", error=\"invalid_token\"\n";
	outcome_of_one(&submission->answer, now, &unknown);
}

/* Returns a row of rxtrack_http.answer; no stream of events follows. */
static void
put_answer(FunctionCallInfo fcinfo, const Caller *caller, const Submission *submission)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		nulls[] = {false, !caller->known, submission->headers == NULL, false, !caller->known, true, true};
	Datum		values[] = {
		Int32GetDatum(submission->status),
		caller->known ? CStringGetTextDatum(caller->name) : (Datum) 0,
		submission->headers != NULL ? CStringGetTextDatum(submission->headers) : (Datum) 0,
		PointerGetDatum(cstring_to_text_with_len(submission->answer.data, submission->answer.len)),
		Int32GetDatum(caller->requests_per_minute)
	};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* The SQLSTATE of the message; gateway/database/link.c knows it too. */
#define ERRCODE_COMMIT_NEXT MAKE_SQLSTATE('R', 'X', '0', '0', '1')

/* Smaller calls are not worth a message. */
#define ANNOUNCED_REQUESTS 4

/* A message goes out at once; the rows are sent with the commit. */
static void
announce_commit(int requests)
{
	if (settings_announce_commit && requests >= ANNOUNCED_REQUESTS)
		ereport(INFO,
				(errcode(ERRCODE_COMMIT_NEXT),
				 errmsg_internal("the call is carried out, and its commit is next"),
				 errhidestmt(true), errhidecontext(true)));
}

static Datum
answer_call(FunctionCallInfo fcinfo, BundleReader read)
{
	Call		call;
	Submission *submissions;

	begin_call(&call, fcinfo);
	submissions = palloc0(Max(call.count, 1) * sizeof(Submission));
	for (int n = 0; n < call.count; n++)
		take_request(&submissions[n], &call, n, read);
	answer_rehearsed(submissions, call.count, call.now);
	submit_batch(submissions, call.count, call.now);
	for (int n = 0; n < call.count; n++)
	{
		if (!call.callers[n].known)
			refuse_unknown(&submissions[n], call.now);
		put_answer(fcinfo, &call.callers[n], &submissions[n]);
	}
	SPI_finish();
	announce_commit(call.count);
	return (Datum) 0;
}

/* rxtrack_http.submit(scope, credential[], request_id[], parameters[], body[]) */
PG_FUNCTION_INFO_V1(endpoint_submit);
Datum
endpoint_submit(PG_FUNCTION_ARGS)
{
	return answer_call(fcinfo, fhir_bundle_read);
}

/* rxtrack_http.format_1(scope, credential[], request_id[], parameters[], body[]) */
PG_FUNCTION_INFO_V1(endpoint_format_1);
Datum
endpoint_format_1(PG_FUNCTION_ARGS)
{
	return answer_call(fcinfo, format_1_read);
}
