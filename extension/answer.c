/*
 * answer.c
 *		The answer to a bundle: an entry for each of its entries, in their order.
 */
#include "postgres.h"

#include "answer.h"
#include "outcome.h"

#define ERROR_ISSUE(kind, text) {.severity = "error", .code = kind, .diagnostics = text}

/* ---------- Faults ---------- */

/* FHIRPath of a field; index tells which entry it is of.  NULL for a field of Format 1. */
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

static void
append_faults(StringInfo out, const FaultList *faults, int index, const char *code, int64 now)
{
	outcome_begin(out, now);
	for (const Fault *fault = faults->first; fault != NULL; fault = fault->next)
	{
		Issue		issue = ERROR_ISSUE(code, NULL);

		issue.diagnostics = psprintf("%s %s", fault->field, fault->problem);
		issue.expression = field_expression(fault->field, index);
		outcome_issue(out, &issue);
	}
	outcome_end(out);
}

/* A fault of the bundle itself, or of the request, belongs to no entry. */
static void
answer_bundle_faults(Submission *submission, int64 now)
{
	const Bundle *bundle = submission->bundle;
	StringInfo	out = &submission->answer;

	submission->status = bundle->too_long ? 413 : 400;
	response_begin(out);
	response_entry_begin(out, NULL, http_status_line(submission->status), NULL);
	append_faults(out, &bundle->faults, 0, bundle->too_long ? "too-long" : "value", now);
	response_entry_end(out);
	response_end(out);
}

/* Appends a valid entry of a bundle that was not stored. */
static void
append_not_stored(StringInfo out, const BundleEntry *entry, int64 now)
{
	static const Issue not_stored = {
		.severity = "information",
		.code = "informational",
		.diagnostics = "This entry is valid, but it was not stored, because of other entries of the same bundle"
	};

	response_entry_begin(out, entry->full_url, http_status_line(200), NULL);
	outcome_append(out, now, &not_stored);
	response_entry_end(out);
}

static void
answer_entry_faults(Submission *submission, int64 now)
{
	const Bundle *bundle = submission->bundle;
	StringInfo	out = &submission->answer;

	submission->status = bundle->forbidden ? 403 : 400;
	response_begin(out);
	for (int i = 0; i < bundle->count; i++)
	{
		const BundleEntry *entry = &bundle->entries[i];

		if (entry->faults.first == NULL)
		{
			append_not_stored(out, entry, now);
			continue;
		}
		response_entry_begin(out, entry->full_url, http_status_line(submission->status), NULL);
		append_faults(out, &entry->faults, i, bundle->forbidden ? "forbidden" : "value", now);
		response_entry_end(out);
	}
	response_end(out);
}

/* ---------- Judgements ---------- */

static void
append_stored(StringInfo out, const BundleEntry *sent, const Entry *entry, int64 now)
{
	static const Issue stored = {
		.severity = "information",
		.code = "success",
		.diagnostics = "The update is stored"
	};

	response_entry_begin(out, sent->full_url, http_status_line(201), &sent->update.task_id);
	outcome_begin(out, now);
	outcome_issue(out, &stored);
	if (entry->fate == FATE_STORED && entry->acceptance.kind == TRANSITION_UNEXPECTED &&
		transition_policy == TRANSITION_POLICY_WARN)
	{
		Issue		warning = {.severity = "warning", .code = "business-rule"};

		warning.diagnostics = psprintf("The transition rules do not allow %s to be followed by %s",
									   business_status_name(entry->from),
									   business_status_name(sent->update.status));
		outcome_issue(out, &warning);
	}
	outcome_end(out);
	response_entry_end(out);
}

static void
append_conflict(StringInfo out, const BundleEntry *sent, int64 now)
{
	Issue		conflict = ERROR_ISSUE("duplicate", "A task with this Task.id is stored already for this prescription");

	conflict.http_error = "REC_CONFLICT";
	response_entry_begin(out, sent->full_url, http_status_line(409), &sent->update.task_id);
	outcome_append(out, now, &conflict);
	response_entry_end(out);
}

static void
append_refused(StringInfo out, const BundleEntry *sent, const Entry *entry, int index, int64 now)
{
	Issue		refused = ERROR_ISSUE("business-rule", NULL);

	refused.diagnostics = psprintf("Task.businessStatus: the transition rules do not allow %s to be followed by %s",
								   business_status_name(entry->from), business_status_name(sent->update.status));
	refused.expression = field_expression("Task.businessStatus", index);
	response_entry_begin(out, sent->full_url, http_status_line(422), NULL);
	outcome_append(out, now, &refused);
	response_entry_end(out);
}

static void
answer_judgements(Submission *submission, int64 now)
{
	const Bundle *bundle = submission->bundle;
	StringInfo	out = &submission->answer;

	response_begin(out);
	for (int i = 0; i < bundle->count; i++)
	{
		const BundleEntry *sent = &bundle->entries[i];
		const Entry *entry = &submission->entries[i];

		if (submission->status == 201)
			append_stored(out, sent, entry, now);
		else if (entry->fate == FATE_CONFLICT)
			append_conflict(out, sent, now);
		else if (entry->fate == FATE_REFUSED)
			append_refused(out, sent, entry, i, now);
		else
			append_not_stored(out, sent, now);
	}
	response_end(out);
}

static void
answer_ignored(Submission *submission, int64 now)
{
	static const Issue ignored = {
		.severity = "information",
		.code = "informational",
		.diagnostics = "A message of this MessageType is ignored"
	};

	submission->status = 202;
	response_of_one(&submission->answer, now, http_status_line(202), &ignored);
}

void
answer_submission(Submission *submission, int64 now)
{
	const Bundle *bundle = submission->bundle;

	if (bundle->ignored)
		answer_ignored(submission, now);
	else if (bundle->faults.first != NULL)
		answer_bundle_faults(submission, now);
	else if (bundle->faulty > 0)
		answer_entry_faults(submission, now);
	else if (bundle->count > 0)
		answer_judgements(submission, now);
	else
	{
		submission->status = 200;
		response_begin(&submission->answer);
		response_end(&submission->answer);
	}
}
