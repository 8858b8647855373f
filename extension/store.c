/*
 * store.c
 *		Reading and writing the tables, a batch of rows at a time.
 *
 * Each statement takes arrays, so that a request costs the same few executor
 * starts whether it brings one update or a thousand.  A LATERAL subselect probes
 * an index for each element, in the order of the array, which is the order in
 * which everybody locks.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "utils/timestamp.h"

#include "catalog.h"
#include "store.h"
#include "types.h"

static Statement lock_items = {
	.sql = "SELECT k.n::int4, i.status, i.asserted_at, i.takes_effect_at, i.post_dated, i.receipts,"
	" i.application_id, i.nhs_number, i.ods_code"
	" FROM unnest($1, $2) WITH ORDINALITY AS k (prescription_id, line_item_id, n)"
	" CROSS JOIN LATERAL (SELECT * FROM rxtrack.item i"
	"  WHERE i.prescription_id = k.prescription_id AND i.line_item_id = k.line_item_id FOR UPDATE) AS i",
	.argument_count = 2,
	.arguments = {&element_prescription_id, &element_uuid}
};

static Statement find_assertions = {
	.sql = "SELECT k.n::int4, u.status, coalesce(u.post_dated_set_at, u.last_modified), u.last_modified,"
	" u.post_dated_set_at IS NOT NULL"
	" FROM unnest($1, $2) WITH ORDINALITY AS k (prescription_id, line_item_id, n)"
	" CROSS JOIN LATERAL (SELECT * FROM rxtrack.status_update u"
	"  WHERE u.prescription_id = k.prescription_id AND u.line_item_id = k.line_item_id"
	"  ORDER BY u.receipt OFFSET 0) AS u",
	.argument_count = 2,
	.arguments = {&element_prescription_id, &element_uuid}
};

static Statement find_tasks = {
	.sql = "SELECT k.n::int4, u.application_id, u.request_id, u.line_item_id, u.nhs_number, u.ods_code,"
	" u.status, u.completed, u.last_modified, u.post_dated_set_at, u.repeat_number"
	" FROM unnest($1, $2) WITH ORDINALITY AS k (prescription_id, task_id, n)"
	" CROSS JOIN LATERAL (SELECT * FROM rxtrack.status_update u"
	"  WHERE u.prescription_id = k.prescription_id AND u.task_id = k.task_id OFFSET 0) AS u",
	.argument_count = 2,
	.arguments = {&element_prescription_id, &element_uuid}
};

#define ITEM_COLUMNS "prescription_id, line_item_id, status, completed, nhs_number, ods_code," \
	" asserted_at, takes_effect_at, application_id, receipts, post_dated"
#define ITEM_ARGUMENTS { \
	&element_prescription_id, &element_uuid, &element_business_status, &element_boolean, \
	&element_nhs_number, &element_ods_code, &element_timestamptz, &element_timestamptz, \
	&element_integer, &element_integer, &element_boolean}
#define ITEM_COLUMN_COUNT 11

static Statement insert_items = {
	.sql = "INSERT INTO rxtrack.item (" ITEM_COLUMNS ")"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
	" ON CONFLICT (prescription_id, line_item_id) DO NOTHING",
	.argument_count = ITEM_COLUMN_COUNT,
	.arguments = ITEM_ARGUMENTS
};

static Statement update_items = {
	.sql = "UPDATE rxtrack.item i SET status = k.status, completed = k.completed, nhs_number = k.nhs_number,"
	" ods_code = k.ods_code, asserted_at = k.asserted_at, takes_effect_at = k.takes_effect_at,"
	" application_id = k.application_id, receipts = k.receipts, post_dated = k.post_dated"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS k (" ITEM_COLUMNS ")"
	" WHERE i.prescription_id = k.prescription_id AND i.line_item_id = k.line_item_id",
	.argument_count = ITEM_COLUMN_COUNT,
	.arguments = ITEM_ARGUMENTS
};

static Statement count_receipts = {
	.sql = "UPDATE rxtrack.item i SET receipts = k.receipts"
	" FROM unnest($1, $2, $3) AS k (prescription_id, line_item_id, receipts)"
	" WHERE i.prescription_id = k.prescription_id AND i.line_item_id = k.line_item_id",
	.argument_count = 3,
	.arguments = {&element_prescription_id, &element_uuid, &element_integer}
};

#define UPDATE_COLUMN_COUNT 17

static Statement insert_updates = {
	.sql = "INSERT INTO rxtrack.status_update (prescription_id, status, completed, nhs_number, task_id,"
	" line_item_id, request_id, ods_code, last_modified, received_at, application_id, receipt, kind,"
	" changes_status, introduces, repeat_number, post_dated_set_at)"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
	" ON CONFLICT (prescription_id, task_id) DO NOTHING",
	.argument_count = UPDATE_COLUMN_COUNT,
	.arguments = {
		&element_prescription_id, &element_business_status, &element_boolean, &element_nhs_number,
		&element_uuid, &element_uuid, &element_uuid, &element_ods_code, &element_timestamptz,
		&element_timestamptz, &element_integer, &element_integer, &element_transition_kind,
		&element_boolean, &element_boolean, &element_integer, &element_timestamptz
	}
};

/* ---------- Arguments and results ---------- */

