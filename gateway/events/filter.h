/*
 * filter.h - which events a stream gets: all, or those of some pharmacies.
 * Threads: any; a filter does not change once it is made.
 */
#ifndef RXTRACK_FILTER_H
#define RXTRACK_FILTER_H

#include "events/event.h"
#include "types/identifiers.h"

#include <stdbool.h>
#include <stddef.h>

struct filter {
    size_t count;
    OdsCode ods_codes[]; /* sorted */
};

/* A filter for these pharmacies; free() frees it. NULL without memory. */
struct filter *filter_new(const OdsCode *ods_codes, size_t count);

/* Whether a stream with this filter gets the event; NULL: it gets all. */
bool filter_admits(const struct filter *filter, const struct event *event);

/* Whether a stream with this filter gets events of these pharmacies only. */
bool filter_is_within(const struct filter *filter, const OdsCode *ods_codes, size_t count);

#endif
