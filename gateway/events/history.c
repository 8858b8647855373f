/*
 * history.c - see history.h.
 */
#include "events/history.h"

#include <stdlib.h>
#include <string.h>

bool history_init(struct history *history, size_t capacity, size_t bytes_max, int64_t after)
{
    memset(history, 0, sizeof *history);
    history->after = history->upto = after;
    history->capacity = capacity;
    history->bytes_max = bytes_max;
    history->slots = calloc(capacity, sizeof(struct event *));
    return history->slots != NULL;
}

void history_clear(struct history *history)
{
    history_restart(history, 0);
    free(history->slots);
    history->slots = NULL;
}

void history_restart(struct history *history, int64_t after)
{
    while (history->count > 0)
        free(history_take(history));
    history->after = history->upto = after;
}

struct event *history_take(struct history *history)
{
    if (history->count == 0)
        return NULL;
    struct event *event = history->slots[history->first];
    history->first = (history->first + 1) % history->capacity;
    history->count--;
    history->bytes -= event->length;
    history->after = event->number;
    return event;
}

void history_append(struct history *history, struct event *event)
{
    while (history->count == history->capacity ||
           (history->count > 0 && history->bytes + event->length > history->bytes_max))
        free(history_take(history));
    history->slots[(history->first + history->count) % history->capacity] = event;
    history->count++;
    history->bytes += event->length;
    history->upto = event->number;
}

const struct event *history_at(const struct history *history, size_t place)
{
    return history->slots[(history->first + place) % history->capacity];
}

size_t history_find(const struct history *history, int64_t after)
{
    size_t low = 0, high = history->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (history_at(history, middle)->number <= after)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
