/*
 * outcome.c
 *		Writing OperationOutcomes.
 *
 * As text: an answer is written once and sent, so that a jsonb in between would
 * only be built to be printed.
 */
#include "postgres.h"

#include "utils/json.h"

#include "wire/date_time.h"
#include "wire/outcome.h"

void
outcome_begin(StringInfo out, int64 now)
{
	/* the many answers of a call tell the same time */
	static char text[DATE_TIME_TEXT];
	static int64 told;

	if (text[0] == '\0' || now != told)
		date_time_format(told = now, text);
	appendStringInfo(out, "{\"resourceType\":\"OperationOutcome\",\"meta\":{\"lastUpdated\":\"%s\"},\"issue\":[", text);
}

void
outcome_add(StringInfo out, const OutcomeIssue *issue)
{
	if (out->data[out->len - 1] != '[')
		appendStringInfoChar(out, ',');
	appendStringInfo(out, "{\"severity\":\"%s\",\"code\":\"%s\"", issue->severity, issue->code);
	if (issue->http_error != NULL)
		appendStringInfo(out, ",\"details\":{\"coding\":[{"
						 "\"system\":\"https://fhir.nhs.uk/CodeSystem/http-error-codes\",\"code\":\"%s\"}]}",
						 issue->http_error);
	appendStringInfoString(out, ",\"diagnostics\":");
	escape_json(out, issue->diagnostics);
	if (issue->expression != NULL)
	{
		appendStringInfoString(out, ",\"expression\":[");
		escape_json(out, issue->expression);
		appendStringInfoChar(out, ']');
	}
	appendStringInfoChar(out, '}');
}

void
outcome_end(StringInfo out)
{
	appendStringInfoString(out, "]}");
}

void
outcome_of_one(StringInfo out, int64 now, const OutcomeIssue *issue)
{
	outcome_begin(out, now);
	outcome_add(out, issue);
	outcome_end(out);
}

/* The FHIRPath of a fault's field in the index-th entry; NULL for a field of no Bundle (Format 1, a header). */
static char *
field_expression(const char *field, int index)
{
	if (strncmp(field, "Task", 4) == 0)
		return psprintf("Bundle.entry[%d].resource%s", index, field + 4);
	if (strncmp(field, "entry", 5) == 0)
		return psprintf("Bundle.entry[%d]%s", index, field + 5);
	if (strncmp(field, "Bundle", 6) == 0)
		return pstrdup(field);
	return NULL;
}

/* Adds one issue for all of these faults. */
static void
add_count(StringInfo out, const Fault *faults)
{
	OutcomeIssue issue = {.severity = "error", .code = faults->code};
	int			count = 0;

	for (const Fault *fault = faults; fault != NULL; fault = fault->next)
		count++;
	issue.diagnostics = psprintf("%d more fault%s: an answer spells out the first %d", count, count == 1 ? "" : "s", OUTCOME_FAULTS_MAX);
	outcome_add(out, &issue);
}

void
outcome_of_faults(StringInfo out, int64 now, const FaultList *faults, int index, int *spelled)
{
	const Fault *fault = faults->first;

	outcome_begin(out, now);
	for (; fault != NULL && *spelled < OUTCOME_FAULTS_MAX; fault = fault->next, (*spelled)++)
	{
		OutcomeIssue issue = {.severity = "error", .code = fault->code};

		issue.diagnostics = psprintf("%s %s", fault->field, fault->problem);
		issue.expression = field_expression(fault->field, index);
		outcome_add(out, &issue);
	}
	if (fault != NULL)
		add_count(out, fault);
	outcome_end(out);
}
