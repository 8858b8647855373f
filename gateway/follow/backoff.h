/*
 * backoff.h - exponential back-off before the next attempt, with jitter so that the many listeners
 * that have lost one server do not come back at once.
 */
#ifndef RXTRACK_BACKOFF_H
#define RXTRACK_BACKOFF_H

#include "follow/verdict.h"

#include <stdint.h>

struct backoff {
    unsigned failures; /* in a row */
};

/* An attempt has succeeded: the next wait is a short one again. */
void backoff_reset(struct backoff *backoff);

/* Counts a failure and waits, for least_ms at least. VERDICT_ON: try again. Otherwise as
 * wait_verdict(). */
enum verdict backoff_wait(struct backoff *backoff, int64_t least_ms);

#endif
