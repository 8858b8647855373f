/*
 * rehearsal.c
 *		Rehearsed answers, in a sandbox.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/guc.h"

#include "catalog.h"
#include "rehearsal.h"
#include "types.h"

#define RETRY_AFTER "Retry-After: 1\n"

static bool sandbox = false;

/*
 * A row is used up once in a statement, however many requests name it.  They are
 * locked in one order, so that no two batches can wait for each other.
 */
static Statement take_rehearsals = {
	.sql = "WITH locked AS MATERIALIZED (SELECT r.prescription_id FROM rxtrack.rehearsal r"
	"  WHERE r.prescription_id = ANY ($1) ORDER BY r.prescription_id FOR UPDATE)"
	" UPDATE rxtrack.rehearsal r SET remaining = r.remaining - 1"
	" FROM locked JOIN unnest($1, $2) AS k (prescription_id, n) USING (prescription_id)"
	" WHERE r.prescription_id = locked.prescription_id AND (r.remaining IS NULL OR r.remaining > 0)"
	" RETURNING k.n, r.answer",
	.argument_count = 2,
	.arguments = {&element_prescription_id, &element_integer}
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

void
rehearsal_init(void)
{
	/* not for a caller to switch on */
	DefineCustomBoolVariable("rxtrack.sandbox",
							 "Whether prescriptions in rxtrack.rehearsal get rehearsed answers.",
							 "For suppliers' integration tests; never where there are patients.",
							 &sandbox, false, PGC_SUSET, 0, NULL, NULL, NULL);
}

static void
answer_rehearsed(Submission *submission, int status, int64 now)
{
	for (int i = 0; i < (int) lengthof(answers); i++)
	{
		if (answers[i].status != status || submission->bundle == NULL)
			continue;
		submission_fault(submission, now, status, answers[i].code, answers[i].diagnostics);
		submission->headers = answers[i].headers;
	}
}

void
rehearse(Submission *submissions, int count, int64 now)
{
	int			entry_count = 0;
	int			n = 0;
	Datum	   *ids;
	Datum	   *numbers;
	Datum		arguments[2];

	if (!sandbox)
		return;
	for (int i = 0; i < count; i++)
		if (submission_is_valid(&submissions[i]))
			entry_count += submissions[i].bundle->count;
	ids = palloc(Max(entry_count, 1) * sizeof(Datum));
	numbers = palloc(Max(entry_count, 1) * sizeof(Datum));
	for (int i = 0; i < count; i++)
	{
		if (!submission_is_valid(&submissions[i]))
			continue;
		for (int j = 0; j < submissions[i].bundle->count; j++, n++)
		{
			ids[n] = PrescriptionIdGetDatum(&submissions[i].bundle->entries[j].update.prescription_id);
			numbers[n] = Int32GetDatum(i);
		}
	}
	arguments[0] = element_array(&element_prescription_id, ids, NULL, n);
	arguments[1] = element_array(&element_integer, numbers, NULL, n);
	statement_execute(&take_rehearsals, arguments);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[row];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		isnull;
		int			which = DatumGetInt32(SPI_getbinval(tuple, columns, 1, &isnull));

		answer_rehearsed(&submissions[which], DatumGetInt32(SPI_getbinval(tuple, columns, 2, &isnull)), now);
	}
	SPI_freetuptable(SPI_tuptable);
}
