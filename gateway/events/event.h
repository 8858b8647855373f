/*
 * event.h - one readiness event as it goes out on a stream, and whether a stream wants it.
 * Threads: any; neither changes once it is made.
 */
#ifndef RXTRACK_EVENT_H
#define RXTRACK_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
    int64_t number;    /* its release number: the id on the stream */
    uint64_t pharmacy; /* pharmacy_key() of its ODS code */
    size_t length;     /* of the text, in bytes */
    char text[];       /* "id: ...\nevent: ready\ndata: ...\n\n", without a NUL */
};

/* Makes an event out of a row of the feed, whose JSON is one line; free() frees it. NULL without
 * memory. */
struct event *event_new(int64_t number, const char *ods_code, const char *json);

/* An ODS code as a number, whatever its case and the white space around it. */
uint64_t pharmacy_key(const char *code, size_t length);

struct filter {
    size_t count;
    uint64_t pharmacies[]; /* sorted */
};

/*
 * Reads the pharmacies out of a list of ODS codes with commas, which the database has found to be
 * valid; free() frees it. NULL without memory.
 */
struct filter *filter_new(const char *ods_codes);

/* Whether a stream with this filter gets the event; NULL: it gets all. */
bool filter_admits(const struct filter *filter, const struct event *event);

#endif
