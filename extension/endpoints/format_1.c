/*
 * format_1.c
 *		POST /format-1: a message of Format 1, which stands for a Bundle.
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "endpoints/submissions.h"
#include "wire/format_1.h"

/* rxtrack_http.format_1(scope, credential[], request_id[], parameters[], body[]) */
PG_FUNCTION_INFO_V1(endpoint_format_1);
Datum
endpoint_format_1(PG_FUNCTION_ARGS)
{
	return submissions_answer(fcinfo, format_1_read);
}
