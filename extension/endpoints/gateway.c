/*
 * gateway.c
 *		The common frame of the functions that the HTTP gateway calls.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "endpoints/gateway.h"
#include "wire/outcome.h"

#ifdef __GLIBC__
#include <malloc.h>

#define KEPT_BYTES (8 * 1024 * 1024)
#endif

/*
 * A large call takes a megabyte or two.  glibc gives that back to the system at its end, and the
 * next one has it mapped anew, page by page, which cost a third of its time.  So a session that
 * serves a gateway keeps what it has, unless more than that is free at the end of its heap.
 */
static void
keep_memory(void)
{
#ifdef __GLIBC__
	static bool done = false;

	if (!done)
	{
		mallopt(M_MMAP_THRESHOLD, KEPT_BYTES / 2);
		mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
		done = true;
	}
#endif
}

/* The SQLSTATE of the message; gateway/link.c has it too. */
#define ERRCODE_COMMIT_NEXT MAKE_SQLSTATE('R', 'X', '0', '0', '1')

/* Smaller calls are not worth a message. */
#define ANNOUNCED_REQUESTS 4

static bool announces_commit = false;

void
gateway_init(void)
{
	DefineCustomBoolVariable("rxtrack.announce_commit",
							 "Tells the client, before a gateway call of submissions is committed, that its commit is next.",
							 "For the gateway, which has the next call follow by then: the session need not wait for it.",
							 &announces_commit, false, PGC_USERSET, 0, NULL, NULL, NULL);
}

/* A message goes out at once, before the rows, which wait for the commit. */
void
gateway_announce_commit(const GatewayCall *call)
{
	if (announces_commit && call->count >= ANNOUNCED_REQUESTS)
		ereport(INFO,
				(errcode(ERRCODE_COMMIT_NEXT),
				 errmsg_internal("the call is carried out, and its commit is next"),
				 errhidestmt(true), errhidecontext(true)));
}

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

static void
begin_rows(GatewayCall *call, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context;

	if (result == NULL || !IsA(result, ReturnSetInfo) || !(result->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a set of rows cannot be returned here")));
	context = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &call->columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "a gateway function must return rows");
	call->columns = CreateTupleDescCopy(call->columns);
	call->rows = tuplestore_begin_heap(true, false, work_mem);
	result->returnMode = SFRM_Materialize;
	result->setResult = call->rows;
	result->setDesc = call->columns;
	MemoryContextSwitchTo(context);
}

GatewayCall *
gateway_begin(FunctionCallInfo fcinfo)
{
	GatewayCall *call = palloc0(sizeof(GatewayCall));

	keep_memory();
	call->scope = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	call->count = take_array(fcinfo, 1, BYTEAOID, &call->credential, &call->credential_null);
	if (take_array(fcinfo, 2, TEXTOID, &call->request_id, &call->request_id_null) != call->count ||
		take_array(fcinfo, 3, TEXTOID, &call->parameters, &call->parameters_null) != call->count ||
		take_array(fcinfo, 4, BYTEAOID, &call->body, &call->body_null) != call->count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the arrays of a gateway call must be of one length")));
	begin_rows(call, fcinfo);
	return call;
}

Caller *
gateway_callers(const GatewayCall *call)
{
	return callers_identify(call->credential, call->credential_null, call->count, call->scope);
}

/* The answer's own header lines, and for the gateway itself the rate that the caller may call at. */
static const char *
header_lines(const GatewayAnswer *answer)
{
	if (answer->caller == NULL || !answer->caller->known)
		return answer->headers;
	return psprintf("%sX-Rxtrack-Rate: %d\n", answer->headers == NULL ? "" : answer->headers,
					answer->caller->requests_per_minute);
}

void
gateway_put(GatewayCall *call, const GatewayAnswer *answer)
{
	const char *application = answer->caller == NULL ? NULL : answer->caller->name;
	const char *headers = header_lines(answer);
	Datum		values[4];
	bool		nulls[4] = {false, application == NULL, headers == NULL, false};

	values[0] = Int32GetDatum(answer->status);
	values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(application);
	values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum(headers);
	values[3] = PointerGetDatum(cstring_to_text_with_len(answer->body.data, answer->body.len));
	tuplestore_putvalues(call->rows, call->columns, values, nulls);
}

bool
gateway_admits(GatewayAnswer *answer, const Caller *caller, int64 now)
{
	static const Issue unknown = {
		.severity = "error", .code = "processing", .diagnostics = "The credential is not valid"
	};
	static const Issue forbidden = {
		.severity = "error", .code = "forbidden", .diagnostics = GATEWAY_NO_SCOPE
	};

	if (caller->known && caller->granted)
		return true;
	answer->status = caller->known ? 403 : 401;
	if (!caller->known)
		answer->headers = "WWW-Authenticate: Bearer realm=\"rxtrack\", error=\"invalid_token\"\n";
	outcome_append(&answer->body, now, caller->known ? &forbidden : &unknown);
	return false;
}

const JsonNode *
gateway_parameters(const GatewayCall *call, int n)
{
	const char *problem;
	text	   *parameters;

	if (call->parameters_null[n])
		return NULL;
	parameters = DatumGetTextPP(call->parameters[n]);
	return json_from_text(VARDATA_ANY(parameters), VARSIZE_ANY_EXHDR(parameters), &problem);
}

const JsonNode *
gateway_parameter(const JsonNode *parameters, const char *name)
{
	const JsonNode *node = json_member(parameters, name);

	return node != NULL && node->kind == JSON_NODE_STRING && node->length > 0 ? node : NULL;
}

void
gateway_faults(GatewayAnswer *answer, const FaultList *faults, int64 now)
{
	answer->status = 400;
	outcome_faults(&answer->body, now, faults, 0);
}

Datum
gateway_answer_each(FunctionCallInfo fcinfo, GatewayAnswerer answerer)
{
	GatewayCall *call = gateway_begin(fcinfo);
	TimestampTz now = GetCurrentTimestamp();
	Caller	   *callers;

	SPI_connect();
	callers = gateway_callers(call);
	for (int n = 0; n < call->count; n++)
	{
		GatewayAnswer answer = {.caller = &callers[n]};

		initStringInfo(&answer.body);
		if (gateway_admits(&answer, &callers[n], now))
			answerer(&answer, gateway_parameters(call, n), now);
		gateway_put(call, &answer);
	}
	SPI_finish();
	return (Datum) 0;
}
