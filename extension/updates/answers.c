/*
 * answers.c
 *		The answer to a bundle: an entry for each of its entries, in their order.
 */
#include "postgres.h"

#include "datatype/timestamp.h"

#include "settings.h"
#include "updates/batch.h"
#include "wire/response.h"

/* A clock that is farther ahead is worth a warning. */
#define CLOCK_TOLERANCE USECS_PER_MINUTE

/* An update that is older at its receipt is more likely a mistake than news. */
#define OLD_AGE (30 * USECS_PER_DAY)

/* What is said of a valid entry of a bundle that was not stored. */
static const OutcomeIssue not_stored = {
	.severity = "information", .code = "informational",
	.diagnostics = "This entry is valid, but it was not stored, because of other entries of the same bundle"
};

/* And of one that says the same as a task that is stored. */
static const OutcomeIssue already_stored = {
	.severity = "information", .code = "informational",
	.diagnostics = "This update was stored before"
};

/* Appends the answer to an entry: one issue, and where its task is, if it is. */
static void
append_issue(StringInfo out, const BundleEntry *sent, int http_status, const Uuid *task_id, const OutcomeIssue *issue, int64 now)
{
	response_begin_entry(out, sent->full_url, http_status, task_id);
	outcome_of_one(out, now, issue);
	response_end_entry(out);
}

/*
 * What is wrong with the bundle itself, or with the request, stands first, in an
 * entry of its own; those that were sent follow where something is wrong with them.
 */
static void
write_faults(Submission *submission, int64 now)
{
	const Bundle *bundle = submission->bundle;
	StringInfo	out = &submission->answer;
	int			spelled = 0;

	submission->status = bundle->too_long ? 413 : bundle->forbidden ? 403 : 400;
	response_begin(out);
	if (bundle->faults.first != NULL)
	{
		response_begin_entry(out, NULL, submission->status, NULL);
		outcome_of_faults(out, now, &bundle->faults, 0, &spelled);
		response_end_entry(out);
	}
	for (int i = 0; bundle->faulty > 0 && i < bundle->count; i++)
	{
		const BundleEntry *entry = &bundle->entries[i];

		if (entry->faults.first == NULL)
		{
			append_issue(out, entry, 200, NULL, &not_stored, now);
			continue;
		}
		response_begin_entry(out, entry->full_url, submission->status, NULL);
		outcome_of_faults(out, now, &entry->faults, i, &spelled);
		response_end_entry(out);
	}
	response_end(out);
}

static void
add_warning(StringInfo out, const char *code, const char *diagnostics)
{
	outcome_add(out, &(OutcomeIssue) {.severity = "warning", .code = code, .diagnostics = diagnostics});
}

/* What else the sender should know of an update that is stored. */
static void
add_warnings(StringInfo out, const Entry *entry)
{
	const Update *update = entry->update;
	const Judgement *judged = &entry->judged;
	int64		ahead = update->last_modified - judged->received_at;

	if (judged->warned)
		add_warning(out, "business-rule", psprintf("The transition rules do not allow %s to be followed by %s",
												   business_status_name(judged->from), business_status_name(update->status)));
	if (judged->other_patient)
		add_warning(out, "business-rule",
					"Task.for names another patient than earlier updates of this prescription: nobody is alerted, "
					"and the item may not be shown until that is settled");
	if (judged->overtaken)
		add_warning(out, "business-rule", "A newer update is stored, so that this one does not change what is said now");
	if (!update->post_dated && ahead > CLOCK_TOLERANCE)
		add_warning(out, "value", psprintf("Task.lastModified is %lld seconds ahead of our clock; the update counts from its receipt",
										   (long long) (ahead / USECS_PER_SEC)));
	if (judged->received_at - update_asserted_at(update) > OLD_AGE)
		add_warning(out, "value", "The update was more than 30 days old when it was received");
}

static void
append_stored(StringInfo out, const BundleEntry *sent, const Entry *entry, int64 now)
{
	static const OutcomeIssue stored = {
		.severity = "information", .code = "success", .diagnostics = "The update is stored"
	};

	response_begin_entry(out, sent->full_url, 201, &sent->update.task_id);
	outcome_begin(out, now);
	outcome_add(out, &stored);
	add_warnings(out, entry);
	outcome_end(out);
	response_end_entry(out);
}

static void
append_conflict(StringInfo out, const BundleEntry *sent, int64 now)
{
	static const OutcomeIssue conflict = {
		.severity = "error", .code = "duplicate",
		.diagnostics = "A task with this Task.id is stored already for this prescription",
		.http_error = "REC_CONFLICT"
	};

	append_issue(out, sent, 409, &sent->update.task_id, &conflict, now);
}

static void
append_refused(StringInfo out, const BundleEntry *sent, const Entry *entry, int index, int64 now)
{
	OutcomeIssue refused = {.severity = "error", .code = "business-rule"};
	const char *element = "";

	if (entry->fate == FATE_UNEXPECTED)
	{
		element = ".businessStatus";
		refused.diagnostics = psprintf("Task.businessStatus: the transition rules do not allow %s to be followed by %s",
									   business_status_name(entry->judged.from), business_status_name(sent->update.status));
	}
	else if (entry->fate == FATE_TOO_MANY_SUPPLIES)
		refused.diagnostics = psprintf("Task.basedOn: one application may send updates of %d items of one prescription, "
									   "each issue and pharmacy counted (rxtrack.supplies_per_prescription)",
									   settings_supplies_per_prescription);
	else
		refused.diagnostics = psprintf("Task.focus: one application may send %d updates of one item of one issue at one "
									   "pharmacy (rxtrack.updates_per_supply)", settings_updates_per_supply);
	refused.expression = psprintf("Bundle.entry[%d].resource%s", index, element);
	append_issue(out, sent, 422, NULL, &refused, now);
}

/* What became of each entry of a valid bundle. */
static void
write_judgements(Submission *submission, int64 now)
{
	const Bundle *bundle = submission->bundle;
	StringInfo	out = &submission->answer;

	response_begin(out);
	for (int i = 0; i < bundle->count; i++)
	{
		const BundleEntry *sent = &bundle->entries[i];
		const Entry *entry = &submission->entries[i];

		if (entry->fate == FATE_ALREADY_STORED)
			append_issue(out, sent, submission->status == 202 ? 202 : 200, &sent->update.task_id, &already_stored, now);
		else if (submission->status == 201)
			append_stored(out, sent, entry, now);
		else if (entry->fate == FATE_CONFLICT)
			append_conflict(out, sent, now);
		else if (entry->fate >= FATE_UNEXPECTED)
			append_refused(out, sent, entry, i, now);
		else
			append_issue(out, sent, 200, NULL, &not_stored, now);
	}
	response_end(out);
}

void
answers_write(Submission *submission, int64 now)
{
	static const OutcomeIssue ignored = {
		.severity = "information", .code = "informational",
		.diagnostics = "A message of this MessageType is ignored"
	};
	const Bundle *bundle = submission->bundle;

	if (!bundle_is_valid(bundle))
		write_faults(submission, now);
	else if (bundle->ignored)
	{
		submission->status = 202;
		response_of_one(&submission->answer, now, 202, &ignored);
	}
	else if (bundle->count > 0)
		write_judgements(submission, now);
	else
	{
		submission->status = 200;
		response_begin(&submission->answer);
		response_end(&submission->answer);
	}
}
