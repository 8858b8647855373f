/*
 * check_updates.c
 *		GET /checkprescriptionstatusupdates: an application's own updates, a page
 *		at a time.
 *
 * Pages are in the order of the primary key, and each begins after the key that
 * the last one ended with: what is stored between two pages neither repeats nor
 * hides an update that was there before.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "endpoints/call.h"
#include "tables/catalog.h"
#include "tables/statement.h"
#include "types/types.h"
#include "wire/date_time.h"

#define PAGE_SIZE 15
#define START_PRESCRIPTION "exclusivestartkey-prescriptionid"
#define START_TASK "exclusivestartkey-taskid"
#define SEARCH_ARGUMENT_COUNT 6

/* The criteria of a search, and where it goes on. */
typedef struct Search
{
	int			application_id;
	bool		by_prescription;
	bool		by_patient;
	bool		by_pharmacy;
	bool		continued;		/* after the page before, from here: */
	PrescriptionId start_prescription;
	Uuid		start_task;
	PrescriptionId prescription_id;
	NhsNumber	nhs_number;
	OdsCode		ods_code;
} Search;

/* NULL: any prescription, patient, pharmacy; from the beginning.  One row more than a page tells whether there is another. */
static Statement find_updates = {
	.sql = "SELECT u.prescription_id, u.task_id, u.line_item_id, u.nhs_number, u.ods_code, u.status,"
	" u.terminal, u.last_modified, u.request_id, u.issue_number, u.post_dated_set_at"
	" FROM rxtrack_internal.find_updates(($1)[1], ($2)[1], ($3)[1], ($4)[1], ($5)[1], ($6)[1], 16) u",
	.argument_count = SEARCH_ARGUMENT_COUNT,
	.arguments = {&catalog_integer, &catalog_prescription_id, &catalog_nhs_number,
	&catalog_ods_code, &catalog_prescription_id, &catalog_uuid}
};

/* ---------- Parameters ---------- */

/* Both parts of a key are there, or neither. */
static void
read_start(Search *search, const JsonNode *parameters, FaultList *faults)
{
	const JsonNode *prescription = call_parameter(parameters, START_PRESCRIPTION);
	const JsonNode *task = call_parameter(parameters, START_TASK);

	search->continued = prescription != NULL && task != NULL;
	if (prescription != NULL)
		faults_check(faults, "ExclusiveStartKey-PrescriptionID",
					 prescription_id_parse(prescription->text, prescription->length, &search->start_prescription));
	else if (task != NULL)
		faults_add(faults, "ExclusiveStartKey-PrescriptionID", "is missing beside ExclusiveStartKey-TaskID");
	if (task != NULL)
		faults_check(faults, "ExclusiveStartKey-TaskID", uuid_parse(task->text, task->length, &search->start_task));
	else if (prescription != NULL)
		faults_add(faults, "ExclusiveStartKey-TaskID", "is missing beside ExclusiveStartKey-PrescriptionID");
}

static void
read_search(Search *search, const JsonNode *parameters, FaultList *faults)
{
	const JsonNode *value = call_parameter(parameters, "prescriptionid");

	search->by_prescription = value != NULL;
	if (value != NULL)
		faults_check(faults, "prescriptionid",
					 prescription_id_parse(value->text, value->length, &search->prescription_id));
	value = call_parameter(parameters, "nhsnumber");
	search->by_patient = value != NULL;
	if (value != NULL)
		faults_check(faults, "nhsnumber", nhs_number_parse(value->text, value->length, &search->nhs_number));
	value = call_parameter(parameters, "odscode");
	search->by_pharmacy = value != NULL;
	if (value != NULL)
		faults_check(faults, "odscode", ods_code_parse(value->text, value->length, &search->ods_code));
	if (!search->by_prescription && !search->by_patient && !search->by_pharmacy)
		faults_add(faults, "prescriptionid, nhsnumber, odscode", "are all missing: at least one is needed");
	read_start(search, parameters, faults);
}

/* ---------- Rows ---------- */

/* Leaves a page and one row more in SPI_tuptable, at most. */
static void
run_search(Search *search)
{
	Datum		values[SEARCH_ARGUMENT_COUNT] = {
		Int32GetDatum(search->application_id),
		PrescriptionIdGetDatum(&search->prescription_id),
		NhsNumberGetDatum(search->nhs_number),
		OdsCodeGetDatum(search->ods_code),
		PrescriptionIdGetDatum(&search->start_prescription),
		PointerGetDatum(&search->start_task)
	};
	bool		nulls[SEARCH_ARGUMENT_COUNT] = {
		false, !search->by_prescription, !search->by_patient, !search->by_pharmacy, !search->continued, !search->continued
	};
	Datum		arguments[SEARCH_ARGUMENT_COUNT];

	for (int i = 0; i < SEARCH_ARGUMENT_COUNT; i++)
		arguments[i] = statement_array(find_updates.arguments[i], &values[i], &nulls[i], 1);
	statement_execute(&find_updates, arguments);
}

