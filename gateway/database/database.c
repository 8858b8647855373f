/*
 * database.c - the database thread: the jobs that come in, and the life of the links. Which jobs a
 * link carries when, and what becomes of them, is the schedule's. See database.h.
 *
 * Threads: the incoming list is under the lock; everything else belongs to the database thread,
 * which an eventfd wakes.
 */
#include "database/database.h"

#include "clock.h"
#include "database/hosts.h"
#include "database/link.h"
#include "database/probe.h"
#include "database/schedule.h"
#include "exchange/queue.h"
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct {
    const struct config *config;
    pthread_t thread;
    int wakeup; /* eventfd */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* state, for database_wait() */
    struct queue incoming;  /* under the lock */
    size_t incoming_count;  /* under the lock */
    size_t wanted;          /* so many incoming jobs wake the thread; under the lock */
    bool stopping;          /* under the lock */
    atomic_int state;       /* enum database_state */

    /* the database thread's */
    struct link *links;
    size_t link_count;
    struct probe probe;
    bool was_reported; /* why the database is away, since it was last usable */
    unsigned random;   /* seed of the back-off's jitter */
} database = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- state of the whole ---- */

/* Settles the state from those of the links, and says where it has changed. */
static void publish_state(void)
{
    enum database_state state = DATABASE_AWAY;
    enum database_state before = (enum database_state)atomic_load(&database.state);

    for (size_t i = 0; i < database.link_count; i++)
        if (database.links[i].state >= LINK_IDLE)
            state = DATABASE_USABLE;
        else if (state == DATABASE_AWAY && database.links[i].unsuitable)
            state = DATABASE_UNSUITABLE;
    if (state == before)
        return;
    pthread_mutex_lock(&database.lock);
    atomic_store(&database.state, state);
    pthread_cond_broadcast(&database.changed);
    pthread_mutex_unlock(&database.lock);
    if (state == DATABASE_USABLE) {
        log_event("database_connected", NULL);
        database.was_reported = false;
    } else if (before == DATABASE_USABLE) {
        log_event("database_lost", NULL);
    }
}

/* Logs why the database is away, once until it is back. */
static void report_failure(const struct link *link)
{
    if (database.was_reported || link->served || atomic_load(&database.state) == DATABASE_USABLE ||
        (!link->unsuitable && link->reason[0] == '\0'))
        return;
    database.was_reported = true;
    if (link->unsuitable)
        log_event("database_unsuitable", "s:s", "sqlstate", link->sqlstate);
    else
        log_event("database_away", "s:s", "reason", link->reason);
}

/* ---- links ---- */

static void drop_link(struct link *link, int64_t now_ms)
{
    report_failure(link);
    link_close(link);
    link_retry_later(link, now_ms, &database.random);
}

/* One link has found the schema unsuitable: each of the others checks it before its next batch. */
static void distrust_links(int64_t now_ms)
{
    for (size_t i = 0; i < database.link_count; i++)
        if (database.links[i].state == LINK_IDLE)
            drop_link(&database.links[i], now_ms);
        else
            link_distrust(&database.links[i]);
}

/* Whether its call was committed is not known, so its jobs are not tried again: the client does
 * that, with the same request id, by which the database knows what it has stored. */
static void lose_link(struct link *link, int64_t now_ms)
{
    link->unsuitable = false;
    if (link->reason[0] == '\0')
        snprintf(link->reason, sizeof link->reason, "the connection was lost");
    schedule_failed(link, FAULT_AWAY);
    drop_link(link, now_ms);
}

/* All links to a host share what has become of its probe. */
static void judge_host(size_t host, enum probe_outcome outcome, int64_t now_ms)
{
    for (size_t i = 0; i < database.link_count && outcome != PROBE_NOTHING; i++) {
        struct link *link = &database.links[i];

        if (link->connection == NULL || link->walk.host != host)
            continue;
        if (outcome == PROBE_ALIVE) {
            link_is_alive(link, now_ms);
        } else {
            link_is_out(link);
            lose_link(link, now_ms);
        }
    }
}

/* Its call has ended: the one that followed it, if any, is under way from now on. */
static void end_call(struct link *link, int64_t now_ms)
{
    if (link_is_stale(link) ||
        (link->next_count > 0 && !link_advance(link, database.config, now_ms)))
        lose_link(link, now_ms);
}

