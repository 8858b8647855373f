/*
 * judge_batch.c
 *		Judging a batch: in memory, on top of the locked rows, one submission after
 *		the other.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "settings.h"
#include "updates/judge.h"
#include "updates/judge_batch.h"

static bool
is_same_update(const Update *a, const Update *b)
{
	return memcmp(&a->task_id, &b->task_id, sizeof(Uuid)) == 0 &&
		memcmp(&a->prescription_id, &b->prescription_id, sizeof(PrescriptionId)) == 0 &&
		memcmp(&a->line_item_id, &b->line_item_id, sizeof(Uuid)) == 0 &&
		a->nhs_number == b->nhs_number && a->ods_code == b->ods_code &&
		a->status == b->status && a->completed == b->completed &&
		a->last_modified == b->last_modified && a->repeat_number == b->repeat_number &&
		a->post_dated == b->post_dated && a->post_dated_set_at == b->post_dated_set_at;
}

/* Was this very entry stored by this very request, as far as the entry can tell? */
static bool
is_retried(const Entry *entry)
{
	const TaskState *task = entry->task;
	const Acceptance *acceptance = &entry->acceptance;

	return task->stored &&
		task->application_id == acceptance->application_id &&
		memcmp(&task->request_id, &acceptance->request_id, sizeof(Uuid)) == 0 &&
		task->request_entries == acceptance->request_entries &&
		is_same_update(&task->update, acceptance->update);
}

/* A retry is told what the first one was, whatever the rules say of it now. */
static void
recall_judgement(Entry *entry)
{
	entry->fate = FATE_RETRIED;
	entry->acceptance.kind = entry->task->kind;
	entry->from = entry->task->from;
}

/*
 * Looks at tasks that are stored already; returns whether there are any.  Only
 * the same request with the same entries, all of them, is a retry.
 */
static bool
find_repeated(Submission *submission)
{
	int			retried = 0;
	int			stored = 0;

	for (int i = 0; i < submission->bundle->count; i++)
	{
		Entry	   *entry = &submission->entries[i];

		entry->fate = FATE_STORED;
		if (!entry->task->stored)
			continue;
		stored++;
		entry->fate = FATE_CONFLICT;
		retried += is_retried(entry);
	}
	if (stored == 0)
		return false;
	submission->status = retried == submission->bundle->count ? 201 : 409;
	if (submission->status == 201)
		for (int i = 0; i < submission->bundle->count; i++)
			recall_judgement(&submission->entries[i]);
	return true;
}

/* Is it the first of an item that these parties are told in? */
static bool
introduces_parties(const ItemState *item, const Acceptance *acceptance)
{
	return item->receipts == 0 ||
		item->parties.application_id != acceptance->application_id ||
		item->parties.nhs_number != acceptance->update->nhs_number ||
		item->parties.ods_code != acceptance->update->ods_code;
}

/* Lets an update change what is known of its item. */
static void
accept_update(Entry *entry)
{
	ItemState  *item = entry->item;
	const Update *update = entry->acceptance.update;
	Assertion	assertion = {
		.status = update->status,
		.post_dated = update->post_dated,
		.asserted_at = update_asserted_at(update),
		.takes_effect_at = update->last_modified
	};

	entry->acceptance.item = item;
	entry->acceptance.introduces = introduces_parties(item, &entry->acceptance);
	entry->acceptance.receipt = assertion.receipt = ++item->receipts;
	item_learn(item, &assertion);
	if (entry->acceptance.kind != TRANSITION_LATE)
	{
		item->newest = assertion;
		item->parties.application_id = entry->acceptance.application_id;
		item->parties.nhs_number = update->nhs_number;
		item->parties.ods_code = update->ods_code;
		item->newest_accepted = &entry->acceptance;
	}
}

static void
undo_update(Entry *entry)
{
	ItemState  *item = entry->item;

	item->receipts = entry->before.receipts;
	item->newest = entry->before.newest;
	item->parties = entry->before.parties;
	item->newest_accepted = entry->before.newest_accepted;
	item->known_count = entry->before.known_count;
}

/* Judges all entries of a bundle, in order; returns whether the rules allow them all. */
static bool
judge_entries(Submission *submission, int64 now)
{
	bool		allowed = true;

	for (int i = 0; i < submission->bundle->count; i++)
	{
		Entry	   *entry = &submission->entries[i];
		Acceptance *acceptance = &entry->acceptance;

		entry->before = *entry->item;
		entry->from = entry->item->newest.status;
		acceptance->kind = judge_update(entry->item, acceptance->update, now, &acceptance->changes_status);
		if (acceptance->kind == TRANSITION_UNEXPECTED && settings_transition_policy == TRANSITION_POLICY_ENFORCE)
		{
			entry->fate = FATE_REFUSED;
			allowed = false;
		}
		else
			accept_update(entry);
	}
	return allowed;
}

static void
remember_tasks(Submission *submission)
{
	for (int i = 0; i < submission->bundle->count; i++)
	{
		TaskState  *task = submission->entries[i].task;

		task->stored = true;
		task->application_id = submission->application_id;
		task->request_id = submission->request_id;
		task->request_entries = submission->bundle->count;
		task->kind = submission->entries[i].acceptance.kind;
		task->from = submission->entries[i].from;
		task->update = *submission->entries[i].acceptance.update;
	}
}

static void
judge_submission(Submission *submission, int64 now)
{
	if (find_repeated(submission))
		return;
	if (judge_entries(submission, now))
	{
		submission->status = 201;
		remember_tasks(submission);
		return;
	}
	submission->status = 422;
	for (int i = submission->bundle->count - 1; i >= 0; i--)
		undo_update(&submission->entries[i]);
}

bool
judge_batch(Batch *batch)
{
	store_lock_items(batch->item_table, batch->items, batch->item_count, batch->now);
	/* what others have asserted while we waited for their locks has begun */
	batch->now = GetCurrentTimestamp();
	for (int i = 0; i < batch->task_count; i++)
		batch->tasks[i].stored = false;
	if (batch->tasks_known)
		store_find_tasks(batch->tasks, batch->task_count);
	for (int i = 0; i < batch->count; i++)
	{
		judge_submission(batch->submissions[i], batch->now);
		if (batch->submissions[i]->status == 422 && !batch->tasks_known)
			return false;
	}
	return true;
}
