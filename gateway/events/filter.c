/*
 * filter.c - see filter.h.
 */
#include "events/filter.h"

#include <stdlib.h>
#include <string.h>

static int compare_codes(const void *left, const void *right)
{
    OdsCode a = *(const OdsCode *)left, b = *(const OdsCode *)right;

    return (a > b) - (a < b);
}

struct filter *filter_new(const OdsCode *ods_codes, size_t count)
{
    struct filter *filter = malloc(sizeof *filter + count * sizeof *ods_codes);

    if (filter == NULL)
        return NULL;
    filter->count = count;
    memcpy(filter->ods_codes, ods_codes, count * sizeof *ods_codes);
    qsort(filter->ods_codes, count, sizeof *ods_codes, compare_codes);
    return filter;
}

bool filter_admits(const struct filter *filter, const struct event *event)
{
    return filter == NULL || bsearch(&event->ods_code, filter->ods_codes, filter->count,
                                     sizeof filter->ods_codes[0], compare_codes) != NULL;
}

bool filter_is_within(const struct filter *filter, const OdsCode *ods_codes, size_t count)
{
    if (filter == NULL)
        return false;
    struct filter *allowed = filter_new(ods_codes, count); /* sorted */
    size_t within = 0;

    if (allowed == NULL)
        return true; /* the next check tells */
    for (size_t i = 0; i < filter->count; i++)
        within += bsearch(&filter->ods_codes[i], allowed->ods_codes, count,
                          sizeof allowed->ods_codes[0], compare_codes) != NULL;
    free(allowed);
    return within == filter->count;
}
