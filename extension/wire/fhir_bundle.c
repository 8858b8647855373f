/*
 * fhir_bundle.c
 *		Reading a Bundle, its entries, and the Task in each: the rules of the update, field by field.
 *
 * A fault names its field by the path in the Task, so that a supplier finds it.
 */
#include "compat.h"
#include "wire/bundle.h"
#include "wire/date_time.h"

/* ---------- The Task ---------- */

#define POST_DATED_AHEAD_LIMIT (999 * DATE_TIME_HOUR)

/* Where an identifier stands in a Task, and which system it must be of. */
typedef struct IdentifierPath
{
	const char *reference;
	const char *identifier;
	const char *system;
	const char *value;
	const char *required_system;
} IdentifierPath;

#define IDENTIFIER_PATH(path, system) {path, path ".identifier", path ".identifier.system", path ".identifier.value", system}

static const IdentifierPath prescription_path =
IDENTIFIER_PATH("Task.basedOn[0]", "https://fhir.nhs.uk/Id/prescription-order-number");
static const IdentifierPath line_item_path =
IDENTIFIER_PATH("Task.focus", "https://fhir.nhs.uk/Id/prescription-order-item-number");
static const IdentifierPath patient_path =
IDENTIFIER_PATH("Task.for", "https://fhir.nhs.uk/Id/nhs-number");
static const IdentifierPath pharmacy_path =
IDENTIFIER_PATH("Task.owner", "https://fhir.nhs.uk/Id/ods-organization-code");

static void
read_task_id(BundleEntry *entry, const JsonNode *task)
{
	FaultList  *faults = &entry->faults;
	const char *field = "Task.id";
	const JsonNode *id = faults_require(faults, field, json_member(task, "id"), JSON_NODE_STRING);

	if (id != NULL && faults_check(faults, field, uuid_parse(id->text, id->length, &entry->update.task_id)))
		entry->task_id_field = field;
}

/* The string value of a reference's identifier, its system checked on the way; NULL, with a fault, where there is none. */
static const JsonNode *
identifier_value(FaultList *faults, const IdentifierPath *path, const JsonNode *reference)
{
	const JsonNode *identifier;

	if (faults_require(faults, path->reference, reference, JSON_NODE_OBJECT) == NULL)
		return NULL;
	identifier = faults_require(faults, path->identifier, json_member(reference, "identifier"), JSON_NODE_OBJECT);
	if (identifier == NULL)
		return NULL;
	faults_require_text(faults, path->system, json_member(identifier, "system"), path->required_system);
	return faults_require(faults, path->value, json_member(identifier, "value"), JSON_NODE_STRING);
}

/* Prescription, item, patient and pharmacy. */
static void
read_identifiers(BundleEntry *entry, const JsonNode *task)
{
	FaultList  *faults = &entry->faults;
	Update	   *update = &entry->update;
	const JsonNode *based_on = faults_require(faults, "Task.basedOn", json_member(task, "basedOn"), JSON_NODE_ARRAY);
	const JsonNode *value = NULL;

	if (based_on != NULL)
		value = identifier_value(faults, &prescription_path, based_on->first);
	if (value != NULL)
		faults_check(faults, prescription_path.value,
					 prescription_id_parse(value->text, value->length, &update->prescription_id));

	value = identifier_value(faults, &line_item_path, json_member(task, "focus"));
	if (value != NULL)
		faults_check(faults, line_item_path.value, uuid_parse(value->text, value->length, &update->line_item_id));

	value = identifier_value(faults, &patient_path, json_member(task, "for"));
	if (value != NULL)
		faults_check(faults, patient_path.value, nhs_number_parse(value->text, value->length, &update->nhs_number));

	value = identifier_value(faults, &pharmacy_path, json_member(task, "owner"));
	if (value != NULL)
		faults_check(faults, pharmacy_path.value, ods_code_parse(value->text, value->length, &update->ods_code));
}

