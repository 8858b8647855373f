/*
 * bundle.c
 *		Validation of a supplier's Bundle: the rules of the update, field by field.
 *
 * Fields are named by their path in the Task, so that a supplier finds them.  No
 * text here repeats a value: what is wrong is said by its rule.
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "wire/bundle.h"
#include "wire/date_time.h"

#define MISSING "is missing"
#define NOT_AN_OBJECT "must be an object"
#define NOT_AN_ARRAY "must be an array"
#define NOT_A_STRING "must be a string"

#define STATUS_SYSTEM "https://fhir.nhs.uk/CodeSystem/task-businessStatus-nppt"
#define URN_UUID "urn:uuid:"

#define AHEAD_LIMIT (24 * DATE_TIME_HOUR)
#define POST_DATED_AHEAD_LIMIT (999 * DATE_TIME_HOUR)

/* Where an identifier stands in a Task, and which kind it has to be. */
typedef struct IdentifierPath
{
	const char *identifier;
	const char *system;
	const char *value;
	const char *required_system;
	const char *system_problem;
} IdentifierPath;

#define IDENTIFIER_PATH(path, url) \
	{path ".identifier", path ".identifier.system", path ".identifier.value", url, "must be " url}

static const IdentifierPath prescription_path =
IDENTIFIER_PATH("Task.basedOn[0]", "https://fhir.nhs.uk/Id/prescription-order-number");
static const IdentifierPath line_item_path =
IDENTIFIER_PATH("Task.focus", "https://fhir.nhs.uk/Id/prescription-order-item-number");
static const IdentifierPath patient_path =
IDENTIFIER_PATH("Task.for", "https://fhir.nhs.uk/Id/nhs-number");
static const IdentifierPath pharmacy_path =
IDENTIFIER_PATH("Task.owner", "https://fhir.nhs.uk/Id/ods-organization-code");

void
fault_add(FaultList *list, const char *field, const char *problem)
{
	Fault	   *fault = palloc(sizeof(Fault));

	fault->field = field;
	fault->problem = problem;
	fault->code = "value";
	fault->next = NULL;
	if (list->last == NULL)
		list->first = fault;
	else
		list->last->next = fault;
	list->last = fault;
}

/* ---------- Asking for a field of a kind, or noting its fault ---------- */

const JsonNode *
optional_member(const JsonNode *object, const char *name)
{
	const JsonNode *node = json_member(object, name);

	return node != NULL && node->kind == JSON_NODE_NULL ? NULL : node;
}

const JsonNode *
require(FaultList *faults, const JsonNode *node, JsonKind kind, const char *field)
{
	if (node != NULL && node->kind == kind)
		return node;
	if (node == NULL)
		fault_add(faults, field, MISSING);
	else
		fault_add(faults, field,
				  kind == JSON_NODE_OBJECT ? NOT_AN_OBJECT :
				  kind == JSON_NODE_ARRAY ? NOT_AN_ARRAY : NOT_A_STRING);
	return NULL;
}

static void
require_text(FaultList *faults, const JsonNode *node, const char *field,
			 const char *text, const char *problem)
{
	node = require(faults, node, JSON_NODE_STRING, field);
	if (node != NULL && !json_is_string(node, text))
		fault_add(faults, field, problem);
}

/* The first element of an array, which must be an object. */
static const JsonNode *
require_first(FaultList *faults, const JsonNode *array, const char *field, const char *first_field)
{
	array = require(faults, array, JSON_NODE_ARRAY, field);
	if (array == NULL)
		return NULL;
	return require(faults, array->first, JSON_NODE_OBJECT, first_field);
}

/* The string value of a reference's identifier, its system checked on the way. */
static const JsonNode *
identifier_value(FaultList *faults, const JsonNode *reference, const IdentifierPath *path)
{
	const JsonNode *identifier;

	if (reference == NULL)
		return NULL;			/* its absence has been noted */
	identifier = require(faults, optional_member(reference, "identifier"), JSON_NODE_OBJECT, path->identifier);
	if (identifier == NULL)
		return NULL;
	require_text(faults, optional_member(identifier, "system"), path->system,
				 path->required_system, path->system_problem);
	return require(faults, optional_member(identifier, "value"), JSON_NODE_STRING, path->value);
}

void
note(FaultList *faults, const char *field, const char *problem)
{
	if (problem != NULL)
		fault_add(faults, field, problem);
}

/* ---------- The parts of a Task ---------- */

