/*
 * format_1.c
 *		Reading a Format 1 message as the Bundle that it stands for.
 */
#include "compat.h"

#include "common/cryptohash.h"
#include "common/sha1.h"

#include "wire/bundle.h"
#include "wire/date_time.h"

typedef struct DeliveryType
{
	const char *name;
	bool		is_delivered;	/* else the patient collects it from the pharmacy */
} DeliveryType;

static const DeliveryType delivery_types[] = {
	{"In-Store Collection", false},
	{"Not known", false},
	{"Robot Collection", true},
	{"Delivery required", true}
};

typedef struct ItemStatus
{
	const char *name;
	BusinessStatus collected;	/* what it means where the patient collects it */
	BusinessStatus delivered;	/* and where it is delivered */
	bool		completed;		/* Task.status */
} ItemStatus;

static const ItemStatus item_statuses[] = {
	{"Pending", BUSINESS_STATUS_WITH_PHARMACY, BUSINESS_STATUS_WITH_PHARMACY, false},
	{"Owed", BUSINESS_STATUS_WITH_PHARMACY, BUSINESS_STATUS_WITH_PHARMACY, false},
	{"PartOwed", BUSINESS_STATUS_WITH_PHARMACY_PREPARING_REMAINDER,
	BUSINESS_STATUS_WITH_PHARMACY_PREPARING_REMAINDER, false},
	{"ReadyForCollection", BUSINESS_STATUS_READY_TO_COLLECT, BUSINESS_STATUS_READY_TO_DISPATCH, false},
	{"DispensingComplete", BUSINESS_STATUS_COLLECTED, BUSINESS_STATUS_DISPATCHED, true},
	{"Collected", BUSINESS_STATUS_COLLECTED, BUSINESS_STATUS_DISPATCHED, true},
	{"NotDispensed", BUSINESS_STATUS_NOT_DISPENSED, BUSINESS_STATUS_NOT_DISPENSED, true},
	{"Cancelled", BUSINESS_STATUS_NOT_DISPENSED, BUSINESS_STATUS_NOT_DISPENSED, true},
	{"Expired", BUSINESS_STATUS_NOT_DISPENSED, BUSINESS_STATUS_NOT_DISPENSED, true}
};

/* What all items of a message share, as far as it is valid. */
typedef struct Message
{
	Update		update;
	const DeliveryType *delivery;	/* NULL: none that is valid */
} Message;

/* ---------- The message ---------- */

/* A required string; NULL, with a fault, where it is none. */
static const JsonNode *
text_field(FaultList *faults, const JsonNode *message, const char *name)
{
	return faults_require(faults, name, json_member(message, name), JSON_NODE_STRING);
}

static void
read_message_date(FaultList *faults, const JsonNode *document, Update *update, int64_t now)
{
	const JsonNode *date = text_field(faults, document, "messageDate");

	if (date != NULL &&
		faults_check(faults, "messageDate", date_time_parse(date->text, date->length, true, &update->last_modified)))
		bundle_check_ahead(faults, "messageDate", update->last_modified, now);
}

static const DeliveryType *
read_delivery_type(FaultList *faults, const JsonNode *document)
{
	const JsonNode *type = text_field(faults, document, "deliveryType");

	if (type == NULL)
		return NULL;
	for (int i = 0; i < (int) lengthof(delivery_types); i++)
		if (json_is_string(type, delivery_types[i].name))
			return &delivery_types[i];
	faults_add(faults, "deliveryType",
			   "must be In-Store Collection, Not known, Robot Collection or Delivery required");
	return NULL;
}

/* Reads the fields that all items share. */
static void
read_message(FaultList *faults, const JsonNode *document, Message *message, int64_t now)
{
	Update	   *update = &message->update;
	const JsonNode *field;

	read_message_date(faults, document, update, now);
	field = text_field(faults, document, "prescriptionUUID");
	if (field != NULL)
		faults_check(faults, "prescriptionUUID",
					 prescription_id_parse(field->text, field->length, &update->prescription_id));
	field = text_field(faults, document, "oDSCode");
	if (field != NULL)
		faults_check(faults, "oDSCode", ods_code_parse(field->text, field->length, &update->ods_code));
	message->delivery = read_delivery_type(faults, document);
	field = text_field(faults, document, "nHSCHI");
	if (field != NULL)
		faults_check(faults, "nHSCHI", nhs_number_parse(field->text, field->length, &update->nhs_number));
	field = json_member(document, "repeatNo");
	if (field != NULL && (!json_int32(field, &update->issue_number) || update->issue_number < 0))
		faults_add(faults, "repeatNo", "must be an integer of 0 (none) or more");
}

/* ---------- Items ---------- */

/* Does an item's completedStatus say that it was not dispensed? */
static bool
was_not_dispensed(const JsonNode *completed_status)
{
	return json_is_string(completed_status, "Expired") ||
		json_is_string(completed_status, "NotDispensed") ||
		json_is_string(completed_status, "Cancelled");
}

/* An item that is reported as dispensed, but was not, is left out. */
static bool
is_skipped(const JsonNode *item)
{
	return json_is_string(json_member(item, "status"), "DispensingComplete") &&
		was_not_dispensed(json_member(item, "completedStatus"));
}

static void
check_completed_status(FaultList *faults, const JsonNode *item, const char *field)
{
	const JsonNode *completed_status = json_member(item, "completedStatus");

	if (completed_status != NULL && !was_not_dispensed(completed_status) && !json_is_string(completed_status, "Collected"))
		faults_add(faults, field, "must be Collected, Expired, NotDispensed or Cancelled");
}

