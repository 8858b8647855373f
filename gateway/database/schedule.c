/*
 * schedule.c - see schedule.h. A job is in one place at a time: the backlog, one of the queues
 * here, or a link.
 */
#include "database/schedule.h"

#include "clock.h"
#include "database/backlog.h"
#include "database/caller.h"
#include "database/health.h"
#include "database/retries.h"
#include "database/shares.h"
#include "exchange/queue.h"
#include "log.h"

#include <string.h>
#include <unistd.h>

#define LATE_MS 10     /* a call that has run for so long is not waited for */
#define SHARE_LEAST 8  /* jobs: smaller calls cost more than they gain */
#define ATTEMPTS_MAX 5 /* for a job that the database asks to try again */

/*
 * A job that hangs, at a lock for instance, must not take the jobs with it that happen to share its
 * call. So the statement_timeout of a first attempt is short: FIRST_MS, doubled until it is
 * FIRST_USUAL times what a call takes usually, and at most request_timeout / FIRST_PART, which
 * those with large bodies have at once. After it each job of the call is tried by itself for
 * request_timeout / SECOND_PART, and one that is cut off again for twice as long each time, until
 * its time is up, when the others have had their turn: a job that needs long gets it, and where
 * there is but one connection, those that arrive meanwhile wait for half of request_timeout at
 * most. Their callers are suspects (shares.h): all of a call that
 * was cut off until the second attempts are over, and one whose second attempt was for SUSPECT_MS.
 */
#define FIRST_MS 100
#define FIRST_USUAL 4
#define FIRST_PART 4
#define SECOND_PART 8
#define SUSPECT_MS 60000

static struct {
    const struct config *config;
    const struct link *links;
    size_t link_count;
    size_t calls_most;     /* under way at once, late ones not counted */
    bool retries_turn;     /* it is that of jobs that are tried again, not of new ones */
    int64_t usual_us;      /* how long first attempts took lately */
    struct queue answered; /* to be given back with their answers */
    size_t present;        /* jobs that were taken in and not given back */
    size_t load;           /* the most that were present, decaying with each call */
} schedule;

/* ---- ends of jobs ---- */

static void end_job(struct job *job)
{
    schedule.present--;
    job->done(job);
}

/* What makes a call for the health fail, but for the database being away or of another schema,
 * would make an update fail as well. */
static void fail_job(struct job *job, enum fault fault)
{
    if (job->asked != NULL)
        job->route = job->asked;
    if (job->route->checks_session &&
        (fault == FAULT_SLOW || fault == FAULT_BUSY || fault == FAULT_INTERNAL))
        fault = FAULT_WRITES;
    answer_fault(&job->answer, job->route, fault);
    end_job(job);
}

void schedule_fail_waiting(enum fault fault)
{
    for (struct job *job; (job = retries_take_older(INT64_MAX)) != NULL;)
        fail_job(job, fault);
    while (backlog_oldest() != NULL)
        fail_job(backlog_take_oldest(), fault);
}

void schedule_send_answers(void)
{
    while (schedule.answered.head != NULL)
        end_job(queue_pop(&schedule.answered));
}

/* How long a job may wait for its answer, in milliseconds. */
static int64_t patience(void)
{
    return schedule.config->request_timeout * 1000;
}

static bool is_expired(const struct job *job, int64_t now_ms)
{
    return now_ms - job->queued_ms >= patience();
}

void schedule_fail_expired(int64_t now_ms)
{
    for (struct job *job; (job = retries_take_older(now_ms - patience())) != NULL;)
        fail_job(job, FAULT_SLOW);
    while (backlog_oldest() != NULL && is_expired(backlog_oldest(), now_ms))
        fail_job(backlog_take_oldest(), FAULT_SLOW);
}

/* ---- ends of calls ---- */

/* A job whose credential was asked for goes on to what it is about: into the backlog, where its
 * caller's rate allows it. False where the answer is its last: the credential is nobody's. */
static bool go_on(struct job *job, int64_t now_ms)
{
    if (job->route != routes_table_identify || job->asked == NULL)
        return false;
    job->route = job->asked;
    if (job->answer.application == NULL)
        return false;
    answer_clear(&job->answer);
    if (!backlog_add(job, now_ms))
        queue_push(&schedule.answered, job);
    return true;
}

