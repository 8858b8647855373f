/*
 * store.c
 *		Reading and writing the tables of items and updates.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "tables/access.h"
#include "tables/catalog.h"
#include "tables/statement.h"
#include "readiness/readiness.h"
#include "updates/store.h"
#include "types/types.h"

/* The columns of rxtrack.item, as sql/updates/updates.sql has them. */
enum
{
	ITEM_PRESCRIPTION_ID = 1,
	ITEM_STATUS,
	ITEM_COMPLETED,
	ITEM_NHS_NUMBER,
	ITEM_LINE_ITEM_ID,
	ITEM_ODS_CODE,
	ITEM_ASSERTED_AT,
	ITEM_TAKES_EFFECT_AT,
	ITEM_APPLICATION_ID,
	ITEM_RECEIPTS,
	ITEM_POST_DATED,
	ITEM_COLUMNS = ITEM_POST_DATED
};

static Statement select_statuses_before = {
	.sql = "SELECT k.place, u.before FROM (SELECT s.prescription_id, s.task_id, lag(s.status)"
	"  OVER (PARTITION BY s.prescription_id, s.line_item_id ORDER BY s.receipt) AS before"
	"  FROM rxtrack.status_update s WHERE s.prescription_id = ANY ($1) AND s.kind <> 'late') AS u"
	" JOIN unnest($1, $2, $3) AS k (prescription_id, task_id, place) USING (prescription_id, task_id)"
	" WHERE u.before IS NOT NULL",
	.argument_count = 3,
	.arguments = {&catalog_prescription_id, &catalog_uuid, &catalog_integer}
};

static Datum
column(Access *access, int number)
{
	bool		isnull;

	return access_column(access, number, &isnull);
}

static void
copy_uuid(Uuid *to, Datum from)
{
	memcpy(to, DatumGetPointer(from), sizeof(Uuid));
}

/* ---------- Items ---------- */

void
item_learn(ItemState *item, const Assertion *assertion)
{
	if (item->known_count == item->known_room)
	{
		item->known_room = Max(4, item->known_room * 2);
		item->known = item->known == NULL ?
			palloc(item->known_room * sizeof(Assertion)) :
			repalloc(item->known, item->known_room * sizeof(Assertion));
	}
	item->known[item->known_count++] = *assertion;
}

/* Is its newest assertion one that does not count yet? */
static bool
has_yet_to_begin(const ItemState *item, int64 now)
{
	return item->stored && item->newest.takes_effect_at > now;
}

/* What an update in the table says about its item's status. */
static Assertion
read_assertion(Access *updates)
{
	bool		is_punctual;
	Datum		set_at = access_column(updates, UPDATE_POST_DATED_SET_AT, &is_punctual);
	Datum		last_modified = column(updates, UPDATE_LAST_MODIFIED);

	return (Assertion)
	{
		.status = DatumGetBusinessStatus(column(updates, UPDATE_STATUS)),
			.post_dated = !is_punctual,
			.receipt = DatumGetInt32(column(updates, UPDATE_RECEIPT)),
			.asserted_at = DatumGetTimestampTz(is_punctual ? last_modified : set_at),
			.takes_effect_at = DatumGetTimestampTz(last_modified)
	};
}

static int
compare_line_items(const void *line_item_id, const void *item)
{
	return memcmp(line_item_id, &((const ItemState *) item)->line_item_id, sizeof(Uuid));
}

/* Of items of one prescription, those that have yet to begin. */
static void
learn_prescription(Access *updates, ItemState *items, int count, int64 now)
{
	Datum		key = PrescriptionIdGetDatum(&items[0].prescription_id);

	access_search(updates, &key, 1);
	while (access_next(updates))
	{
		ItemState  *item = bsearch(DatumGetPointer(column(updates, UPDATE_LINE_ITEM_ID)), items, count,
								   sizeof(ItemState), compare_line_items);
		Assertion	assertion;

		if (item == NULL || !has_yet_to_begin(item, now))
			continue;
		assertion = read_assertion(updates);
		item_learn(item, &assertion);
	}
}