/* Returns whether there is a valid one. */
static bool
read_business_status(BundleEntry *entry, const JsonNode *task)
{
	FaultList  *faults = &entry->faults;
	const JsonNode *node;
	const JsonNode *coding;

	node = faults_require(faults, "Task.businessStatus", json_member(task, "businessStatus"), JSON_NODE_OBJECT);
	if (node != NULL)
		node = faults_require(faults, "Task.businessStatus.coding", json_member(node, "coding"), JSON_NODE_ARRAY);
	if (node == NULL)
		return false;
	coding = faults_require(faults, "Task.businessStatus.coding[0]", node->first, JSON_NODE_OBJECT);
	if (coding == NULL)
		return false;
	faults_require_text(faults, "Task.businessStatus.coding[0].system", json_member(coding, "system"),
						"https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt");
	node = faults_require(faults, "Task.businessStatus.coding[0].code", json_member(coding, "code"), JSON_NODE_STRING);
	return node != NULL &&
		faults_check(faults, "Task.businessStatus.coding[0].code",
					 business_status_parse(node->text, node->length, &entry->update.status));
}

/* Whether a business status may come with that Task.status. */
static bool
statuses_suit(BusinessStatus status, bool completed)
{
	switch (status)
	{
		case BUSINESS_STATUS_READY_TO_COLLECT:
		case BUSINESS_STATUS_READY_TO_DISPATCH:
			return true;
		case BUSINESS_STATUS_COLLECTED:
		case BUSINESS_STATUS_DISPATCHED:
		case BUSINESS_STATUS_NOT_DISPENSED:
			return completed;
		default:
			return !completed;
	}
}

/* Business status and Task.status, which must suit it. */
static void
read_statuses(BundleEntry *entry, const JsonNode *task)
{
	FaultList  *faults = &entry->faults;
	Update	   *update = &entry->update;
	const char *field = "Task.status";
	const JsonNode *status = faults_require(faults, field, json_member(task, "status"), JSON_NODE_STRING);
	bool		has_business_status = read_business_status(entry, task);

	if (status == NULL)
		return;
	update->completed = json_is_string(status, "completed");
	if (!update->completed && !json_is_string(status, "in-progress"))
		faults_add(faults, field, "must be in-progress or completed");
	else if (has_business_status && !statuses_suit(update->status, update->completed))
		faults_add(faults, field,
				   update->completed ? "must be in-progress for this business status"
				   : "must be completed for this business status");
}

/* Returns whether there is a valid one. */
static bool
read_date_time(FaultList *faults, const char *field, const JsonNode *node, int64_t *result)
{
	node = faults_require(faults, field, node, JSON_NODE_STRING);
	return node != NULL && faults_check(faults, field, date_time_parse(node->text, node->length, false, result));
}

/* A post-dated update is a prediction, which may lie farther ahead than a wrong clock. */
static void
read_times(BundleEntry *entry, const JsonNode *task, int64_t now)
{
	FaultList  *faults = &entry->faults;
	Update	   *update = &entry->update;
	const JsonNode *meta = json_member(task, "meta");
	const JsonNode *set_at = json_member(meta, "lastUpdated");

	if (meta != NULL)
		faults_require(faults, "Task.meta", meta, JSON_NODE_OBJECT);
	update->post_dated = set_at != NULL;
	if (set_at != NULL && read_date_time(faults, "Task.meta.lastUpdated", set_at, &update->post_dated_set_at))
		bundle_check_ahead(faults, "Task.meta.lastUpdated", update->post_dated_set_at, now);

	if (!read_date_time(faults, "Task.lastModified", json_member(task, "lastModified"), &update->last_modified))
		return;
	if (!update->post_dated)
		bundle_check_ahead(faults, "Task.lastModified", update->last_modified, now);
	else if (update->last_modified > now + POST_DATED_AHEAD_LIMIT)
		faults_add(faults, "Task.lastModified", "must not be more than 999 hours ahead");
}

/* input is optional, and so is the number in it. */
static void
read_issue_number(BundleEntry *entry, const JsonNode *task)
{
	FaultList  *faults = &entry->faults;
	int32_t    *result = &entry->update.issue_number;
	const JsonNode *input = json_member(task, "input");
	const JsonNode *number;
	const JsonNode *type;

	if (input == NULL || faults_require(faults, "Task.input", input, JSON_NODE_ARRAY) == NULL ||
		input->first == NULL ||
		faults_require(faults, "Task.input[0]", input->first, JSON_NODE_OBJECT) == NULL)
		return;
	number = json_member(input->first, "valueInteger");
	if (number == NULL)
		return;
	type = faults_require(faults, "Task.input[0].type", json_member(input->first, "type"), JSON_NODE_OBJECT);
	if (type != NULL)
		faults_require_text(faults, "Task.input[0].type.text", json_member(type, "text"), "Repeat Number");
	if (!json_int32(number, result) || *result < 1)
		faults_add(faults, "Task.input[0].valueInteger", "must be an integer of 1 or more");
}

