/*
 * event.c - see event.h.
 */
#include "events/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME "id: %" PRId64 "\nevent: %s\ndata: %s\n\n"

struct event *event_new(int64_t number, const char *ods_code, bool withdraws, const char *json)
{
    const char *kind = withdraws ? "withdrawn" : "ready";
    size_t length = (size_t)snprintf(NULL, 0, FRAME, number, kind, json);
    struct event *event = malloc(sizeof *event + length + 1);

    if (event == NULL || ods_code_parse(ods_code, strlen(ods_code), &event->ods_code) != NULL) {
        free(event);
        return NULL;
    }
    event->number = number;
    event->length = length;
    snprintf(event->text, length + 1, FRAME, number, kind, json);
    return event;
}
