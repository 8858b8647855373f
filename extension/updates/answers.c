/*
 * answers.c
 *		The answer to a bundle: an entry for each of its entries, in their order.
 */
#include "postgres.h"

#include "datatype/timestamp.h"

#include "settings.h"
#include "updates/answers.h"
#include "wire/response.h"

/* A clock that is farther ahead is worth a warning. */
#define CLOCK_TOLERANCE USECS_PER_MINUTE

/* An update that is older at its receipt is more likely a mistake than news. */
#define OLD_AGE (30 * USECS_PER_DAY)

#define ERROR_ISSUE(kind, text) {.severity = "error", .code = kind, .diagnostics = text}

/* ---------- Faults ---------- */

/* Appends a valid entry of a bundle that was not stored. */
static void
append_not_stored(StringInfo out, const BundleEntry *entry, int64 now)
{
	static const OutcomeIssue not_stored = {
		.severity = "information",
		.code = "informational",
		.diagnostics = "This entry is valid, but it was not stored, because of other entries of the same bundle"
	};

	response_begin_entry(out, entry->full_url, 200, NULL);
	outcome_of_one(out, now, &not_stored);
	response_end_entry(out);
}

static void
append_faulty(StringInfo out, const BundleEntry *entry, int index, int http_status, int64 now)
{
	response_begin_entry(out, entry->full_url, http_status, NULL);
	outcome_of_faults(out, now, &entry->faults, index);
	response_end_entry(out);
}

/* Appends the faults that belong to no entry, if there are any. */
static void
append_faults_of_all(StringInfo out, const Bundle *bundle, int http_status, int64 now)
{
	if (bundle->faults.first == NULL)
		return;
	response_begin_entry(out, NULL, http_status, NULL);
	outcome_of_faults(out, now, &bundle->faults, 0);
	response_end_entry(out);
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

	submission->status = bundle->too_long ? 413 : bundle->forbidden ? 403 : 400;
	response_begin(out);
	append_faults_of_all(out, bundle, submission->status, now);
	for (int i = 0; bundle->faulty > 0 && i < bundle->count; i++)
	{
		const BundleEntry *entry = &bundle->entries[i];

		if (entry->faults.first == NULL)
			append_not_stored(out, entry, now);
		else
			append_faulty(out, entry, i, submission->status, now);
	}
	response_end(out);
}

/* ---------- Judgements ---------- */

/* What else the sender should know of an update that is stored, as warnings. */
static void
add_warnings(StringInfo out, const Entry *entry)
{
	const Update *update = entry->update;
	OutcomeIssue warning = {.severity = "warning", .code = "business-rule"};
	int64		ahead = update->last_modified - entry->received_at;

	if (entry->warned)
	{
		warning.diagnostics = psprintf("The transition rules do not allow %s to be followed by %s",
									   business_status_name(entry->from), business_status_name(update->status));
		outcome_add(out, &warning);
	}
	if (entry->other_patient)
	{
		warning.diagnostics = "Task.for names another patient than earlier updates of this prescription: nobody is alerted, "
			"and the item may not be shown until that is settled";
		outcome_add(out, &warning);
	}
	if (entry->overtaken)
	{
		warning.diagnostics = "A newer update is stored, so that this one does not change what is said now";
		outcome_add(out, &warning);
	}
	warning.code = "value";
	if (!update->post_dated && ahead > CLOCK_TOLERANCE)
	{
		warning.diagnostics = psprintf("Task.lastModified is %lld seconds ahead of our clock; the update counts from its receipt",
									   (long long) (ahead / USECS_PER_SEC));
		outcome_add(out, &warning);
	}
	if (entry->received_at - update_asserted_at(update) > OLD_AGE)
	{
		warning.diagnostics = "The update was more than 30 days old when it was received";
		outcome_add(out, &warning);
	}
}

static void
append_stored(StringInfo out, const BundleEntry *sent, const Entry *entry, int64 now)
{
	static const OutcomeIssue stored = {
		.severity = "information",
		.code = "success",
		.diagnostics = "The update is stored"
	};

	response_begin_entry(out, sent->full_url, 201, &sent->update.task_id);
	outcome_begin(out, now);
	outcome_add(out, &stored);
	add_warnings(out, entry);
	outcome_end(out);
	response_end_entry(out);
}

/* Appends an entry that says the same as a task that is stored. */
static void
append_already_stored(StringInfo out, const BundleEntry *sent, int http_status, int64 now)
{
	static const OutcomeIssue already_stored = {
		.severity = "information",
		.code = "informational",
		.diagnostics = "This update was stored before"
	};

	response_begin_entry(out, sent->full_url, http_status, &sent->update.task_id);
	outcome_of_one(out, now, &already_stored);
	response_end_entry(out);
}

static void
append_conflict(StringInfo out, const BundleEntry *sent, int64 now)
{
	OutcomeIssue conflict = ERROR_ISSUE("duplicate", "A task with this Task.id is stored already for this prescription");

	conflict.http_error = "REC_CONFLICT";
	response_begin_entry(out, sent->full_url, 409, &sent->update.task_id);
	outcome_of_one(out, now, &conflict);
	response_end_entry(out);
}

static void
append_refused(StringInfo out, const BundleEntry *sent, const Entry *entry, int index, int64 now)
{
	OutcomeIssue refused = ERROR_ISSUE("business-rule", NULL);
	const char *element = "";

	if (entry->fate == FATE_UNEXPECTED)
	{
		element = ".businessStatus";
		refused.diagnostics = psprintf("Task.businessStatus: the transition rules do not allow %s to be followed by %s",
									   business_status_name(entry->from), business_status_name(sent->update.status));
	}
	else if (entry->fate == FATE_TOO_MANY_SUPPLIES)
		refused.diagnostics = psprintf("Task.basedOn: one application may send updates of %d items of one prescription, "
									   "each issue and pharmacy counted (rxtrack.supplies_per_prescription)",
									   settings_supplies_per_prescription);
	else
		refused.diagnostics = psprintf("Task.focus: one application may send %d updates of one item of one issue at one "
									   "pharmacy (rxtrack.updates_per_supply)", settings_updates_per_supply);
	refused.expression = psprintf("Bundle.entry[%d].resource%s", index, element);
	response_begin_entry(out, sent->full_url, 422, NULL);
	outcome_of_one(out, now, &refused);
	response_end_entry(out);
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

		if (entry->fate == FATE_ALREADY_STORED)
			append_already_stored(out, sent, submission->status == 202 ? 202 : 200, now);
		else if (submission->status == 201)
			append_stored(out, sent, entry, now);
		else if (entry->fate == FATE_CONFLICT)
			append_conflict(out, sent, now);
		else if (entry->fate >= FATE_UNEXPECTED)
			append_refused(out, sent, entry, i, now);
		else
			append_not_stored(out, sent, now);
	}
	response_end(out);
}

static void
answer_ignored(Submission *submission, int64 now)
{
	static const OutcomeIssue ignored = {
		.severity = "information",
		.code = "informational",
		.diagnostics = "A message of this MessageType is ignored"
	};

	submission->status = 202;
	response_of_one(&submission->answer, now, 202, &ignored);
}

void
answers_write(Submission *submission, int64 now)
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
