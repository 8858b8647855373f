/*
 * check.c - see check.h.
 */
#include "postgres_fe.h"

#include "check.h"
#include "wire/date_time.h"
#include "target.h"

bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int check_faults(const FaultList *faults, bool (*is_field)(const char *))
{
    int count = 0;
    const Fault *last = NULL;

    for (const Fault *fault = faults->first; fault != NULL; fault = fault->next) {
        REQUIRE(is_reason(fault->field) && is_reason(fault->problem));
        REQUIRE(is_field(fault->field));
        /* Each field is complained of once. */
        for (const Fault *other = faults->first; other != fault; other = other->next)
            REQUIRE(strcmp(other->field, fault->field) != 0);
        count++;
        last = fault;
    }
    REQUIRE(faults->last == last || count == 0);
    return count;
}

/* The contract's table, in its own words, by the names that answers have. */
static const struct {
    const char *status;
    bool in_progress, completed;
} suiting[] = {
    {"With Pharmacy", true, false},
    {"With Pharmacy - Preparing Remainder", true, false},
    {"Ready to Collect", true, true},
    {"Ready to Collect - Partial", true, false},
    {"Ready to Dispatch", true, true},
    {"Ready to Dispatch - Partial", true, false},
    {"Collected", false, true},
    {"Dispatched", false, true},
    {"Not Dispensed", false, true},
};

static bool status_suits(BusinessStatus status, bool completed)
{
    for (size_t i = 0; i < sizeof suiting / sizeof *suiting; i++) {
        if (strcmp(business_status_name(status), suiting[i].status) == 0)
            return completed ? suiting[i].completed : suiting[i].in_progress;
    }
    return false;
}

static void check_update(const BundleEntry *entry)
{
    const Update *update = &entry->update;
    Uuid from_url;

    REQUIRE(entry->task_id_field != NULL);
    REQUIRE(entry->full_url != NULL && starts_with(entry->full_url, "urn:uuid:"));
    REQUIRE(uuid_parse(entry->full_url + 9, strlen(entry->full_url + 9), &from_url) == NULL);
    REQUIRE(memcmp(&from_url, &update->task_id, sizeof from_url) == 0);
    REQUIRE(prescription_id_valid(&update->prescription_id));
    REQUIRE(nhs_number_valid(update->nhs_number));
    REQUIRE(ods_code_valid(update->ods_code));
    REQUIRE(business_status_valid(update->status));
    REQUIRE(status_suits(update->status, update->completed));
    REQUIRE(update->issue_number >= 0);
    REQUIRE(update->last_modified <= NOW + (update->post_dated ? 999 : 24) * DATE_TIME_HOUR);
    if (update->post_dated)
        REQUIRE(update->post_dated_set_at <= NOW + 24 * DATE_TIME_HOUR);
    else
        REQUIRE(update->post_dated_set_at == 0);
    REQUIRE(update_asserted_at(update) <= NOW + 24 * DATE_TIME_HOUR);
}

static void require_new_task(const Bundle *bundle, int place)
{
    for (int i = 0; i < place; i++) {
        REQUIRE(bundle->entries[i].task_id_field == NULL ||
                memcmp(&bundle->entries[i].update.task_id, &bundle->entries[place].update.task_id,
                       sizeof(Uuid)) != 0);
    }
}

void check_entries(const Bundle *bundle, bool (*is_field_of_entry)(const char *))
{
    int faulty = 0;

    for (int i = 0; i < bundle->count; i++) {
        if (check_faults(&bundle->entries[i].faults, is_field_of_entry) > 0) {
            faulty++;
        } else {
            check_update(&bundle->entries[i]);
            require_new_task(bundle, i);
        }
    }
    REQUIRE(bundle->faulty == faulty);
}

void check_validated(const Bundle *bundle, bool (*is_field_of_bundle)(const char *),
                     bool (*is_field_of_entry)(const char *))
{
    REQUIRE(bundle != NULL && bundle->count >= 0);
    REQUIRE(bundle->count <= BUNDLE_MAX_ENTRIES);
    REQUIRE(!bundle->too_long || bundle->count == 0);
    if (check_faults(&bundle->faults, is_field_of_bundle) == 0) {
        REQUIRE(!bundle->too_long);
        check_entries(bundle, is_field_of_entry);
    }
}
