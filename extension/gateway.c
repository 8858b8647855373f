/*
 * gateway.c
 *		What the HTTP gateway calls: a batch of requests in, an answer for each out.
 *
 * The gateway knows HTTP and nothing else; who calls, whether they may, and what
 * a body says is found out here.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "application.h"
#include "json.h"
#include "outcome.h"
#include "submit.h"

/* The arguments that every function for the gateway has, taken apart. */
typedef struct GatewayCall
{
	int			count;
	char	   *scope;			/* NULL: an open route */
	Datum	   *credential;
	bool	   *credential_null;
	Datum	   *request_id;
	bool	   *request_id_null;
	Datum	   *body;
	bool	   *body_null;
} GatewayCall;

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

static GatewayCall *
take_call(FunctionCallInfo fcinfo)
{
	GatewayCall *call = palloc0(sizeof(GatewayCall));

	call->scope = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	call->count = take_array(fcinfo, 1, BYTEAOID, &call->credential, &call->credential_null);
	if (take_array(fcinfo, 2, TEXTOID, &call->request_id, &call->request_id_null) != call->count ||
		take_array(fcinfo, 4, BYTEAOID, &call->body, &call->body_null) != call->count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the arrays of a gateway call must be of one length")));
	return call;
}

/* ---------- Results ---------- */

static Tuplestorestate *
begin_results(FunctionCallInfo fcinfo, TupleDesc *columns)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context;
	Tuplestorestate *rows;

	if (result == NULL || !IsA(result, ReturnSetInfo) || !(result->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a set of rows cannot be returned here")));
	context = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "a gateway function must return rows");
	*columns = CreateTupleDescCopy(*columns);
	rows = tuplestore_begin_heap(true, false, work_mem);
	result->returnMode = SFRM_Materialize;
	result->setResult = rows;
	result->setDesc = *columns;
	MemoryContextSwitchTo(context);
	return rows;
}

static void
put_result(Tuplestorestate *rows, TupleDesc columns, const Submission *submission, const Caller *caller)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};

	values[0] = Int32GetDatum(submission->status);
	nulls[1] = !caller->known;
	if (caller->known)
		values[1] = CStringGetTextDatum(caller->name);
	nulls[2] = submission->status != 401;
	if (submission->status == 401)
		values[2] = CStringGetTextDatum("WWW-Authenticate: Bearer realm=\"rxtrack\", error=\"invalid_token\"\n");
	values[3] = PointerGetDatum(cstring_to_text_with_len(submission->answer.data, submission->answer.len));
	tuplestore_putvalues(rows, columns, values, nulls);
}

/* ---------- POST / ---------- */

/* Without a known caller the answer is a bare OperationOutcome, not a Bundle. */
static bool
is_admitted(Submission *submission, const Caller *caller, int64 now)
{
	if (caller->known && caller->granted)
	{
		submission->application_id = caller->application_id;
		return true;
	}
	if (caller->known)
		submission_fault(submission, now, 403, "forbidden", "The credential does not have the scope that this needs");
	else
	{
		static const Issue unknown = {
			.severity = "error", .code = "processing", .diagnostics = "The credential is not valid"
		};

		submission->status = 401;
		outcome_append(&submission->answer, now, &unknown);
	}
	return false;
}

static bool
take_request_id(Submission *submission, const GatewayCall *call, int n, int64 now)
{
	text	   *id;

	if (call->request_id_null[n])
	{
		submission_fault(submission, now, 400, "value", "X-Request-ID is missing");
		return false;
	}
	id = DatumGetTextPP(call->request_id[n]);
	if (uuid_parse(VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id), &submission->request_id) != NULL)
	{
		submission_fault(submission, now, 400, "value", "X-Request-ID must be a UUID");
		return false;
	}
	return true;
}

static void
take_bundle(Submission *submission, const GatewayCall *call, int n, int64 now)
{
	bytea	   *body = call->body_null[n] ? NULL : DatumGetByteaPP(call->body[n]);
	const char *problem = NULL;
	JsonNode   *document = body == NULL ? NULL :
		json_from_text(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &problem);

	if (problem != NULL)
		submission_fault(submission, now, 400, "value", psprintf("The body is not JSON: %s", problem));
	else
		submission->bundle = bundle_validate(document, now);
}

/* rxtrack.gateway_submit(scope, credential[], request_id[], parameters[], body[]) */
PG_FUNCTION_INFO_V1(gateway_submit);
Datum
gateway_submit(PG_FUNCTION_ARGS)
{
	TupleDesc	columns;
	Tuplestorestate *rows = begin_results(fcinfo, &columns);
	GatewayCall *call = take_call(fcinfo);
	Submission *submissions = palloc0(Max(call->count, 1) * sizeof(Submission));
	TimestampTz now = GetCurrentTimestamp();
	Caller	   *callers;

	SPI_connect();
	callers = callers_identify(call->credential, call->credential_null, call->count, call->scope);
	for (int n = 0; n < call->count; n++)
	{
		Submission *submission = &submissions[n];

		initStringInfo(&submission->answer);
		if (is_admitted(submission, &callers[n], now) && take_request_id(submission, call, n, now))
			take_bundle(submission, call, n, now);
	}
	submit_batch(submissions, call->count, now);
	for (int n = 0; n < call->count; n++)
		put_result(rows, columns, &submissions[n], &callers[n]);
	SPI_finish();
	return (Datum) 0;
}
