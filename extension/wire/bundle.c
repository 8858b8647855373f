/*
 * bundle.c
 *		What the readers of both formats do alike, and the checks across entries.
 */
#include "compat.h"
#include "wire/bundle.h"
#include "wire/date_time.h"

#define AHEAD_LIMIT (24 * DATE_TIME_HOUR)

bool
bundle_is_valid(const Bundle *bundle)
{
	return bundle->faults.first == NULL && bundle->faulty == 0;
}

static bool
is_among(const OdsCode *codes, int count, OdsCode code)
{
	for (int i = 0; i < count; i++)
		if (codes[i] == code)
			return true;
	return false;
}

void
bundle_restrict(Bundle *bundle, const OdsCode *codes, int count)
{
	if (!bundle_is_valid(bundle))
		return;
	for (int i = 0; i < bundle->count; i++)
	{
		BundleEntry *entry = &bundle->entries[i];

		if (is_among(codes, count, entry->update.ods_code))
			continue;
		faults_add(&entry->faults, bundle->pharmacy_field,
				   "is a pharmacy that this application may not send updates for")->code = "forbidden";
		bundle->forbidden = true;
		bundle->faulty++;
	}
}

bool
bundle_make_room(Bundle *bundle, const char *field, const JsonNode *array)
{
	if (array->count > BUNDLE_MAX_ENTRIES)
	{
		faults_add(&bundle->faults, field,
				   psprintf("must not have more than %d entries", BUNDLE_MAX_ENTRIES))->code = "too-long";
		bundle->too_long = true;
		return false;
	}
	bundle->entries = palloc0(Max(array->count, 1) * sizeof(BundleEntry));
	return true;
}

/* By task id; equal ones in the order in which they stand in the bundle. */
static int
compare_task_ids(const void *a, const void *b)
{
	const BundleEntry *left = *(BundleEntry *const *) a;
	const BundleEntry *right = *(BundleEntry *const *) b;
	int			order = memcmp(&left->update.task_id, &right->update.task_id, sizeof(Uuid));

	return order != 0 ? order : (left > right) - (left < right);
}

/* The same task id twice in a bundle is a fault of the second. */
static void
check_repeated_task_ids(Bundle *bundle)
{
	BundleEntry **sorted = palloc(bundle->count * sizeof(BundleEntry *));
	int			count = 0;

	for (int i = 0; i < bundle->count; i++)
		if (bundle->entries[i].task_id_field != NULL)
			sorted[count++] = &bundle->entries[i];
	qsort(sorted, count, sizeof(BundleEntry *), compare_task_ids);
	for (int i = 1; i < count; i++)
		if (memcmp(&sorted[i - 1]->update.task_id, &sorted[i]->update.task_id, sizeof(Uuid)) == 0)
			faults_add(&sorted[i]->faults, sorted[i]->task_id_field, "must not be that of an earlier entry");
}

void
bundle_finish(Bundle *bundle)
{
	if (bundle->count > 1)
		check_repeated_task_ids(bundle);
	for (int i = 0; i < bundle->count; i++)
		if (bundle->entries[i].faults.first != NULL)
			bundle->faulty++;
}

void
bundle_check_ahead(FaultList *faults, const char *field, int64_t when, int64_t now)
{
	if (when > now + AHEAD_LIMIT)
		faults_add(faults, field, "must not be more than 24 hours ahead");
}
