/*
 * retries.c - see retries.h. The queues are nearly in the order of age: a look at their heads is
 * enough to find the oldest.
 */
#include "database/retries.h"

#include "clock.h"
#include "database/caller.h"
#include "database/shares.h"

#define LAST_CUT_OFF 2 /* a job that was cut off so often may well hang again */

static struct {
    size_t count;
    const struct caller *turn; /* who had it last; or NULL */
} retries;

void retries_add(struct job *job)
{
    struct caller *caller = job->caller;

    queue_push(job->cut_off < LAST_CUT_OFF ? &caller->again : &caller->last, job);
    caller->waiting++;
    retries.count++;
}

static struct job *take_from(struct caller *caller, struct queue *queue)
{
    caller->waiting--;
    retries.count--;
    return queue_pop(queue);
}

/* The queue of a caller whose first job may go; NULL: none may. */
static struct queue *queue_of(struct caller *caller, bool last)
{
    struct queue *queue = caller->again.head != NULL ? &caller->again : &caller->last;

    if (queue->head == NULL || !shares_allow(caller) || (queue == &caller->last && !last))
        return NULL;
    return queue->head->cut_off == 0 || shares_allow_risk() ? queue : NULL;
}

/* Goes once round all callers, beginning behind the one that had its turn last. */
struct job *retries_take(bool last)
{
    struct caller *start = retries.turn != NULL ? retries.turn->next : NULL;

    if (retries.count == 0)
        return NULL;
    if (start == NULL)
        start = caller_first();
    struct caller *caller = start;
    do {
        struct queue *queue = queue_of(caller, last);

        if (queue != NULL) {
            retries.turn = caller;
            return take_from(caller, queue);
        }
        caller = caller->next != NULL ? caller->next : caller_first();
    } while (caller != start);
    return NULL;
}

struct job *retries_take_older(int64_t queued_ms)
{
    struct caller *caller = retries.count > 0 ? caller_first() : NULL;

    for (; caller != NULL; caller = caller->next) {
        if (caller->again.head != NULL && caller->again.head->queued_ms <= queued_ms)
            return take_from(caller, &caller->again);
        if (caller->last.head != NULL && caller->last.head->queued_ms <= queued_ms)
            return take_from(caller, &caller->last);
    }
    return NULL;
}

void retries_oldest(int64_t *queued_ms)
{
    const struct caller *caller = retries.count > 0 ? caller_first() : NULL;

    for (; caller != NULL; caller = caller->next) {
        if (caller->again.head != NULL)
            clock_sooner(queued_ms, caller->again.head->queued_ms);
        if (caller->last.head != NULL)
            clock_sooner(queued_ms, caller->last.head->queued_ms);
    }
}

size_t retries_count(void)
{
    return retries.count;
}
