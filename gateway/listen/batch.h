/*
 * batch.h - events as lines of JSON, to be delivered together.
 */
#ifndef RXTRACK_LISTEN_BATCH_H
#define RXTRACK_LISTEN_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch {
    char *text; /* the lines */
    size_t length;
    size_t capacity;
    size_t count; /* of lines */
    int64_t last; /* there is nothing else up to this release number */
};

enum batch_added { BATCH_ADDED, BATCH_PASSED_OVER, BATCH_NO_EVENT };

/*
 * Adds an event, a JSON object, as a line that begins with its release number: {"id":7,...}. With
 * alerts_only an event is passed over whose "alert" is not true, unless it takes back one that was
 * ("withdraws_alert"), but last becomes its number all the same. BATCH_NO_EVENT: the text is no
 * JSON object.
 */
enum batch_added batch_add(struct batch *batch, int64_t number, const char *text, size_t length,
                           bool alerts_only);

/* Takes the lines out; keeps the memory, and last. */
void batch_clear(struct batch *batch);

void batch_free(struct batch *batch);

#endif
