/*
 * supplies.c
 *		Reading and writing rxtrack.supply.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "types/types.h"
#include "updates/supplies.h"

enum
{
	SUPPLY_PRESCRIPTION_ID,
	SUPPLY_LINE_ITEM_ID,
	SUPPLY_ISSUE_NUMBER,
	SUPPLY_ODS_CODE,
	SUPPLY_NHS_NUMBER,
	SUPPLY_APPLICATION_ID,
	SUPPLY_IN_CONFLICT,
	SUPPLY_RECEIPTS,
	SUPPLY_OWN_RECEIPTS,
	SUPPLY_RECEIVED_AT,
	SUPPLY_BEGAN_AT,
	SUPPLY_BEGAN_RECEIVED_AT,
	SUPPLY_STATUS,
	SUPPLY_COMPLETED,
	SUPPLY_POST_DATED,
	SUPPLY_ASSERTED_AT,
	SUPPLY_LAST_MODIFIED,
	SUPPLY_ASSERTED_BY,
	SUPPLY_PLAIN_STATUS,
	SUPPLY_PLAIN_COMPLETED,
	SUPPLY_PLAIN_ASSERTED_AT,
	SUPPLY_PLAIN_LAST_MODIFIED,
	SUPPLY_PLAIN_ASSERTED_BY,
	SUPPLY_COLUMNS
};

static const RowsTable supply_table = {
	.schema = "rxtrack",
	.name = "supply",
	.column_count = SUPPLY_COLUMNS,
	.columns = {
		[SUPPLY_PRESCRIPTION_ID] = {"prescription_id", &catalog_prescription_id},
		[SUPPLY_LINE_ITEM_ID] = {"line_item_id", &catalog_uuid},
		[SUPPLY_ISSUE_NUMBER] = {"issue_number", &catalog_integer},
		[SUPPLY_ODS_CODE] = {"ods_code", &catalog_ods_code},
		[SUPPLY_NHS_NUMBER] = {"nhs_number", &catalog_nhs_number},
		[SUPPLY_APPLICATION_ID] = {"application_id", &catalog_integer},
		[SUPPLY_IN_CONFLICT] = {"in_conflict", &catalog_boolean},
		[SUPPLY_RECEIPTS] = {"receipts", &catalog_integer},
		[SUPPLY_OWN_RECEIPTS] = {"own_receipts", &catalog_integer},
		[SUPPLY_RECEIVED_AT] = {"received_at", &catalog_timestamptz},
		[SUPPLY_BEGAN_AT] = {"began_at", &catalog_timestamptz},
		[SUPPLY_BEGAN_RECEIVED_AT] = {"began_received_at", &catalog_timestamptz},
		[SUPPLY_STATUS] = {"status", &catalog_business_status},
		[SUPPLY_COMPLETED] = {"completed", &catalog_boolean},
		[SUPPLY_POST_DATED] = {"post_dated", &catalog_boolean},
		[SUPPLY_ASSERTED_AT] = {"asserted_at", &catalog_timestamptz},
		[SUPPLY_LAST_MODIFIED] = {"last_modified", &catalog_timestamptz},
		[SUPPLY_ASSERTED_BY] = {"asserted_by", &catalog_integer},
		[SUPPLY_PLAIN_STATUS] = {"plain_status", &catalog_business_status},
		[SUPPLY_PLAIN_COMPLETED] = {"plain_completed", &catalog_boolean},
		[SUPPLY_PLAIN_ASSERTED_AT] = {"plain_asserted_at", &catalog_timestamptz},
		[SUPPLY_PLAIN_LAST_MODIFIED] = {"plain_last_modified", &catalog_timestamptz},
		[SUPPLY_PLAIN_ASSERTED_BY] = {"plain_asserted_by", &catalog_integer}
	}
};

#define KEY_COLUMNS 4

static const RowsKey supply_key = {
	.count = KEY_COLUMNS,
	.columns = {SUPPLY_PRESCRIPTION_ID, SUPPLY_LINE_ITEM_ID, SUPPLY_ISSUE_NUMBER, SUPPLY_ODS_CODE}
};

Rows *
supplies_open(void)
{
	return rows_open(&supply_table, &supply_key, RowExclusiveLock);
}

/* ---------- Reading ---------- */

