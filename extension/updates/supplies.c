/*
 * supplies.c
 *		Reading and writing rxtrack.supply and rxtrack_internal.supply_party.
 */
#include "postgres.h"

#include "types/types.h"
#include "updates/batch.h"

/* A late update leaves what the newest assertion says: these columns, which come after the key. */
enum
{
	SUPPLY_KEY_COLUMNS = 4,
	SUPPLY_NEWEST_END = 10,
	SUPPLY_COLUMNS = 23
};

static const RowsTable supply_table = {
	"rxtrack", "supply", SUPPLY_COLUMNS, {
		COLUMN("prescription_id", prescription_id, Supply, key.prescription_id),
		COLUMN("line_item_id", uuid, Supply, key.line_item_id),
		COLUMN("issue_number", integer, Supply, key.issue_number),
		COLUMN("ods_code", ods_code, Supply, key.ods_code),
		COLUMN("status", business_status, Supply, state.newest.status),
		COLUMN("completed", boolean, Supply, state.newest.completed),
		COLUMN("post_dated", boolean, Supply, state.newest.post_dated),
		COLUMN("asserted_at", timestamptz, Supply, state.newest.asserted_at),
		COLUMN("last_modified", timestamptz, Supply, state.newest.last_modified),
		COLUMN("asserted_by", integer, Supply, state.newest.application_id),
		COLUMN("nhs_number", nhs_number, Supply, state.nhs_number),
		COLUMN("application_id", integer, Supply, state.application_id),
		COLUMN("in_conflict", boolean, Supply, state.in_conflict),
		COLUMN("receipts", integer, Supply, state.receipts),
		COLUMN("own_receipts", integer, Supply, state.own_receipts),
		COLUMN("received_at", timestamptz, Supply, state.received_at),
		COLUMN("began_at", timestamptz, Supply, state.began_at),
		COLUMN("began_received_at", timestamptz, Supply, state.began_received_at),
		COLUMN_OR_NULL("plain_status", business_status, Supply, state.plain.status, state.stores_plain),
		COLUMN_OR_NULL("plain_completed", boolean, Supply, state.plain.completed, state.stores_plain),
		COLUMN_OR_NULL("plain_asserted_at", timestamptz, Supply, state.plain.asserted_at, state.stores_plain),
		COLUMN_OR_NULL("plain_last_modified", timestamptz, Supply, state.plain.last_modified, state.stores_plain),
		COLUMN_OR_NULL("plain_asserted_by", integer, Supply, state.plain.application_id, state.stores_plain)
	}
};

static const RowsKey supply_key = {.count = SUPPLY_KEY_COLUMNS, .columns = {0, 1, 2, 3}};

Rows *
supplies_open(void)
{
	return rows_open(&supply_table, &supply_key, RowExclusiveLock);
}

void
supplies_lock(Rows *rows, Batch *batch)
{
	for (int i = 0; i < batch->supply_count; i++)
	{
		Supply	   *supply = &batch->supplies[i];

		supply->stored = rows_find(rows, supply, ROWS_LOCKED);
		if (!supply->stored)
		{
			supply->prescription->has_new_supply = true;
			continue;
		}
		rows_read(rows, supply);
		supply->place = rows_place(rows);
		if (!supply->state.newest.post_dated)
			supply->state.plain = supply->state.newest;
		supply->before = supply->state;
	}
}

void
supplies_count_shares(Rows *rows, Batch *batch)
{
	Prescription *counted = NULL;

	for (int i = 0; i < batch->supply_count; i++)
	{
		const Supply *supply = &batch->supplies[i];
		Supply		other;

		if (supply->stored || !supply->prescription->before.known || supply->prescription == counted)
			continue;
		counted = supply->prescription;
		rows_search(rows, supply, 1);
		while (rows_next(rows))
		{
			rows_read(rows, &other);
			batch_share(counted, other.state.application_id)->supplies++;
		}
	}
}

static void
store_supply(Rows *rows, Supply *supply)
{
	SupplyState *state = &supply->state;
	bool		changes[SUPPLY_COLUMNS];

	state->stores_plain = state->newest.post_dated && state->plain.status != 0;
	for (int i = 0; i < SUPPLY_COLUMNS; i++)
		changes[i] = i < SUPPLY_KEY_COLUMNS || i >= SUPPLY_NEWEST_END || state->newest_entry != NULL;
	if (supply->stored)
		rows_update(rows, &supply->place, changes, supply);
	else
		rows_insert(rows, supply);
}

void
supplies_store(Rows *rows, Batch *batch)
{
	for (int i = 0; i < batch->supply_count; i++)
		if (batch->supplies[i].state.receipts > batch->supplies[i].before.receipts)
			store_supply(rows, &batch->supplies[i]);
}

/* ---------- Parties ---------- */

static const RowsTable party_table = {
	"rxtrack_internal", "supply_party", 7, {
		COLUMN("prescription_id", prescription_id, Party, supply.prescription_id),
		COLUMN("line_item_id", uuid, Party, supply.line_item_id),
		COLUMN("issue_number", integer, Party, supply.issue_number),
		COLUMN("ods_code", ods_code, Party, supply.ods_code),
		COLUMN("application_id", integer, Party, application_id),
		COLUMN("nhs_number", nhs_number, Party, nhs_number),
		COLUMN("updates", integer, Party, updates)
	}
};

static void
read_parties(Rows *rows, Supply *supply)
{
	Party		found = {.supply = supply->key};

	rows_search(rows, &found, SUPPLY_KEY_COLUMNS);
	while (rows_next(rows))
	{
		Party	   *party;

		rows_read(rows, &found);
		party = batch_party(supply, found.application_id, found.nhs_number);
		if (party == NULL)
			continue;
		party->place = rows_place(rows);
		party->updates = party->updates_stored = found.updates;
	}
}

void
supplies_read_parties(Batch *batch)
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
		/* few supplies have any */
		if (rows == NULL)
			rows = rows_open(&party_table, &supply_key, RowExclusiveLock);
		read_parties(rows, supply);
		read = supply;
	}
	if (rows != NULL)
		rows_close(rows);
}

void
supplies_store_parties(const Batch *batch)
{
	Rows	   *rows = NULL;

	for (int i = 0; i < batch->supply_count; i++)
		for (const Party *party = batch->supplies[i].parties; party != NULL; party = party->next)
		{
			if (party->updates <= party->updates_stored)
				continue;
			if (rows == NULL)
				rows = rows_open(&party_table, &supply_key, RowExclusiveLock);
			if (party->updates_stored > 0)
				rows_update(rows, &party->place, NULL, party);
			else
				rows_insert(rows, party);
		}
	if (rows != NULL)
		rows_close(rows);
}
