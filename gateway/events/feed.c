/*
 * feed.c - see feed.h. A notification says only that there is something to read. What was missed
 * while the connection was away is read over the next one.
 */
#include "events/feed.h"

#include "clock.h"
#include "database/link.h"
#include "database/probe.h"
#include "events/hub.h"
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define READ_EVENTS 512 /* new events at a time */

/* How often new events are looked for without a notification, which finds out where a connection
 * has died without a word. */
#define LOOK_MS 5000

enum reading { READING_RECENT, READING_PAGE };

static struct {
    const struct config *config;
    pthread_t thread;
    int wakeup; /* eventfd */
    atomic_bool stopping;

    /* the thread's */
    struct link link;
    struct probe probe;
    enum reading reading; /* what is being read, or was last */
    int64_t after;        /* it is of events after this number */
    int64_t known;        /* of a page: up to here there are events in the database */
    bool overlaps;        /* it begins with the last event that is known */
    bool is_new;          /* nothing has been read over this connection yet */
    bool was_reported;    /* why there is no connection, since there last was one */
    int64_t look_ms;
    unsigned random;
} feed;

/* ---- what was read ---- */

/* Appends a row of rxtrack_http.feed(). False without memory, or where it is out of order. */
static bool append_row(struct history *history, const PGresult *rows, int row)
{
    int64_t number = strtoll(PQgetvalue(rows, row, 0), NULL, 10);

    if (number <= history->upto)
        return false;
    struct event *event = event_new(number, PQgetvalue(rows, row, 1),
                                    PQgetvalue(rows, row, 2)[0] == 't', PQgetvalue(rows, row, 3));
    if (event == NULL)
        return false;
    history_append(history, event);
    return true;
}

/* The page that a result holds; NULL where it is none, or without memory. */
static struct page *page_of(const PGresult *rows)
{
    int count = PQnfields(rows) == 4 ? PQntuples(rows) : -1;

    if (count < 0)
        return NULL;
    struct page *page = page_new(count > 0 ? (size_t)count : 1, feed.after);

    for (int row = 0; page != NULL && row < count; row++)
        if (!append_row(&page->events, rows, row)) {
            page_release(page);
            return NULL;
        }
    return page;
}

/* Brings new events to the hub. */
static void publish(struct page *page)
{
    bool full = page->events.count == READ_EVENTS;

    if (feed.is_new)
        log_event("events_connected", NULL);
    feed.is_new = feed.was_reported = false;
    feed.link.failures = 0;
    if (!hub_publish(&page->events, feed.overlaps))
        log_event("events_restarted", NULL);
    if (full)
        feed.link.notified = true; /* there is more */
    page_release(page);
}

/* A page that is not full has all the events up to feed.known, though the last of them may have
 * been removed meanwhile. */
static void give_page(struct page *page)
{
    struct history *events = &page->events;

    if (events->count < PAGE_EVENTS && events->upto < feed.known)
        events->upto = feed.known;
    hub_give_page(page);
}

/* Takes what was read. False where it is of no use: the connection is not either. */
static bool take_rows(void)
{
    struct page *page = page_of(feed.link.rows);

    link_drop_rows(&feed.link);
    if (page == NULL)
        return false;
    if (feed.reading == READING_RECENT)
        publish(page);
    else
        give_page(page);
    return true;
}

/* ---- the connection ---- */

static void lose_link(int64_t now_ms)
{
    struct link *link = &feed.link;

    if (!feed.was_reported)
        log_event("events_away", "s:s?,s:s?", "reason",
                  link->reason[0] != '\0' ? link->reason : NULL, "sqlstate",
                  link->sqlstate[0] != '\0' ? link->sqlstate : NULL);
    feed.was_reported = true;
    if (link->reason[0] == '\0')
        snprintf(link->reason, sizeof link->reason, "the connection was lost");
    link_close(link);
    link_retry_later(link, now_ms, &feed.random);
}

static void handle_event(enum link_event event, int64_t now_ms)
{
    if (event == LINK_NOTHING)
        return;
    if (event == LINK_READY)
        feed.is_new = feed.link.notified = true; /* there may be events that nobody told us of */
    else if (event != LINK_READ || !take_rows())
        lose_link(now_ms);
}

/* What has become of the probe; of a host that the link may have left meanwhile. */
static void judge_host(enum probe_outcome outcome, int64_t now_ms)
{
    if (outcome == PROBE_ALIVE)
        link_is_alive(&feed.link, now_ms);
    if (outcome != PROBE_OUT || feed.link.silent_ms == 0)
        return;
    link_is_out(&feed.link);
    lose_link(now_ms);
}

/* ---- the loop ---- */

