/*
 * backlog.c - see backlog.h. Every job is in two lists: its flow, which is what one caller has
 * waiting for one route, and the list of all by age. Whatever is done with a job takes the same few
 * steps, however many wait.
 */
#include "database/backlog.h"

#include "database/caller.h"

#include <stdlib.h>
#include <string.h>

/* The flows that have jobs, in the order of their turns. */
struct turns {
    struct flow *head;
    struct flow **tail;
};

static struct {
    const struct config *config;
    struct turns *turns;         /* by route */
    size_t route;                /* whose turn it is */
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

/* ---- the list by age ---- */

static void age_append(struct job *job)
{
    job->newer = NULL;
    job->older = backlog.newest;
    if (job->older != NULL)
        job->older->newer = job;
    else
        backlog.oldest = job;
    backlog.newest = job;
}

static void age_remove(struct job *job)
{
    if (job->older != NULL)
        job->older->newer = job->newer;
    else
        backlog.oldest = job->newer;
    if (job->newer != NULL)
        job->newer->older = job->older;
    else
        backlog.newest = job->older;
}

/* ---- turns ---- */

static void turns_push(struct turns *turns, struct flow *flow)
{
    flow->next = NULL;
    *turns->tail = flow;
    turns->tail = &flow->next;
}

static struct flow *turns_pop(struct turns *turns)
{
    struct flow *flow = turns->head;

    turns->head = flow->next;
    if (turns->head == NULL)
        turns->tail = &turns->head;
    return flow;
}

/* The next route that somebody waits for, or NULL. */
static struct turns *next_turns(void)
{
    for (size_t i = 0; i < routes_table_count; i++) {
        backlog.route = (backlog.route + 1) % routes_table_count;
        if (backlog.turns[backlog.route].head != NULL)
            return &backlog.turns[backlog.route];
    }
    return NULL;
}

/* ---- in ---- */

static void turn_away(struct job *job, enum fault fault, int64_t seconds)
{
    if (fault == FAULT_THROTTLED)
        answer_throttled(&job->answer, job->route, seconds);
    else
        answer_fault(&job->answer, job->route, fault);
    if (job->caller->name != NULL)
        job->answer.application = strdup(job->caller->name);
}

static bool may_wait(const struct caller *caller, const struct flow *flow, int64_t now_ms)
{
    size_t room = (size_t)backlog.config->waiting_limit - backlog.waiting;
    int64_t half_ms = backlog.config->request_timeout * 1000 / 2;

    return caller->waiting < room &&
           (flow->jobs.head == NULL || now_ms - flow->jobs.head->queued_ms < half_ms);
}

bool backlog_add(struct job *job, int64_t now_ms)
{
    struct caller *caller = job->caller = caller_of(job);
    struct flow *flow = &caller->flows[routes_number(job->route)];
    int64_t seconds = caller_spend(caller, now_ms);

    if (seconds > 0 || !may_wait(caller, flow, now_ms)) {
        turn_away(job, seconds > 0 ? FAULT_THROTTLED : FAULT_OVERLOADED, seconds);
        return false;
    }
    if (flow->jobs.head == NULL)
        turns_push(&backlog.turns[routes_number(job->route)], flow);
    queue_push(&flow->jobs, job);
    age_append(job);
    caller->waiting++;
    backlog.waiting++;
    return true;
}

/* ---- out ---- */

static void take_out(struct job *job)
{
    age_remove(job);
    job->caller->waiting--;
    backlog.waiting--;
}

size_t backlog_take(struct job **jobs, size_t most, size_t bytes_most)
{
    struct turns *turns = next_turns();
    size_t count = 0, bytes = 0;

    if (turns == NULL)
        return 0;
    do {
        struct flow *flow = turns_pop(turns);
        struct job *job = queue_pop(&flow->jobs);

        if (flow->jobs.head != NULL)
            turns_push(turns, flow);
        take_out(job);
        bytes += job->body_length;
        jobs[count++] = job;
    } while (turns->head != NULL && count < most &&
             bytes + turns->head->jobs.head->body_length <= bytes_most);
    return count;
}

const struct job *backlog_oldest(void)
{
    return backlog.oldest;
}

size_t backlog_count(void)
{
    return backlog.waiting;
}

/* Takes a flow that has nothing left out of the turns: there are as many as callers that wait. */
static void turns_remove(struct turns *turns, struct flow *flow)
{
    struct flow **at = &turns->head;

    while (*at != flow)
        at = &(*at)->next;
    *at = flow->next;
    if (*at == NULL)
        turns->tail = at;
}

struct job *backlog_take_oldest(void)
{
    struct job *job = backlog.oldest;

    if (job == NULL)
        return NULL;
    size_t route = routes_number(job->route);
    struct flow *flow = &job->caller->flows[route];
    queue_pop(&flow->jobs); /* the oldest of all is the oldest of its flow */
    if (flow->jobs.head == NULL)
        turns_remove(&backlog.turns[route], flow);
    take_out(job);
    return job;
}