static void
read_task_id(BundleEntry *entry, const JsonNode *task)
{
	const JsonNode *id = require(&entry->faults, optional_member(task, "id"), JSON_NODE_STRING, "Task.id");
	const char *problem;

	if (id == NULL)
		return;
	problem = uuid_parse(id->text, id->length, &entry->update.task_id);
	note(&entry->faults, "Task.id", problem);
	entry->has_task_id = problem == NULL;
	entry->task_id_field = "Task.id";
}

static void
read_identifiers(BundleEntry *entry, const JsonNode *task)
{
	FaultList  *faults = &entry->faults;
	Update	   *update = &entry->update;
	const JsonNode *based_on = require_first(faults, optional_member(task, "basedOn"), "Task.basedOn", "Task.basedOn[0]");
	const JsonNode *value = identifier_value(faults, based_on, &prescription_path);

	if (value != NULL)
		note(faults, prescription_path.value,
			 prescription_id_parse(value->text, value->length, &update->prescription_id));

	value = identifier_value(faults, require(faults, optional_member(task, "focus"), JSON_NODE_OBJECT, "Task.focus"),
							 &line_item_path);
	if (value != NULL)
		note(faults, line_item_path.value, uuid_parse(value->text, value->length, &update->line_item_id));

	value = identifier_value(faults, require(faults, optional_member(task, "for"), JSON_NODE_OBJECT, "Task.for"),
							 &patient_path);
	if (value != NULL)
		note(faults, patient_path.value, nhs_number_parse(value->text, value->length, &update->nhs_number));

	value = identifier_value(faults, require(faults, optional_member(task, "owner"), JSON_NODE_OBJECT, "Task.owner"),
							 &pharmacy_path);
	if (value != NULL)
		note(faults, pharmacy_path.value, ods_code_parse(value->text, value->length, &update->ods_code));
}

/* Reads businessStatus; false where there is none that is valid. */
static bool
read_business_status(BundleEntry *entry, const JsonNode *task)
{
	FaultList  *faults = &entry->faults;
	const JsonNode *status = require(faults, optional_member(task, "businessStatus"), JSON_NODE_OBJECT, "Task.businessStatus");
	const JsonNode *coding;
	const JsonNode *code;
	const char *problem;

	if (status == NULL)
		return false;
	coding = require_first(faults, optional_member(status, "coding"),
						   "Task.businessStatus.coding", "Task.businessStatus.coding[0]");
	if (coding == NULL)
		return false;
	require_text(faults, optional_member(coding, "system"), "Task.businessStatus.coding[0].system",
				 STATUS_SYSTEM, "must be " STATUS_SYSTEM);
	code = require(faults, optional_member(coding, "code"), JSON_NODE_STRING, "Task.businessStatus.coding[0].code");
	if (code == NULL)
		return false;
	problem = business_status_parse(code->text, code->length, &entry->update.status);
	note(faults, "Task.businessStatus.coding[0].code", problem);
	return problem == NULL;
}

/* What Task.status a business status allows. */
static bool
suits(BusinessStatus status, bool completed)
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

static void
read_statuses(BundleEntry *entry, const JsonNode *task)
{
	FaultList  *faults = &entry->faults;
	Update	   *update = &entry->update;
	const JsonNode *status = require(faults, optional_member(task, "status"), JSON_NODE_STRING, "Task.status");
	bool		has_business_status = read_business_status(entry, task);

	if (status == NULL)
		return;
	update->completed = json_is_string(status, "completed");
	if (!update->completed && !json_is_string(status, "in-progress"))
		fault_add(faults, "Task.status", "must be in-progress or completed");
	else if (has_business_status && !suits(update->status, update->completed))
		fault_add(faults, "Task.status",
				  update->completed ? "must be in-progress for this business status"
				  : "must be completed for this business status");
}

void
note_if_too_far_ahead(FaultList *faults, const char *field, int64_t when, int64_t now)
{
	if (when > now + AHEAD_LIMIT)
		fault_add(faults, field, "must not be more than 24 hours ahead");
}

/* Reads a date-time; false, with a fault, where it is none. */
static bool
read_date_time(FaultList *faults, const JsonNode *node, const char *field, int64_t *result)
{
	const char *problem;

	node = require(faults, node, JSON_NODE_STRING, field);
	if (node == NULL)
		return false;
	problem = date_time_parse(node->text, node->length, result);
	note(faults, field, problem);
	return problem == NULL;
}