void schedule_answered(struct link *link, int64_t now_ms)
{
    if (link->jobs[0]->cut_off == 0)
        schedule.usual_us += ((now_ms - link->sent_ms) * 1000 - schedule.usual_us) / 8;
    for (size_t i = 0; i < link->count; i++) {
        caller_learn(link->jobs[i]);
        if (go_on(link->jobs[i], now_ms))
            continue;
        health_stored(link->jobs[i], now_ms);
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

/* serialization_failure, deadlock_detected */
static bool is_retriable(const char *sqlstate)
{
    return strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0;
}

static enum fault fault_of(const char *sqlstate)
{
    static const struct {
        const char *prefix;
        enum fault fault;
    } faults[] = {
        {"57014", FAULT_SLOW},       /* query_canceled, by statement_timeout */
        {"57P0", FAULT_AWAY},        /* the server is shutting down */
        {"08", FAULT_AWAY},          /* connection_exception */
        {"25006", FAULT_AWAY},       /* read_only_sql_transaction */
        {"42883", FAULT_UNSUITABLE}, /* what makes a link stale: link_is_stale() */
        {"3F000", FAULT_UNSUITABLE}, {"0A000", FAULT_UNSUITABLE},
        {"26000", FAULT_UNSUITABLE}, {"53", FAULT_BUSY}, /* insufficient_resources */
        {"40001", FAULT_BUSY},                           /* tried again in vain */
        {"40P01", FAULT_BUSY},
    };

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (strncmp(sqlstate, faults[i].prefix, strlen(faults[i].prefix)) == 0)
            return faults[i].fault;
    return FAULT_INTERNAL;
}

/* Jobs that were cut off make their callers suspects. */
static void note_cut_off(struct job *job, int64_t now_ms)
{
    int64_t trial_ms = patience() / SECOND_PART + LATE_MS;

    shares_suspect(job->caller, now_ms + (job->cut_off == 0 ? trial_ms : SUSPECT_MS));
    job->cut_off++;
}

/* Any job of a call may be the one to blame, so each is tried by itself. One that was by itself is
 * tried again where the database asks for it, or its time was cut short. */
void schedule_refused(struct link *link, int64_t now_ms)
{
    enum fault fault = fault_of(link->sqlstate);

    log_event("database_error", "s:s,s:s,s:I", "sqlstate", link->sqlstate, "function",
              link->function, "requests", (json_int_t)link->count);
    health_failed(link->sqlstate, now_ms);
    for (size_t i = 0; i < link->count; i++) {
        struct job *job = link->jobs[i];
        bool again = fault == FAULT_INTERNAL && link->count > 1;

        if (job->route->checks_session)
            again = false;
        else if (fault == FAULT_SLOW)
            again = true;
        else if (is_retriable(link->sqlstate))
            again = job->attempts < ATTEMPTS_MAX;
        if (fault == FAULT_SLOW)
            note_cut_off(job, now_ms);
        if (again && !is_expired(job, now_ms))
            retries_add(job);
        else
            fail_job(job, again ? FAULT_SLOW : fault);
    }
    link->count = 0;
}

/* ---- the next call ---- */

void schedule_add(struct job *job, int64_t now_ms)
{
    schedule.present++;
    if ((job->route->checks_session &&
         !health_admits(job, schedule.links, schedule.link_count, now_ms)) ||
        !backlog_add(job, now_ms))
        end_job(job);
}

/* Whether a call is under way that can be expected back soon. */
static bool is_prompt(const struct link *link, int64_t now_ms)
{
    return link->count > 0 && now_ms - link->sent_ms < LATE_MS && link->jobs[0]->cut_off == 0 &&
           !shares_is_suspect(link->jobs[0]->caller);
}

static size_t count_prompt(int64_t now_ms)
{
    size_t count = 0;

    for (size_t i = 0; i < schedule.link_count; i++)
        count += is_prompt(&schedule.links[i], now_ms);
    return count;
}

/* How many jobs a call carries at most: a part of all that were present lately, not of those that
 * wait just now, since clients that have just been answered ask again soon. */
static size_t share(void)
{
    size_t batch_limit = (size_t)schedule.config->batch_limit;
    size_t parts = schedule.calls_most + 1;
    size_t jobs = (schedule.load + parts - 1) / parts;

    if (jobs < SHARE_LEAST)
        jobs = SHARE_LEAST;
    return jobs < batch_limit ? jobs : batch_limit;
}

/* How many jobs are enough for a call that follows: it is sent a little early, and would be little
 * larger if it were sent later. */
static size_t follow_least(void)
{
    return share() * 3 / 4;
}

/* Not behind a late call, whose commit may hang. */
static bool may_follow(const struct link *link, int64_t now_ms)
{
    return link_may_follow(link) && is_prompt(link, now_ms);
}

size_t schedule_wanted(int64_t now_ms)
{
    size_t prompt = count_prompt(now_ms);
    size_t waiting = backlog_count();
    size_t least = prompt < schedule.calls_most ? share() : SIZE_MAX;

    if (prompt == 0)
        return 1;
    for (size_t i = 0; i < schedule.link_count; i++)
        if (may_follow(&schedule.links[i], now_ms))
            least = follow_least();
    if (least == SIZE_MAX)
        return SIZE_MAX;
    return waiting < least ? least - waiting : 1;
}

/* Takes the jobs of the next call out of the backlog; returns how many. */
static size_t take_share(struct job **jobs, bool suspects)
{
    schedule.load -= schedule.load / 16;
    if (schedule.present > schedule.load)
        schedule.load = schedule.present;
    return backlog_take(jobs, share(), (size_t)schedule.config->batch_bytes, suspects);
}

/* The statement_timeout of a first attempt, in few steps: the session is told of each change. */
static int64_t first_timeout(void)
{
    int64_t most_ms = patience() / FIRST_PART;
    int64_t timeout_ms = FIRST_MS;

    while (timeout_ms * 1000 < schedule.usual_us * FIRST_USUAL)
        timeout_ms *= 2;
    return timeout_ms < most_ms ? timeout_ms : most_ms;
}

/* That of one that comes after it was cut off. */
static int64_t later_timeout(const struct job *job, int64_t now_ms)
{
    int64_t left_ms = job->queued_ms + patience() - now_ms;
    int64_t timeout_ms = patience() / SECOND_PART;

    for (unsigned i = 1; i < job->cut_off && timeout_ms < left_ms; i++)
        timeout_ms *= 2;
    if (timeout_ms > left_ms)
        timeout_ms = left_ms;
    return timeout_ms > 0 ? timeout_ms : 1;
}

/* Counts the attempt of each job, and sets the timeout of the call that makes it. */
static void begin_attempt(struct link *link, struct job **jobs, size_t count, int64_t now_ms)
{
    for (size_t i = 0; i < count; i++)
        jobs[i]->attempts++;
    if (count == 0)
        return;
    if (jobs[0]->cut_off > 0 || shares_is_suspect(jobs[0]->caller))
        shares_take(jobs[0]->caller);
    if (jobs[0]->route->checks_session)
        link->timeout_ms = HEALTH_PROBE_MS;
    else if (jobs[0]->cut_off == 0)
        link->timeout_ms = (long)first_timeout();
    else
        link->timeout_ms = (long)later_timeout(jobs[0], now_ms);
}

/* Where there is but one link, it carries jobs that were cut off again, which may well hang, when
 * nothing else waits. */
static void take_retry(struct link *link)
{
    struct job *job = retries_take(schedule.link_count > 1 || backlog_count() == 0);

    if (job != NULL)
        link->jobs[link->count++] = job;
}

/* While a prompt call is under way, a further one is worth making for a whole share only. */
static void take_new(struct link *link, int64_t now_ms)
{
    size_t prompt = count_prompt(now_ms);

    if (backlog_count() > 0 &&
        (prompt == 0 || (prompt < schedule.calls_most && backlog_count() >= share())))
        link->count = take_share(link->jobs, shares_allow_risk());
}

/* Jobs that are tried again take turns with new ones. */
bool schedule_call(struct link *link, int64_t now_ms)
{
    shares_look(schedule.links, schedule.link_count, now_ms);
    for (int i = 0; i < 2 && link->count == 0; i++) {
        if (schedule.retries_turn)
            take_retry(link);
        else
            take_new(link, now_ms);
        schedule.retries_turn = !schedule.retries_turn;
    }
    begin_attempt(link, link->jobs, link->count, now_ms);
    return link->count > 0;
}

bool schedule_follow(struct link *link, int64_t now_ms)
{
    if (!may_follow(link, now_ms) || retries_count() > 0 || backlog_count() < follow_least())
        return false;
    shares_look(schedule.links, schedule.link_count, now_ms);
    link->next_count = take_share(link->next, false);
    begin_attempt(link, link->next, link->next_count, now_ms);
    return link->next_count > 0;
}

/* A job that arrives while a call is prompt need not wake the thread, but when that is late. */
int64_t schedule_due(int64_t now_ms, int64_t latest_ms)
{
    int64_t earliest_ms = latest_ms;

    int64_t queued_ms = latest_ms - patience();

    retries_oldest(&queued_ms);
    clock_sooner(&earliest_ms, queued_ms + patience());
    if (backlog_oldest() != NULL)
        clock_sooner(&earliest_ms, backlog_oldest()->queued_ms + patience());
    for (size_t i = 0; i < schedule.link_count; i++)
        if (is_prompt(&schedule.links[i], now_ms))
            clock_sooner(&earliest_ms, schedule.links[i].sent_ms + LATE_MS);
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
    queue_clear(&schedule.answered);
    for (size_t i = 0; i < link_count; i++)
        links[i].timeout_ms = (long)first_timeout();
    return backlog_start(config);
}

void schedule_stop(void)
{
    backlog_stop();
}
