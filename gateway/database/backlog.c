/*
 * backlog.c - see backlog.h. A job is in two lists: the flow of its caller and route, and the list
 * of all by age. Whatever is done takes the same few steps, however many jobs wait.
 */
#include "database/backlog.h"

#include "database/caller.h"
#include "database/shares.h"

#include <stdlib.h>
#include <string.h>

/* The flows of a route that have jobs, in the order of their turns. */
struct turns {
    struct flow *head;
    struct flow **tail;
};

static struct {
    const struct config *config;
    struct turns *turns;         /* by route */
    size_t route;                /* that had its turn last */
    struct job *oldest, *newest; /* by age */
    size_t waiting;
} backlog;

bool backlog_start(const struct config *config)
{
    memset(&backlog, 0, sizeof backlog);
    backlog.config = config;
    backlog.turns = calloc(routes_table_count, sizeof *backlog.turns);
    if (backlog.turns == NULL || !caller_start(config))
        return false;
    for (size_t i = 0; i < routes_table_count; i++)
        backlog.turns[i].tail = &backlog.turns[i].head;
    return true;
}

void backlog_stop(void)
{
    free(backlog.turns);
    backlog.turns = NULL;
    caller_stop();
}

static void push_turn(struct turns *turns, struct flow *flow)
{
    flow->next = NULL;
    *turns->tail = flow;
    turns->tail = &flow->next;
}

/* ---- in ---- */

static bool is_late(const struct queue *queue, int64_t now_ms)
{
    int64_t half_ms = backlog.config->request_timeout * 1000 / 2;

    return queue->head != NULL && now_ms - queue->head->queued_ms >= half_ms;
}

static bool may_wait(const struct caller *caller, const struct flow *flow, int64_t now_ms)
{
    size_t room = (size_t)backlog.config->waiting_limit - backlog.waiting;

    return caller->waiting < room && !is_late(&flow->jobs, now_ms) &&
           !is_late(&caller->again, now_ms);
}

bool backlog_add(struct job *job, int64_t now_ms)
{
    struct caller *caller = job->caller = caller_of(job);

    if (caller_is_unknown(job)) {
        job->asked = job->route;
        job->route = routes_table_identify;
    }
    struct flow *flow = &caller->flows[routes_number(job->route)];
    int64_t seconds = job->route != routes_table_identify ? caller_spend(caller, now_ms) : 0;

    if (seconds > 0 || !may_wait(caller, flow, now_ms)) {
        if (seconds > 0)
            answer_throttled(&job->answer, job->route, seconds);
        else
            answer_fault(&job->answer, job->route, FAULT_OVERLOADED);
        if (caller->name != NULL)
            job->answer.application = strdup(caller->name);
        return false;
    }
    if (flow->jobs.head == NULL)
        push_turn(&backlog.turns[routes_number(job->route)], flow);
    queue_push(&flow->jobs, job);

    job->newer = NULL;
    job->older = backlog.newest;
    if (job->older != NULL)
        job->older->newer = job;
    else
        backlog.oldest = job;
    backlog.newest = job;
    caller->waiting++;
    backlog.waiting++;
    return true;
}

/* ---- out ---- */

/* What is left to do when a job has been taken out of its flow. */
static void take_out(struct job *job)
{
    if (job->older != NULL)
        job->older->newer = job->newer;
    else
        backlog.oldest = job->newer;
    if (job->newer != NULL)
        job->newer->older = job->older;
    else
        backlog.newest = job->older;
    job->caller->waiting--;
    backlog.waiting--;
}

/* The place, in the turns, of the first flow that may go; NULL: none may. */
static struct flow **find_turn(struct turns *turns, bool suspects)
{
    for (struct flow **at = &turns->head; *at != NULL; at = &(*at)->next) {
        const struct caller *caller = (*at)->jobs.head->caller;

        if (shares_allow(caller) && (suspects || !shares_is_suspect(caller)))
            return at;
    }
    return NULL;
}

static struct flow *take_turn(struct turns *turns, struct flow **at)
{
    struct flow *flow = *at;

    *at = flow->next;
    if (*at == NULL)
        turns->tail = at;
    return flow;
}

/* Takes jobs of one flow, which has none of the turns any more unless some are left. */
static size_t take_flow(struct turns *turns, struct flow *flow, struct job **jobs, size_t most,
                        size_t bytes_most)
{
    size_t count = 0, bytes = 0;

    do {
        jobs[count] = queue_pop(&flow->jobs);
        take_out(jobs[count]);
        bytes += jobs[count++]->body_length;
    } while (flow->jobs.head != NULL && count < most &&
             bytes + flow->jobs.head->body_length <= bytes_most);
    if (flow->jobs.head != NULL)
        push_turn(turns, flow);
    return count;
}

/* Takes a job of each flow in turn, but for suspects'. */
static size_t take_turns(struct turns *turns, struct job **jobs, size_t most, size_t bytes_most)
{
    size_t count = 0, bytes = 0;
    struct flow **at;

    while (count < most && (at = find_turn(turns, false)) != NULL &&
           (count == 0 || bytes + (*at)->jobs.head->body_length <= bytes_most)) {
        bytes += (*at)->jobs.head->body_length;
        count += take_flow(turns, take_turn(turns, at), jobs + count, 1, bytes_most);
    }
    return count;
}

size_t backlog_take(struct job **jobs, size_t most, size_t bytes_most, bool suspects)
{
    for (size_t i = 0; i < routes_table_count; i++) {
        backlog.route = (backlog.route + 1) % routes_table_count;
        struct turns *turns = &backlog.turns[backlog.route];
        struct flow **at = find_turn(turns, suspects);

        if (at == NULL)
            continue;
        return shares_is_suspect((*at)->jobs.head->caller)
                   ? take_flow(turns, take_turn(turns, at), jobs, most, bytes_most)
                   : take_turns(turns, jobs, most, bytes_most);
    }
    return 0;
}

/* The oldest job of all is the first of its flow. To find that flow's turn takes as many steps as
 * callers wait. */
struct job *backlog_take_oldest(void)
{
    struct job *job = backlog.oldest;

    if (job == NULL)
        return NULL;
    struct turns *turns = &backlog.turns[routes_number(job->route)];
    struct flow *flow = &job->caller->flows[routes_number(job->route)];
    queue_pop(&flow->jobs);
    if (flow->jobs.head == NULL) {
        struct flow **at = &turns->head;

        while (*at != flow)
            at = &(*at)->next;
        take_turn(turns, at);
    }
    take_out(job);
    return job;
}

const struct job *backlog_oldest(void)
{
    return backlog.oldest;
}

size_t backlog_count(void)
{
    return backlog.waiting;
}