/*
 * An item whose newest assertion has yet to begin stands where an older one put
 * it, so that these have to be known as well: all updates of its prescription
 * are looked through, once for all of its items.
 */
static void
learn_older_assertions(ItemState *items, int count, int64 now)
{
	Access	   *updates = NULL;
	int			next;

	for (int i = 0; i < count; i = next)
	{
		bool		needed = false;

		for (next = i; next < count && memcmp(&items[next].prescription_id, &items[i].prescription_id,
											  sizeof(PrescriptionId)) == 0; next++)
			needed |= has_yet_to_begin(&items[next], now);
		if (!needed)
			continue;
		if (updates == NULL)
			updates = access_open("status_update");
		learn_prescription(updates, &items[i], next - i, now);
	}
	if (updates != NULL)
		access_close(updates);
}

/* Takes over what the row that was found says. */
static void
read_item(ItemState *item, Access *items)
{
	item->stored = true;
	item->place = access_place(items);
	item->receipts = item->receipts_stored = DatumGetInt32(column(items, ITEM_RECEIPTS));
	item->newest.receipt = 0;	/* whichever it was, it is before those to come */
	item->newest.status = DatumGetBusinessStatus(column(items, ITEM_STATUS));
	item->newest.post_dated = DatumGetBool(column(items, ITEM_POST_DATED));
	item->newest.asserted_at = DatumGetTimestampTz(column(items, ITEM_ASSERTED_AT));
	item->newest.takes_effect_at = DatumGetTimestampTz(column(items, ITEM_TAKES_EFFECT_AT));
	item->parties.application_id = DatumGetInt32(column(items, ITEM_APPLICATION_ID));
	item->parties.nhs_number = DatumGetNhsNumber(column(items, ITEM_NHS_NUMBER));
	item->parties.ods_code = DatumGetOdsCode(column(items, ITEM_ODS_CODE));
}

Access *
store_open_items(void)
{
	return access_open("item");
}

void
store_lock_items(Access *access, ItemState *items, int count, int64 now)
{
	for (int i = 0; i < count; i++)
	{
		ItemState  *item = &items[i];
		Datum		key[2] = {PrescriptionIdGetDatum(&item->prescription_id), PointerGetDatum(&item->line_item_id)};

		item->stored = false;
		item->receipts = item->receipts_stored = 0;
		item->known_count = 0;
		item->newest_accepted = NULL;
		if (!access_find(access, key, 2, true))
			continue;
		read_item(item, access);
		if (!has_yet_to_begin(item, now))
			item_learn(item, &item->newest);
	}
	learn_older_assertions(items, count, now);
}

static void
write_item(Access *access, const ItemState *item)
{
	const Acceptance *newest = item->newest_accepted;
	Datum		values[ITEM_COLUMNS];
	bool		nulls[ITEM_COLUMNS] = {false};

	values[ITEM_PRESCRIPTION_ID - 1] = PrescriptionIdGetDatum(&item->prescription_id);
	values[ITEM_LINE_ITEM_ID - 1] = PointerGetDatum(&item->line_item_id);
	values[ITEM_STATUS - 1] = BusinessStatusGetDatum(newest->update->status);
	values[ITEM_COMPLETED - 1] = BoolGetDatum(newest->update->completed);
	values[ITEM_NHS_NUMBER - 1] = NhsNumberGetDatum(newest->update->nhs_number);
	values[ITEM_ODS_CODE - 1] = OdsCodeGetDatum(newest->update->ods_code);
	values[ITEM_ASSERTED_AT - 1] = TimestampTzGetDatum(item->newest.asserted_at);
	values[ITEM_TAKES_EFFECT_AT - 1] = TimestampTzGetDatum(item->newest.takes_effect_at);
	values[ITEM_APPLICATION_ID - 1] = Int32GetDatum(newest->application_id);
	values[ITEM_RECEIPTS - 1] = Int32GetDatum(item->receipts);
	values[ITEM_POST_DATED - 1] = BoolGetDatum(item->newest.post_dated);
	if (item->stored)
		access_update(access, &item->place, values, nulls, ITEM_COLUMNS);
	else
		access_insert(access, values, nulls, ITEM_COLUMNS);
}

