/*
 * backoff.h - the wait before the next try: longer each time, with jitter so that many listeners
 * that lost the same server do not come back at once.
 */
#ifndef RXTRACK_BACKOFF_H
#define RXTRACK_BACKOFF_H

#include "follow/verdict.h"

#include <stdint.h>

struct backoff {
    unsigned failures; /* one after the other */
};

/* All was well: the next wait is a short one again. */
void backoff_reset(struct backoff *backoff);

/*
 * Counts a failure and waits, least_ms or longer. VERDICT_ON: try again. VERDICT_DONE: a signal
 * came. VERDICT_CLOSED: nobody reads standard output any more.
 */
enum verdict backoff_wait(struct backoff *backoff, int64_t least_ms);

#endif
