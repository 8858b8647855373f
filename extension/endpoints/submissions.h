/*
 * submissions.h
 *		What POST / and POST /format-1 have in common.
 */
#ifndef RXTRACK_SUBMISSIONS_H
#define RXTRACK_SUBMISSIONS_H

#include "postgres.h"
#include "fmgr.h"

#include "updates/submit.h"

#pragma GCC visibility push(hidden)

/* A whole endpoint: submits a batch of requests, whose bodies the reader makes bundles of. */
extern Datum submissions_answer(FunctionCallInfo fcinfo, BundleReader read);

#pragma GCC visibility pop

#endif							/* RXTRACK_SUBMISSIONS_H */
