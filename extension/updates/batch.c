/*
 * batch.c
 *		Gathering a batch: which items and tasks do its entries name?
 */
#include "postgres.h"

#include "updates/batch.h"

static int
compare_by_item(const void *a, const void *b)
{
	const Update *left = (*(Entry *const *) a)->update;
	const Update *right = (*(Entry *const *) b)->update;
	int			order = memcmp(&left->prescription_id, &right->prescription_id, sizeof(PrescriptionId));

	return order != 0 ? order : memcmp(&left->line_item_id, &right->line_item_id, sizeof(Uuid));
}

static int
compare_by_task(const void *a, const void *b)
{
	const Update *left = (*(Entry *const *) a)->update;
	const Update *right = (*(Entry *const *) b)->update;
	int			order = memcmp(&left->prescription_id, &right->prescription_id, sizeof(PrescriptionId));

	return order != 0 ? order : memcmp(&left->task_id, &right->task_id, sizeof(Uuid));
}

static void
find_items(Batch *batch, Entry **sorted)
{
	qsort(sorted, batch->entry_count, sizeof(Entry *), compare_by_item);
	batch->items = palloc0(batch->entry_count * sizeof(LineItem));
	for (int i = 0; i < batch->entry_count; i++)
	{
		const Update *update = sorted[i]->update;

		if (i == 0 || compare_by_item(&sorted[i - 1], &sorted[i]) != 0)
		{
			LineItem   *item = &batch->items[batch->item_count++];

			item->prescription_id = update->prescription_id;
			item->line_item_id = update->line_item_id;
		}
		sorted[i]->item = &batch->items[batch->item_count - 1];
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

			task->prescription_id = update->prescription_id;
			task->task_id = update->task_id;
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
	find_items(batch, sorted);
	find_tasks(batch, sorted);
	pfree(sorted);
	return batch;
}

void
batch_learn(LineItem *item, const Assertion *assertion)
{
	if (item->state.known_count == item->known_room)
	{
		item->known_room = Max(4, item->known_room * 2);
		item->known = item->known == NULL ?
			palloc(item->known_room * sizeof(Assertion)) :
			repalloc(item->known, item->known_room * sizeof(Assertion));
	}
	item->known[item->state.known_count++] = *assertion;
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
