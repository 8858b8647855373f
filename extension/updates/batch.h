/*
 * batch.h
 *		The submissions of a batch, with the items and tasks that they name, each
 *		once and in the order of locking.
 */
#ifndef RXTRACK_BATCH_H
#define RXTRACK_BATCH_H

#include "postgres.h"

#include "updates/store.h"
#include "updates/submit.h"

/* What became of one entry. */
typedef enum Fate
{
	FATE_STORED,				/* or it will be, with the rest of its bundle */
	FATE_RETRIED,				/* it was stored before, by this same request */
	FATE_CONFLICT,				/* its task is stored, and is not this */
	FATE_REFUSED				/* by the transition rules */
} Fate;

/* One entry of one submission, while it is judged. */
typedef struct Entry
{
	ItemState  *item;
	TaskState  *task;
	Fate		fate;
	BusinessStatus from;		/* where its item stood, if it stood */
	Acceptance	acceptance;		/* what will be stored */
	ItemState	before;			/* its item, to undo the judgement */
} Entry;

typedef struct Batch
{
	int64		now;
	Submission **submissions;	/* those that have something to store */
	int			count;
	Entry	   *entries;		/* of all of them, in order */
	int			entry_count;
	ItemState  *items;			/* distinct, by prescription and line item */
	int			item_count;
	TaskState  *tasks;			/* distinct, by prescription and task */
	int			task_count;
	bool		tasks_known;	/* have stored tasks been looked up? */
	Access	   *item_table;		/* while an attempt is under way */
} Batch;

#pragma GCC visibility push(hidden)

/* Gathers the submissions whose bundles are valid and not empty. */
extern Batch *batch_make(Submission *submissions, int count, int64 now);

#pragma GCC visibility pop

#endif							/* RXTRACK_BATCH_H */
