/*
 * history.h - all events after one release number and up to another, in their order: the recent
 * ones that the gateway keeps, or a page of older ones.
 * Threads: nothing here locks; hub.c does.
 */
#ifndef RXTRACK_HISTORY_H
#define RXTRACK_HISTORY_H

#include "events/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history {
    int64_t after, upto;  /* it holds all events with after < number <= upto */
    size_t count;         /* of events */
    size_t bytes;         /* of their texts */
    size_t capacity;      /* events at most */
    size_t bytes_max;     /* bytes at most, unless it is a single event */
    size_t first;         /* slot of the oldest */
    struct event **slots; /* a ring */
};

/* Makes *history empty, beginning after a number. False without memory. */
bool history_init(struct history *history, size_t capacity, size_t bytes_max, int64_t after);

/* Frees what it holds, not *history itself. */
void history_clear(struct history *history);

/* Frees all events, and begins anew after a number. */
void history_restart(struct history *history, int64_t after);

/* Takes over the event that follows the last one. The oldest make room for it. */
void history_append(struct history *history, struct event *event);

/* Takes the oldest event out, for the caller to keep; NULL where there is none. */
struct event *history_take(struct history *history);

/* The event at a place, 0 for the oldest. */
const struct event *history_at(const struct history *history, size_t place);

/* The place of the first event after a number; count where there is none. */
size_t history_find(const struct history *history, int64_t after);

#endif
