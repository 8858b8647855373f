/*
 * bundle.c - fuzz target: the validation of a Bundle, from JSON text. check.h has what must hold.
 */
#include "postgres_fe.h"

#include "check.h"
#include "wire/bundle.h"
#include "wire/json.h"
#include "target.h"

static bool is_field_of_bundle(const char *field)
{
    return starts_with(field, "Bundle");
}

static bool is_field_of_entry(const char *field)
{
    return starts_with(field, "entry") || starts_with(field, "Task");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *problem;
    const JsonNode *document = json_from_text((const char *)data, size, &problem);
    const Bundle *bundle = fhir_bundle_read(document, NOW);

    check_validated(bundle, is_field_of_bundle, is_field_of_entry);
    check_entries(bundle, is_field_of_entry);
    arena_reset();
    return 0;
}
