/*
 * event.c - see event.h.
 */
#include "events/event.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME "id: %" PRId64 "\nevent: ready\ndata: %s\n\n"
#define PHARMACY_MAX 12 /* characters of an ODS code: 37 to the 12th fits */

uint64_t pharmacy_key(const char *code, size_t length)
{
    uint64_t key = 0;
    size_t digits = 0;

    for (size_t i = 0; i < length && digits < PHARMACY_MAX; i++) {
        unsigned char c = (unsigned char)toupper((unsigned char)code[i]);

        if (isspace(c))
            continue;
        key = key * 37 + (isdigit(c) ? c - '0' + 1u : c - 'A' + 11u);
        digits++;
    }
    return key;
}

struct event *event_new(int64_t number, const char *ods_code, const char *json)
{
    size_t length = (size_t)snprintf(NULL, 0, FRAME, number, json);
    struct event *event = malloc(sizeof *event + length + 1);

    if (event == NULL)
        return NULL;
    event->number = number;
    event->pharmacy = pharmacy_key(ods_code, strlen(ods_code));
    event->length = length;
    snprintf(event->text, length + 1, FRAME, number, json);
    return event;
}

static int compare_keys(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

struct filter *filter_new(const char *ods_codes)
{
    size_t most = 1;

    for (const char *c = ods_codes; *c != '\0'; c++)
        most += *c == ',';
    struct filter *filter = malloc(sizeof *filter + most * sizeof filter->pharmacies[0]);
    if (filter == NULL)
        return NULL;
    filter->count = 0;
    for (const char *code = ods_codes; filter->count < most; code++) {
        size_t length = strcspn(code, ",");

        filter->pharmacies[filter->count++] = pharmacy_key(code, length);
        code += length;
    }
    qsort(filter->pharmacies, filter->count, sizeof filter->pharmacies[0], compare_keys);
    return filter;
}

bool filter_admits(const struct filter *filter, const struct event *event)
{
    return filter == NULL || bsearch(&event->pharmacy, filter->pharmacies, filter->count,
                                     sizeof filter->pharmacies[0], compare_keys) != NULL;
}