/* Reads a Task into an entry: its update, and every fault of every field. */
static void
read_task(BundleEntry *entry, const JsonNode *task, int64_t now)
{
	const JsonNode *intent = json_member(task, "intent");

	faults_require_text(&entry->faults, "Task.resourceType", json_member(task, "resourceType"), "Task");
	read_task_id(entry, task);
	read_identifiers(entry, task);
	read_statuses(entry, task);
	if (intent != NULL)
		faults_require_text(&entry->faults, "Task.intent", intent, "order");
	read_times(entry, task, now);
	read_issue_number(entry, task);
}

/* ---------- The Bundle ---------- */

#define URN_UUID "urn:uuid:"

/* fullUrl is urn:uuid: and the task's id. */
static void
read_full_url(BundleEntry *entry, const JsonNode *node)
{
	const char *field = "entry.fullUrl";
	const JsonNode *url = faults_require(&entry->faults, field, json_member(node, "fullUrl"), JSON_NODE_STRING);
	Uuid		id;

	if (url == NULL)
		return;
	entry->full_url = url->text;
	if (strncmp(url->text, URN_UUID, strlen(URN_UUID)) != 0 ||
		uuid_parse(url->text + strlen(URN_UUID), url->length - strlen(URN_UUID), &id) != NULL)
		faults_add(&entry->faults, field, "must be urn:uuid: followed by the UUID in Task.id");
	else if (entry->task_id_field != NULL && memcmp(&id, &entry->update.task_id, sizeof(Uuid)) != 0)
		faults_add(&entry->faults, field, "must hold the same UUID as Task.id");
}

/* request is optional; where it is given, it is POST Task. */
static void
read_request(BundleEntry *entry, const JsonNode *node)
{
	FaultList  *faults = &entry->faults;
	const JsonNode *request = json_member(node, "request");

	if (request == NULL || faults_require(faults, "entry.request", request, JSON_NODE_OBJECT) == NULL)
		return;
	faults_require_text(faults, "entry.request.method", json_member(request, "method"), "POST");
	faults_require_text(faults, "entry.request.url", json_member(request, "url"), "Task");
}

/* A Task in entry.resource, with its fullUrl and request. */
static void
read_entry(BundleEntry *entry, const JsonNode *node, int64_t now)
{
	const JsonNode *task;

	if (faults_require(&entry->faults, "entry", node, JSON_NODE_OBJECT) == NULL)
		return;
	task = faults_require(&entry->faults, "entry.resource", json_member(node, "resource"), JSON_NODE_OBJECT);
	if (task != NULL)
		read_task(entry, task, now);
	read_full_url(entry, node);
	read_request(entry, node);
}

Bundle *
fhir_bundle_read(const JsonNode *document, int64_t now)
{
	Bundle	   *bundle = palloc0(sizeof(Bundle));
	FaultList  *faults = &bundle->faults;
	const JsonNode *entries;

	if (faults_require(faults, "Bundle", document, JSON_NODE_OBJECT) == NULL)
		return bundle;
	bundle->pharmacy_field = pharmacy_path.value;
	faults_require_text(faults, "Bundle.resourceType", json_member(document, "resourceType"), "Bundle");
	faults_require_text(faults, "Bundle.type", json_member(document, "type"), "transaction");
	entries = json_member(document, "entry");
	if (entries == NULL ||
		faults_require(faults, "Bundle.entry", entries, JSON_NODE_ARRAY) == NULL ||
		!bundle_make_room(bundle, "Bundle.entry", entries))
		return bundle;
	for (const JsonNode *node = entries->first; node != NULL; node = node->next)
		read_entry(&bundle->entries[bundle->count++], node, now);
	bundle_finish(bundle);
	return bundle;
}
