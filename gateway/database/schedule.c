/*
 * schedule.c - see schedule.h. New jobs are the backlog's; a job is in one place at a time: the
 * backlog, alone, last, a link's batch, or answered.
 */
#include "database/schedule.h"

#include "clock.h"
#include "database/backlog.h"
#include "database/caller.h"
#include "exchange/queue.h"
#include "log.h"

#include <string.h>
#include <unistd.h>

#define LATE_MS 10     /* a call that is under way for so long is not waited for */
#define SHARE_LEAST 8  /* jobs: smaller calls cost more than they gain */
#define ATTEMPTS_MAX 5 /* of a job that the database asks to try again */

/*
 * A job may hang, at a lock for instance, and is then not to take those with it that happen to
 * share its batch. So its first attempt gets but a part of its patience as statement_timeout; cut
 * off, it is tried by itself, as are the others of the batch, with a smaller part; and cut off
 * again, with all the time that it has left, when the others have had their turn.
 */
#define FIRST_PART 4
#define SECOND_PART 8
#define LAST_ATTEMPT 2 /* cut off so often */

static struct {
    const struct config *config;
    const struct link *links;
    size_t link_count;
    size_t calls_most;  /* under way at once, but for late ones */
    struct queue alone; /* jobs to be tried by themselves; they go before the backlog's */
    struct queue last;  /* the same for the last time, which may take all the time they have left */
    struct queue answered; /* jobs to be given back with their answers */
    size_t present;        /* jobs taken in and not given back */
    size_t load;           /* the most that were present lately */
} schedule;

/* ---- ends of jobs ---- */

static void end_job(struct job *job)
{
    schedule.present--;
    job->done(job);
}

static void fail_job(struct job *job, enum fault fault)
{
    answer_fault(&job->answer, job->route, fault);
    end_job(job);
}

static void fail_queue(struct queue *queue, enum fault fault)
{
    while (queue->head != NULL)
        fail_job(queue_pop(queue), fault);
}

void schedule_fail_waiting(enum fault fault)
{
    fail_queue(&schedule.alone, fault);
    fail_queue(&schedule.last, fault);
    while (backlog_oldest() != NULL)
        fail_job(backlog_take_oldest(), fault);
}

void schedule_send_answers(void)
{
    while (schedule.answered.head != NULL)
        end_job(queue_pop(&schedule.answered));
}

/* How long a job waits for its answer, in milliseconds. */
static int64_t patience(void)
{
    return schedule.config->request_timeout * 1000;
}

static bool is_expired(const struct job *job, int64_t now_ms)
{
    return now_ms - job->queued_ms >= patience();
}

static void fail_expired_of(struct queue *queue, int64_t now_ms)
{
    while (queue->head != NULL && is_expired(queue->head, now_ms))
        fail_job(queue_pop(queue), FAULT_SLOW);
}

/* A look at those who wait the longest, or nearly so, is enough. */
void schedule_fail_expired(int64_t now_ms)
{
    fail_expired_of(&schedule.alone, now_ms);
    fail_expired_of(&schedule.last, now_ms);
    while (backlog_oldest() != NULL && is_expired(backlog_oldest(), now_ms))
        fail_job(backlog_take_oldest(), FAULT_SLOW);
}

/* ---- ends of calls ---- */

void schedule_answered(struct link *link)
{
    for (size_t i = 0; i < link->count; i++) {
        caller_learn(link->jobs[i]);
        queue_push(&schedule.answered, link->jobs[i]);
    }
    link->count = 0;
}

void schedule_failed(struct link *link, enum fault fault)
{
    for (size_t i = 0; i < link->count; i++)
        fail_job(link->jobs[i], fault);
    for (size_t i = 0; i < link->next_count; i++)
        fail_job(link->next[i], fault);
    link->count = link->next_count = 0;
}

static bool is_retriable(const char *sqlstate)
{
    return strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0;
}

