/*
 * date_time.c - fuzz target: RFC 3339 date-times.
 *
 * What is accepted looks like RFC 3339, is the moment that timegm makes of it, and is read back
 * from what it is written as.
 */
#include <time.h>

#include "wire/date_time.h"
#include "target.h"

#define EPOCH_2000 INT64_C(946684800) /* in Unix seconds */
#define SECOND INT64_C(1000000)

/* The seconds since 2000 that the text says, by the C library; the text is known to be accepted. */
static int64_t reference_seconds(const char *text)
{
    struct tm tm = {0};
    int year, month, used, sign_hour = 0, sign_minute = 0;
    char separator, zone;
    const char *rest;

    REQUIRE(sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &year, &month, &tm.tm_mday, &separator,
                   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) == 7 &&
            used == 19 && (separator == 'T' || separator == 't'));
    REQUIRE(month >= 1 && month <= 12 && tm.tm_mday >= 1 && tm.tm_mday <= 31);
    REQUIRE(tm.tm_hour <= 23 && tm.tm_min <= 59 && tm.tm_sec <= 60);
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    rest = text + used;
    if (*rest == '.') {
        size_t digits = strspn(rest + 1, "0123456789");

        REQUIRE(digits > 0);
        rest += 1 + digits;
    }
    zone = *rest++;
    if (zone == '+' || zone == '-') {
        REQUIRE(sscanf(rest, "%2d:%2d", &sign_hour, &sign_minute) == 2 && strlen(rest) == 5);
        REQUIRE(sign_hour <= 23 && sign_minute <= 59);
    } else {
        REQUIRE((zone == 'Z' || zone == 'z') && *rest == '\0');
    }
    return (int64_t)timegm(&tm) - EPOCH_2000 -
           (zone == '-' ? -1 : 1) * (sign_hour * 3600 + sign_minute * 60);
}

static void check_accepted(const char *text, int64_t when)
{
    char written[DATE_TIME_TEXT], again[DATE_TIME_TEXT];
    int64_t seconds = reference_seconds(text), reread;

    REQUIRE(when >= seconds * SECOND && when < (seconds + 1) * SECOND);
    date_time_format(when, written);
    REQUIRE(strlen(written) < sizeof written);
    REQUIRE(date_time_parse(written, strlen(written), false, &reread) == NULL);
    REQUIRE(reread == when);
    date_time_format(reread, again);
    REQUIRE(strcmp(again, written) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t when;
    char *bytes = malloc(size ? size : 1), *text = calloc(1, size + 1);
    const char *reason;

    if (bytes == NULL || text == NULL)
        abort();
    memcpy(bytes, data, size); /* without a NUL, to be seen reading on */
    memcpy(text, data, size);
    reason = date_time_parse(bytes, size, false, &when);
    if (reason != NULL) {
        REQUIRE(is_reason(reason));
    } else {
        REQUIRE(strlen(text) == size);
        check_accepted(text, when);
    }
    free(bytes);
    free(text);
    return 0;
}