/* An item that only got late updates stays as it is, but for their count. */
static void
count_receipts(Access *access, const ItemState *item)
{
	Datum		key[2] = {PrescriptionIdGetDatum(&item->prescription_id), PointerGetDatum(&item->line_item_id)};
	Datum		values[ITEM_COLUMNS];
	bool		nulls[ITEM_COLUMNS];

	if (!access_find(access, key, 2, true))
		elog(ERROR, "a locked item is gone");
	for (int i = 0; i < ITEM_COLUMNS; i++)
		values[i] = access_column(access, i + 1, &nulls[i]);
	values[ITEM_RECEIPTS - 1] = Int32GetDatum(item->receipts);
	access_update(access, &item->place, values, nulls, ITEM_COLUMNS);
}

static void
write_items(Access *access, ItemState *items, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (items[i].newest_accepted != NULL)
			write_item(access, &items[i]);
		else if (items[i].receipts > items[i].receipts_stored)
			count_receipts(access, &items[i]);
	}
}

/* ---------- Tasks and updates ---------- */

static TransitionKind
transition_kind_of(Oid label)
{
	const Oid  *kinds = catalog_get()->transition_kinds;
	int			kind = 0;

	while (kind < TRANSITION_KIND_COUNT - 1 && kinds[kind] != label)
		kind++;
	return (TransitionKind) kind;
}

static void
read_task(TaskState *task, Access *updates)
{
	Update	   *update = &task->update;
	bool		isnull;
	Datum		value;

	task->stored = true;
	task->application_id = DatumGetInt32(column(updates, UPDATE_APPLICATION_ID));
	copy_uuid(&task->request_id, column(updates, UPDATE_REQUEST_ID));
	task->request_entries = DatumGetInt16(column(updates, UPDATE_REQUEST_ENTRIES));
	task->kind = transition_kind_of(DatumGetObjectId(column(updates, UPDATE_KIND)));
	update->task_id = task->task_id;
	update->prescription_id = task->prescription_id;
	copy_uuid(&update->line_item_id, column(updates, UPDATE_LINE_ITEM_ID));
	update->nhs_number = DatumGetNhsNumber(column(updates, UPDATE_NHS_NUMBER));
	update->ods_code = DatumGetOdsCode(column(updates, UPDATE_ODS_CODE));
	update->status = DatumGetBusinessStatus(column(updates, UPDATE_STATUS));
	update->completed = DatumGetBool(column(updates, UPDATE_COMPLETED));
	update->last_modified = DatumGetTimestampTz(column(updates, UPDATE_LAST_MODIFIED));
	value = access_column(updates, UPDATE_POST_DATED_SET_AT, &isnull);
	update->post_dated = !isnull;
	update->post_dated_set_at = isnull ? 0 : DatumGetTimestampTz(value);
	value = access_column(updates, UPDATE_REPEAT_NUMBER, &isnull);
	update->repeat_number = isnull ? 0 : DatumGetInt32(value);
}

/*
 * Where items stood when unexpected updates of them came: at what the one before
 * said that was not late.
 */
static void
find_statuses_before(TaskState *tasks, int count)
{
	Datum	   *prescriptions = palloc(count * sizeof(Datum));
	Datum	   *task_ids = palloc(count * sizeof(Datum));
	Datum	   *places = palloc(count * sizeof(Datum));
	Datum		arguments[3];
	int			unexpected = 0;

	for (int i = 0; i < count; i++)
	{
		if (!tasks[i].stored || tasks[i].kind != TRANSITION_UNEXPECTED)
			continue;
		prescriptions[unexpected] = PrescriptionIdGetDatum(&tasks[i].prescription_id);
		task_ids[unexpected] = PointerGetDatum(&tasks[i].task_id);
		places[unexpected++] = Int32GetDatum(i);
	}
	if (unexpected == 0)
		return;
	arguments[0] = statement_array(&catalog_prescription_id, prescriptions, NULL, unexpected);
	arguments[1] = statement_array(&catalog_uuid, task_ids, NULL, unexpected);
	arguments[2] = statement_array(&catalog_integer, places, NULL, unexpected);
	statement_execute(&select_statuses_before, arguments);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool		isnull;
		int			place = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &isnull));

		tasks[place].from = DatumGetBusinessStatus(SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 2, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
}