static enum fault fault_of(const char *sqlstate)
{
    if (strcmp(sqlstate, "57014") == 0) /* query_canceled, by statement_timeout */
        return FAULT_SLOW;
    if (strncmp(sqlstate, "57P0", 4) == 0 || strncmp(sqlstate, "08", 2) == 0 ||
        strcmp(sqlstate, "25006") == 0)
        return FAULT_AWAY; /* shutdown, connection, a server that takes no writes */
    if (strcmp(sqlstate, "42883") == 0 || strcmp(sqlstate, "3F000") == 0 ||
        strcmp(sqlstate, "0A000") == 0 || strcmp(sqlstate, "26000") == 0)
        return FAULT_UNSUITABLE; /* the schema moved under the prepared statement: link_is_stale()
                                  */
    if (strncmp(sqlstate, "53", 2) == 0 || is_retriable(sqlstate))
        return FAULT_BUSY; /* out of a resource, or retried in vain */
    return FAULT_INTERNAL;
}

static bool is_tried_again(const struct link *link, struct job *job, enum fault fault)
{
    if (fault == FAULT_SLOW)
        return job->cut_off++ < LAST_ATTEMPT;
    if (is_retriable(link->sqlstate))
        return job->attempts < ATTEMPTS_MAX;
    return fault == FAULT_INTERNAL && link->count > 1;
}

/* One of the batch may be to blame, so each is tried by itself; a job by itself is tried again
 * where the database asks for that, or where it had not all its time yet. */
void schedule_refused(struct link *link, int64_t now_ms)
{
    enum fault fault = fault_of(link->sqlstate);

    log_event("database_error", "s:s,s:s,s:I", "sqlstate", link->sqlstate, "function",
              link->function, "requests", (json_int_t)link->count);
    for (size_t i = 0; i < link->count; i++) {
        struct job *job = link->jobs[i];
        bool again = is_tried_again(link, job, fault);

        if (again && !is_expired(job, now_ms))
            queue_push(job->cut_off < LAST_ATTEMPT ? &schedule.alone : &schedule.last, job);
        else
            fail_job(job, again ? FAULT_SLOW : fault);
    }
    link->count = 0;
}

/* ---- the next call ---- */

void schedule_add(struct job *job, int64_t now_ms)
{
    schedule.present++;
    if (!backlog_add(job, now_ms))
        end_job(job);
}

/* Whether one link more may carry a last attempt: they leave one to all others. A single link
 * carries them when nothing else waits, so under a steady load never. */
static bool may_hang(void)
{
    size_t hanging = 0;

    for (size_t i = 0; i < schedule.link_count; i++)
        hanging +=
            schedule.links[i].count > 0 && schedule.links[i].jobs[0]->cut_off >= LAST_ATTEMPT;
    return schedule.link_count > 1 ? hanging + 1 < schedule.link_count : backlog_count() == 0;
}

/* The queue whose first job is to be tried by itself now; NULL where the backlog has its turn. */
static struct queue *queue_of_retries(void)
{
    if (schedule.alone.head != NULL)
        return &schedule.alone;
    return schedule.last.head != NULL && may_hang() ? &schedule.last : NULL;
}

/* A call that is under way and will soon be back. */
static bool is_prompt(const struct link *link, int64_t now_ms)
{
    return link->count > 0 && now_ms - link->sent_ms < LATE_MS;
}

static size_t count_prompt(int64_t now_ms)
{
    size_t count = 0;

    for (size_t i = 0; i < schedule.link_count; i++)
        count += is_prompt(&schedule.links[i], now_ms);
    return count;
}

/* How many jobs a call carries at most. Clients that have just been answered ask again soon, so it
 * is a part of all that were there lately, not of those that wait just now. */
static size_t share(void)
{
    size_t batch_limit = (size_t)schedule.config->batch_limit;
    size_t parts = schedule.calls_most + 1;
    size_t jobs = (schedule.load + parts - 1) / parts;

    if (jobs < SHARE_LEAST)
        jobs = SHARE_LEAST;
    return jobs < batch_limit ? jobs : batch_limit;
}

/* With a call under way that will soon be back, a further one is made for a whole share alone. */
static bool is_time(int64_t now_ms)
{
    size_t prompt = count_prompt(now_ms);

    return prompt == 0 || (prompt < schedule.calls_most && backlog_count() >= share());
}

/* A call that follows is sent a little early: it is to be nearly as large as it would be later. */
static size_t follow_least(void)
{
    return share() * 3 / 4;
}

