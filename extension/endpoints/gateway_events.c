/*
 * gateway_events.c
 *		GET /events: whether a caller may have a stream of readiness events, and
 *		from where on.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/timestamp.h"

#include "tables/catalog.h"
#include "tables/statement.h"
#include "endpoints/gateway.h"
#include "wire/outcome.h"
#include "types/types.h"

/* Longest list of pharmacies that a stream may be for. */
#define MAX_PHARMACIES 1000

static Statement last_release = {
	.sql = "SELECT rxtrack.last_release()"
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

/* Codes with commas between them. */
static void
check_pharmacies(const JsonNode *list, FaultList *faults)
{
	const char *code = list->text;
	int			count = 0;

	for (const char *p = code;; p++)
	{
		OdsCode		ignored;
		const char *problem;

		if (*p != ',' && *p != '\0')
			continue;
		problem = ods_code_parse(code, p - code, &ignored);
		if (problem != NULL)
		{
			fault_add(faults, "ods", problem);
			return;
		}
		if (++count > MAX_PHARMACIES)
		{
			fault_add(faults, "ods", "must not have more than 1000 codes");
			return;
		}
		if (*p == '\0')
			return;
		code = p + 1;
	}
}

/* The release number after which the stream is to begin. */
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
		fault_add(faults, "Last-Event-ID", "must be the id of an event of this stream");
	/* a number of another database's: begin with what comes */
	return Min(start, latest);
}

/* Whether the caller may hear of a pharmacy. */
static bool
is_allowed(const Caller *caller, OdsCode code)
{
	Datum	   *codes;
	int			count;

	deconstruct_array(caller->ods_codes, ARR_ELEMTYPE(caller->ods_codes), sizeof(OdsCode), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &codes, NULL, &count);
	for (int i = 0; i < count; i++)
		if (DatumGetOdsCode(codes[i]) == code)
			return true;
	return false;
}

static void
append_pharmacy(StringInfo list, OdsCode code)
{
	char		text[ODS_CODE_TEXT];

	ods_code_format(code, text);
	appendStringInfo(list, "%s%s", list->len > 0 ? "," : "", text);
}

/* All the pharmacies that a restricted caller may hear of. */
static void
append_allowed(StringInfo list, const Caller *caller)
{
	Datum	   *codes;
	int			count;

	deconstruct_array(caller->ods_codes, ARR_ELEMTYPE(caller->ods_codes), sizeof(OdsCode), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &codes, NULL, &count);
	for (int i = 0; i < count; i++)
		append_pharmacy(list, DatumGetOdsCode(codes[i]));
}

/* Those of the request that the caller may hear of; they were checked. */
static void
append_requested(StringInfo list, const Caller *caller, const char *requested)
{
	for (const char *code = requested;; code++)
	{
		const char *end = code + strcspn(code, ",");
		OdsCode		parsed;

		if (ods_code_parse(code, end - code, &parsed) == NULL && is_allowed(caller, parsed))
			append_pharmacy(list, parsed);
		if (*end == '\0')
			return;
		code = end;
	}
}

/*
 * A caller that is restricted to pharmacies gets no others' events: the gateway is
 * told which the stream is for, in place of those that the request names.
 */
static bool
narrow_stream(GatewayAnswer *answer, const JsonNode *requested, int64 now)
{
	static const Issue forbidden = {
		.severity = "error", .code = "forbidden",
		.diagnostics = "The application may not hear of any of these pharmacies"
	};
	StringInfoData list;

	if (answer->caller->ods_codes == NULL)
		return true;
	initStringInfo(&list);
	if (requested == NULL)
		append_allowed(&list, answer->caller);
	else
		append_requested(&list, answer->caller, requested->text);
	if (list.len > 0)
	{
		answer->headers = psprintf("%sX-Rxtrack-Pharmacies: %s\n", answer->headers, list.data);
		return true;
	}
	answer->status = 403;
	answer->headers = NULL;
	outcome_append(&answer->body, now, &forbidden);
	return false;
}

static void
answer_events(GatewayAnswer *answer, const JsonNode *parameters, int64 now)
{
	FaultList	faults = {NULL, NULL};
	const JsonNode *pharmacies = gateway_parameter(parameters, "ods");
	int64		start = read_start(gateway_parameter(parameters, "last-event-id"), &faults);

	if (pharmacies != NULL)
		check_pharmacies(pharmacies, &faults);
	if (faults.first != NULL)
	{
		gateway_faults(answer, &faults, now);
		return;
	}
	answer->status = 200;
	answer->headers = "Content-Type: text/event-stream\n";
	if (!narrow_stream(answer, pharmacies, now))
		return;
	appendStringInfo(&answer->body, INT64_FORMAT, start);
}

/* rxtrack.gateway_events(scope, credential[], request_id[], parameters[], body[]) */
PG_FUNCTION_INFO_V1(gateway_events);
Datum
gateway_events(PG_FUNCTION_ARGS)
{
	return gateway_answer_each(fcinfo, answer_events);
}
