/*
 * gateway_submit.c
 *		POST / and POST /format-1: a batch of submissions.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/timestamp.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "wire/format_1.h"
#include "endpoints/gateway.h"
#include "endpoints/rehearsal.h"
#include "updates/submit.h"
#include "types/types.h"

/* Without a known caller the answer is a bare OperationOutcome, not a Bundle. */
static bool
is_admitted(Submission *submission, const Caller *caller, int64 now)
{
	if (!caller->known)
		return false;
	submission->application_id = caller->application_id;
	if (!caller->granted)
		submission_fault(submission, now, 403, "forbidden", GATEWAY_NO_SCOPE);
	return caller->granted;
}

/* Its faults are the bundle's too, so that they come with all the others. */
static void
take_request_id(Submission *submission, Bundle *bundle, const GatewayCall *call, int n)
{
	text	   *id;

	if (call->request_id_null[n])
	{
		fault_add(&bundle->faults, REQUEST_ID_FIELD, "is missing");
		return;
	}
	id = DatumGetTextPP(call->request_id[n]);
	if (uuid_parse(VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id), &submission->request_id) != NULL)
		fault_add(&bundle->faults, REQUEST_ID_FIELD, "must be a UUID");
}

static void
restrict_bundle(Bundle *bundle, const Caller *caller)
{
	Datum	   *values;
	OdsCode    *codes;
	int			count;

	if (caller->ods_codes == NULL)
		return;
	deconstruct_array(caller->ods_codes, ARR_ELEMTYPE(caller->ods_codes), sizeof(OdsCode), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &values, NULL, &count);
	codes = palloc(Max(count, 1) * sizeof(OdsCode));
	for (int i = 0; i < count; i++)
		codes[i] = DatumGetOdsCode(values[i]);
	bundle_restrict(bundle, codes, count);
}

static void
take_request(Submission *submission, const GatewayCall *call, int n, const Caller *caller,
			 BundleReader read, int64 now)
{
	bytea	   *body = call->body_null[n] ? NULL : DatumGetByteaPP(call->body[n]);
	Bundle	   *bundle = submission_read(body, read, now);

	take_request_id(submission, bundle, call, n);
	restrict_bundle(bundle, caller);
	submission->bundle = bundle;
}

static void
put_answer(GatewayCall *call, const Submission *submission, const Caller *caller, int64 now)
{
	GatewayAnswer answer = {
		.status = submission->status,
		.caller = caller,
		.headers = submission->headers,
		.body = submission->answer
	};

	if (!caller->known)
		gateway_admits(&answer, caller, now);
	gateway_put(call, &answer);
}

static Datum
submit_call(FunctionCallInfo fcinfo, BundleReader read)
{
	GatewayCall *call = gateway_begin(fcinfo);
	Submission *submissions = palloc0(Max(call->count, 1) * sizeof(Submission));
	TimestampTz now = GetCurrentTimestamp();
	Caller	   *callers;

	SPI_connect();
	callers = gateway_callers(call);
	for (int n = 0; n < call->count; n++)
	{
		initStringInfo(&submissions[n].answer);
		if (is_admitted(&submissions[n], &callers[n], now))
			take_request(&submissions[n], call, n, &callers[n], read, now);
	}
	rehearse(submissions, call->count, now);
	submit_batch(submissions, call->count, now);
	for (int n = 0; n < call->count; n++)
		put_answer(call, &submissions[n], &callers[n], now);
	SPI_finish();
	gateway_announce_commit(call);
	return (Datum) 0;
}

/* rxtrack.gateway_submit(scope, credential[], request_id[], parameters[], body[]) */
PG_FUNCTION_INFO_V1(gateway_submit);
Datum
gateway_submit(PG_FUNCTION_ARGS)
{
	return submit_call(fcinfo, bundle_validate);
}

/* rxtrack.gateway_format_1(scope, credential[], request_id[], parameters[], body[]) */
PG_FUNCTION_INFO_V1(gateway_format_1);
Datum
gateway_format_1(PG_FUNCTION_ARGS)
{
	return submit_call(fcinfo, format_1_read);
}
