/*
 * rehearsal.c
 *		Faults on demand, in a sandbox.
 */
#include "postgres.h"

#include "executor/spi.h"

#include "endpoints/rehearsal.h"
#include "settings.h"
#include "tables/catalog.h"
#include "tables/statement.h"
#include "types/types.h"

#define RETRY_AFTER "Retry-After: 1\n"

/* Which submissions, each with the prescriptions that it names, get which answer; these are counted down. */
static Statement rehearse = {
	.sql = "SELECT r.submission, r.answer FROM rxtrack_internal.rehearse($1, $2) AS r",
	.argument_count = 2,
	.arguments = {&catalog_prescription_id, &catalog_integer}
};

static const struct
{
	int			status;
	const char *code;
	const char *headers;
	const char *diagnostics;
}			answers[] = {
	{429, "throttled", RETRY_AFTER, "Too many requests (rehearsed)"},
	{500, "exception", NULL, "Internal error (rehearsed)"},
	{503, "transient", RETRY_AFTER, "The service is away (rehearsed)"},
	{504, "timeout", NULL, "It took too long (rehearsed)"}
};

/* Finds the rehearsals that the valid submissions call for; they are in SPI_tuptable. */
static void
find_rehearsals(const Submission *submissions, int count)
{
	Datum	   *prescriptions;
	Datum	   *places;
	Datum		arguments[2];
	int			room = 1;
	int			n = 0;

	for (int i = 0; i < count; i++)
		room += submission_is_valid(&submissions[i]) ? submissions[i].bundle->count : 0;
	prescriptions = palloc(room * sizeof(Datum));
	places = palloc(room * sizeof(Datum));
	for (int i = 0; i < count; i++)
		for (int j = 0; submission_is_valid(&submissions[i]) && j < submissions[i].bundle->count; j++)
		{
			prescriptions[n] = PrescriptionIdGetDatum(&submissions[i].bundle->entries[j].update.prescription_id);
			places[n++] = Int32GetDatum(i);
		}
	arguments[0] = statement_array(&catalog_prescription_id, prescriptions, NULL, n);
	arguments[1] = statement_array(&catalog_integer, places, NULL, n);
	statement_execute(&rehearse, arguments);
}

static void
answer(Submission *submission, int status, int64 now)
{
	for (int i = 0; i < (int) lengthof(answers); i++)
	{
		if (answers[i].status != status)
			continue;
		submission_fault(submission, now, status, answers[i].code, answers[i].diagnostics);
		submission->headers = answers[i].headers;
	}
}

void
rehearsal_answer(Submission *submissions, int count, int64 now)
{
	if (!settings_sandbox)
		return;
	find_rehearsals(submissions, count);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool		isnull;
		Datum		place = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &isnull);
		Datum		status = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 2, &isnull);

		answer(&submissions[DatumGetInt32(place)], DatumGetInt32(status), now);
	}
	SPI_freetuptable(SPI_tuptable);
}
