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

/* A row of rxtrack.rehearsal, locked. */
typedef struct Rehearsal
{
	PrescriptionId prescription_id;
	int			answer;
	bool		always;
	int			remaining;		/* how many times still, unless always */
	int			taken;			/* how many of these by this batch */
} Rehearsal;

/* In one order for all batches, so that no two of them deadlock. */
static Statement lock_rehearsals = {
	.sql = "SELECT r.prescription_id, r.answer, r.remaining FROM rxtrack.rehearsal r"
	" WHERE r.prescription_id = ANY ($1) ORDER BY r.prescription_id FOR UPDATE",
	.argument_count = 1,
	.arguments = {&catalog_prescription_id}
};

static Statement count_down = {
	.sql = "UPDATE rxtrack.rehearsal r SET remaining = r.remaining - k.taken"
	" FROM unnest($1, $2) AS k (prescription_id, taken) WHERE r.prescription_id = k.prescription_id",
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

/* The prescriptions that the valid submissions name, as an array. */
static Datum
named_prescriptions(const Submission *submissions, int count)
{
	Datum	   *ids;
	int			room = 0;
	int			n = 0;

	for (int i = 0; i < count; i++)
		room += submission_is_valid(&submissions[i]) ? submissions[i].bundle->count : 0;
	ids = palloc(Max(room, 1) * sizeof(Datum));
	for (int i = 0; i < count; i++)
	{
		if (!submission_is_valid(&submissions[i]))
			continue;
		for (int j = 0; j < submissions[i].bundle->count; j++)
			ids[n++] = PrescriptionIdGetDatum(&submissions[i].bundle->entries[j].update.prescription_id);
	}
	return statement_array(&catalog_prescription_id, ids, NULL, n);
}

/* Locks and reads the rehearsals of these prescriptions, sorted by prescription. */
static Rehearsal *
take_rehearsals(Datum prescriptions, int *count)
{
	Rehearsal  *rehearsals;

	statement_execute(&lock_rehearsals, &prescriptions);
	*count = (int) SPI_processed;
	rehearsals = palloc0(Max(*count, 1) * sizeof(Rehearsal));
	for (int i = 0; i < *count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	columns = SPI_tuptable->tupdesc;
		bool		isnull;

		rehearsals[i].prescription_id = *DatumGetPrescriptionId(SPI_getbinval(row, columns, 1, &isnull));
		rehearsals[i].answer = DatumGetInt32(SPI_getbinval(row, columns, 2, &isnull));
		rehearsals[i].remaining = DatumGetInt32(SPI_getbinval(row, columns, 3, &isnull));
		rehearsals[i].always = isnull;
	}
	SPI_freetuptable(SPI_tuptable);
	return rehearsals;
}

static int
compare_prescriptions(const void *id, const void *rehearsal)
{
	return memcmp(id, &((const Rehearsal *) rehearsal)->prescription_id, sizeof(PrescriptionId));
}

/* The first of a bundle's prescriptions that has a rehearsal left, or NULL. */
static Rehearsal *
find_rehearsal(const Bundle *bundle, Rehearsal *rehearsals, int count)
{
	for (int i = 0; i < bundle->count; i++)
	{
		Rehearsal  *found = bsearch(&bundle->entries[i].update.prescription_id, rehearsals, count,
									sizeof(Rehearsal), compare_prescriptions);

		if (found != NULL && (found->always || found->taken < found->remaining))
			return found;
	}
	return NULL;
}

/* Counts down those that this batch has taken. */
static void
store_remainders(const Rehearsal *rehearsals, int count)
{
	Datum	   *ids = palloc(Max(count, 1) * sizeof(Datum));
	Datum	   *taken = palloc(Max(count, 1) * sizeof(Datum));
	Datum		arguments[2];
	int			changed = 0;

	for (int i = 0; i < count; i++)
	{
		if (rehearsals[i].always || rehearsals[i].taken == 0)
			continue;
		ids[changed] = PrescriptionIdGetDatum(&rehearsals[i].prescription_id);
		taken[changed++] = Int32GetDatum(rehearsals[i].taken);
	}
	if (changed == 0)
		return;
	arguments[0] = statement_array(&catalog_prescription_id, ids, NULL, changed);
	arguments[1] = statement_array(&catalog_integer, taken, NULL, changed);
	statement_execute(&count_down, arguments);
}

/* One submission after the other, as if each had come by itself. */
void
rehearsal_answer(Submission *submissions, int count, int64 now)
{
	Rehearsal  *rehearsals;
	int			rehearsal_count;

	if (!settings_sandbox)
		return;
	rehearsals = take_rehearsals(named_prescriptions(submissions, count), &rehearsal_count);
	for (int i = 0; i < count; i++)
	{
		Rehearsal  *rehearsal = NULL;

		if (submission_is_valid(&submissions[i]))
			rehearsal = find_rehearsal(submissions[i].bundle, rehearsals, rehearsal_count);
		if (rehearsal == NULL)
			continue;
		rehearsal->taken++;
		for (int j = 0; j < (int) lengthof(answers); j++)
		{
			if (answers[j].status != rehearsal->answer)
				continue;
			submission_fault(&submissions[i], now, answers[j].status, answers[j].code, answers[j].diagnostics);
			submissions[i].headers = answers[j].headers;
		}
	}
	store_remainders(rehearsals, rehearsal_count);
}