static void
read_times(BundleEntry *entry, const JsonNode *task, int64_t now)
{
	FaultList  *faults = &entry->faults;
	Update	   *update = &entry->update;
	const JsonNode *meta = optional_member(task, "meta");
	const JsonNode *set_at = optional_member(meta, "lastUpdated");

	if (meta != NULL)
		require(faults, meta, JSON_NODE_OBJECT, "Task.meta");
	update->post_dated = set_at != NULL;
	if (set_at != NULL && read_date_time(faults, set_at, "Task.meta.lastUpdated", &update->post_dated_set_at))
		note_if_too_far_ahead(faults, "Task.meta.lastUpdated", update->post_dated_set_at, now);

	if (!read_date_time(faults, optional_member(task, "lastModified"), "Task.lastModified", &update->last_modified))
		return;
	if (!update->post_dated)
		note_if_too_far_ahead(faults, "Task.lastModified", update->last_modified, now);
	else if (update->last_modified > now + POST_DATED_AHEAD_LIMIT)
		fault_add(faults, "Task.lastModified", "must not be more than 999 hours ahead");
}

static void
read_repeat_number(BundleEntry *entry, const JsonNode *task)
{
	FaultList  *faults = &entry->faults;
	const JsonNode *input = optional_member(task, "input");
	const JsonNode *number;
	const JsonNode *type;

	if (input == NULL || require(faults, input, JSON_NODE_ARRAY, "Task.input") == NULL ||
		input->first == NULL ||
		require(faults, input->first, JSON_NODE_OBJECT, "Task.input[0]") == NULL)
		return;
	number = optional_member(input->first, "valueInteger");
	if (number == NULL)
		return;
	type = require(faults, optional_member(input->first, "type"), JSON_NODE_OBJECT, "Task.input[0].type");
	if (type != NULL)
		require_text(faults, optional_member(type, "text"), "Task.input[0].type.text",
					 "Repeat Number", "must be Repeat Number");
	if (!json_int32(number, &entry->update.repeat_number) || entry->update.repeat_number < 1)
		fault_add(faults, "Task.input[0].valueInteger", "must be an integer of 1 or more");
}

static void
read_task(BundleEntry *entry, const JsonNode *task, int64_t now)
{
	require_text(&entry->faults, optional_member(task, "resourceType"), "Task.resourceType", "Task", "must be Task");
	read_task_id(entry, task);
	read_identifiers(entry, task);
	read_statuses(entry, task);
	if (optional_member(task, "intent") != NULL)
		require_text(&entry->faults, optional_member(task, "intent"), "Task.intent", "order", "must be order");
	read_times(entry, task, now);
	read_repeat_number(entry, task);
}

/* ---------- An entry ---------- */

/* fullUrl is urn:uuid: and the task's id. */
static void
read_full_url(BundleEntry *entry, const JsonNode *node)
{
	const JsonNode *url = require(&entry->faults, optional_member(node, "fullUrl"), JSON_NODE_STRING, "entry.fullUrl");
	Uuid		id;

	if (url == NULL)
		return;
	entry->full_url = url->text;
	if (strncmp(url->text, URN_UUID, strlen(URN_UUID)) != 0 ||
		uuid_parse(url->text + strlen(URN_UUID), url->length - strlen(URN_UUID), &id) != NULL)
		fault_add(&entry->faults, "entry.fullUrl", "must be urn:uuid: followed by the UUID in Task.id");
	else if (entry->has_task_id && memcmp(&id, &entry->update.task_id, sizeof(Uuid)) != 0)
		fault_add(&entry->faults, "entry.fullUrl", "must hold the same UUID as Task.id");
}

static void
read_request(BundleEntry *entry, const JsonNode *node)
{
	const JsonNode *request = optional_member(node, "request");

	if (request == NULL || require(&entry->faults, request, JSON_NODE_OBJECT, "entry.request") == NULL)
		return;
	require_text(&entry->faults, optional_member(request, "method"), "entry.request.method", "POST", "must be POST");
	require_text(&entry->faults, optional_member(request, "url"), "entry.request.url", "Task", "must be Task");
}

static void
read_entry(BundleEntry *entry, const JsonNode *node, int64_t now)
{
	const JsonNode *task;

	if (node->kind != JSON_NODE_OBJECT)
	{
		fault_add(&entry->faults, "entry", NOT_AN_OBJECT);
		return;
	}
	task = require(&entry->faults, optional_member(node, "resource"), JSON_NODE_OBJECT, "entry.resource");
	if (task != NULL)
		read_task(entry, task, now);
	read_full_url(entry, node);
	read_request(entry, node);
}

