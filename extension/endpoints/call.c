/*
 * call.c
 *		The frame of an endpoint: arguments, callers, answers.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "endpoints/call.h"
#include "types/types.h"
#include "wire/outcome.h"

#define ANSWER_COLUMNS 7		/* of rxtrack_http.answer */

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

/* ---------- Arguments ---------- */

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

/* The tuplestore outlives the call, so it goes into the query's memory. */
static void
begin_rows(EndpointCall *call, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context;

	if (result == NULL || !IsA(result, ReturnSetInfo) || !(result->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a set of rows cannot be returned here")));
	context = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &call->columns) != TYPEFUNC_COMPOSITE ||
		call->columns->natts != ANSWER_COLUMNS)
		elog(ERROR, "an endpoint must return rxtrack_http.answer");
	call->columns = CreateTupleDescCopy(call->columns);
	call->rows = tuplestore_begin_heap(true, false, work_mem);
	result->returnMode = SFRM_Materialize;
	result->setResult = call->rows;
	result->setDesc = call->columns;
	MemoryContextSwitchTo(context);
}

EndpointCall *
call_begin(FunctionCallInfo fcinfo)
{
	EndpointCall *call = palloc0(sizeof(EndpointCall));

	call->now = GetCurrentTimestamp();
	call->scope = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	call->count = take_array(fcinfo, 1, BYTEAOID, &call->credential, &call->credential_null);
	if (take_array(fcinfo, 2, TEXTOID, &call->request_id, &call->request_id_null) != call->count ||
		take_array(fcinfo, 3, TEXTOID, &call->parameters, &call->parameters_null) != call->count ||
		take_array(fcinfo, 4, BYTEAOID, &call->body, &call->body_null) != call->count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the arrays of a gateway call must be of one length")));
	begin_rows(call, fcinfo);
	SPI_connect();
	use_kept_memory();
	call->callers = application_identify(call->credential, call->credential_null, call->count, call->scope);
	return call;
}

const JsonNode *
call_parameters(const EndpointCall *call, int n)
{
	const char *problem;
	text	   *parameters;

	if (call->parameters_null[n])
		return NULL;
	parameters = DatumGetTextPP(call->parameters[n]);
	return json_from_text(VARDATA_ANY(parameters), VARSIZE_ANY_EXHDR(parameters), &problem);
}

const JsonNode *
call_parameter(const JsonNode *parameters, const char *name)
{
	const JsonNode *node = json_member(parameters, name);

	return node != NULL && node->kind == JSON_NODE_STRING && node->length > 0 ? node : NULL;
}

/* ---------- Callers ---------- */

bool
call_admits(EndpointAnswer *answer, const Caller *caller, int64 now)
{
	static const OutcomeIssue unknown = {
		.severity = "error", .code = "processing", .diagnostics = "The credential is not valid"
	};
	static const OutcomeIssue forbidden = {
		.severity = "error", .code = "forbidden", .diagnostics = CALL_NO_SCOPE
	};

	if (caller->known && caller->granted)
		return true;
	answer->status = caller->known ? 403 : 401;
	if (!caller->known)
		answer->headers = "WWW-Authenticate: Bearer realm=\"rxtrack\", error=\"invalid_token\"\n";
	outcome_of_one(&answer->body, now, caller->known ? &forbidden : &unknown);
	return false;
}

OdsCode *
call_pharmacies(const Caller *caller, int *count)
{
	Datum	   *values;
	OdsCode    *codes;

	deconstruct_array(caller->ods_codes, ARR_ELEMTYPE(caller->ods_codes), sizeof(OdsCode), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &values, NULL, count);
	codes = palloc(Max(*count, 1) * sizeof(OdsCode));
	for (int i = 0; i < *count; i++)
		codes[i] = DatumGetOdsCode(values[i]);
	return codes;
}

/* ---------- Answers ---------- */

void
call_faults(EndpointAnswer *answer, const FaultList *faults, int64 now)
{
	answer->status = 400;
	outcome_of_faults(&answer->body, now, faults, 0);
}

void
call_put(EndpointCall *call, int n, const EndpointAnswer *answer)
{
	const Caller *caller = &call->callers[n];
	Datum		values[ANSWER_COLUMNS];
	bool		nulls[ANSWER_COLUMNS] = {
		false, !caller->known, answer->headers == NULL, false, !caller->known,
		!answer->streams, answer->stream_ods_codes == NULL
	};

	values[0] = Int32GetDatum(answer->status);
	values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(caller->name);
	values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum(answer->headers);
	values[3] = PointerGetDatum(cstring_to_text_with_len(answer->body.data, answer->body.len));
	values[4] = Int32GetDatum(caller->requests_per_minute);
	values[5] = Int64GetDatum(answer->stream_after);
	values[6] = PointerGetDatum(answer->stream_ods_codes);
	tuplestore_putvalues(call->rows, call->columns, values, nulls);
}

Datum
call_end(void)
{
	SPI_finish();
	return (Datum) 0;
}

Datum
call_answer_each(FunctionCallInfo fcinfo, EndpointFunction function)
{
	EndpointCall *call = call_begin(fcinfo);

	for (int n = 0; n < call->count; n++)
	{
		EndpointAnswer answer = {.status = 500};

		initStringInfo(&answer.body);
		if (call_admits(&answer, &call->callers[n], call->now))
			function(&answer, &call->callers[n], call_parameters(call, n), call->now);
		call_put(call, n, &answer);
	}
	return call_end();
}
