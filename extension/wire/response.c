/*
 * response.c
 *		Writing transaction-responses.
 */
#include "postgres.h"

#include "utils/json.h"

#include "wire/response.h"

/* As response.status has it: the code and its phrase. */
static const char *
status_line(int http_status)
{
	switch (http_status)
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

void
response_begin(StringInfo out)
{
	appendStringInfoString(out, "{\"resourceType\":\"Bundle\",\"type\":\"transaction-response\"");
}

/* FHIR has no empty arrays: the array is begun by its first entry. */
void
response_begin_entry(StringInfo out, const char *full_url, int http_status, const Uuid *task_id)
{
	bool		first = out->data[out->len - 1] == '"';

	appendStringInfoString(out, first ? ",\"entry\":[{" : ",{");
	if (full_url != NULL)
	{
		appendStringInfoString(out, "\"fullUrl\":");
		escape_json(out, full_url);
		appendStringInfoChar(out, ',');
	}
	appendStringInfo(out, "\"response\":{\"status\":\"%s\"", status_line(http_status));
	if (task_id != NULL)
	{
		char		text[UUID_TEXT];

		uuid_format(task_id, false, text);
		appendStringInfo(out, ",\"location\":\"Task/%s\"", text);
	}
	appendStringInfoString(out, ",\"outcome\":");
}

void
response_end_entry(StringInfo out)
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
response_of_one(StringInfo out, int64 now, int http_status, const OutcomeIssue *issue)
{
	response_begin(out);
	response_begin_entry(out, NULL, http_status, NULL);
	outcome_of_one(out, now, issue);
	response_end_entry(out);
	response_end(out);
}