/* ---------- The bundle ---------- */

/* By task id, and those of one id in the order in which they stand in the bundle. */
static int
compare_task_ids(const void *a, const void *b)
{
	const BundleEntry *left = *(BundleEntry *const *) a;
	const BundleEntry *right = *(BundleEntry *const *) b;
	int			order = memcmp(&left->update.task_id, &right->update.task_id, sizeof(Uuid));

	return order != 0 ? order : (left > right) - (left < right);
}

/* One task id twice in a bundle is a fault of the second. */
static void
find_repeated_task_ids(Bundle *bundle)
{
	BundleEntry **sorted = palloc(bundle->count * sizeof(BundleEntry *));
	int			count = 0;

	for (int i = 0; i < bundle->count; i++)
		if (bundle->entries[i].has_task_id)
			sorted[count++] = &bundle->entries[i];
	qsort(sorted, count, sizeof(BundleEntry *), compare_task_ids);
	for (int i = 1; i < count; i++)
		if (memcmp(&sorted[i - 1]->update.task_id, &sorted[i]->update.task_id, sizeof(Uuid)) == 0)
			fault_add(&sorted[i]->faults, sorted[i]->task_id_field, "must not be that of an earlier entry");
}

bool
bundle_make_room(Bundle *bundle, const JsonNode *entries, const char *field)
{
	if (entries->count > BUNDLE_MAX_ENTRIES)
	{
		fault_add(&bundle->faults, field, "must not have more than 5000 entries");
		bundle->faults.last->code = "too-long";
		bundle->too_long = true;
		return false;
	}
	bundle->entries = palloc0(Max(entries->count, 1) * sizeof(BundleEntry));
	return true;
}

void
bundle_finish(Bundle *bundle)
{
	if (bundle->count > 1)
		find_repeated_task_ids(bundle);
	for (int i = 0; i < bundle->count; i++)
		if (bundle->entries[i].faults.first != NULL)
			bundle->faulty++;
}

static void
read_entries(Bundle *bundle, const JsonNode *entries, int64_t now)
{
	if (!bundle_make_room(bundle, entries, "Bundle.entry"))
		return;
	for (const JsonNode *node = entries->first; node != NULL; node = node->next)
		read_entry(&bundle->entries[bundle->count++], node, now);
	bundle_finish(bundle);
}

static bool
holds(const OdsCode *codes, int count, OdsCode code)
{
	for (int i = 0; i < count; i++)
		if (codes[i] == code)
			return true;
	return false;
}

void
bundle_restrict(Bundle *bundle, const OdsCode *codes, int count)
{
	if (!bundle_is_valid(bundle))
		return;
	for (int i = 0; i < bundle->count; i++)
		bundle->forbidden |= !holds(codes, count, bundle->entries[i].update.ods_code);
	for (int i = 0; bundle->forbidden && i < bundle->count; i++)
	{
		BundleEntry *entry = &bundle->entries[i];

		if (holds(codes, count, entry->update.ods_code))
			continue;
		fault_add(&entry->faults, bundle->pharmacy_field, "is a pharmacy that this application may not send updates for");
		entry->faults.last->code = "forbidden";
		bundle->faulty++;
	}
}

bool
bundle_is_valid(const Bundle *bundle)
{
	return bundle->faults.first == NULL && bundle->faulty == 0;
}

Bundle *
bundle_unreadable(const char *problem)
{
	Bundle	   *bundle = palloc0(sizeof(Bundle));

	fault_add(&bundle->faults, "The body", problem);
	return bundle;
}

Bundle *
bundle_validate(const JsonNode *document, int64_t now)
{
	Bundle	   *bundle = palloc0(sizeof(Bundle));
	const JsonNode *entries;

	if (require(&bundle->faults, document, JSON_NODE_OBJECT, "Bundle") == NULL)
		return bundle;
	bundle->pharmacy_field = pharmacy_path.value;
	require_text(&bundle->faults, optional_member(document, "resourceType"), "Bundle.resourceType",
				 "Bundle", "must be Bundle");
	require_text(&bundle->faults, optional_member(document, "type"), "Bundle.type",
				 "transaction", "must be transaction");
	entries = optional_member(document, "entry");
	if (entries != NULL && require(&bundle->faults, entries, JSON_NODE_ARRAY, "Bundle.entry") != NULL)
		read_entries(bundle, entries, now);
	return bundle;
}
