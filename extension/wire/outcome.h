/*
 * outcome.h
 *		Answers, as FHIR has them: OperationOutcomes and transaction-responses.
 */
#ifndef RXTRACK_OUTCOME_H
#define RXTRACK_OUTCOME_H

#include "postgres.h"
#include "lib/stringinfo.h"

#include "wire/bundle.h"

/* One issue of an OperationOutcome. */
typedef struct Issue
{
	const char *severity;		/* error, warning, information */
	const char *code;			/* a code of FHIR's issue-type */
	const char *diagnostics;	/* a sentence for a person */
	const char *expression;		/* FHIRPath of the faulty element; NULL: none */
	const char *http_error;		/* code of the system http-error-codes; NULL: none */
} Issue;

#pragma GCC visibility push(hidden)

/* {"resourceType": "OperationOutcome", ...} with a single issue. */
extern void outcome_append(StringInfo out, int64 now, const Issue *issue);

/* Pieces of an OperationOutcome with any number of issues. */
extern void outcome_begin(StringInfo out, int64 now);
extern void outcome_issue(StringInfo out, const Issue *issue);
extern void outcome_end(StringInfo out);

/*
 * A whole one with an issue for each fault.  Where they are faults of a bundle's
 * entry, index tells of which.
 */
extern void outcome_faults(StringInfo out, int64 now, const FaultList *faults, int index);

/* A transaction-response Bundle; an empty one is begun and ended. */
extern void response_begin(StringInfo out);
extern void response_end(StringInfo out);

/*
 * One entry of it, whose outcome follows between begin and end.  http_status is
 * "201 Created"; full_url and task_id (Location) may be NULL.
 */
extern void response_entry_begin(StringInfo out, const char *full_url,
								 const char *http_status, const Uuid *task_id);
extern void response_entry_end(StringInfo out);

/* A whole response of one entry that stands for no entry of the request. */
extern void response_of_one(StringInfo out, int64 now, const char *http_status, const Issue *issue);

/* "201 Created" */
extern const char *http_status_line(int status);

#pragma GCC visibility pop

#endif							/* RXTRACK_OUTCOME_H */
