/*
 * outcome.c
 *		Writing answers.
 *
 * Text is appended rather than a jsonb built: an answer is written once, read by
 * the caller, and never asked anything.
 */
#include "postgres.h"

#include "utils/json.h"

#include "wire/date_time.h"
#include "wire/outcome.h"

static void
append_member(StringInfo out, const char *name, const char *value)
{
	appendStringInfo(out, ",\"%s\":", name);
	escape_json(out, value);
}

void
outcome_begin(StringInfo out, int64 now)
{
	char		text[DATE_TIME_TEXT];

	date_time_format(now, text);
	appendStringInfo(out, "{\"resourceType\":\"OperationOutcome\",\"meta\":{\"lastUpdated\":\"%s\"},\"issue\":[", text);
}

void
outcome_issue(StringInfo out, const Issue *issue)
{
	if (out->data[out->len - 1] != '[')
		appendStringInfoChar(out, ',');
	appendStringInfo(out, "{\"severity\":\"%s\",\"code\":\"%s\"", issue->severity, issue->code);
	if (issue->http_error != NULL)
		appendStringInfo(out, ",\"details\":{\"coding\":[{"
						 "\"system\":\"https://fhir.nhs.uk/CodeSystem/http-error-codes\",\"code\":\"%s\"}]}",
						 issue->http_error);
	append_member(out, "diagnostics", issue->diagnostics);
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
outcome_append(StringInfo out, int64 now, const Issue *issue)
{
	outcome_begin(out, now);
	outcome_issue(out, issue);
	outcome_end(out);
}

/* FHIRPath of a field; index tells which entry it is of.  NULL for one that is not of a Bundle. */
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

void
outcome_faults(StringInfo out, int64 now, const FaultList *faults, int index)
{
	outcome_begin(out, now);
	for (const Fault *fault = faults->first; fault != NULL; fault = fault->next)
	{
		Issue		issue = {.severity = "error", .code = fault->code};

		issue.diagnostics = psprintf("%s %s", fault->field, fault->problem);
		issue.expression = field_expression(fault->field, index);
		outcome_issue(out, &issue);
	}
	outcome_end(out);
}

void
response_begin(StringInfo out)
{
	appendStringInfoString(out, "{\"resourceType\":\"Bundle\",\"type\":\"transaction-response\"");
}

/* FHIR has no empty arrays, so that the array begins with its first entry. */
void
response_entry_begin(StringInfo out, const char *full_url, const char *http_status, const Uuid *task_id)
{
	bool		first = out->data[out->len - 1] == '"';

	appendStringInfoString(out, first ? ",\"entry\":[{" : ",{");
	if (full_url != NULL)
	{
		appendStringInfoString(out, "\"fullUrl\":");
		escape_json(out, full_url);
		appendStringInfoChar(out, ',');
	}
	appendStringInfo(out, "\"response\":{\"status\":\"%s\"", http_status);
	if (task_id != NULL)
	{
		char		text[UUID_TEXT];

		uuid_format(task_id, false, text);
		appendStringInfo(out, ",\"location\":\"Task/%s\"", text);
	}
	appendStringInfoString(out, ",\"outcome\":");
}

void
response_entry_end(StringInfo out)
{
	appendStringInfoString(out, "}}");
}

void
response_end(StringInfo out)
{
	bool		empty = out->data[out->len - 1] == '"';

	appendStringInfoString(out, empty ? "}" : "]}");
}

void
response_of_one(StringInfo out, int64 now, const char *http_status, const Issue *issue)
{
	response_begin(out);
	response_entry_begin(out, NULL, http_status, NULL);
	outcome_append(out, now, issue);
	response_entry_end(out);
	response_end(out);
}

const char *
http_status_line(int status)
{
	switch (status)
	{
		case 200:
			return "200 OK";
		case 201:
			return "201 Created";
		case 202:
			return "202 Accepted";
		case 400:
			return "400 Bad Request";
		case 401:
			return "401 Unauthorized";
		case 403:
			return "403 Forbidden";
		case 409:
			return "409 Conflict";
		case 413:
			return "413 Content Too Large";
		case 422:
			return "422 Unprocessable Content";
		case 429:
			return "429 Too Many Requests";
		case 503:
			return "503 Service Unavailable";
		case 504:
			return "504 Gateway Timeout";
		default:
			return "500 Internal Server Error";
	}
}
