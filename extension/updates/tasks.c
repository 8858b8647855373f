/*
 * tasks.c
 *		Reading and writing rxtrack.status_update.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "tables/statement.h"
#include "types/types.h"
#include "updates/tasks.h"

enum
{
	TASK_PRESCRIPTION_ID,
	TASK_STATUS,
	TASK_COMPLETED,
	TASK_NHS_NUMBER,
	TASK_ID,
	TASK_LINE_ITEM_ID,
	TASK_REQUEST_ID,
	TASK_ODS_CODE,
	TASK_LAST_MODIFIED,
	TASK_RECEIVED_AT,
	TASK_APPLICATION_ID,
	TASK_RECEIPT,
	TASK_KIND,
	TASK_CHANGES_STATUS,
	TASK_OTHER_PATIENT,
	TASK_WARNED,
	TASK_OVERTAKEN,
	TASK_REQUEST_ENTRIES,
	TASK_ISSUE_NUMBER,
	TASK_POST_DATED_SET_AT,
	TASK_COLUMNS
};

static const RowsTable task_table = {
	.schema = "rxtrack",
	.name = "status_update",
	.column_count = TASK_COLUMNS,
	.columns = {
		[TASK_PRESCRIPTION_ID] = {"prescription_id", &catalog_prescription_id},
		[TASK_STATUS] = {"status", &catalog_business_status},
		[TASK_COMPLETED] = {"completed", &catalog_boolean},
		[TASK_NHS_NUMBER] = {"nhs_number", &catalog_nhs_number},
		[TASK_ID] = {"task_id", &catalog_uuid},
		[TASK_LINE_ITEM_ID] = {"line_item_id", &catalog_uuid},
		[TASK_REQUEST_ID] = {"request_id", &catalog_uuid},
		[TASK_ODS_CODE] = {"ods_code", &catalog_ods_code},
		[TASK_LAST_MODIFIED] = {"last_modified", &catalog_timestamptz},
		[TASK_RECEIVED_AT] = {"received_at", &catalog_timestamptz},
		[TASK_APPLICATION_ID] = {"application_id", &catalog_integer},
		[TASK_RECEIPT] = {"receipt", &catalog_integer},
		[TASK_KIND] = {"kind", &catalog_transition_kind},
		[TASK_CHANGES_STATUS] = {"changes_status", &catalog_boolean},
		[TASK_OTHER_PATIENT] = {"other_patient", &catalog_boolean},
		[TASK_WARNED] = {"warned", &catalog_boolean},
		[TASK_OVERTAKEN] = {"overtaken", &catalog_boolean},
		[TASK_REQUEST_ENTRIES] = {"request_entries", &catalog_smallint},
		[TASK_ISSUE_NUMBER] = {"issue_number", &catalog_integer},
		[TASK_POST_DATED_SET_AT] = {"post_dated_set_at", &catalog_timestamptz}
	}
};

static const RowsKey task_key = {.count = 2, .columns = {TASK_PRESCRIPTION_ID, TASK_ID}};

Rows *
tasks_open(void)
{
	return rows_open(&task_table, &task_key, RowExclusiveLock);
}

/* ---------- Tasks that are stored ---------- */

/*
 * Where supplies stood when unexpected updates of them came: at what the one before
 * said that was not late.
 */
static Statement select_statuses_before = {
	.sql = "SELECT k.place, u.before FROM (SELECT s.prescription_id, s.task_id, lag(s.status)"
	"  OVER (PARTITION BY s.prescription_id, s.line_item_id, s.issue_number, s.ods_code ORDER BY s.receipt) AS before"
	"  FROM rxtrack.status_update s WHERE s.prescription_id = ANY ($1) AND s.kind <> 'late') AS u"
	" JOIN unnest($1, $2, $3) AS k (prescription_id, task_id, place) USING (prescription_id, task_id)"
	" WHERE u.before IS NOT NULL",
	.argument_count = 3,
	.arguments = {&catalog_prescription_id, &catalog_uuid, &catalog_integer}
};

static void
find_statuses_before(Task *tasks, int count)
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

