/*
 * batch.c - see batch.h. Events are parsed and written anew, so that a line is one line of JSON,
 * whatever was sent.
 */
#include "listen/batch.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
    if (memory == NULL) {
        fputs("rxtrack-listen: out of memory\n", stderr);
        exit(1); /* what was not delivered is not acknowledged, and comes again */
    }
    return memory;
}

static void append_line(struct batch *batch, const char *line, size_t length)
{
    if (batch->length + length + 1 > batch->capacity) {
        batch->capacity = (batch->length + length + 1) * 2;
        batch->text = checked(realloc(batch->text, batch->capacity));
    }
    memcpy(batch->text + batch->length, line, length);
    batch->length += length;
    batch->text[batch->length++] = '\n';
    batch->count++;
}

enum batch_added batch_add(struct batch *batch, int64_t number, const char *text, size_t length,
                           bool alerts_only)
{
    json_t *event = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(event)) {
        json_decref(event);
        return BATCH_NO_EVENT;
    }
    batch->last = number;
    if (alerts_only && !json_is_true(json_object_get(event, "alert")) &&
        !json_is_true(json_object_get(event, "withdraws_alert"))) {
        json_decref(event);
        return BATCH_PASSED_OVER;
    }
    json_t *line = checked(json_pack("{s:I}", "id", (json_int_t)number));
    json_object_update_missing(line, event);
    char *dumped = checked(json_dumps(line, JSON_COMPACT));
    append_line(batch, dumped, strlen(dumped));
    free(dumped);
    json_decref(line);
    json_decref(event);
    return BATCH_ADDED;
}

void batch_clear(struct batch *batch)
{
    batch->length = 0;
    batch->count = 0;
}

void batch_free(struct batch *batch)
{
    free(batch->text);
    memset(batch, 0, sizeof *batch);
}
