/*
 * submission.c
 *		Reading a request, and answering one that comes to nothing.
 */
#include "postgres.h"

#include "compat.h"
#include "updates/submission.h"
#include "wire/json.h"
#include "wire/response.h"

/* What a fault of the request id names. */
#define REQUEST_ID_FIELD "X-Request-ID"

Bundle *
submission_read(const struct varlena *body, BundleReader read, int64 now)
{
	const char *problem = NULL;
	const JsonNode *document = body == NULL ? NULL :
		json_from_text(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &problem);
	Bundle	   *unreadable;

	if (problem == NULL)
		return read(document, now);
	unreadable = palloc0(sizeof(Bundle));
	faults_add(&unreadable->faults, "The body", psprintf("is not JSON: %s", problem));
	return unreadable;
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

bool
submission_is_valid(const Submission *submission)
{
	return submission->bundle != NULL && submission->bundle->count > 0 && bundle_is_valid(submission->bundle);
}

void
submission_fault(Submission *submission, int64 now, int status, const char *code, const char *diagnostics)
{
	OutcomeIssue issue = {.severity = "error", .code = code, .diagnostics = diagnostics};

	submission->status = status;
	submission->bundle = NULL;
	response_of_one(&submission->answer, now, status, &issue);
}
