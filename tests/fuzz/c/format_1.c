/*
 * format_1.c - fuzz target: Format 1 messages, from JSON text.
 *
 * check.h has what must hold; besides, the same message is the same tasks, and one that is none of
 * our business has no faults.
 */
#include "postgres_fe.h"

#include "check.h"
#include "wire/bundle.h"
#include "wire/json.h"
#include "target.h"

static bool is_field(const char *field)
{
    static const char *const fields[] = {"message",          "MessageType", "messageDate",
                                         "prescriptionUUID", "oDSCode",     "deliveryType",
                                         "nHSCHI",           "items",       "repeatNo"};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (starts_with(field, fields[i]))
            return true;
    }
    return false;
}

static void require_same_tasks(const Bundle *left, const Bundle *right)
{
    REQUIRE(left->count == right->count && left->faulty == right->faulty);
    for (int i = 0; i < left->count; i++)
        REQUIRE(memcmp(&left->entries[i].update, &right->entries[i].update, sizeof(Update)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *problem;
    const JsonNode *document = json_from_text((const char *)data, size, &problem);
    const Bundle *bundle = format_1_read(document, NOW);

    check_validated(bundle, is_field, is_field);
    REQUIRE(!bundle->ignored || (bundle->count == 0 && bundle->faults.first == NULL));
    if (!bundle->ignored)
        require_same_tasks(bundle, format_1_read(document, NOW));
    arena_reset();
    return 0;
}
