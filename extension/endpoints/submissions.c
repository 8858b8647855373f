/*
 * submissions.c
 *		A batch of submissions: each request with its own caller, request id and
 *		answer, all of them judged and stored in one transaction.
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "endpoints/call.h"
#include "endpoints/rehearsal.h"
#include "endpoints/submissions.h"
#include "settings.h"

/* The SQLSTATE of the message; gateway/database/link.c knows it too. */
#define ERRCODE_COMMIT_NEXT MAKE_SQLSTATE('R', 'X', '0', '0', '1')

/* Smaller calls are not worth a message. */
#define ANNOUNCED_REQUESTS 4

/* A message goes out at once; the rows are sent with the commit. */
static void
announce_commit(const EndpointCall *call)
{
	if (settings_announce_commit && call->count >= ANNOUNCED_REQUESTS)
		ereport(INFO,
				(errcode(ERRCODE_COMMIT_NEXT),
				 errmsg_internal("the call is carried out, and its commit is next"),
				 errhidestmt(true), errhidecontext(true)));
}

/* Reads the request of a caller who may submit, and answers one who is known and may not. */
static void
take_request(Submission *submission, const EndpointCall *call, int n, BundleReader read)
{
	const Caller *caller = &call->callers[n];
	Bundle	   *bundle;

	if (!caller->known)
		return;
	submission->application_id = caller->application_id;
	if (!caller->granted)
	{
		submission_fault(submission, call->now, 403, "forbidden", CALL_NO_SCOPE);
		return;
	}
	bundle = submission_read(call->body_null[n] ? NULL : DatumGetByteaPP(call->body[n]), read, call->now);
	submission_take(submission, bundle, call->request_id_null[n] ? NULL : DatumGetTextPP(call->request_id[n]));
	if (caller->ods_codes != NULL)
	{
		int			count;
		OdsCode    *codes = call_pharmacies(caller, &count);

		bundle_restrict(bundle, codes, count);
	}
}

/* To a caller who is not known the answer is a bare OperationOutcome, not a Bundle. */
static void
put_answer(EndpointCall *call, int n, const Submission *submission)
{
	EndpointAnswer answer = {
		.status = submission->status,
		.headers = submission->headers,
		.body = submission->answer
	};

	if (!call->callers[n].known)
		call_admits(&answer, &call->callers[n], call->now);
	call_put(call, n, &answer);
}

Datum
submissions_answer(FunctionCallInfo fcinfo, BundleReader read)
{
	EndpointCall *call = call_begin(fcinfo);
	Submission *submissions = palloc0(Max(call->count, 1) * sizeof(Submission));

	for (int n = 0; n < call->count; n++)
	{
		initStringInfo(&submissions[n].answer);
		take_request(&submissions[n], call, n, read);
	}
	rehearsal_answer(submissions, call->count, call->now);
	submit_batch(submissions, call->count, call->now);
	for (int n = 0; n < call->count; n++)
		put_answer(call, n, &submissions[n]);
	call_end();
	announce_commit(call);
	return (Datum) 0;
}
