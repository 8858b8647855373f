/*
 * judge.c
 *		Judging a batch: in memory, one submission after the other.
 *
 * Two times of an update matter: when it was asserted decides which one is the newest; when it takes
 * effect decides from when on it counts.  Neither is later than its receipt, but for the effect of a
 * post-dated one: a clock that runs ahead makes nothing come true later, and nothing after it late.
 */
#include "postgres.h"

#include "settings.h"
#include "tables/transitions.h"
#include "updates/batch.h"

/* ---------- One update ---------- */

static Assertion
make_assertion(const Entry *entry)
{
	const Update *update = entry->update;

	return (Assertion)
	{
		.status = update->status,
			.completed = update->completed,
			.post_dated = update->post_dated,
			.application_id = entry->submission->application_id,
			.asserted_at = Min(update_asserted_at(update), entry->judged.received_at),
			.last_modified = update->last_modified
	};
}

/* Is an assertion, the one received last, newer than another, if there is another? */
static bool
is_newer(const Assertion *last, const Assertion *other)
{
	if (other->status == 0)
		return true;
	if (last->asserted_at != other->asserted_at)
		return last->asserted_at > other->asserted_at;
	return last->last_modified >= other->last_modified;
}

/* Does a late assertion count for nothing?  It counts only while the newest has yet to begin, as the newest plain one. */
static bool
is_overtaken(const SupplyState *state, const Assertion *assertion, int64 received_at)
{
	return assertion->post_dated || assertion_takes_effect_at(&state->newest) <= received_at ||
		!is_newer(assertion, &state->plain);
}

/*
 * Does the supply become an assertion's status by it, having been something else before?  One that has yet to
 * begin will follow the newest plain one, since it replaces any other prediction.
 */
static bool
changes_status(const SupplyState *state, const Assertion *assertion, int64 received_at)
{
	const Assertion *before = assertion_takes_effect_at(assertion) > received_at ?
		&state->plain : supply_assertion_at(state, received_at);

	return before == NULL || before->status != assertion->status;
}

static BusinessStatus
find_status(const SupplyState *state, int64 moment)
{
	const Assertion *assertion = supply_assertion_at(state, moment);

	return assertion == NULL ? 0 : assertion->status;
}

/* Says what kind an update is, given where its supply stands, and what becomes of the status by it. */
static void
judge_update(Entry *entry, const Assertion *assertion)
{
	const SupplyState *state = &entry->supply->state;
	Judgement  *judged = &entry->judged;

	judged->from = state->newest.status;
	entry->was = find_status(state, judged->received_at);
	entry->plain = state->plain.status;
	entry->takes_effect_at = assertion_takes_effect_at(assertion);
	if (state->receipts == 0)
		judged->kind = TRANSITION_FIRST;
	else if (is_newer(assertion, &state->newest))
		judged->kind = transitions_judge(state->newest.status, assertion->status);
	else
		judged->kind = TRANSITION_LATE;
	entry->is_newest = judged->kind != TRANSITION_LATE;
	judged->warned = judged->kind == TRANSITION_UNEXPECTED && settings_transition_policy == TRANSITION_POLICY_WARN;
	judged->overtaken = judged->kind == TRANSITION_LATE && is_overtaken(state, assertion, judged->received_at);
	judged->changes_status = !judged->overtaken && changes_status(state, assertion, judged->received_at);
}

/* How many updates of a supply an application has sent. */
static int
count_updates(const Supply *supply, int application_id)
{
	int			count = 0;

	if (supply->state.application_id == application_id)
		return supply->state.own_receipts;
	for (const Party *party = supply->parties; party != NULL; party = party->next)
		if (party->application_id == application_id)
			count += party->updates;
	return count;
}