/* A column of a row of the result. */
static Datum
found(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

static void
append_date(StringInfo out, const char *name, Datum when)
{
	char		text[DATE_TIME_TEXT];

	date_time_format(DatumGetTimestampTz(when), text);
	appendStringInfo(out, ",\"%s\":\"%s\"", name, text);
}

static void
append_uuid(StringInfo out, const char *name, Datum uuid, bool upper)
{
	char		text[UUID_TEXT];

	uuid_format((const Uuid *) DatumGetPointer(uuid), upper, text);
	appendStringInfo(out, ",\"%s\":\"%s\"", name, text);
}

static void
append_item(StringInfo out, uint64 row, const char *application)
{
	char		prescription[PRESCRIPTION_ID_TEXT];
	char		patient[NHS_NUMBER_TEXT];
	char		pharmacy[ODS_CODE_TEXT];
	bool		isnull;
	Datum		value;

	prescription_id_format(DatumGetPrescriptionId(found(row, 1, &isnull)), prescription);
	nhs_number_format(DatumGetNhsNumber(found(row, 4, &isnull)), patient);
	ods_code_format(DatumGetOdsCode(found(row, 5, &isnull)), pharmacy);
	appendStringInfo(out, "%s{\"PrescriptionID\":\"%s\"", row > 0 ? "," : "", prescription);
	append_uuid(out, "TaskID", found(row, 2, &isnull), false);
	append_uuid(out, "LineItemID", found(row, 3, &isnull), true);
	appendStringInfo(out, ",\"PatientNHSNumber\":\"%s\",\"PharmacyODSCode\":\"%s\",\"Status\":\"%s\",\"TerminalStatus\":\"%s\"",
					 patient, pharmacy,
					 business_status_name(DatumGetBusinessStatus(found(row, 6, &isnull))),
					 DatumGetBool(found(row, 7, &isnull)) ? "completed" : "in-progress");
	append_date(out, "LastModified", found(row, 8, &isnull));
	append_uuid(out, "RequestID", found(row, 9, &isnull), false);
	appendStringInfoString(out, ",\"ApplicationName\":");
	escape_json(out, application);
	value = found(row, 10, &isnull);
	if (DatumGetInt32(value) != 0)
		appendStringInfo(out, ",\"RepeatNo\":%d", DatumGetInt32(value));
	value = found(row, 11, &isnull);
	if (!isnull)
		append_date(out, "PostDatedLastModifiedSetAt", value);
	appendStringInfoChar(out, '}');
}

/* The header lines, with the key after which the next page begins, if there is one. */
static const char *
page_headers(void)
{
	char		prescription[PRESCRIPTION_ID_TEXT];
	char		task[UUID_TEXT];
	bool		isnull;

	if (SPI_processed <= PAGE_SIZE)
		return "Content-Type: application/json\n";
	prescription_id_format(DatumGetPrescriptionId(found(PAGE_SIZE - 1, 1, &isnull)), prescription);
	uuid_format((const Uuid *) DatumGetPointer(found(PAGE_SIZE - 1, 2, &isnull)), false, task);
	return psprintf("Content-Type: application/json\n"
					"LastEvaluatedKey-PrescriptionID: %s\nLastEvaluatedKey-TaskID: %s\n", prescription, task);
}

static void
answer_search(EndpointAnswer *answer, const Caller *caller, Search *search)
{
	run_search(search);
	answer->status = SPI_processed > 0 ? 200 : 404;
	answer->headers = page_headers();
	appendStringInfoString(&answer->body, "{\"items\":[");
	for (uint64 row = 0; row < Min(SPI_processed, PAGE_SIZE); row++)
		append_item(&answer->body, row, caller->name);
	appendStringInfoString(&answer->body, "]}");
	SPI_freetuptable(SPI_tuptable);
}

static void
answer_check_updates(EndpointAnswer *answer, const Caller *caller, const JsonNode *parameters, int64 now)
{
	Search		search = {.application_id = caller->application_id};
	FaultList	faults = {NULL, NULL};

	read_search(&search, parameters, &faults);
	if (faults.first == NULL)
		answer_search(answer, caller, &search);
	else
		call_faults(answer, &faults, now);
}

/* rxtrack_http.check_updates(scope, credential[], request_id[], parameters[], body[]) */
PG_FUNCTION_INFO_V1(endpoint_check_updates);
Datum
endpoint_check_updates(PG_FUNCTION_ARGS)
{
	return call_answer_each(fcinfo, answer_check_updates);
}
