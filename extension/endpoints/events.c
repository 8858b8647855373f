/*
 * events.c
 *		GET /events: whether a caller may have a stream of readiness events, from
 *		where on, and for which pharmacies.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "compat.h"
#include "endpoints/call.h"
#include "tables/statement.h"
#include "wire/outcome.h"

/* Longest list of pharmacies that a stream may be for. */
#define MAX_PHARMACIES 1000

static Statement last_release = {
	.sql = "SELECT rxtrack_internal.last_release()"
};

static int64
last_number(void)
{
	bool		isnull;
	int64		number;

	statement_execute(&last_release, NULL);
	number = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return number;
}

/* The release number after which the stream is to begin; a number of another history's is cut to our last. */
static int64
read_start(const JsonNode *last_id, FaultList *faults)
{
	char	   *end;
	int64		latest = last_number();
	int64		start;

	if (last_id == NULL)
		return latest;
	errno = 0;
	start = strtoll(last_id->text, &end, 10);
	if (errno != 0 || *end != '\0' || start < 0 || last_id->text[0] < '0' || last_id->text[0] > '9')
		faults_add(faults, "Last-Event-ID", "must be the id of an event of this stream");
	return Min(start, latest);
}

/* Reads codes with commas between them; adds a fault for the first that is none. */
static OdsCode *
read_pharmacies(const JsonNode *list, int *count, FaultList *faults)
{
	OdsCode    *codes = palloc(MAX_PHARMACIES * sizeof(OdsCode));
	const char *problem = NULL;

	*count = 0;
	for (const char *code = list->text; problem == NULL; code++)
	{
		const char *end = code + strcspn(code, ",");

		if (*count == MAX_PHARMACIES)
			problem = "must not have more than 1000 codes";
		else
			problem = ods_code_parse(code, end - code, &codes[(*count)++]);
		if (*end == '\0')
			break;
		code = end;
	}
	if (problem != NULL)
		faults_add(faults, "ods", problem);
	return codes;
}

/* Leaves of the codes those that are among others; returns how many. */
static int
intersect(OdsCode *codes, int count, const OdsCode *others, int other_count)
{
	int			kept = 0;

	for (int i = 0; i < count; i++)
		for (int j = 0; j < other_count; j++)
			if (codes[i] == others[j])
			{
				codes[kept++] = codes[i];
				break;
			}
	return kept;
}

static ArrayType *
text_array(const OdsCode *codes, int count)
{
	Datum	   *texts = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
	{
		char		text[ODS_CODE_TEXT];

		ods_code_format(codes[i], text);
		texts[i] = CStringGetTextDatum(text);
	}
	return construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT);
}

/*
 * Opens the stream for the pharmacies that were asked for (NULL: all).  A caller
 * that is restricted to pharmacies gets no others' events, whatever it asks for.
 */
static void
open_stream(EndpointAnswer *answer, const Caller *caller, OdsCode *codes, int count, int64 now)
{
	static const OutcomeIssue forbidden = {
		.severity = "error", .code = "forbidden",
		.diagnostics = "The application may not hear of any of these pharmacies"
	};

	if (caller->ods_codes != NULL)
	{
		int			allowed_count;
		OdsCode    *allowed = call_pharmacies(caller, &allowed_count);

		if (codes == NULL)
		{
			codes = allowed;
			count = allowed_count;
		}
		else
			count = intersect(codes, count, allowed, allowed_count);
		if (count == 0)
		{
			answer->status = 403;
			outcome_of_one(&answer->body, now, &forbidden);
			return;
		}
	}
	answer->status = 200;
	answer->headers = "Content-Type: text/event-stream\n";
	answer->streams = true;
	if (codes != NULL)
		answer->stream_ods_codes = text_array(codes, count);
}

static void
answer_events(EndpointAnswer *answer, const Caller *caller, const JsonNode *parameters, int64 now)
{
	const JsonNode *pharmacies = call_parameter(parameters, "ods");
	FaultList	faults = {NULL, NULL};
	OdsCode    *codes = NULL;
	int			count = 0;

	answer->stream_after = read_start(call_parameter(parameters, "last-event-id"), &faults);
	if (pharmacies != NULL)
		codes = read_pharmacies(pharmacies, &count, &faults);
	if (faults.first == NULL)
		open_stream(answer, caller, codes, count, now);
	else
		call_faults(answer, &faults, now);
}

/* rxtrack_http.events(scope, credential[], request_id[], parameters[], body[]) */
PG_FUNCTION_INFO_V1(endpoint_events);
Datum
endpoint_events(PG_FUNCTION_ARGS)
{
	return call_answer_each(fcinfo, answer_events);
}