static void handle_event(struct link *link, enum link_event event, int64_t now_ms)
{
    switch (event) {
    case LINK_NOTHING:
    case LINK_READ: /* the feed's */
        break;
    case LINK_READY:
        link->failures = 0;
        link->unsuitable = false;
        break;
    case LINK_UNSUITABLE:
        link->unsuitable = true;
        schedule_failed(link, FAULT_UNSUITABLE);
        drop_link(link, now_ms);
        distrust_links(now_ms);
        break;
    case LINK_ANSWERED:
        schedule_answered(link, now_ms);
        end_call(link, now_ms);
        break;
    case LINK_REFUSED:
        schedule_refused(link, now_ms);
        end_call(link, now_ms);
        break;
    case LINK_GIVEN_UP:
        log_event("database_call_given_up", "s:I", "requests",
                  (json_int_t)(link->count + link->next_count));
        schedule_failed(link, FAULT_SLOW);
        break;
    case LINK_LOST:
        lose_link(link, now_ms);
        break;
    }
}

static void connect_links(int64_t now_ms)
{
    for (size_t i = 0; i < database.link_count; i++) {
        struct link *link = &database.links[i];

        if (link->state == LINK_DOWN && now_ms >= link->retry_ms && !link_connect(link, now_ms))
            handle_event(link, LINK_LOST, now_ms);
    }
}

static void follow_calls(int64_t now_ms)
{
    for (size_t i = 0; i < database.link_count; i++) {
        struct link *link = &database.links[i];

        if (schedule_follow(link, now_ms) && !link_follow(link))
            lose_link(link, now_ms);
    }
}

static void make_calls(int64_t now_ms)
{
    for (size_t i = 0; i < database.link_count; i++) {
        struct link *link = &database.links[i];

        if (link->state != LINK_IDLE)
            continue;
        if (!schedule_call(link, now_ms))
            return;
        if (!link_send(link, database.config, now_ms))
            lose_link(link, now_ms);
    }
}

/* ---- the loop ---- */

/* Gives the jobs that have come in to the schedule. False where the thread is to stop. */
static bool take_incoming(void)
{
    struct queue taken;
    uint64_t unused;

    if (read(database.wakeup, &unused, sizeof unused) < 0 && errno != EAGAIN)
        log_event("wakeup_failed", NULL);
    queue_clear(&taken);
    pthread_mutex_lock(&database.lock);
    bool stopping = database.stopping;
    if (database.incoming.head != NULL) {
        taken = database.incoming;
        queue_clear(&database.incoming);
        database.incoming_count = 0;
    }
    pthread_mutex_unlock(&database.lock);
    while (taken.head != NULL)
        schedule_add(queue_pop(&taken), clock_ms());
    return !stopping;
}

/* How long poll() may wait, in milliseconds: until the next deadline or retry. */
static int next_timeout(int64_t now_ms)
{
    int64_t earliest = now_ms + 3600 * 1000;

    for (size_t i = 0; i < database.link_count; i++) {
        const struct link *link = &database.links[i];

        if (link->state == LINK_DOWN)
            clock_sooner(&earliest, link->retry_ms);
        else if (link->deadline_ms != 0)
            clock_sooner(&earliest, link->deadline_ms);
        probe_due(&database.probe, link, &earliest);
    }
    earliest = schedule_due(now_ms, earliest);
    return earliest > now_ms ? (int)(earliest - now_ms) : 0;
}

/* One poll() may have brought the end of more than one call. */
static void step(struct link *link, short revents, int64_t now_ms)
{
    enum link_event event;

    do {
        event = link_step(link, revents, now_ms);
        handle_event(link, event, now_ms);
        revents = POLLIN;
    } while ((event == LINK_ANSWERED || event == LINK_REFUSED) && link->count > 0);
}

/* Waits for the links and for jobs, unless as many jobs are there already as make a call, and takes
 * each link as far as it goes. */
