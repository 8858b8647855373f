/*
 * batch.h
 *		The submissions that are carried out together, with the items and tasks that they name, each
 *		once and in the order of locking.
 *
 * A batch is judged in memory, on top of the locked rows of its items, as if its submissions had come
 * one after the other.
 */
#ifndef RXTRACK_BATCH_H
#define RXTRACK_BATCH_H

#include "postgres.h"

#include "tables/rows.h"
#include "types/enums.h"
#include "updates/submission.h"

/* Something said about an item's status, without its details. */
typedef struct Assertion
{
	BusinessStatus status;
	bool		post_dated;
	int			receipt;		/* of equal times, the one received later wins */
	int64		asserted_at;
	int64		takes_effect_at;
} Assertion;

/* Where an item stands. */
typedef struct ItemState
{
	int			receipts;		/* how many updates it has; 0: none */
	Assertion	newest;			/* where it has one, */
	int			application_id; /* who said that, */
	NhsNumber	nhs_number;		/* of whom, */
	OdsCode		ods_code;		/* and where, */
	bool		completed;		/* and that nothing is left to do */
	bool		newest_changed; /* or is it as stored? */
	int			known_count;
} ItemState;

/* An item: what is locked and judged. */
typedef struct LineItem
{
	PrescriptionId prescription_id;
	Uuid		line_item_id;
	bool		stored;			/* has a row, which is locked */
	RowsPlace	place;			/* of that row */
	int			receipts_stored;	/* how many updates that row counts */
	ItemState	state;			/* as stored, and then as each accepted update leaves it */
	Assertion  *known;			/* those that matter to its status, in any order; state.known_count of them */
	int			known_room;
} LineItem;

/* A task of a prescription: by whom and how it was stored, if it was. */
typedef struct Task
{
	PrescriptionId prescription_id;
	Uuid		task_id;
	bool		stored;
	int			application_id;
	Uuid		request_id;
	int			request_entries;	/* how many the request had */
	TransitionKind kind;		/* what it was to its item, when it came */
	BusinessStatus from;		/* where that stood; known of an unexpected one */
	Update		update;
} Task;

/* What becomes of an entry. */
typedef enum Fate
{
	FATE_STORED,				/* or it will be, with the rest of its bundle */
	FATE_RETRIED,				/* it was stored before, by this same request */
	FATE_CONFLICT,				/* its task is stored, and is not this */
	FATE_REFUSED				/* by the transition rules */
} Fate;

/* One entry of one submission. */
typedef struct Entry
{
	const Submission *submission;
	const Update *update;
	LineItem   *item;
	Task	   *task;

	/* the judgement */
	Fate		fate;
	BusinessStatus from;		/* where its item stood, if it stood */
	int			receipt;		/* the item's first update has 1, and so on */
	TransitionKind kind;
	bool		changes_status;
	bool		introduces;		/* the item's first by this application for this patient at this pharmacy, or after another's */
	ItemState	before;			/* of its item, to undo the judgement */
} Entry;

typedef struct Batch
{
	int64		now;
	Submission **submissions;	/* those that have something to store */
	int			count;
	Entry	   *entries;		/* of all of them, in order */
	int			entry_count;
	LineItem   *items;			/* distinct, by prescription and line item */
	int			item_count;
	Task	   *tasks;			/* distinct, by prescription and task */
	int			task_count;
	bool		tasks_known;	/* have stored tasks been looked up? */
} Batch;

#pragma GCC visibility push(hidden)

/* Gathers the submissions whose bundles are valid and not empty. */
extern Batch *batch_make(Submission *submissions, int count, int64 now);

/* Adds what was said about an item to what is known of it. */
extern void batch_learn(LineItem *item, const Assertion *assertion);

/* The entries that are to be stored, by prescription and task; returns how many. */
extern int	batch_accepted(const Batch *batch, const Entry ***accepted);

#pragma GCC visibility pop

#endif							/* RXTRACK_BATCH_H */
