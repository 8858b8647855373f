/*
 * database.c - how jobs come in, how they are laid together into calls, and what becomes of calls
 * that fail. Those who wait are the backlog's. See database.h.
 *
 * Threads: the incoming list is under the lock; everything else belongs to the database thread,
 * which an eventfd wakes. A job is always in one place: incoming, the backlog, alone, last, or a
 * link's batch.
 */
#include "database.h"

#include "backlog.h"
#include "caller.h"
#include "clock.h"
#include "link.h"
#include "log.h"
#include "queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GATHER_MS 3    /* a job waits no longer for a call that is under way to come back */
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
    pthread_t thread;
    int wakeup; /* eventfd */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* state, for database_wait() */
    struct queue incoming;  /* under the lock */
    bool stopping;          /* under the lock */
    atomic_int state;       /* enum database_state */

    /* the database thread's */
    struct link *links;
    size_t link_count;
    struct queue alone; /* jobs to be tried by themselves; they go before the backlog's */
    struct queue last;  /* the same for the last time, which may take all the time they have left */
    bool was_reported;  /* that the database is away, since it last was usable */
    unsigned random;    /* for the back-off's jitter */
} database = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- ends of jobs ---- */

static void fail_job(struct job *job, enum fault fault)
{
    answer_fault(&job->answer, job->route, fault);
    job->done(job);
}

static void fail_queue(struct queue *queue, enum fault fault)
{
    while (queue->head != NULL)
        fail_job(queue_pop(queue), fault);
}

static void fail_waiting(enum fault fault)
{
    fail_queue(&database.alone, fault);
    fail_queue(&database.last, fault);
    while (backlog_oldest() != NULL)
        fail_job(backlog_take_oldest(), fault);
}

static void fail_batch(struct link *link, enum fault fault)
{
    for (size_t i = 0; i < link->count; i++)
        fail_job(link->jobs[i], fault);
    link->count = 0;
}