/* Not behind one that is late, whose commit may well hang at something. */
static bool may_follow(const struct link *link, int64_t now_ms)
{
    return link_may_follow(link) && is_prompt(link, now_ms);
}

static bool may_follow_any(int64_t now_ms)
{
    for (size_t i = 0; i < schedule.link_count; i++)
        if (may_follow(&schedule.links[i], now_ms))
            return true;
    return false;
}

size_t schedule_wanted(int64_t now_ms)
{
    size_t prompt = count_prompt(now_ms);
    size_t waiting = backlog_count();
    size_t least = share();

    if (prompt == 0)
        return 1;
    if (may_follow_any(now_ms))
        least = follow_least();
    else if (prompt >= schedule.calls_most)
        return SIZE_MAX;
    return waiting < least ? least - waiting : 1;
}

static void measure_load(void)
{
    schedule.load -= schedule.load / 16;
    if (schedule.present > schedule.load)
        schedule.load = schedule.present;
}

/* The statement_timeout for an attempt of a job. */
static long timeout_of(const struct job *job, int64_t now_ms)
{
    int64_t left = job->queued_ms + patience() - now_ms;

    if (job->cut_off < LAST_ATTEMPT)
        return (long)(patience() / (job->cut_off == 0 ? FIRST_PART : SECOND_PART));
    return left > 0 ? (long)left : 1;
}

bool schedule_call(struct link *link, int64_t now_ms)
{
    struct queue *retries = queue_of_retries();

    if (retries != NULL) {
        link->jobs[link->count++] = queue_pop(retries);
    } else if (backlog_count() > 0 && is_time(now_ms)) {
        measure_load();
        link->count = backlog_take(link->jobs, share(), (size_t)schedule.config->batch_bytes);
    }
    for (size_t i = 0; i < link->count; i++)
        link->jobs[i]->attempts++;
    if (link->count > 0)
        link->timeout_ms = timeout_of(link->jobs[0], now_ms);
    return link->count > 0;
}

bool schedule_follow(struct link *link, int64_t now_ms)
{
    if (!may_follow(link, now_ms) || queue_of_retries() != NULL || backlog_count() < follow_least())
        return false;
    measure_load();
    link->next_count = backlog_take(link->next, share(), (size_t)schedule.config->batch_bytes);
    for (size_t i = 0; i < link->next_count; i++)
        link->next[i]->attempts++;
    if (link->next_count > 0)
        link->timeout_ms = timeout_of(link->next[0], now_ms);
    return link->next_count > 0;
}

/* ---- when ---- */

/* Whoever comes while a call is prompt may wait for it unheard, but not for one that is late. */
static void sooner_by_late_calls(int64_t *earliest_ms, int64_t now_ms)
{
    for (size_t i = 0; i < schedule.link_count; i++)
        if (is_prompt(&schedule.links[i], now_ms))
            clock_sooner(earliest_ms, schedule.links[i].sent_ms + LATE_MS);
}

int64_t schedule_due(int64_t now_ms, int64_t latest_ms)
{
    int64_t earliest_ms = latest_ms;

    if (schedule.alone.head != NULL)
        clock_sooner(&earliest_ms, schedule.alone.head->queued_ms + patience());
    if (schedule.last.head != NULL)
        clock_sooner(&earliest_ms, schedule.last.head->queued_ms + patience());
    if (backlog_oldest() != NULL)
        clock_sooner(&earliest_ms, backlog_oldest()->queued_ms + patience());
    sooner_by_late_calls(&earliest_ms, now_ms);
    return earliest_ms;
}

/* ---- beginning and end ---- */

bool schedule_start(const struct config *config, struct link *links, size_t link_count)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    memset(&schedule, 0, sizeof schedule);
    schedule.config = config;
    schedule.links = links;
    schedule.link_count = link_count;
    schedule.calls_most = processors > 2 ? (size_t)processors / 2 : 1;
    if (schedule.calls_most > link_count)
        schedule.calls_most = link_count;
    queue_clear(&schedule.alone);
    queue_clear(&schedule.last);
    queue_clear(&schedule.answered);
    for (size_t i = 0; i < link_count; i++)
        links[i].timeout_ms = (long)patience() / FIRST_PART;
    return backlog_start(config);
}

void schedule_stop(void)
{
    backlog_stop();
}
