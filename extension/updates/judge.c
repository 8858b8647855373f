/*
 * judge.c
 *		Judging a batch: in memory, one submission after the other.
 *
 * Two times of an update matter: when it was asserted decides which one is the newest; when it takes
 * effect decides from when on it counts.
 */
#include "postgres.h"

#include "settings.h"
#include "updates/judge.h"
#include "updates/transitions.h"

/* ---------- One update ---------- */

/* Of equal times, the one received later wins. */
static bool
is_newer(const Assertion *a, const Assertion *b)
{
	return a->asserted_at > b->asserted_at ||
		(a->asserted_at == b->asserted_at && a->receipt > b->receipt);
}

/*
 * The assertion that says an item's status at a time: the newest that has begun by then.  Of post-dated
 * ones only the item's newest assertion may count; prediction is that one, or NULL where it does not.
 */
static const Assertion *
assertion_at(const LineItem *item, const Assertion *prediction, int64 time)
{
	const Assertion *best = NULL;

	for (int i = 0; i < item->state.known_count; i++)
	{
		const Assertion *candidate = &item->known[i];

		if (candidate->takes_effect_at > time || (candidate->post_dated && candidate != prediction))
			continue;
		if (best == NULL || is_newer(candidate, best))
			best = candidate;
	}
	return best;
}

static const Assertion *
newest_of(const LineItem *item)
{
	const Assertion *newest = NULL;

	for (int i = 0; i < item->state.known_count; i++)
		if (newest == NULL || is_newer(&item->known[i], newest))
			newest = &item->known[i];
	return newest;
}

/*
 * Whether an update that is newer than all others changes its item's status: from the one that the item
 * would have without it when it takes effect, or has now, where it took effect before.  A prediction that it
 * replaces counts only if it has begun by now: otherwise it never will.
 */
static bool
newest_changes_status(const LineItem *item, const Update *update, int64 now)
{
	const Assertion *newest = newest_of(item);
	bool		has_begun = newest != NULL && newest->takes_effect_at <= now;
	const Assertion *before = assertion_at(item, has_begun ? newest : NULL, Max(update->last_modified, now));

	return before == NULL || before->status != update->status;
}

/*
 * Whether a late update, which is not the newest, changes its item's status.  It does where nothing newer
 * holds when it takes effect, or now, where it took effect before; a post-dated one never does, as a
 * newer assertion has replaced it.
 */
static bool
late_changes_status(const LineItem *item, const Update *update, int64 now)
{
	const Assertion *before = assertion_at(item, newest_of(item), Max(update->last_modified, now));

	if (update->post_dated)
		return false;
	if (before == NULL)
		return true;
	return before->asserted_at <= update->last_modified && before->status != update->status;
}

/* What kind an update is, given where its item stands, and whether it changes the item's status. */
static TransitionKind
judge_update(const LineItem *item, const Update *update, int64 now, bool *changes_status)
{
	if (item->state.receipts == 0)
	{
		*changes_status = true;
		return TRANSITION_FIRST;
	}
	if (update_asserted_at(update) < item->state.newest.asserted_at)
	{
		*changes_status = late_changes_status(item, update, now);
		return TRANSITION_LATE;
	}
	*changes_status = newest_changes_status(item, update, now);
	return transitions_judge(item->state.newest.status, update->status);
}

/* ---------- A submission ---------- */

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
	const Task *task = entry->task;
	const Submission *submission = entry->submission;

	return task->application_id == submission->application_id &&
		memcmp(&task->request_id, &submission->request_id, sizeof(Uuid)) == 0 &&
		task->request_entries == submission->bundle->count &&
		is_same_update(&task->update, entry->update);
}

/* A retry is told what the first one was, whatever the rules say of it now. */
static void
recall_judgement(Entry *entry)
{
	entry->fate = FATE_RETRIED;
	entry->kind = entry->task->kind;
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

/* Lets an update change what is known of its item. */
static void
accept_update(Entry *entry)
{
	LineItem   *item = entry->item;
	ItemState  *state = &item->state;
	const Update *update = entry->update;
	int			application_id = entry->submission->application_id;
	Assertion	assertion = {
		.status = update->status,
		.post_dated = update->post_dated,
		.asserted_at = update_asserted_at(update),
		.takes_effect_at = update->last_modified
	};

	entry->introduces = state->receipts == 0 || state->application_id != application_id ||
		state->nhs_number != update->nhs_number || state->ods_code != update->ods_code;
	entry->receipt = assertion.receipt = ++state->receipts;
	batch_learn(item, &assertion);
	if (entry->kind == TRANSITION_LATE)
		return;
	state->newest = assertion;
	state->application_id = application_id;
	state->nhs_number = update->nhs_number;
	state->ods_code = update->ods_code;
	state->completed = update->completed;
	state->newest_changed = true;
}

/* Judges all entries of a bundle, in order; returns whether the rules allow them all. */
static bool
judge_entries(Submission *submission, int64 now)
{
	bool		allowed = true;

	for (int i = 0; i < submission->bundle->count; i++)
	{
		Entry	   *entry = &submission->entries[i];

		entry->before = entry->item->state;
		entry->from = entry->item->state.newest.status;
		entry->kind = judge_update(entry->item, entry->update, now, &entry->changes_status);
		if (entry->kind == TRANSITION_UNEXPECTED && settings_transition_policy == TRANSITION_POLICY_ENFORCE)
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
		Task	   *task = submission->entries[i].task;

		task->stored = true;
		task->application_id = submission->application_id;
		task->request_id = submission->request_id;
		task->request_entries = submission->bundle->count;
		task->kind = submission->entries[i].kind;
		task->from = submission->entries[i].from;
		task->update = *submission->entries[i].update;
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
		submission->entries[i].item->state = submission->entries[i].before;
}

bool
judge_batch(Batch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		judge_submission(batch->submissions[i], batch->now);
		if (batch->submissions[i]->status == 422 && !batch->tasks_known)
			return false;
	}
	return true;
}