static void wait_and_step(int64_t now_ms)
{
    struct pollfd polled[CONFIG_CONNECTIONS_MAX + 2];
    size_t wanted = schedule_wanted(now_ms);

    pthread_mutex_lock(&database.lock);
    database.wanted = wanted;
    bool enough = database.incoming_count >= wanted;
    pthread_mutex_unlock(&database.lock);

    for (size_t i = 0; i < database.link_count; i++) {
        const struct link *link = &database.links[i];

        polled[i].fd = link->connection != NULL ? PQsocket(link->connection) : -1;
        polled[i].events = link->state == LINK_IDLE ? POLLIN : link->events;
        polled[i].revents = 0;
        probe_begin(&database.probe, link, now_ms);
    }
    polled[database.link_count] = (struct pollfd){.fd = database.wakeup, .events = POLLIN};
    polled[database.link_count + 1] = probe_poll(&database.probe);
    if (poll(polled, database.link_count + 2, enough ? 0 : next_timeout(now_ms)) < 0)
        return; /* EINTR: nothing is ready, the loop comes round again */
    now_ms = clock_ms();
    for (size_t i = 0; i < database.link_count; i++) {
        struct link *link = &database.links[i];

        if (link->state != LINK_DOWN)
            step(link, polled[i].revents, now_ms);
    }
    size_t host = database.probe.host;
    judge_host(host, probe_step(&database.probe, polled[database.link_count + 1].revents, now_ms),
               now_ms);
}

static void *run(void *unused)
{
    (void)unused;
    while (take_incoming()) {
        int64_t now_ms = clock_ms();

        schedule_fail_expired(now_ms);
        follow_calls(now_ms);
        make_calls(now_ms);
        schedule_send_answers();
        connect_links(now_ms); /* after the answers: it may wait for the look-up of a name */
        publish_state();
        if (atomic_load(&database.state) != DATABASE_USABLE)
            schedule_fail_waiting(atomic_load(&database.state) == DATABASE_AWAY ? FAULT_AWAY
                                                                                : FAULT_UNSUITABLE);
        wait_and_step(now_ms);
        publish_state();
    }
    schedule_send_answers();
    probe_end(&database.probe);
    for (size_t i = 0; i < database.link_count; i++) {
        schedule_failed(&database.links[i], FAULT_STOPPING);
        link_close(&database.links[i]);
    }
    schedule_fail_waiting(FAULT_STOPPING);
    return NULL;
}

/* ---- from other threads ---- */

bool database_start(const struct config *config)
{
    database.config = config;
    database.link_count = (size_t)config->database_connections;
    database.links = calloc(database.link_count, sizeof *database.links);
    database.wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    database.random = (unsigned)clock_us() ^ (unsigned)getpid();
    if (database.links == NULL || database.wakeup < 0 ||
        !schedule_start(config, database.links, database.link_count)) {
        fprintf(stderr, "rxtrack-gateway: %s\n", strerror(errno));
        return false;
    }
    queue_clear(&database.incoming);
    int failure = pthread_create(&database.thread, NULL, run, NULL);
    if (failure != 0)
        fprintf(stderr, "rxtrack-gateway: database thread: %s\n", strerror(failure));
    return failure == 0;
}

void database_wait(long timeout_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&database.lock);
    while (atomic_load(&database.state) != DATABASE_USABLE &&
           pthread_cond_timedwait(&database.changed, &database.lock, &until) == 0)
        ;
    pthread_mutex_unlock(&database.lock);
}

enum database_state database_state(void)
{
    return (enum database_state)atomic_load_explicit(&database.state, memory_order_relaxed);
}

static void wake(void)
{
    static const uint64_t one = 1;

    if (write(database.wakeup, &one, sizeof one) < 0)
        return; /* fails only where the counter is full, and then the thread is awake */
}

bool database_submit(struct job *job)
{
    job->queued_ms = clock_ms();
    job->attempts = job->cut_off = 0;
    pthread_mutex_lock(&database.lock);
    bool stopping = database.stopping;
    bool enough = false;
    if (!stopping) {
        queue_push(&database.incoming, job);
        /* the thread takes all jobs at once, so that only one of them needs to wake it */
        enough = ++database.incoming_count == database.wanted;
    }
    pthread_mutex_unlock(&database.lock);
    if (enough)
        wake();
    return !stopping;
}

void database_stop(void)
{
    pthread_mutex_lock(&database.lock);
    database.stopping = true;
    pthread_mutex_unlock(&database.lock);
    wake();
    pthread_join(database.thread, NULL);
    close(database.wakeup);
    schedule_stop();
    free(database.links);
}