/* NULL, with a fault, where there is none that is valid. */
static const ItemStatus *
read_item_status(FaultList *faults, const JsonNode *item, const char *field)
{
	const JsonNode *status = faults_require(faults, field, json_member(item, "status"), JSON_NODE_STRING);

	if (status == NULL)
		return NULL;
	for (int i = 0; i < (int) lengthof(item_statuses); i++)
		if (json_is_string(status, item_statuses[i].name))
			return &item_statuses[i];
	faults_add(faults, field, "must be Pending, Owed, PartOwed, ReadyForCollection, DispensingComplete, "
			   "Collected, NotDispensed, Cancelled or Expired");
	return NULL;
}

/*
 * Derives the task id: a name-based UUID (RFC 9562, version 5) over what the
 * update says, so that the same message sent twice is the same task.
 */
static void
derive_task_id(Update *update, const DeliveryType *delivery, const ItemStatus *status)
{
	/* for this use alone; changing it would make other tasks of the same messages */
	static const uint8 name_space[16] = {
		0x5b, 0x1c, 0x0f, 0x6e, 0x3d, 0x52, 0x4e, 0x0b, 0x9a, 0x47, 0x2d, 0x8e, 0x61, 0x0c, 0x7f, 0x35
	};
	char		date[DATE_TIME_TEXT];
	char		prescription[PRESCRIPTION_ID_TEXT];
	char		pharmacy[ODS_CODE_TEXT];
	char		patient[NHS_NUMBER_TEXT];
	char		item[UUID_TEXT];
	char	   *name;
	uint8		digest[SHA1_DIGEST_LENGTH];
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA1);

	date_time_format(update->last_modified, date);
	prescription_id_format(&update->prescription_id, prescription);
	ods_code_format(update->ods_code, pharmacy);
	nhs_number_format(update->nhs_number, patient);
	uuid_format(&update->line_item_id, false, item);
	name = psprintf("%s|%s|%d|%s|%s|%s|%s|%s", date, prescription, update->issue_number, pharmacy,
					delivery->name, patient, item, status->name);
	if (hash == NULL ||
		pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, name_space, sizeof(name_space)) < 0 ||
		pg_cryptohash_update(hash, (uint8 *) name, strlen(name)) < 0 ||
		pg_cryptohash_final(hash, digest, sizeof(digest)) < 0)
#ifdef FRONTEND
		abort();
#else
		elog(ERROR, "could not compute a SHA-1 hash");
#endif
	pg_cryptohash_free(hash);
	memcpy(&update->task_id, digest, sizeof(Uuid));
	update->task_id.bytes[6] = (update->task_id.bytes[6] & 0x0f) | 0x50;
	update->task_id.bytes[8] = (update->task_id.bytes[8] & 0x3f) | 0x80;
}

/*
 * Reads an item as an entry.  Without faults, of the message either, its task id
 * can be derived; a faulty message has its items' faults in the same list.
 */
static void
read_item(FaultList *faults, BundleEntry *entry, const JsonNode *item, int index, const Message *message)
{
	const char *id_field = psprintf("items[%d].itemID", index);
	char		task_id[UUID_TEXT];
	Update	   *update = &entry->update;
	const JsonNode *id;
	const ItemStatus *status;

	if (faults_require(faults, psprintf("items[%d]", index), item, JSON_NODE_OBJECT) == NULL)
		return;
	*update = message->update;
	id = faults_require(faults, id_field, json_member(item, "itemID"), JSON_NODE_STRING);
	if (id != NULL)
		faults_check(faults, id_field, uuid_parse(id->text, id->length, &update->line_item_id));
	status = read_item_status(faults, item, psprintf("items[%d].status", index));
	check_completed_status(faults, item, psprintf("items[%d].completedStatus", index));
	if (faults->first != NULL)
		return;
	update->status = message->delivery->is_delivered ? status->delivered : status->collected;
	update->completed = status->completed;
	derive_task_id(update, message->delivery, status);
	entry->task_id_field = id_field;
	uuid_format(&update->task_id, false, task_id);
	entry->full_url = psprintf("urn:uuid:%s", task_id);
}

/* Makes an entry of each item that is not skipped. */
static void
read_items(Bundle *bundle, const JsonNode *items, const Message *message)
{
	bool		is_valid = bundle->faults.first == NULL;
	int			index = 0;

	if (!bundle_make_room(bundle, "items", items))
		return;
	for (const JsonNode *item = items->first; item != NULL; item = item->next, index++)
	{
		BundleEntry *entry = &bundle->entries[bundle->count];

		if (is_skipped(item))
			continue;
		bundle->count++;
		read_item(is_valid ? &entry->faults : &bundle->faults, entry, item, index, message);
	}
	bundle_finish(bundle);
}

Bundle *
format_1_read(const JsonNode *document, int64_t now)
{
	Bundle	   *bundle = palloc0(sizeof(Bundle));
	FaultList  *faults = &bundle->faults;
	Message		message = {0};
	const JsonNode *type;
	const JsonNode *items;

	if (faults_require(faults, "message", document, JSON_NODE_OBJECT) == NULL)
		return bundle;
	type = text_field(faults, document, "MessageType");
	if (type != NULL && !json_is_string(type, "PrescriptionStatusChanged"))
	{
		bundle->ignored = true;
		return bundle;
	}
	bundle->pharmacy_field = "oDSCode";
	bundle->tasks_are_content = true;
	read_message(faults, document, &message, now);
	items = faults_require(faults, "items", json_member(document, "items"), JSON_NODE_ARRAY);
	if (items != NULL)
		read_items(bundle, items, &message);
	return bundle;
}