void
store_find_tasks(TaskState *tasks, int count)
{
	Access	   *updates = access_open("status_update");

	for (int i = 0; i < count; i++)
	{
		Datum		key[2] = {PrescriptionIdGetDatum(&tasks[i].prescription_id), PointerGetDatum(&tasks[i].task_id)};

		if (access_find(updates, key, 2, false))
			read_task(&tasks[i], updates);
	}
	access_close(updates);
	find_statuses_before(tasks, count);
}

static void
write_update(Access *updates, const Acceptance *acceptance)
{
	const Update *update = acceptance->update;
	Datum		values[UPDATE_COLUMNS];
	bool		nulls[UPDATE_COLUMNS] = {false};

	values[UPDATE_PRESCRIPTION_ID - 1] = PrescriptionIdGetDatum(&update->prescription_id);
	values[UPDATE_STATUS - 1] = BusinessStatusGetDatum(update->status);
	values[UPDATE_COMPLETED - 1] = BoolGetDatum(update->completed);
	values[UPDATE_NHS_NUMBER - 1] = NhsNumberGetDatum(update->nhs_number);
	values[UPDATE_TASK_ID - 1] = PointerGetDatum(&update->task_id);
	values[UPDATE_LINE_ITEM_ID - 1] = PointerGetDatum(&update->line_item_id);
	values[UPDATE_REQUEST_ID - 1] = PointerGetDatum(&acceptance->request_id);
	values[UPDATE_ODS_CODE - 1] = OdsCodeGetDatum(update->ods_code);
	values[UPDATE_LAST_MODIFIED - 1] = TimestampTzGetDatum(update->last_modified);
	values[UPDATE_RECEIVED_AT - 1] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	values[UPDATE_APPLICATION_ID - 1] = Int32GetDatum(acceptance->application_id);
	values[UPDATE_RECEIPT - 1] = Int32GetDatum(acceptance->receipt);
	values[UPDATE_KIND - 1] = ObjectIdGetDatum(catalog_get()->transition_kinds[acceptance->kind]);
	values[UPDATE_CHANGES_STATUS - 1] = BoolGetDatum(acceptance->changes_status);
	values[UPDATE_INTRODUCES - 1] = BoolGetDatum(acceptance->introduces);
	values[UPDATE_REQUEST_ENTRIES - 1] = Int16GetDatum(acceptance->request_entries);
	values[UPDATE_REPEAT_NUMBER - 1] = Int32GetDatum(update->repeat_number);
	nulls[UPDATE_REPEAT_NUMBER - 1] = update->repeat_number == 0;
	values[UPDATE_POST_DATED_SET_AT - 1] = TimestampTzGetDatum(update->post_dated_set_at);
	nulls[UPDATE_POST_DATED_SET_AT - 1] = !update->post_dated;
	access_insert(updates, values, nulls, UPDATE_COLUMNS);
}

static int
compare_acceptances(const void *a, const void *b)
{
	const Update *left = (*(Acceptance *const *) a)->update;
	const Update *right = (*(Acceptance *const *) b)->update;
	int			order = memcmp(&left->prescription_id, &right->prescription_id, sizeof(PrescriptionId));

	return order != 0 ? order : memcmp(&left->task_id, &right->task_id, sizeof(Uuid));
}

void
store_write(Access *access, Acceptance **acceptances, int count, ItemState *items, int item_count)
{
	Access	   *updates;

	write_items(access, items, item_count);
	access_close(access);
	updates = access_open("status_update");
	qsort(acceptances, count, sizeof(Acceptance *), compare_acceptances);
	for (int i = 0; i < count; i++)
		write_update(updates, acceptances[i]);
	access_close(updates);
	readiness_record(acceptances, count);
}