static void
read_task(Task *task, Rows *rows)
{
	Update	   *update = &task->update;
	bool		isnull;
	Datum		value;

	task->application_id = DatumGetInt32(rows_value(rows, TASK_APPLICATION_ID));
	memcpy(&task->request_id, DatumGetPointer(rows_value(rows, TASK_REQUEST_ID)), sizeof(Uuid));
	task->request_entries = DatumGetInt16(rows_value(rows, TASK_REQUEST_ENTRIES));
	task->kind = catalog_label_number(DatumGetObjectId(rows_value(rows, TASK_KIND)),
									  catalog_get()->transition_kinds, TRANSITION_KIND_COUNT);
	task->changes_status = DatumGetBool(rows_value(rows, TASK_CHANGES_STATUS));
	task->other_patient = DatumGetBool(rows_value(rows, TASK_OTHER_PATIENT));
	task->warned = DatumGetBool(rows_value(rows, TASK_WARNED));
	task->overtaken = DatumGetBool(rows_value(rows, TASK_OVERTAKEN));
	task->received_at = DatumGetTimestampTz(rows_value(rows, TASK_RECEIVED_AT));
	update->task_id = task->task_id;
	update->prescription_id = task->prescription_id;
	memcpy(&update->line_item_id, DatumGetPointer(rows_value(rows, TASK_LINE_ITEM_ID)), sizeof(Uuid));
	update->nhs_number = DatumGetNhsNumber(rows_value(rows, TASK_NHS_NUMBER));
	update->ods_code = DatumGetOdsCode(rows_value(rows, TASK_ODS_CODE));
	update->status = DatumGetBusinessStatus(rows_value(rows, TASK_STATUS));
	update->completed = DatumGetBool(rows_value(rows, TASK_COMPLETED));
	update->last_modified = DatumGetTimestampTz(rows_value(rows, TASK_LAST_MODIFIED));
	value = rows_column(rows, TASK_POST_DATED_SET_AT, &isnull);
	update->post_dated = !isnull;
	update->post_dated_set_at = isnull ? 0 : DatumGetTimestampTz(value);
	update->issue_number = DatumGetInt32(rows_value(rows, TASK_ISSUE_NUMBER));
}

void
tasks_find(Rows *rows, Batch *batch)
{
	for (int i = 0; i < batch->task_count; i++)
	{
		Task	   *task = &batch->tasks[i];
		Datum		key[2] = {PrescriptionIdGetDatum(&task->prescription_id), PointerGetDatum(&task->task_id)};

		task->stored = rows_find(rows, key, 2, false);
		if (task->stored)
			read_task(task, rows);
	}
	find_statuses_before(batch->tasks, batch->task_count);
}

/* ---------- Storing ---------- */

static void
store_entry(Rows *rows, const Entry *entry)
{
	const Update *update = entry->update;
	const Submission *submission = entry->submission;
	Datum		values[TASK_COLUMNS];
	bool		nulls[TASK_COLUMNS] = {false};

	values[TASK_PRESCRIPTION_ID] = PrescriptionIdGetDatum(&update->prescription_id);
	values[TASK_STATUS] = BusinessStatusGetDatum(update->status);
	values[TASK_COMPLETED] = BoolGetDatum(update->completed);
	values[TASK_NHS_NUMBER] = NhsNumberGetDatum(update->nhs_number);
	values[TASK_ID] = PointerGetDatum(&update->task_id);
	values[TASK_LINE_ITEM_ID] = PointerGetDatum(&update->line_item_id);
	values[TASK_REQUEST_ID] = PointerGetDatum(&submission->request_id);
	values[TASK_ODS_CODE] = OdsCodeGetDatum(update->ods_code);
	values[TASK_LAST_MODIFIED] = TimestampTzGetDatum(update->last_modified);
	values[TASK_RECEIVED_AT] = TimestampTzGetDatum(entry->received_at);
	values[TASK_APPLICATION_ID] = Int32GetDatum(submission->application_id);
	values[TASK_RECEIPT] = Int32GetDatum(entry->receipt);
	values[TASK_KIND] = ObjectIdGetDatum(catalog_get()->transition_kinds[entry->kind]);
	values[TASK_CHANGES_STATUS] = BoolGetDatum(entry->changes_status);
	values[TASK_OTHER_PATIENT] = BoolGetDatum(entry->other_patient);
	values[TASK_WARNED] = BoolGetDatum(entry->warned);
	values[TASK_OVERTAKEN] = BoolGetDatum(entry->overtaken);
	values[TASK_REQUEST_ENTRIES] = Int16GetDatum(submission->bundle->count);
	values[TASK_ISSUE_NUMBER] = Int32GetDatum(update->issue_number);
	values[TASK_POST_DATED_SET_AT] = TimestampTzGetDatum(update->post_dated_set_at);
	nulls[TASK_POST_DATED_SET_AT] = !update->post_dated;
	rows_insert(rows, values, nulls);
}

void
tasks_store(Rows *rows, const Batch *batch)
{
	const Entry **accepted;
	int			count = batch_accepted(batch, &accepted);

	for (int i = 0; i < count; i++)
		store_entry(rows, accepted[i]);
}