/* What stands in the way of storing an update, if anything does. */
static Fate
find_fate(const Entry *entry)
{
	Supply	   *supply = entry->supply;
	int			application_id = entry->submission->application_id;

	if (entry->judged.kind == TRANSITION_UNEXPECTED && settings_transition_policy == TRANSITION_POLICY_ENFORCE)
		return FATE_UNEXPECTED;
	if (supply->state.receipts == 0 &&
		batch_share(supply->prescription, application_id)->supplies >= settings_supplies_per_prescription)
		return FATE_TOO_MANY_SUPPLIES;
	if (supply->state.receipts >= settings_updates_per_supply &&
		count_updates(supply, application_id) >= settings_updates_per_supply)
		return FATE_TOO_MANY_UPDATES;
	return FATE_STORED;
}

/* How many updates of a supply in which an application has named a patient; its parties are known where it has named others. */
static int
count_naming(const Supply *supply, int application_id, NhsNumber nhs_number)
{
	bool		is_own_pair = supply->state.application_id == application_id && supply->state.nhs_number == nhs_number;
	int			count = is_own_pair ? supply->state.own_receipts : 0;

	for (const Party *party = supply->parties; party != NULL; party = party->next)
	{
		if (party->application_id != application_id)
			continue;
		if (is_own_pair)
			count -= party->updates;
		else if (party->nhs_number == nhs_number)
			count = party->updates;
	}
	return count;
}

/*
 * Notes whom an update names.  The prescription is the patient's that its first update names.  One that
 * names another is stored, and shown to nobody as that patient's; and where the application that named the
 * patient contradicts itself, nobody can say whose it is until that is settled (S4).
 */
static void
accept_patient(Entry *entry)
{
	Supply	   *supply = entry->supply;
	SupplyState *state = &supply->state;
	PrescriptionState *prescription = &supply->prescription->state;
	int			application_id = entry->submission->application_id;
	NhsNumber	named = entry->update->nhs_number;

	if (!prescription->known)
		*prescription = (PrescriptionState)
		{
			.known = true, .nhs_number = named, .is_of_application = true, .application_id = application_id
		};
	entry->judged.other_patient = named != prescription->nhs_number;
	if (entry->judged.other_patient)
	{
		state->in_conflict = true;
		prescription->hidden |= application_id == prescription->application_id &&
			count_naming(supply, application_id, prescription->nhs_number) > 0;
	}
	if (state->receipts == 0)
	{
		state->application_id = application_id;
		state->nhs_number = named;
	}
	else if (!entry->judged.other_patient && state->nhs_number != named)
	{
		NhsNumber	first_named = state->nhs_number;
		int			count = count_naming(supply, state->application_id, first_named);

		state->nhs_number = named;
		batch_party(supply, state->application_id, first_named)->updates = count;
	}
}

/* Lets an update change where its supply stands. */
static void
accept_update(Entry *entry, const Assertion *assertion)
{
	Supply	   *supply = entry->supply;
	SupplyState *state = &supply->state;
	int			application_id = entry->submission->application_id;
	Party	   *party;

	accept_patient(entry);
	if (state->receipts == 0)
		batch_share(supply->prescription, application_id)->supplies++;
	party = batch_party(supply, application_id, entry->update->nhs_number);
	if (party != NULL)
		party->updates++;
	entry->judged.receipt = ++state->receipts;
	state->own_receipts += application_id == state->application_id;
	state->received_at = entry->judged.received_at;
	if (entry->judged.receipt == 1 || assertion->asserted_at < state->began_at)
	{
		state->began_at = assertion->asserted_at;
		state->began_received_at = entry->judged.received_at;
	}
	if (!assertion->post_dated && is_newer(assertion, &state->plain))
		state->plain = *assertion;
	if (entry->is_newest)
	{
		state->newest = *assertion;
		state->newest_entry = entry;
	}
	entry->becomes = find_status(state, entry->judged.received_at);
}