/* The values of a statement's arguments, gathered row by row. */
typedef struct Rows
{
	Statement  *statement;
	int			count;
	Datum	   *values[STATEMENT_MAX_ARGUMENTS];
	bool	   *nulls[STATEMENT_MAX_ARGUMENTS];
} Rows;

static Rows *
rows_for(Statement *statement, int most)
{
	Rows	   *rows = palloc0(sizeof(Rows));

	rows->statement = statement;
	for (int i = 0; i < statement->argument_count; i++)
	{
		rows->values[i] = palloc(most * sizeof(Datum));
		rows->nulls[i] = palloc0(most * sizeof(bool));
	}
	return rows;
}

static void
rows_execute(Rows *rows)
{
	Datum		arguments[STATEMENT_MAX_ARGUMENTS];

	for (int i = 0; i < rows->statement->argument_count; i++)
		arguments[i] = element_array(rows->statement->arguments[i], rows->values[i], rows->nulls[i], rows->count);
	statement_execute(rows->statement, arguments);
}

static Datum
result(uint64 row, int column)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
}

static bool
result_is_null(uint64 row, int column)
{
	bool		isnull;

	SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	return isnull;
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

/*
 * An item whose newest assertion has yet to begin stands where an older one put
 * it, so that these have to be known as well.
 */
static void
find_older_assertions(ItemState *items, int count, int64 now)
{
	Rows	   *rows = rows_for(&find_assertions, count);
	ItemState **asked = palloc(count * sizeof(ItemState *));

	for (int i = 0; i < count; i++)
	{
		if (!items[i].stored || items[i].newest.takes_effect_at <= now)
			continue;
		rows->values[0][rows->count] = PrescriptionIdGetDatum(&items[i].prescription_id);
		rows->values[1][rows->count] = PointerGetDatum(&items[i].line_item_id);
		items[i].known_count = 0;
		asked[rows->count++] = &items[i];
	}
	if (rows->count == 0)
		return;
	rows_execute(rows);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Assertion	assertion = {
			.status = DatumGetBusinessStatus(result(row, 2)),
			.asserted_at = DatumGetTimestampTz(result(row, 3)),
			.takes_effect_at = DatumGetTimestampTz(result(row, 4)),
			.post_dated = DatumGetBool(result(row, 5))
		};

		item_learn(asked[DatumGetInt32(result(row, 1)) - 1], &assertion);
	}
	SPI_freetuptable(SPI_tuptable);
}

void
store_lock_items(ItemState *items, int count, int64 now)
{
	Rows	   *rows = rows_for(&lock_items, count);

	for (int i = 0; i < count; i++)
	{
		rows->values[0][i] = PrescriptionIdGetDatum(&items[i].prescription_id);
		rows->values[1][i] = PointerGetDatum(&items[i].line_item_id);
		items[i].stored = false;
		items[i].receipts = 0;
		items[i].receipts_stored = 0;
		items[i].known_count = 0;
		items[i].newest_accepted = NULL;
	}
	rows->count = count;
	rows_execute(rows);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		ItemState  *item = &items[DatumGetInt32(result(row, 1)) - 1];

		item->stored = true;
		item->newest.status = DatumGetBusinessStatus(result(row, 2));
		item->newest.asserted_at = DatumGetTimestampTz(result(row, 3));
		item->newest.takes_effect_at = DatumGetTimestampTz(result(row, 4));
		item->newest.post_dated = DatumGetBool(result(row, 5));
		item->receipts = item->receipts_stored = DatumGetInt32(result(row, 6));
		item->parties.application_id = DatumGetInt32(result(row, 7));
		item->parties.nhs_number = DatumGetNhsNumber(result(row, 8));
		item->parties.ods_code = DatumGetOdsCode(result(row, 9));
		item_learn(item, &item->newest);
	}
	SPI_freetuptable(SPI_tuptable);
	find_older_assertions(items, count, now);
}

static void
add_item_row(Rows *rows, const ItemState *item)
{
	const Acceptance *newest = item->newest_accepted;
	int			n = rows->count++;

	rows->values[0][n] = PrescriptionIdGetDatum(&item->prescription_id);
	rows->values[1][n] = PointerGetDatum(&item->line_item_id);
	rows->values[2][n] = BusinessStatusGetDatum(newest->update->status);
	rows->values[3][n] = BoolGetDatum(newest->update->completed);
	rows->values[4][n] = NhsNumberGetDatum(newest->update->nhs_number);
	rows->values[5][n] = OdsCodeGetDatum(newest->update->ods_code);
	rows->values[6][n] = TimestampTzGetDatum(item->newest.asserted_at);
	rows->values[7][n] = TimestampTzGetDatum(item->newest.takes_effect_at);
	rows->values[8][n] = Int32GetDatum(newest->application_id);
	rows->values[9][n] = Int32GetDatum(item->receipts);
	rows->values[10][n] = BoolGetDatum(item->newest.post_dated);
}