/* Takes over what the row that was found says. */
static void
read_supply(Supply *supply, Rows *rows)
{
	SupplyState *state = &supply->before;
	bool		is_plain;
	Datum		plain_status = rows_column(rows, SUPPLY_PLAIN_STATUS, &is_plain);

	supply->stored = true;
	supply->place = rows_place(rows);
	state->receipts = DatumGetInt32(rows_value(rows, SUPPLY_RECEIPTS));
	state->own_receipts = DatumGetInt32(rows_value(rows, SUPPLY_OWN_RECEIPTS));
	state->nhs_number = DatumGetNhsNumber(rows_value(rows, SUPPLY_NHS_NUMBER));
	state->application_id = DatumGetInt32(rows_value(rows, SUPPLY_APPLICATION_ID));
	state->in_conflict = DatumGetBool(rows_value(rows, SUPPLY_IN_CONFLICT));
	state->received_at = DatumGetTimestampTz(rows_value(rows, SUPPLY_RECEIVED_AT));
	state->began_at = DatumGetTimestampTz(rows_value(rows, SUPPLY_BEGAN_AT));
	state->began_received_at = DatumGetTimestampTz(rows_value(rows, SUPPLY_BEGAN_RECEIVED_AT));
	state->newest.status = DatumGetBusinessStatus(rows_value(rows, SUPPLY_STATUS));
	state->newest.completed = DatumGetBool(rows_value(rows, SUPPLY_COMPLETED));
	state->newest.post_dated = DatumGetBool(rows_value(rows, SUPPLY_POST_DATED));
	state->newest.asserted_at = DatumGetTimestampTz(rows_value(rows, SUPPLY_ASSERTED_AT));
	state->newest.last_modified = DatumGetTimestampTz(rows_value(rows, SUPPLY_LAST_MODIFIED));
	state->newest.application_id = DatumGetInt32(rows_value(rows, SUPPLY_ASSERTED_BY));
	if (!state->newest.post_dated)
		state->plain = state->newest;
	else if (!is_plain)
	{
		state->plain.status = DatumGetBusinessStatus(plain_status);
		state->plain.completed = DatumGetBool(rows_value(rows, SUPPLY_PLAIN_COMPLETED));
		state->plain.asserted_at = DatumGetTimestampTz(rows_value(rows, SUPPLY_PLAIN_ASSERTED_AT));
		state->plain.last_modified = DatumGetTimestampTz(rows_value(rows, SUPPLY_PLAIN_LAST_MODIFIED));
		state->plain.application_id = DatumGetInt32(rows_value(rows, SUPPLY_PLAIN_ASSERTED_BY));
	}
	supply->state = supply->before;
}

void
supplies_lock(Rows *rows, Batch *batch)
{
	for (int i = 0; i < batch->supply_count; i++)
	{
		Supply	   *supply = &batch->supplies[i];
		Datum		key[KEY_COLUMNS] = {
			PrescriptionIdGetDatum(&supply->prescription->prescription_id), PointerGetDatum(&supply->line_item_id),
			Int32GetDatum(supply->issue_number), OdsCodeGetDatum(supply->ods_code)
		};

		if (rows_find(rows, key, KEY_COLUMNS, true))
			read_supply(supply, rows);
		else
			supply->prescription->has_new_supply = true;
	}
}

void
supplies_count_shares(Rows *rows, Batch *batch)
{
	Prescription *counted = NULL;

	for (int i = 0; i < batch->supply_count; i++)
	{
		Prescription *prescription = batch->supplies[i].prescription;
		Datum		key = PrescriptionIdGetDatum(&prescription->prescription_id);

		if (batch->supplies[i].stored || !prescription->before.known || prescription == counted)
			continue;
		rows_search(rows, &key, 1);
		while (rows_next(rows))
			batch_share(prescription, DatumGetInt32(rows_value(rows, SUPPLY_APPLICATION_ID)))->supplies++;
		counted = prescription;
	}
}

