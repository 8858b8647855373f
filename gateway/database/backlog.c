/*
 * backlog.c - see backlog.h. A job is in two lists: the flow of its caller and route, and the list
 * of all by age. Whatever is done takes the same few steps, however many jobs wait.
 */
#include "database/backlog.h"

#include "database/caller.h"

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

/* The turns of the next route that a job waits for; NULL: none does. */
static struct turns *next_turns(void)
{
    for (size_t i = 0; i < routes_table_count; i++) {
        backlog.route = (backlog.route + 1) % routes_table_count;
        if (backlog.turns[backlog.route].head != NULL)
            return &backlog.turns[backlog.route];
    }
    return NULL;
}

size_t backlog_take(struct job **jobs, size_t most, size_t bytes_most)
{
    struct turns *turns = next_turns();
    size_t count = 0, bytes = 0;

    if (turns == NULL)
        return 0;
    do {
        struct flow *flow = turns->head;
        struct job *job = queue_pop(&flow->jobs);

        turns->head = flow->next;
        if (turns->head == NULL)
            turns->tail = &turns->head;
        if (flow->jobs.head != NULL)
            push_turn(turns, flow);
        take_out(job);
        bytes += job->body_length;
        jobs[count++] = job;
    } while (turns->head != NULL && count < most &&
             bytes + turns->head->jobs.head->body_length <= bytes_most);
    return count;
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
        *at = flow->next;
        if (*at == NULL)
            turns->tail = at;
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
