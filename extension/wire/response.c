/*
 * response.c
 *		Writing transaction-responses.
 */
#include "postgres.h"

#include "utils/json.h"

#include "wire/response.h"

/* As response.status has them: codes and their phrases. */
static const struct
{
	int			code;
	const char *line;
}			statuses[] = {
	{200, "200 OK"},
	{201, "201 Created"},
	{202, "202 Accepted"},
	{400, "400 Bad Request"},
	{401, "401 Unauthorized"},
	{403, "403 Forbidden"},
	{409, "409 Conflict"},
	{413, "413 Content Too Large"},
	{422, "422 Unprocessable Content"},
	{429, "429 Too Many Requests"},
	{503, "503 Service Unavailable"},
	{504, "504 Gateway Timeout"}
};

static const char *
status_line(int http_status)
{
	for (int i = 0; i < (int) lengthof(statuses); i++)
		if (statuses[i].code == http_status)
			return statuses[i].line;
	return "500 Internal Server Error";
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
