/*
 * batch.c
 *		Gathering a batch: which items and tasks do its entries name?
 */
#include "postgres.h"

#include "updates/batch.h"

static int
compare_by_item(const void *a, const void *b)
{
	const Update *left = (*(Entry *const *) a)->acceptance.update;
	const Update *right = (*(Entry *const *) b)->acceptance.update;
	int			order = memcmp(&left->prescription_id, &right->prescription_id, sizeof(PrescriptionId));

	return order != 0 ? order : memcmp(&left->line_item_id, &right->line_item_id, sizeof(Uuid));
}

static int
compare_by_task(const void *a, const void *b)
{
	const Update *left = (*(Entry *const *) a)->acceptance.update;
	const Update *right = (*(Entry *const *) b)->acceptance.update;
	int			order = memcmp(&left->prescription_id, &right->prescription_id, sizeof(PrescriptionId));

	return order != 0 ? order : memcmp(&left->task_id, &right->task_id, sizeof(Uuid));
}

static void
find_items(Batch *batch, Entry **sorted)
{
	qsort(sorted, batch->entry_count, sizeof(Entry *), compare_by_item);
	batch->items = palloc0(batch->entry_count * sizeof(ItemState));
	for (int i = 0; i < batch->entry_count; i++)
	{
		const Update *update = sorted[i]->acceptance.update;

		if (i == 0 || compare_by_item(&sorted[i - 1], &sorted[i]) != 0)
		{
			ItemState  *item = &batch->items[batch->item_count++];

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
	batch->tasks = palloc0(batch->entry_count * sizeof(TaskState));
	for (int i = 0; i < batch->entry_count; i++)
	{
		const Update *update = sorted[i]->acceptance.update;

		if (i == 0 || compare_by_task(&sorted[i - 1], &sorted[i]) != 0)
		{
			TaskState  *task = &batch->tasks[batch->task_count++];

			task->prescription_id = update->prescription_id;
			task->task_id = update->task_id;
		}
		sorted[i]->task = &batch->tasks[batch->task_count - 1];
	}
}

bool
submission_is_valid(const Submission *submission)
{
	return submission->bundle != NULL && submission->bundle->count > 0 && bundle_is_valid(submission->bundle);
}

static void
add_entries(Batch *batch, Submission *submission)
{
	submission->entries = &batch->entries[batch->entry_count];
	for (int i = 0; i < submission->bundle->count; i++)
	{
		Acceptance *acceptance = &batch->entries[batch->entry_count++].acceptance;

		acceptance->update = &submission->bundle->entries[i].update;
		acceptance->application_id = submission->application_id;
		acceptance->request_id = submission->request_id;
		acceptance->request_entries = submission->bundle->count;
	}
}

Batch *
batch_make(Submission *submissions, int count, int64 now)
{
	Batch	   *batch = palloc0(sizeof(Batch));
	int			entry_count = 0;
	Entry	  **sorted;

	batch->now = now;
	batch->submissions = palloc(Max(count, 1) * sizeof(Submission *));
	for (int i = 0; i < count; i++)
	{
		if (!submission_is_valid(&submissions[i]))
			continue;
		batch->submissions[batch->count++] = &submissions[i];
		entry_count += submissions[i].bundle->count;
	}
	if (entry_count == 0)
		return batch;
	batch->entries = palloc0(entry_count * sizeof(Entry));
	for (int i = 0; i < batch->count; i++)
		add_entries(batch, batch->submissions[i]);
	sorted = palloc(entry_count * sizeof(Entry *));
	for (int i = 0; i < entry_count; i++)
		sorted[i] = &batch->entries[i];
	find_items(batch, sorted);
	find_tasks(batch, sorted);
	return batch;
}
