/*
 * fhir_bundle.c
 *		Reading a Bundle and its entries; task.c reads the Task in each.
 */
#include "compat.h"
#include "wire/fhir_bundle.h"
#include "wire/task.h"

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
		task_read(entry, task, now);
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
	bundle->pharmacy_field = TASK_PHARMACY_FIELD;
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
