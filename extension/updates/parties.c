/*
 * parties.c
 *		Reading and writing rxtrack_internal.supply_party.
 *
 * Few supplies have any, so the table is opened only where one has.
 */
#include "postgres.h"

#include "types/types.h"
#include "updates/parties.h"

enum
{
	PARTY_PRESCRIPTION_ID,
	PARTY_LINE_ITEM_ID,
	PARTY_ISSUE_NUMBER,
	PARTY_ODS_CODE,
	PARTY_APPLICATION_ID,
	PARTY_NHS_NUMBER,
	PARTY_UPDATES,
	PARTY_COLUMNS
};

static const RowsTable party_table = {
	.schema = "rxtrack_internal",
	.name = "supply_party",
	.column_count = PARTY_COLUMNS,
	.columns = {
		[PARTY_PRESCRIPTION_ID] = {"prescription_id", &catalog_prescription_id},
		[PARTY_LINE_ITEM_ID] = {"line_item_id", &catalog_uuid},
		[PARTY_ISSUE_NUMBER] = {"issue_number", &catalog_integer},
		[PARTY_ODS_CODE] = {"ods_code", &catalog_ods_code},
		[PARTY_APPLICATION_ID] = {"application_id", &catalog_integer},
		[PARTY_NHS_NUMBER] = {"nhs_number", &catalog_nhs_number},
		[PARTY_UPDATES] = {"updates", &catalog_integer}
	}
};

#define SUPPLY_KEY_COLUMNS 4

static const RowsKey party_key = {
	.count = SUPPLY_KEY_COLUMNS,
	.columns = {PARTY_PRESCRIPTION_ID, PARTY_LINE_ITEM_ID, PARTY_ISSUE_NUMBER, PARTY_ODS_CODE}
};

static Rows *
open_parties(void)
{
	return rows_open(&party_table, &party_key, RowExclusiveLock);
}

static void
read_parties(Rows *rows, Supply *supply)
{
	Datum		key[SUPPLY_KEY_COLUMNS] = {
		PrescriptionIdGetDatum(&supply->prescription->prescription_id), PointerGetDatum(&supply->line_item_id),
		Int32GetDatum(supply->issue_number), OdsCodeGetDatum(supply->ods_code)
	};

	rows_search(rows, key, SUPPLY_KEY_COLUMNS);
	while (rows_next(rows))
	{
		Party	   *party = batch_party(supply, DatumGetInt32(rows_value(rows, PARTY_APPLICATION_ID)),
										DatumGetNhsNumber(rows_value(rows, PARTY_NHS_NUMBER)));

		if (party == NULL)
			continue;
		party->place = rows_place(rows);
		party->updates = party->updates_stored = DatumGetInt32(rows_value(rows, PARTY_UPDATES));
	}
}

void
parties_read(Batch *batch)
{
	Rows	   *rows = NULL;
	Supply	   *read = NULL;

	for (int i = 0; i < batch->entry_count; i++)
	{
		Entry	   *entry = &batch->entries[i];
		Supply	   *supply = entry->supply;

		if (!supply->stored || supply == read || supply->parties != NULL ||
			(supply->before.application_id == entry->submission->application_id &&
			 supply->before.nhs_number == entry->update->nhs_number))
			continue;
		if (rows == NULL)
			rows = open_parties();
		read_parties(rows, supply);
		read = supply;
	}
	if (rows != NULL)
		rows_close(rows);
}

static void
store_party(Rows *rows, const Supply *supply, const Party *party)
{
	Datum		values[PARTY_COLUMNS];
	bool		nulls[PARTY_COLUMNS] = {false};

	values[PARTY_PRESCRIPTION_ID] = PrescriptionIdGetDatum(&supply->prescription->prescription_id);
	values[PARTY_LINE_ITEM_ID] = PointerGetDatum(&supply->line_item_id);
	values[PARTY_ISSUE_NUMBER] = Int32GetDatum(supply->issue_number);
	values[PARTY_ODS_CODE] = OdsCodeGetDatum(supply->ods_code);
	values[PARTY_APPLICATION_ID] = Int32GetDatum(party->application_id);
	values[PARTY_NHS_NUMBER] = NhsNumberGetDatum(party->nhs_number);
	values[PARTY_UPDATES] = Int32GetDatum(party->updates);
	if (party->updates_stored > 0)
		rows_update(rows, &party->place, NULL, values, nulls);
	else
		rows_insert(rows, values, nulls);
}

void
parties_store(const Batch *batch)
{
	Rows	   *rows = NULL;

	for (int i = 0; i < batch->supply_count; i++)
		for (const Party *party = batch->supplies[i].parties; party != NULL; party = party->next)
		{
			if (party->updates <= party->updates_stored)
				continue;
			if (rows == NULL)
				rows = open_parties();
			store_party(rows, &batch->supplies[i], party);
		}
	if (rows != NULL)
		rows_close(rows);
}