/*
 * New items are inserted, those with a new newest assertion updated, and those
 * that only got late updates have them counted.
 */
static bool
write_items(ItemState *items, int count)
{
	Rows	   *fresh = rows_for(&insert_items, count);
	Rows	   *changed = rows_for(&update_items, count);
	Rows	   *counted = rows_for(&count_receipts, count);

	for (int i = 0; i < count; i++)
	{
		ItemState  *item = &items[i];

		if (item->newest_accepted != NULL)
			add_item_row(item->stored ? changed : fresh, item);
		else if (item->receipts > item->receipts_stored)
		{
			counted->values[0][counted->count] = PrescriptionIdGetDatum(&item->prescription_id);
			counted->values[1][counted->count] = PointerGetDatum(&item->line_item_id);
			counted->values[2][counted->count++] = Int32GetDatum(item->receipts);
		}
	}
	if (changed->count > 0)
		rows_execute(changed);
	if (counted->count > 0)
		rows_execute(counted);
	if (fresh->count > 0)
	{
		rows_execute(fresh);
		return SPI_processed == (uint64) fresh->count;
	}
	return true;
}

/* ---------- Tasks and updates ---------- */

void
store_find_tasks(TaskState *tasks, int count)
{
	Rows	   *rows = rows_for(&find_tasks, count);

	for (int i = 0; i < count; i++)
	{
		rows->values[0][i] = PrescriptionIdGetDatum(&tasks[i].prescription_id);
		rows->values[1][i] = PointerGetDatum(&tasks[i].task_id);
	}
	rows->count = count;
	rows_execute(rows);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		TaskState  *task = &tasks[DatumGetInt32(result(row, 1)) - 1];
		Update	   *update = &task->update;

		task->stored = true;
		task->application_id = DatumGetInt32(result(row, 2));
		memcpy(&task->request_id, DatumGetPointer(result(row, 3)), sizeof(Uuid));
		update->task_id = task->task_id;
		update->prescription_id = task->prescription_id;
		memcpy(&update->line_item_id, DatumGetPointer(result(row, 4)), sizeof(Uuid));
		update->nhs_number = DatumGetNhsNumber(result(row, 5));
		update->ods_code = DatumGetOdsCode(result(row, 6));
		update->status = DatumGetBusinessStatus(result(row, 7));
		update->completed = DatumGetBool(result(row, 8));
		update->last_modified = DatumGetTimestampTz(result(row, 9));
		update->post_dated = !result_is_null(row, 10);
		update->post_dated_set_at = update->post_dated ? DatumGetTimestampTz(result(row, 10)) : 0;
		update->repeat_number = result_is_null(row, 11) ? 0 : DatumGetInt32(result(row, 11));
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
add_update_row(Rows *rows, const Acceptance *acceptance)
{
	const Update *update = acceptance->update;
	int			n = rows->count++;

	rows->values[0][n] = PrescriptionIdGetDatum(&update->prescription_id);
	rows->values[1][n] = BusinessStatusGetDatum(update->status);
	rows->values[2][n] = BoolGetDatum(update->completed);
	rows->values[3][n] = NhsNumberGetDatum(update->nhs_number);
	rows->values[4][n] = PointerGetDatum(&update->task_id);
	rows->values[5][n] = PointerGetDatum(&update->line_item_id);
	rows->values[6][n] = PointerGetDatum(&acceptance->request_id);
	rows->values[7][n] = OdsCodeGetDatum(update->ods_code);
	rows->values[8][n] = TimestampTzGetDatum(update->last_modified);
	rows->values[9][n] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	rows->values[10][n] = Int32GetDatum(acceptance->application_id);
	rows->values[11][n] = Int32GetDatum(acceptance->receipt);
	rows->values[12][n] = ObjectIdGetDatum(catalog_get()->transition_kinds[acceptance->kind]);
	rows->values[13][n] = BoolGetDatum(acceptance->changes_status);
	rows->values[14][n] = BoolGetDatum(acceptance->introduces);
	rows->values[15][n] = Int32GetDatum(update->repeat_number);
	rows->nulls[15][n] = update->repeat_number == 0;
	rows->values[16][n] = TimestampTzGetDatum(update->post_dated_set_at);
	rows->nulls[16][n] = !update->post_dated;
}

static int
compare_acceptances(const void *a, const void *b)
{
	const Update *left = (*(Acceptance *const *) a)->update;
	const Update *right = (*(Acceptance *const *) b)->update;
	int			order = memcmp(&left->prescription_id, &right->prescription_id, sizeof(PrescriptionId));

	return order != 0 ? order : memcmp(&left->task_id, &right->task_id, sizeof(Uuid));
}

bool
store_write(Acceptance **acceptances, int count, ItemState *items, int item_count)
{
	Rows	   *rows = rows_for(&insert_updates, count);

	if (!write_items(items, item_count))
		return false;
	qsort(acceptances, count, sizeof(Acceptance *), compare_acceptances);
	for (int i = 0; i < count; i++)
		add_update_row(rows, acceptances[i]);
	rows_execute(rows);
	return SPI_processed == (uint64) count;
}
