/*
 * backoff.c - see backoff.h.
 */
#include "follow/backoff.h"

#include "clock.h"
#include "follow/say.h"
#include "follow/wait.h"

#include <sys/random.h>

#define FIRST_MS 500
#define DOUBLINGS_MAX 6 /* to 32 s */

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}

static int64_t next_wait(struct backoff *backoff, int64_t least_ms)
{
    uint32_t random = 0;
    unsigned doublings = backoff->failures < DOUBLINGS_MAX ? backoff->failures : DOUBLINGS_MAX;
    int64_t most = (int64_t)FIRST_MS << doublings;

    backoff->failures++;
    (void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
    int64_t wait = most / 2 + random % (most / 2 + 1);
    return wait > least_ms ? wait : least_ms;
}

enum verdict backoff_wait(struct backoff *backoff, int64_t least_ms)
{
    int64_t wait = next_wait(backoff, least_ms);

    say("trying again in %.1f s", (double)wait / 1000);
    return wait_verdict(wait_for(NULL, 0, clock_ms() + wait, false));
}
