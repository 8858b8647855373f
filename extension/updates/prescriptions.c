/*
 * prescriptions.c
 *		Reading and writing rxtrack.prescription_patient.
 */
#include "postgres.h"

#include "types/types.h"
#include "updates/batch.h"

enum
{
	PRESCRIPTION_HIDDEN = 3,
	PRESCRIPTION_COLUMNS
};

static const RowsTable prescription_table = {
	"rxtrack", "prescription_patient", PRESCRIPTION_COLUMNS, {
		COLUMN("prescription_id", prescription_id, Prescription, prescription_id),
		COLUMN("nhs_number", nhs_number, Prescription, state.nhs_number),
		COLUMN_OR_NULL("application_id", integer, Prescription, state.application_id, state.is_of_application),
		[PRESCRIPTION_HIDDEN] = COLUMN("hidden", boolean, Prescription, state.hidden)
	}
};

static const RowsKey prescription_key = {.count = 1, .columns = {0}};

Rows *
prescriptions_open(void)
{
	return rows_open(&prescription_table, &prescription_key, RowExclusiveLock);
}

/*
 * Whoever begins another supply locks the prescription, so that rxtrack.settle_patient, which has it FOR UPDATE,
 * either comes first or sees that supply; those who begin supplies do not wait for one another.
 */
static bool
find_prescription(Rows *rows, const Prescription *prescription)
{
	return rows_find(rows, prescription, prescription->has_new_supply ? ROWS_REFERENCED : ROWS_UNLOCKED);
}

void
prescriptions_read(Rows *rows, Batch *batch)
{
	for (int i = 0; i < batch->prescription_count; i++)
	{
		Prescription *prescription = &batch->prescriptions[i];

		if (!find_prescription(rows, prescription))
			continue;
		rows_read(rows, prescription);
		prescription->state.known = true;
		prescription->before = prescription->state;
	}
}

/* Hides a prescription; somebody else may have changed its row since it was read. */
static void
hide_prescription(Rows *rows, const Prescription *prescription)
{
	static const bool changes[PRESCRIPTION_COLUMNS] = {[PRESCRIPTION_HIDDEN] = true};
	RowsPlace	place;

	if (!rows_find(rows, prescription, ROWS_LOCKED))
		return;
	place = rows_place(rows);
	rows_update(rows, &place, changes, prescription);
}

void
prescriptions_store(Rows *rows, const Batch *batch)
{
	for (int i = 0; i < batch->prescription_count; i++)
	{
		const Prescription *prescription = &batch->prescriptions[i];

		if (!prescription->before.known && prescription->state.known)
			rows_insert(rows, prescription);
		else if (prescription->state.hidden && !prescription->before.hidden)
			hide_prescription(rows, prescription);
	}
}