static void
undo_update(Entry *entry)
{
	Supply	   *supply = entry->supply;
	Party	   *party = batch_party(supply, entry->submission->application_id, entry->update->nhs_number);

	if (party != NULL)
		party->updates--;
	if (entry->before.receipts == 0)
		batch_share(supply->prescription, entry->submission->application_id)->supplies--;
	else if (supply->state.nhs_number != entry->before.nhs_number)
		batch_party(supply, entry->before.application_id, entry->before.nhs_number)->updates = 0;
	supply->state = entry->before;
	supply->prescription->state = entry->prescription_before;
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
		a->last_modified == b->last_modified && a->issue_number == b->issue_number &&
		a->post_dated == b->post_dated && a->post_dated_set_at == b->post_dated_set_at;
}

/* What the same task being stored makes of an entry. */
static Fate
find_repetition(const Entry *entry)
{
	const Task *task = entry->task;
	const Submission *submission = entry->submission;

	if (task->application_id != submission->application_id || !is_same_update(&task->update, entry->update))
		return FATE_CONFLICT;
	if (submission->bundle->tasks_are_content)
		return FATE_ALREADY_STORED;
	if (memcmp(&task->request_id, &submission->request_id, sizeof(Uuid)) != 0 ||
		task->request_entries != submission->bundle->count)
		return FATE_CONFLICT;
	return FATE_RETRIED;
}

/*
 * Looks at tasks that are stored already.  Only the same request with the same entries, all of them, is a
 * retry.  Returns whether that decides about the submission.
 */
static bool
find_repeated(Submission *submission)
{
	int			counts[FATE_CONFLICT + 1] = {0};

	for (int i = 0; i < submission->bundle->count; i++)
	{
		Entry	   *entry = &submission->entries[i];

		entry->fate = entry->task->stored ? find_repetition(entry) : FATE_STORED;
		counts[entry->fate]++;
	}
	if (counts[FATE_STORED] == submission->bundle->count)
		return false;
	if (counts[FATE_RETRIED] == submission->bundle->count)
	{
		/* a retry is told what the first one was, whatever the rules say of it now */
		submission->status = 201;
		for (int i = 0; i < submission->bundle->count; i++)
			submission->entries[i].judged = submission->entries[i].task->judged;
		return true;
	}
	for (int i = 0; i < submission->bundle->count; i++)
		if (submission->entries[i].fate == FATE_RETRIED)
			submission->entries[i].fate = FATE_CONFLICT;
	if (counts[FATE_RETRIED] + counts[FATE_CONFLICT] > 0)
		submission->status = 409;
	else if (counts[FATE_STORED] == 0)
		submission->status = 202;
	else
		return false;
	return true;
}

/* Judges the entries of a bundle that are not stored, in order; returns whether they all may be. */
static bool
judge_entries(Submission *submission, int64 now)
{
	bool		allowed = true;

	for (int i = 0; i < submission->bundle->count; i++)
	{
		Entry	   *entry = &submission->entries[i];
		Assertion	assertion;

		if (entry->fate != FATE_STORED)
			continue;
		entry->before = entry->supply->state;
		entry->prescription_before = entry->supply->prescription->state;
		/* a server's clock that is set back makes nobody late */
		entry->judged.received_at = Max(now, entry->before.received_at);
		assertion = make_assertion(entry);
		judge_update(entry, &assertion);
		entry->fate = find_fate(entry);
		if (entry->fate == FATE_STORED)
			accept_update(entry, &assertion);
		else
			allowed = false;
	}
	return allowed;
}

static void
remember_tasks(Submission *submission)
{
	for (int i = 0; i < submission->bundle->count; i++)
	{
		const Entry *entry = &submission->entries[i];
		Task	   *task = entry->task;

		if (entry->fate != FATE_STORED)
			continue;
		task->stored = true;
		task->application_id = submission->application_id;
		task->request_id = submission->request_id;
		task->request_entries = submission->bundle->count;
		task->judged = entry->judged;
		task->update = *entry->update;
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
		if (submission->entries[i].fate == FATE_STORED)
			undo_update(&submission->entries[i]);
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
