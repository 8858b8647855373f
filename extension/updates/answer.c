/*
 * answer.c
 *		The answer to a bundle: an entry for each of its entries, in their order.
 */
#include "postgres.h"

#include "updates/answer.h"
#include "wire/outcome.h"

#define ERROR_ISSUE(kind, text) {.severity = "error", .code = kind, .diagnostics = text}

/* ---------- Faults ---------- */

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
append_faulty(StringInfo out, const BundleEntry *entry, int index, const char *http_status, int64 now)
{
	response_entry_begin(out, entry->full_url, http_status, NULL);
	outcome_faults(out, now, &entry->faults, index);
	response_entry_end(out);
}

/* Appends the faults that belong to no entry, if there are any. */
static void
append_faults_of_all(StringInfo out, const Bundle *bundle, const char *http_status, int64 now)
{
	if (bundle->faults.first == NULL)
		return;
	response_entry_begin(out, NULL, http_status, NULL);
	outcome_faults(out, now, &bundle->faults, 0);
	response_entry_end(out);
}

/*
 * What is wrong with the bundle itself, or with the request, stands first, in an
 * entry of its own; those that were sent follow where something is wrong with them.
 */
static void
answer_faults(Submission *submission, int64 now)
{
	const Bundle *bundle = submission->bundle;
	StringInfo	out = &submission->answer;
	const char *http_status;

	submission->status = bundle->too_long ? 413 : bundle->forbidden ? 403 : 400;
	http_status = http_status_line(submission->status);
	response_begin(out);
	append_faults_of_all(out, bundle, http_status, now);
	for (int i = 0; bundle->faulty > 0 && i < bundle->count; i++)
	{
		const BundleEntry *entry = &bundle->entries[i];

		if (entry->faults.first == NULL)
			append_not_stored(out, entry, now);
		else
			append_faulty(out, entry, i, http_status, now);
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
	if (entry->acceptance.kind == TRANSITION_UNEXPECTED &&
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
	refused.expression = psprintf("Bundle.entry[%d].resource.businessStatus", index);
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

	if (!bundle_is_valid(bundle))
		answer_faults(submission, now);
	else if (bundle->ignored)
		answer_ignored(submission, now);
	else if (bundle->count > 0)
		answer_judgements(submission, now);
	else
	{
		submission->status = 200;
		response_begin(&submission->answer);
		response_end(&submission->answer);
	}
}
