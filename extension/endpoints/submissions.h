/*
 * submissions.h
 *		What POST / and POST /format-1 have in common.
 */
#ifndef RXTRACK_SUBMISSIONS_H
#define RXTRACK_SUBMISSIONS_H

#include "postgres.h"
#include "fmgr.h"

#include "updates/submit.h"

/* A whole endpoint: submits a batch of requests, whose bodies the reader makes bundles of. */
extern Datum submissions_answer(FunctionCallInfo fcinfo, BundleReader read);

#endif							/* RXTRACK_SUBMISSIONS_H */
