/*
 * event.h - one readiness event, as it goes out on a stream.
 * Threads: any; an event does not change once it is made.
 */
#ifndef RXTRACK_EVENT_H
#define RXTRACK_EVENT_H

#include "types/identifiers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
    int64_t number;   /* its release number: the id on the stream */
    OdsCode ods_code; /* its pharmacy */
    size_t length;    /* of the text, in bytes */
    char text[];      /* "id: ...\nevent: ...\ndata: ...\n\n", without a NUL */
};

/* Makes an event out of a row of the feed, whose JSON is one line: of the kind "ready" or, where it
 * takes another one back, "withdrawn". free() frees it. NULL without memory, or where the ODS code
 * is none. */
struct event *event_new(int64_t number, const char *ods_code, bool withdraws, const char *json);

#endif
