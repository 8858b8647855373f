/*
 * items.c
 *		Reading and writing rxtrack.item.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "types/types.h"
#include "updates/items.h"

enum
{
	ITEM_PRESCRIPTION_ID,
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
	ITEM_COLUMNS
};

static const RowsTable item_table = {
	.schema = "rxtrack",
	.name = "item",
	.column_count = ITEM_COLUMNS,
	.columns = {
		[ITEM_PRESCRIPTION_ID] = {"prescription_id", &catalog_prescription_id},
		[ITEM_STATUS] = {"status", &catalog_business_status},
		[ITEM_COMPLETED] = {"completed", &catalog_boolean},
		[ITEM_NHS_NUMBER] = {"nhs_number", &catalog_nhs_number},
		[ITEM_LINE_ITEM_ID] = {"line_item_id", &catalog_uuid},
		[ITEM_ODS_CODE] = {"ods_code", &catalog_ods_code},
		[ITEM_ASSERTED_AT] = {"asserted_at", &catalog_timestamptz},
		[ITEM_TAKES_EFFECT_AT] = {"takes_effect_at", &catalog_timestamptz},
		[ITEM_APPLICATION_ID] = {"application_id", &catalog_integer},
		[ITEM_RECEIPTS] = {"receipts", &catalog_integer},
		[ITEM_POST_DATED] = {"post_dated", &catalog_boolean}
	}
};

static const RowsKey item_key = {.count = 2, .columns = {ITEM_PRESCRIPTION_ID, ITEM_LINE_ITEM_ID}};

Rows *
items_open(void)
{
	return rows_open(&item_table, &item_key, RowExclusiveLock);
}

/* Takes over what the row that was found says. */
static void
read_item(LineItem *item, Rows *rows)
{
	ItemState  *state = &item->state;

	item->stored = true;
	item->place = rows_place(rows);
	state->receipts = item->receipts_stored = DatumGetInt32(rows_value(rows, ITEM_RECEIPTS));
	state->newest.receipt = 0;	/* whichever it was, it is before those to come */
	state->newest.status = DatumGetBusinessStatus(rows_value(rows, ITEM_STATUS));
	state->newest.post_dated = DatumGetBool(rows_value(rows, ITEM_POST_DATED));
	state->newest.asserted_at = DatumGetTimestampTz(rows_value(rows, ITEM_ASSERTED_AT));
	state->newest.takes_effect_at = DatumGetTimestampTz(rows_value(rows, ITEM_TAKES_EFFECT_AT));
	state->application_id = DatumGetInt32(rows_value(rows, ITEM_APPLICATION_ID));
	state->nhs_number = DatumGetNhsNumber(rows_value(rows, ITEM_NHS_NUMBER));
	state->ods_code = DatumGetOdsCode(rows_value(rows, ITEM_ODS_CODE));
	state->completed = DatumGetBool(rows_value(rows, ITEM_COMPLETED));
}

void
items_lock(Rows *rows, Batch *batch)
{
	for (int i = 0; i < batch->item_count; i++)
	{
		LineItem   *item = &batch->items[i];
		Datum		key[2] = {PrescriptionIdGetDatum(&item->prescription_id), PointerGetDatum(&item->line_item_id)};

		item->stored = false;
		item->receipts_stored = 0;
		memset(&item->state, 0, sizeof(ItemState));
		if (rows_find(rows, key, 2, true))
			read_item(item, rows);
	}
}

static void
store_item(Rows *rows, const LineItem *item)
{
	/* an item that only got late updates stays as it is, but for their count */
	static const bool count_alone[ITEM_COLUMNS] = {[ITEM_RECEIPTS] = true};
	const ItemState *state = &item->state;
	Datum		values[ITEM_COLUMNS] = {0};
	bool		nulls[ITEM_COLUMNS] = {false};

	values[ITEM_RECEIPTS] = Int32GetDatum(state->receipts);
	if (!state->newest_changed)
	{
		rows_update(rows, &item->place, count_alone, values, nulls);
		return;
	}
	values[ITEM_PRESCRIPTION_ID] = PrescriptionIdGetDatum(&item->prescription_id);
	values[ITEM_STATUS] = BusinessStatusGetDatum(state->newest.status);
	values[ITEM_COMPLETED] = BoolGetDatum(state->completed);
	values[ITEM_NHS_NUMBER] = NhsNumberGetDatum(state->nhs_number);
	values[ITEM_LINE_ITEM_ID] = PointerGetDatum(&item->line_item_id);
	values[ITEM_ODS_CODE] = OdsCodeGetDatum(state->ods_code);
	values[ITEM_ASSERTED_AT] = TimestampTzGetDatum(state->newest.asserted_at);
	values[ITEM_TAKES_EFFECT_AT] = TimestampTzGetDatum(state->newest.takes_effect_at);
	values[ITEM_APPLICATION_ID] = Int32GetDatum(state->application_id);
	values[ITEM_POST_DATED] = BoolGetDatum(state->newest.post_dated);
	if (item->stored)
		rows_update(rows, &item->place, NULL, values, nulls);
	else
		rows_insert(rows, values, nulls);
}

void
items_store(Rows *rows, const Batch *batch)
{
	for (int i = 0; i < batch->item_count; i++)
		if (batch->items[i].state.receipts > batch->items[i].receipts_stored)
			store_item(rows, &batch->items[i]);
}
