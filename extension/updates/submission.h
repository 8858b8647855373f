/*
 * submission.h
 *		One caller's request to store a bundle, and its answer.
 */
#ifndef RXTRACK_SUBMISSION_H
#define RXTRACK_SUBMISSION_H

#include "postgres.h"
#include "lib/stringinfo.h"

#include "wire/bundle.h"

/* Of a batch, each keeps its own answer and fails alone. */
typedef struct Submission
{
	/* what is asked; without a bundle, it has been answered already */
	int			application_id;
	Uuid		request_id;
	const Bundle *bundle;		/* validated */

	/* what is answered */
	int			status;			/* HTTP status */
	StringInfoData answer;		/* a transaction-response Bundle, begun empty */
	const char *headers;		/* further header lines; NULL: none */

	struct Entry *entries;		/* its part of the batch, while that is judged */
} Submission;

/* The bundle in a body of JSON, or its faults; NULL stands for a body that is not there. */
extern Bundle *submission_read(const struct varlena *body, BundleReader read, int64 now);

/*
 * Gives a submission its bundle and its request id (NULL: none), of which a fault is one of the bundle's, so
 * that it comes with all the others.
 */
extern void submission_take(Submission *submission, Bundle *bundle, const text *request_id);

/* Whether its bundle is valid and has entries: something to store. */
extern bool submission_is_valid(const Submission *submission);

/* Answers it, without a bundle, with a fault that belongs to no entry. */
extern void submission_fault(Submission *submission, int64 now, int status,
							 const char *code, const char *diagnostics);

/*
 * Judges, stores and answers a batch in the current transaction, as if its
 * members had come one after the other.  To be called inside SPI.  Raises 40001
 * where others store the same things again and again.
 */
extern void submit_batch(Submission *submissions, int count, int64 now);

#endif							/* RXTRACK_SUBMISSION_H */
