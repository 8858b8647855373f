/*
 * outcome.h
 *		FHIR's OperationOutcome: what an answer says, for programs and people.
 */
#ifndef RXTRACK_OUTCOME_H
#define RXTRACK_OUTCOME_H

#include "postgres.h"
#include "lib/stringinfo.h"

#include "wire/faults.h"

/* One issue in FHIR's sense: an error, a warning or an information. */
typedef struct OutcomeIssue
{
	const char *severity;		/* error, warning, information */
	const char *code;			/* of FHIR's issue-type */
	const char *diagnostics;	/* a sentence for a person */
	const char *expression;		/* FHIRPath of the faulty element; NULL: none */
	const char *http_error;		/* code of the system http-error-codes; NULL: none */
} OutcomeIssue;

/* How many faults an answer spells out: a body can hold ten thousands of them. */
#define OUTCOME_FAULTS_MAX 100

/* Appends an OperationOutcome of one or more issues: begin, add for each, end. */
extern void outcome_begin(StringInfo out, int64 now);
extern void outcome_add(StringInfo out, const OutcomeIssue *issue);
extern void outcome_end(StringInfo out);

/* Appends a whole one with a single issue. */
extern void outcome_of_one(StringInfo out, int64 now, const OutcomeIssue *issue);

/*
 * Appends a whole one with an issue for each fault; index: of which entry of a bundle
 * they are.  *spelled counts the faults that the answer has spelled out so far: beyond
 * OUTCOME_FAULTS_MAX one issue says how many more there are.
 */
extern void outcome_of_faults(StringInfo out, int64 now, const FaultList *faults, int index, int *spelled);

#endif							/* RXTRACK_OUTCOME_H */
