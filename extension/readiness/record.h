/*
 * record.h
 *		Recording readiness events with the updates by which supplies become ready, or are no longer.
 */
#ifndef RXTRACK_RECORD_H
#define RXTRACK_RECORD_H

#include "postgres.h"

#include "types/update.h"

/* An update by which a supply's status becomes another, at once or later. */
typedef struct StatusChange
{
	const Update *update;
	int32		receipt;		/* its place among the supply's */
	int32		application_id; /* whose assertion the status is */
	bool		post_dated;		/* is that a prediction? */
	NhsNumber	nhs_number;		/* the prescription's patient, */
	bool		in_conflict;	/* and whether updates disagree about that */
	int64		received_at;
	int64		occurs_at;		/* later than received_at: a prediction that has yet to begin */
	BusinessStatus was;			/* 0: none */
	BusinessStatus becomes;		/* 0: none */
	bool		withdraws;		/* takes back a status that was ready, as a correction does, and not collecting */
	bool		is_replaced;	/* by a newer update that came with it: a prediction that will never begin */
} StatusChange;

/* A supply whose newest assertion was a prediction, which has begun or will never, when other updates of it come. */
typedef struct Prediction
{
	const Update *update;		/* one of these; names the supply */
	NhsNumber	nhs_number;		/* whom updates of the supply name */
	BusinessStatus was;			/* where it stood without the prediction; 0: nowhere */
	bool		has_begun;		/* when they came; else one of them replaces it */
	int64		received_at;	/* when they came */
} Prediction;

/*
 * Keeps a promise pending only while its prediction is the supply's newest assertion, and nothing was
 * received since it began: one that has begun becomes an event that is due; one that never will is cancelled.
 * The supplies' rows are locked.
 */
extern void record_predictions(const Prediction *predictions, int count);

/* Records an event for each change to a ready status, or from one that is taken back; the updates are stored. */
extern void record_changes(const StatusChange *changes, int count);

#endif							/* RXTRACK_RECORD_H */
