/*
 * tasks.c
 *		Reading and writing rxtrack.status_update.
 */
#include "postgres.h"

#include "tables/statement.h"
#include "types/types.h"
#include "updates/batch.h"

static const RowsTable task_table = {
	"rxtrack", "status_update", 20, {
		COLUMN("prescription_id", prescription_id, Task, update.prescription_id),
		COLUMN("task_id", uuid, Task, update.task_id),
		COLUMN("line_item_id", uuid, Task, update.line_item_id),
		COLUMN("issue_number", integer, Task, update.issue_number),
		COLUMN("ods_code", ods_code, Task, update.ods_code),
		COLUMN("nhs_number", nhs_number, Task, update.nhs_number),
		COLUMN("status", business_status, Task, update.status),
		COLUMN("completed", boolean, Task, update.completed),
		COLUMN("last_modified", timestamptz, Task, update.last_modified),
		COLUMN_OR_NULL("post_dated_set_at", timestamptz, Task, update.post_dated_set_at, update.post_dated),
		COLUMN("application_id", integer, Task, application_id),
		COLUMN("request_id", uuid, Task, request_id),
		COLUMN("request_entries", smallint, Task, request_entries),
		COLUMN("received_at", timestamptz, Task, judged.received_at),
		COLUMN("receipt", integer, Task, judged.receipt),
		COLUMN("kind", transition_kind, Task, judged.kind),
		COLUMN("changes_status", boolean, Task, judged.changes_status),
		COLUMN("other_patient", boolean, Task, judged.other_patient),
		COLUMN("warned", boolean, Task, judged.warned),
		COLUMN("overtaken", boolean, Task, judged.overtaken)
	}
};

static const RowsKey task_key = {.count = 2, .columns = {0, 1}};

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
		if (!tasks[i].stored || tasks[i].judged.kind != TRANSITION_UNEXPECTED)
			continue;
		prescriptions[unexpected] = PrescriptionIdGetDatum(&tasks[i].update.prescription_id);
		task_ids[unexpected] = PointerGetDatum(&tasks[i].update.task_id);
		places[unexpected++] = Int32GetDatum(i);
	}
	if (unexpected == 0)
		return;
	arguments[0] = statement_array(&catalog_prescription_id, prescriptions, NULL, unexpected);
	arguments[1] = statement_array(&catalog_uuid, task_ids, NULL, unexpected);
	arguments[2] = statement_array(&catalog_integer, places, NULL, unexpected);
	statement_execute(&select_statuses_before, arguments, false);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool		isnull;
		int			place = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &isnull));

		tasks[place].judged.from = DatumGetBusinessStatus(SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 2, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
}

void
tasks_find(Rows *rows, Batch *batch)
{
	for (int i = 0; i < batch->task_count; i++)
	{
		Task	   *task = &batch->tasks[i];

		task->stored = rows_find(rows, task, ROWS_UNLOCKED);
		if (task->stored)
			rows_read(rows, task);
	}
	find_statuses_before(batch->tasks, batch->task_count);
}

/* ---------- Storing ---------- */

void
tasks_store(Rows *rows, const Batch *batch)
{
	const Entry **accepted;
	int			count = batch_accepted(batch, &accepted);

	for (int i = 0; i < count; i++)
		rows_insert(rows, accepted[i]->task);
}
