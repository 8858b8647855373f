/*
 * prescriptions.c
 *		Reading and writing rxtrack.prescription_patient.
 */
#include "postgres.h"

#include "types/types.h"
#include "updates/prescriptions.h"

enum
{
	PRESCRIPTION_ID,
	PRESCRIPTION_NHS_NUMBER,
	PRESCRIPTION_APPLICATION_ID,
	PRESCRIPTION_HIDDEN,
	PRESCRIPTION_COLUMNS
};

static const RowsTable prescription_table = {
	.schema = "rxtrack",
	.name = "prescription_patient",
	.column_count = PRESCRIPTION_COLUMNS,
	.columns = {
		[PRESCRIPTION_ID] = {"prescription_id", &catalog_prescription_id},
		[PRESCRIPTION_NHS_NUMBER] = {"nhs_number", &catalog_nhs_number},
		[PRESCRIPTION_APPLICATION_ID] = {"application_id", &catalog_integer},
		[PRESCRIPTION_HIDDEN] = {"hidden", &catalog_boolean}
	}
};

static const RowsKey prescription_key = {.count = 1, .columns = {PRESCRIPTION_ID}};

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
	Datum		key = PrescriptionIdGetDatum(&prescription->prescription_id);

	return prescription->has_new_supply ? rows_find_referenced(rows, &key, 1) : rows_find(rows, &key, 1, false);
}

void
prescriptions_read(Rows *rows, Batch *batch)
{
	for (int i = 0; i < batch->prescription_count; i++)
	{
		Prescription *prescription = &batch->prescriptions[i];
		Datum		application_id;
		bool		isnull;

		if (!find_prescription(rows, prescription))
			continue;
		prescription->place = rows_place(rows);
		prescription->before.known = true;
		prescription->before.nhs_number = DatumGetNhsNumber(rows_value(rows, PRESCRIPTION_NHS_NUMBER));
		application_id = rows_column(rows, PRESCRIPTION_APPLICATION_ID, &isnull);
		prescription->before.application_id = isnull ? 0 : DatumGetInt32(application_id);
		prescription->before.hidden = DatumGetBool(rows_value(rows, PRESCRIPTION_HIDDEN));
		prescription->state = prescription->before;
	}
}

/* Hides a prescription; somebody else may have changed its row since it was read. */
static void
hide_prescription(Rows *rows, const Prescription *prescription)
{
	static const bool changes[PRESCRIPTION_COLUMNS] = {[PRESCRIPTION_HIDDEN] = true};
	Datum		key = PrescriptionIdGetDatum(&prescription->prescription_id);
	Datum		values[PRESCRIPTION_COLUMNS] = {[PRESCRIPTION_HIDDEN] = BoolGetDatum(true)};
	bool		nulls[PRESCRIPTION_COLUMNS] = {false};
	RowsPlace	place;

	if (!rows_find(rows, &key, 1, true))
		return;
	place = rows_place(rows);
	rows_update(rows, &place, changes, values, nulls);
}

void
prescriptions_store(Rows *rows, const Batch *batch)
{
	for (int i = 0; i < batch->prescription_count; i++)
	{
		const Prescription *prescription = &batch->prescriptions[i];
		Datum		values[PRESCRIPTION_COLUMNS];
		bool		nulls[PRESCRIPTION_COLUMNS] = {false};

		if (prescription->before.known && prescription->state.hidden && !prescription->before.hidden)
			hide_prescription(rows, prescription);
		if (prescription->before.known || !prescription->state.known)
			continue;
		values[PRESCRIPTION_ID] = PrescriptionIdGetDatum(&prescription->prescription_id);
		values[PRESCRIPTION_NHS_NUMBER] = NhsNumberGetDatum(prescription->state.nhs_number);
		values[PRESCRIPTION_APPLICATION_ID] = Int32GetDatum(prescription->state.application_id);
		values[PRESCRIPTION_HIDDEN] = BoolGetDatum(prescription->state.hidden);
		rows_insert(rows, values, nulls);
	}
}
