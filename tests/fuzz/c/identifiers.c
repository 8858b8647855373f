/*
 * identifiers.c - fuzz target: the identifier parsers.
 *
 * The first byte chooses the parser, the rest is the text, or the bytes of a packed value. Whatever
 * is accepted is valid, is written in one way, and that way is read back as the same value. The
 * order of two packed values is that of their texts.
 */
#include "types/identifiers.h"

#include "target.h"

#define sign(n) (((n) > 0) - ((n) < 0))

/* Upper case, and nothing else that a parser could have let through. */
static void require_text(const char *text, size_t room, const char *alphabet)
{
    size_t length = strnlen(text, room);

    REQUIRE(length > 0 && length < room);
    REQUIRE(strspn(text, alphabet) == length);
}

static void check_nhs_number(const char *s, size_t size)
{
    NhsNumber number, again;
    char text[NHS_NUMBER_TEXT];
    const char *reason = nhs_number_parse(s, size, &number);

    if (reason != NULL) {
        REQUIRE(is_reason(reason));
        return;
    }
    REQUIRE(nhs_number_valid(number));
    nhs_number_format(number, text);
    require_text(text, sizeof text, "0123456789");
    REQUIRE(size == 10 && memcmp(s, text, 10) == 0);
    REQUIRE(nhs_number_parse(text, 10, &again) == NULL && again == number);
}

static void check_prescription_id(const char *s, size_t size)
{
    PrescriptionId id, again;
    char text[PRESCRIPTION_ID_TEXT], written[PRESCRIPTION_ID_TEXT];
    const char *reason = prescription_id_parse(s, size, &id);

    if (reason != NULL) {
        REQUIRE(is_reason(reason));
        return;
    }
    REQUIRE(prescription_id_valid(&id));
    prescription_id_format(&id, text);
    require_text(text, sizeof text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-+");
    REQUIRE(size == strlen(text));
    for (size_t i = 0; i < size; i++)
        REQUIRE((s[i] >= 'a' && s[i] <= 'z' ? s[i] - 'a' + 'A' : s[i]) == text[i]);
    REQUIRE(prescription_id_parse(text, strlen(text), &again) == NULL);
    REQUIRE(memcmp(&again, &id, sizeof id) == 0);
    prescription_id_format(&again, written);
    REQUIRE(strcmp(written, text) == 0);
}

static void check_ods_code(const char *s, size_t size)
{
    OdsCode code, again;
    char text[ODS_CODE_TEXT];
    const char *reason = ods_code_parse(s, size, &code);

    if (reason != NULL) {
        REQUIRE(is_reason(reason));
        return;
    }
    REQUIRE(ods_code_valid(code));
    ods_code_format(code, text);
    require_text(text, sizeof text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    REQUIRE(ods_code_parse(text, strlen(text), &again) == NULL && again == code);
}

static void check_business_status(const char *s, size_t size)
{
    BusinessStatus status, again;
    const char *name, *reason = business_status_parse(s, size, &status);

    if (reason != NULL) {
        REQUIRE(is_reason(reason));
        return;
    }
    REQUIRE(business_status_valid(status));
    name = business_status_name(status);
    REQUIRE(strlen(name) == size);
    REQUIRE(business_status_parse(name, strlen(name), &again) == NULL && again == status);
    REQUIRE(strlen(business_status_short(status)) <= 3);
}

static void check_uuid(const char *s, size_t size)
{
    Uuid uuid, again;
    char text[UUID_TEXT];
    const char *reason = uuid_parse(s, size, &uuid);

    if (reason != NULL) {
        REQUIRE(is_reason(reason));
        return;
    }
    for (int upper = 0; upper <= 1; upper++) {
        uuid_format(&uuid, upper, text);
        require_text(text, sizeof text, upper ? "0123456789ABCDEF-" : "0123456789abcdef-");
        REQUIRE(strlen(text) == 36 && size == 36);
        REQUIRE(uuid_parse(text, 36, &again) == NULL && memcmp(&again, &uuid, sizeof uuid) == 0);
    }
}

/* A packed value of any bytes: where it is valid, it survives its text. */
static void check_packed(const uint8_t *data, size_t size)
{
    int64_t number = 0;
    PrescriptionId id;

    memcpy(&number, data, size < sizeof number ? size : sizeof number);
    if (nhs_number_valid((int32_t)number)) {
        char text[NHS_NUMBER_TEXT];
        NhsNumber again;

        nhs_number_format((NhsNumber)number, text);
        REQUIRE(nhs_number_parse(text, strlen(text), &again) == NULL && again == (int32_t)number);
    }
    if (ods_code_valid(number)) {
        char text[ODS_CODE_TEXT];
        OdsCode again;

        ods_code_format(number, text);
        REQUIRE(ods_code_parse(text, strlen(text), &again) == NULL && again == number);
    }
    if (size >= sizeof id) {
        memcpy(&id, data, sizeof id);
        if (prescription_id_valid(&id)) {
            char text[PRESCRIPTION_ID_TEXT];
            PrescriptionId again;

            prescription_id_format(&id, text);
            REQUIRE(prescription_id_parse(text, strlen(text), &again) == NULL);
            REQUIRE(memcmp(&again, &id, sizeof id) == 0);
        }
    }
}

/* Two packed values, from two halves of the input, sort as their texts do. */
static void check_order(const uint8_t *data, size_t size)
{
    OdsCode left = 0, right = 0;
    char left_text[PRESCRIPTION_ID_TEXT], right_text[PRESCRIPTION_ID_TEXT];

    if (size < 2 * sizeof(PrescriptionId))
        return;
    memcpy(&left, data, sizeof left);
    memcpy(&right, data + sizeof left, sizeof right);
    if (ods_code_valid(left) && ods_code_valid(right)) {
        ods_code_format(left, left_text);
        ods_code_format(right, right_text);
        REQUIRE(sign(strcmp(left_text, right_text)) == (left > right) - (left < right));
    }
    {
        PrescriptionId first, second;

        memcpy(&first, data, sizeof first);
        memcpy(&second, data + sizeof first, sizeof second);
        if (prescription_id_valid(&first) && prescription_id_valid(&second)) {
            prescription_id_format(&first, left_text);
            prescription_id_format(&second, right_text);
            REQUIRE(sign(strcmp(left_text, right_text)) ==
                    sign(memcmp(&first, &second, sizeof first)));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0)
        return 0;
    data++;
    size--;
    /* A copy of its own: no byte before or after it is ours. */
    text = malloc(size ? size : 1);
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    switch (data[-1] % 7) {
    case 0:
        check_nhs_number(text, size);
        break;
    case 1:
        check_prescription_id(text, size);
        break;
    case 2:
        check_ods_code(text, size);
        break;
    case 3:
        check_business_status(text, size);
        break;
    case 4:
        check_uuid(text, size);
        break;
    case 5:
        check_packed(data, size);
        break;
    case 6:
        check_order(data, size);
        break;
    }
    free(text);
    return 0;
}