/* ---------- Writing ---------- */

/* A late update leaves what the newest assertion says, and no trigger ON UPDATE OF these columns fires. */
static void
choose_changes(bool *changes, const SupplyState *state)
{
	static const int of_newest[] = {
		SUPPLY_STATUS, SUPPLY_COMPLETED, SUPPLY_POST_DATED, SUPPLY_ASSERTED_AT, SUPPLY_LAST_MODIFIED, SUPPLY_ASSERTED_BY
	};

	memset(changes, true, SUPPLY_COLUMNS);
	for (int i = 0; i < (int) lengthof(of_newest); i++)
		changes[of_newest[i]] = state->newest_entry != NULL;
}

static void
store_supply(Rows *rows, const Supply *supply)
{
	bool		changes[SUPPLY_COLUMNS];
	const SupplyState *state = &supply->state;
	Datum		values[SUPPLY_COLUMNS];
	bool		nulls[SUPPLY_COLUMNS] = {false};
	bool		has_plain = state->newest.post_dated && state->plain.status != 0;

	values[SUPPLY_PRESCRIPTION_ID] = PrescriptionIdGetDatum(&supply->prescription->prescription_id);
	values[SUPPLY_LINE_ITEM_ID] = PointerGetDatum(&supply->line_item_id);
	values[SUPPLY_ISSUE_NUMBER] = Int32GetDatum(supply->issue_number);
	values[SUPPLY_ODS_CODE] = OdsCodeGetDatum(supply->ods_code);
	values[SUPPLY_NHS_NUMBER] = NhsNumberGetDatum(state->nhs_number);
	values[SUPPLY_APPLICATION_ID] = Int32GetDatum(state->application_id);
	values[SUPPLY_IN_CONFLICT] = BoolGetDatum(state->in_conflict);
	values[SUPPLY_RECEIPTS] = Int32GetDatum(state->receipts);
	values[SUPPLY_OWN_RECEIPTS] = Int32GetDatum(state->own_receipts);
	values[SUPPLY_RECEIVED_AT] = TimestampTzGetDatum(state->received_at);
	values[SUPPLY_BEGAN_AT] = TimestampTzGetDatum(state->began_at);
	values[SUPPLY_BEGAN_RECEIVED_AT] = TimestampTzGetDatum(state->began_received_at);
	values[SUPPLY_STATUS] = BusinessStatusGetDatum(state->newest.status);
	values[SUPPLY_COMPLETED] = BoolGetDatum(state->newest.completed);
	values[SUPPLY_POST_DATED] = BoolGetDatum(state->newest.post_dated);
	values[SUPPLY_ASSERTED_AT] = TimestampTzGetDatum(state->newest.asserted_at);
	values[SUPPLY_LAST_MODIFIED] = TimestampTzGetDatum(state->newest.last_modified);
	values[SUPPLY_ASSERTED_BY] = Int32GetDatum(state->newest.application_id);
	values[SUPPLY_PLAIN_STATUS] = BusinessStatusGetDatum(state->plain.status);
	values[SUPPLY_PLAIN_COMPLETED] = BoolGetDatum(state->plain.completed);
	values[SUPPLY_PLAIN_ASSERTED_AT] = TimestampTzGetDatum(state->plain.asserted_at);
	values[SUPPLY_PLAIN_LAST_MODIFIED] = TimestampTzGetDatum(state->plain.last_modified);
	values[SUPPLY_PLAIN_ASSERTED_BY] = Int32GetDatum(state->plain.application_id);
	for (int i = SUPPLY_PLAIN_STATUS; i <= SUPPLY_PLAIN_ASSERTED_BY; i++)
		nulls[i] = !has_plain;
	if (supply->stored)
	{
		choose_changes(changes, state);
		rows_update(rows, &supply->place, changes, values, nulls);
	}
	else
		rows_insert(rows, values, nulls);
}

void
supplies_store(Rows *rows, const Batch *batch)
{
	for (int i = 0; i < batch->supply_count; i++)
		if (batch->supplies[i].state.receipts > batch->supplies[i].before.receipts)
			store_supply(rows, &batch->supplies[i]);
}