/* How long a job waits for its answer, in milliseconds. */
static int64_t patience(void)
{
    return database.config->request_timeout * 1000;
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
static void fail_expired(int64_t now_ms)
{
    fail_expired_of(&database.alone, now_ms);
    fail_expired_of(&database.last, now_ms);
    while (backlog_oldest() != NULL && is_expired(backlog_oldest(), now_ms))
        fail_job(backlog_take_oldest(), FAULT_SLOW);
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
    if (strcmp(sqlstate, "42883") == 0 || strcmp(sqlstate, "0A000") == 0 ||
        strcmp(sqlstate, "26000") == 0)
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

/*
 * The call failed and nothing of it was done. One of the batch may be to blame, so each is tried
 * by itself; a job by itself is tried again where the database asks for that, or where it had not
 * all its time yet.
 */
static void settle_refused(struct link *link, int64_t now_ms)
{
    enum fault fault = fault_of(link->sqlstate);

    log_event("database_error", "s:s,s:s,s:I", "sqlstate", link->sqlstate, "function",
              link->function, "requests", (json_int_t)link->count);
    for (size_t i = 0; i < link->count; i++) {
        struct job *job = link->jobs[i];
        bool again = is_tried_again(link, job, fault);

        if (again && !is_expired(job, now_ms))
            queue_push(job->cut_off < LAST_ATTEMPT ? &database.alone : &database.last, job);
        else
            fail_job(job, again ? FAULT_SLOW : fault);
    }
    link->count = 0;
}

/* ---- state of the whole ---- */

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

/* Says once, while the database is away, why. */
static void report_failure(const struct link *link)
{
    if (database.was_reported || atomic_load(&database.state) == DATABASE_USABLE ||
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

/* The schema has been found not to suit: no link is to carry anything before it has asked too. */
static void distrust_links(int64_t now_ms)
{
    for (size_t i = 0; i < database.link_count; i++)
        if (database.links[i].state == LINK_IDLE)
            drop_link(&database.links[i], now_ms);
        else
            link_distrust(&database.links[i]);
}

static void handle_event(struct link *link, enum link_event event, int64_t now_ms)
{
    switch (event) {
    case LINK_NOTHING:
    case LINK_READ: /* not of these links */
        break;
    case LINK_READY:
        link->failures = 0;
        link->unsuitable = false;
        break;
    case LINK_UNSUITABLE:
        link->unsuitable = true;
        fail_batch(link, FAULT_UNSUITABLE);
        drop_link(link, now_ms);
        distrust_links(now_ms);
        break;
    case LINK_ANSWERED:
        for (size_t i = 0; i < link->count; i++) {
            caller_learn(link->jobs[i]);
            link->jobs[i]->done(link->jobs[i]);
        }
        link->count = 0;
        if (link_is_stale(link))
            drop_link(link, now_ms);
        break;
    case LINK_REFUSED:
        settle_refused(link, now_ms);
        if (link_is_stale(link))
            drop_link(link, now_ms);
        break;
    case LINK_LOST:
        /* Whether a call was carried out is not known: the client asks again with the same
         * request id, and the database knows what it has stored. */
        link->unsuitable = false;
        fail_batch(link,
                   link->deadline_ms != 0 && now_ms >= link->deadline_ms ? FAULT_SLOW : FAULT_AWAY);
        drop_link(link, now_ms);
        break;
    }
}

static void connect_links(int64_t now_ms)
{
    for (size_t i = 0; i < database.link_count; i++) {
        struct link *link = &database.links[i];

        if (link->state == LINK_DOWN && now_ms >= link->retry_ms &&
            !link_connect(link, database.config, now_ms))
            handle_event(link, LINK_LOST, now_ms);
    }
}

/* Whether one link more may carry a last attempt: they leave one to all others. A single link
 * carries them when nothing else waits. */
static bool may_hang(void)
{
    size_t hanging = 0;

    for (size_t i = 0; i < database.link_count; i++)
        hanging +=
            database.links[i].count > 0 && database.links[i].jobs[0]->cut_off >= LAST_ATTEMPT;
    return database.link_count > 1 ? hanging + 1 < database.link_count : backlog_count() == 0;
}

/* The queue whose first job is to be tried by itself now; NULL where the backlog has its turn. */
static struct queue *queue_of_retries(void)
{
    if (database.alone.head != NULL)
        return &database.alone;
    return database.last.head != NULL && may_hang() ? &database.last : NULL;
}

/* The statement_timeout for an attempt of a job. */
static long timeout_of(const struct job *job, int64_t now_ms)
{
    int64_t left = job->queued_ms + patience() - now_ms;

    if (job->cut_off < LAST_ATTEMPT)
        return (long)(patience() / (job->cut_off == 0 ? FIRST_PART : SECOND_PART));
    return left > 0 ? (long)left : 1;
}

/* Moves the next batch into an idle link; false where no job waits. */
static bool fill_link(struct link *link, int64_t now_ms)
{
    struct queue *retries = queue_of_retries();

    if (retries != NULL)
        link->jobs[link->count++] = queue_pop(retries);
    else
        link->count = backlog_take(link->jobs, (size_t)database.config->batch_limit,
                                   (size_t)database.config->batch_bytes);
    for (size_t i = 0; i < link->count; i++)
        link->jobs[i]->attempts++;
    if (link->count > 0)
        link->timeout_ms = timeout_of(link->jobs[0], now_ms);
    return link->count > 0;
}

static bool is_any_calling(void)
{
    for (size_t i = 0; i < database.link_count; i++)
        if (database.links[i].count > 0)
            return true;
    return false;
}

/*
 * Whether what waits is to be sent. Where nothing is under way it always is. Else a call that is
 * on its way will soon be back to take all that has come meanwhile, which costs the database far
 * less than a second, smaller call beside it: that is made for many, or for one who has waited.
 */
static bool is_worth_a_call(int64_t now_ms)
{
    return queue_of_retries() != NULL || !is_any_calling() ||
           backlog_count() >= (size_t)(database.config->batch_limit + 3) / 4 ||
           (backlog_oldest() != NULL && now_ms - backlog_oldest()->queued_ms >= GATHER_MS);
}

static void dispatch(int64_t now_ms)
{
    for (size_t i = 0; i < database.link_count; i++) {
        struct link *link = &database.links[i];

        if (link->state != LINK_IDLE)
            continue;
        if (!is_worth_a_call(now_ms) || !fill_link(link, now_ms))
            return;
        if (!link_send(link, database.config, now_ms))
            handle_event(link, LINK_LOST, now_ms);
    }
}

/* ---- the loop ---- */

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
    }
    pthread_mutex_unlock(&database.lock);
    while (taken.head != NULL) {
        struct job *job = queue_pop(&taken);

        if (!backlog_add(job, clock_ms()))
            job->done(job);
    }
    return !stopping;
}

static void sooner(int64_t *earliest, int64_t at_ms)
{
    if (at_ms < *earliest)
        *earliest = at_ms;
}

static bool has_idle_link(void)
{
    for (size_t i = 0; i < database.link_count; i++)
        if (database.links[i].state == LINK_IDLE)
            return true;
    return false;
}

/* How long poll() may wait, in milliseconds: until the next deadline or retry. */
static int next_timeout(int64_t now_ms)
{
    int64_t earliest = now_ms + 3600 * 1000;

    for (size_t i = 0; i < database.link_count; i++) {
        const struct link *link = &database.links[i];

        if (link->state == LINK_DOWN)
            sooner(&earliest, link->retry_ms);
        else if (link->deadline_ms != 0)
            sooner(&earliest, link->deadline_ms);
    }
    if (database.alone.head != NULL)
        sooner(&earliest, database.alone.head->queued_ms + patience());
    if (database.last.head != NULL)
        sooner(&earliest, database.last.head->queued_ms + patience());
    if (backlog_oldest() != NULL)
        sooner(&earliest, backlog_oldest()->queued_ms + (has_idle_link() ? GATHER_MS : patience()));
    return earliest > now_ms ? (int)(earliest - now_ms) : 0;
}

static void wait_and_step(int64_t now_ms)
{
    struct pollfd polled[CONFIG_CONNECTIONS_MAX + 1];

    for (size_t i = 0; i < database.link_count; i++) {
        const struct link *link = &database.links[i];

        polled[i].fd = link->connection != NULL ? PQsocket(link->connection) : -1;
        polled[i].events = link->state == LINK_IDLE ? POLLIN : link->events;
        polled[i].revents = 0;
    }
    polled[database.link_count] = (struct pollfd){.fd = database.wakeup, .events = POLLIN};
    if (poll(polled, database.link_count + 1, next_timeout(now_ms)) < 0)
        return; /* EINTR: nothing is ready, the loop comes round again */
    now_ms = clock_ms();
    for (size_t i = 0; i < database.link_count; i++) {
        struct link *link = &database.links[i];

        if (link->state != LINK_DOWN)
            handle_event(link, link_step(link, polled[i].revents, now_ms), now_ms);
    }
}

static void *run(void *unused)
{
    (void)unused;
    while (take_incoming()) {
        int64_t now_ms = clock_ms();

        fail_expired(now_ms);
        connect_links(now_ms);
        dispatch(now_ms);
        publish_state();
        if (atomic_load(&database.state) != DATABASE_USABLE)
            fail_waiting(atomic_load(&database.state) == DATABASE_AWAY ? FAULT_AWAY
                                                                       : FAULT_UNSUITABLE);
        wait_and_step(now_ms);
        publish_state();
    }
    for (size_t i = 0; i < database.link_count; i++) {
        fail_batch(&database.links[i], FAULT_STOPPING);
        link_close(&database.links[i]);
    }
    fail_waiting(FAULT_STOPPING);
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
    if (database.links == NULL || database.wakeup < 0 || !backlog_start(config)) {
        fprintf(stderr, "rxtrack-gateway: %s\n", strerror(errno));
        return false;
    }
    queue_clear(&database.incoming);
    queue_clear(&database.alone);
    queue_clear(&database.last);
    for (size_t i = 0; i < database.link_count; i++)
        database.links[i].timeout_ms = config->request_timeout * 1000 / FIRST_PART;
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

/* The thread takes all that is there at once, so only the first of a row needs to wake it. */
static void wake(void)
{
    static const uint64_t one = 1;

    if (write(database.wakeup, &one, sizeof one) < 0)
        return; /* only where the counter is full, and then the thread is awake */
}

bool database_submit(struct job *job)
{
    job->queued_ms = clock_ms();
    job->attempts = job->cut_off = 0;
    pthread_mutex_lock(&database.lock);
    bool stopping = database.stopping;
    bool first = database.incoming.head == NULL;
    if (!stopping)
        queue_push(&database.incoming, job);
    pthread_mutex_unlock(&database.lock);
    if (!stopping && first)
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
    free(database.links);
    backlog_stop();
}
