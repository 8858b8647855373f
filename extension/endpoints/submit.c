/*
 * submit.c
 *		POST /: a FHIR transaction Bundle of Tasks.
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "endpoints/submissions.h"
#include "wire/fhir_bundle.h"

/* rxtrack_http.submit(scope, credential[], request_id[], parameters[], body[]) */
PG_FUNCTION_INFO_V1(endpoint_submit);
Datum
endpoint_submit(PG_FUNCTION_ARGS)
{
	return submissions_answer(fcinfo, fhir_bundle_read);
}
