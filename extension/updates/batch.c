/*
 * batch.c
 *		Gathering a batch: which prescriptions, supplies and tasks do its entries name?
 */
#include "postgres.h"

#include "updates/batch.h"

static int
compare_by_prescription(const void *a, const void *b)
{
	return memcmp(&(*(Entry *const *) a)->update->prescription_id, &(*(Entry *const *) b)->update->prescription_id,
				  sizeof(PrescriptionId));
}

/* The order in which supplies are locked. */
static int
compare_by_supply(const void *a, const void *b)
{
	const Update *left = (*(Entry *const *) a)->update;
	const Update *right = (*(Entry *const *) b)->update;
	int			order = compare_by_prescription(a, b);

	if (order == 0)
		order = memcmp(&left->line_item_id, &right->line_item_id, sizeof(Uuid));
	if (order != 0)
		return order;
	if (left->issue_number != right->issue_number)
		return left->issue_number < right->issue_number ? -1 : 1;
	return left->ods_code == right->ods_code ? 0 : left->ods_code < right->ods_code ? -1 : 1;
}

static int
compare_by_task(const void *a, const void *b)
{
	int			order = compare_by_prescription(a, b);

	return order != 0 ? order : memcmp(&(*(Entry *const *) a)->update->task_id,
									   &(*(Entry *const *) b)->update->task_id, sizeof(Uuid));
}

static void
find_supplies(Batch *batch, Entry **sorted)
{
	qsort(sorted, batch->entry_count, sizeof(Entry *), compare_by_supply);
	batch->prescriptions = palloc0(batch->entry_count * sizeof(Prescription));
	batch->supplies = palloc0(batch->entry_count * sizeof(Supply));
	for (int i = 0; i < batch->entry_count; i++)
	{
		const Update *update = sorted[i]->update;

		if (i == 0 || compare_by_prescription(&sorted[i - 1], &sorted[i]) != 0)
			batch->prescriptions[batch->prescription_count++].prescription_id = update->prescription_id;
		if (i == 0 || compare_by_supply(&sorted[i - 1], &sorted[i]) != 0)
		{
			Supply	   *supply = &batch->supplies[batch->supply_count++];

			supply->prescription = &batch->prescriptions[batch->prescription_count - 1];
			supply->key = update_supply(update);
		}
		sorted[i]->supply = &batch->supplies[batch->supply_count - 1];
	}
}

static void
find_tasks(Batch *batch, Entry **sorted)
{
	qsort(sorted, batch->entry_count, sizeof(Entry *), compare_by_task);
	batch->tasks = palloc0(batch->entry_count * sizeof(Task));
	for (int i = 0; i < batch->entry_count; i++)
	{
		const Update *update = sorted[i]->update;

		if (i == 0 || compare_by_task(&sorted[i - 1], &sorted[i]) != 0)
		{
			Task	   *task = &batch->tasks[batch->task_count++];

			task->update.prescription_id = update->prescription_id;
			task->update.task_id = update->task_id;
		}
		sorted[i]->task = &batch->tasks[batch->task_count - 1];
	}
}

static void
add_submission(Batch *batch, Submission *submission)
{
	batch->submissions[batch->count++] = submission;
	submission->entries = &batch->entries[batch->entry_count];
	for (int i = 0; i < submission->bundle->count; i++)
	{
		Entry	   *entry = &batch->entries[batch->entry_count++];

		entry->submission = submission;
		entry->update = &submission->bundle->entries[i].update;
	}
}

Batch *
batch_make(Submission *submissions, int count, int64 now)
{
	Batch	   *batch = palloc0(sizeof(Batch));
	int			entry_count = 0;
	Entry	  **sorted;

	batch->now = now;
	for (int i = 0; i < count; i++)
		entry_count += submission_is_valid(&submissions[i]) ? submissions[i].bundle->count : 0;
	if (entry_count == 0)
		return batch;
	batch->submissions = palloc(count * sizeof(Submission *));
	batch->entries = palloc0(entry_count * sizeof(Entry));
	for (int i = 0; i < count; i++)
		if (submission_is_valid(&submissions[i]))
			add_submission(batch, &submissions[i]);
	sorted = palloc(entry_count * sizeof(Entry *));
	for (int i = 0; i < entry_count; i++)
		sorted[i] = &batch->entries[i];
	find_supplies(batch, sorted);
	find_tasks(batch, sorted);
	pfree(sorted);
	return batch;
}

void
batch_reset(Batch *batch)
{
	for (int i = 0; i < batch->prescription_count; i++)
		batch->prescriptions[i] = (Prescription) {.prescription_id = batch->prescriptions[i].prescription_id};
	for (int i = 0; i < batch->supply_count; i++)
	{
		Supply	   *supply = &batch->supplies[i];

		supply->stored = false;
		memset(&supply->before, 0, sizeof(SupplyState));
		memset(&supply->state, 0, sizeof(SupplyState));
		supply->parties = NULL;
	}
	for (int i = 0; i < batch->task_count; i++)
		batch->tasks[i].stored = false;
}

Share *
batch_share(Prescription *prescription, int application_id)
{
	Share	   *share = prescription->shares;

	while (share != NULL && share->application_id != application_id)
		share = share->next;
	if (share != NULL)
		return share;
	share = palloc0(sizeof(Share));
	share->application_id = application_id;
	share->next = prescription->shares;
	return prescription->shares = share;
}

Party *
batch_party(Supply *supply, int application_id, NhsNumber nhs_number)
{
	Party	   *party = supply->parties;

	if (supply->state.application_id == application_id && supply->state.nhs_number == nhs_number)
		return NULL;
	while (party != NULL && (party->application_id != application_id || party->nhs_number != nhs_number))
		party = party->next;
	if (party != NULL)
		return party;
	party = palloc0(sizeof(Party));
	party->supply = supply->key;
	party->application_id = application_id;
	party->nhs_number = nhs_number;
	party->next = supply->parties;
	return supply->parties = party;
}

int
batch_accepted(const Batch *batch, const Entry ***accepted)
{
	int			count = 0;

	*accepted = palloc(batch->entry_count * sizeof(Entry *));
	for (int i = 0; i < batch->entry_count; i++)
		if (batch->entries[i].submission->status == 201 && batch->entries[i].fate == FATE_STORED)
			(*accepted)[count++] = &batch->entries[i];
	qsort(*accepted, count, sizeof(Entry *), compare_by_task);
	return count;
}