/* Decides on new events. False where there is no reason to look for them. */
static bool begin_recent(int64_t now_ms)
{
    bool has_last;

    if (!feed.link.notified && now_ms < feed.look_ms)
        return false;
    if (!hub_wants_recent(&feed.after, &has_last))
        return false;
    feed.reading = READING_RECENT;
    feed.overlaps = feed.is_new && has_last;
    if (feed.overlaps)
        feed.after--;
    feed.look_ms = now_ms + LOOK_MS;
    feed.link.notified = false;
    return true;
}

/* Decides on a page of older events. False where no stream wants one. */
static bool begin_page(void)
{
    if (!hub_wants_page(&feed.after, &feed.known))
        return false;
    feed.reading = READING_PAGE;
    return true;
}

/* New events and pages take turns. Over a new connection the first are new events, to find out at
 * once whether the database still has the same history. */
static void read_more(int64_t now_ms)
{
    bool begun;

    if (feed.link.state != LINK_IDLE)
        return;
    if (feed.is_new)
        begun = begin_recent(now_ms);
    else if (feed.reading == READING_RECENT)
        begun = begin_page() || begin_recent(now_ms);
    else
        begun = begin_recent(now_ms) || begin_page();
    if (!begun)
        return;
    int most = feed.reading == READING_RECENT ? READ_EVENTS : PAGE_EVENTS;
    if (!link_read(&feed.link, feed.config, feed.after, most, now_ms))
        lose_link(now_ms);
}

/* Connects as soon as there are streams. */
static void connect_link(int64_t now_ms)
{
    int64_t unused;
    bool unused_too;

    if (feed.link.state == LINK_DOWN && now_ms >= feed.link.retry_ms &&
        hub_wants_recent(&unused, &unused_too) && !link_connect(&feed.link, now_ms))
        lose_link(now_ms);
}

/* How long poll() may wait, in milliseconds. */
static int next_timeout(int64_t now_ms)
{
    int64_t at_ms = now_ms + LOOK_MS;

    probe_due(&feed.probe, &feed.link, &at_ms);
    if (feed.link.state == LINK_DOWN && feed.link.retry_ms > now_ms)
        at_ms = feed.link.retry_ms;
    else if (feed.link.deadline_ms != 0)
        clock_sooner(&at_ms, feed.link.deadline_ms);
    else if (feed.link.state == LINK_IDLE && feed.look_ms > now_ms)
        at_ms = feed.look_ms;
    return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
}

static void wait_and_step(int64_t now_ms)
{
    struct link *link = &feed.link;
    struct pollfd polled[] = {
        {.fd = feed.wakeup, .events = POLLIN},
        {.fd = link->connection != NULL ? PQsocket(link->connection) : -1,
         .events = link->state == LINK_IDLE ? POLLIN : link->events},
        {.fd = -1},
    };
    uint64_t unused;

    probe_begin(&feed.probe, link, now_ms);
    polled[2] = probe_poll(&feed.probe);
    if (poll(polled, 3, next_timeout(now_ms)) < 0)
        return; /* EINTR: nothing is ready, the loop comes round again */
    if (polled[0].revents != 0 && read(feed.wakeup, &unused, sizeof unused) < 0 && errno != EAGAIN)
        log_event("wakeup_failed", NULL);
    now_ms = clock_ms();
    if (link->state != LINK_DOWN)
        handle_event(link_step(link, polled[1].revents, now_ms), now_ms);
    judge_host(probe_step(&feed.probe, polled[2].revents, now_ms), now_ms);
}

static void *run(void *unused)
{
    (void)unused;
    while (!atomic_load(&feed.stopping)) {
        int64_t now_ms = clock_ms();

        connect_link(now_ms);
        read_more(now_ms);
        wait_and_step(now_ms);
    }
    probe_end(&feed.probe);
    link_close(&feed.link);
    return NULL;
}

/* ---- from other threads ---- */

bool feed_start(const struct config *config)
{
    feed.config = config;
    feed.link.listens = true;
    feed.link.timeout_ms = config->request_timeout * 1000;
    feed.random = (unsigned)clock_us() ^ (unsigned)getpid();
    feed.wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int failure = feed.wakeup >= 0 ? pthread_create(&feed.thread, NULL, run, NULL) : errno;
    if (failure != 0)
        fprintf(stderr, "rxtrack-gateway: the thread of events: %s\n", strerror(failure));
    return failure == 0;
}

void feed_wake(void)
{
    static const uint64_t one = 1;

    if (write(feed.wakeup, &one, sizeof one) < 0)
        return; /* fails only where the counter is full, and then the thread is awake */
}

void feed_stop(void)
{
    atomic_store(&feed.stopping, true);
    feed_wake();
    pthread_join(feed.thread, NULL);
    close(feed.wakeup);
}
