/*
 * hub.c - see hub.h.
 *
 * One lock for everything, held for a few copies at most. A parked stream belongs to the thread
 * that unparks it under the lock, and its connection is resumed after the lock is released; until
 * then libmicrohttpd cannot end it. To suspend a connection within its content reader is safe in
 * libmicrohttpd 0.9.75, whose loop checks the state after each step. MHD_stop_daemon() panics where
 * a connection is suspended: after hub_end_streams() none is, except on its way back to its loop.
 */
#include "events/hub.h"

#include "clock.h"
#include "database/database.h"
#include "events/access.h"
#include "log.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What the kernel buffers for the client of a stream, in bytes. */
#define SOCKET_BUFFER (64 * 1024)

/* How much longer the kernel's time-out is than the sweep's, which is to be first, since it logs.
 */
#define SWEEP_FIRST_MS 2000

#define LOOK_MS 2000  /* between two looks at whether a client is still there */
#define CHECK_MS 3000 /* between two checks of a credential */
#define END_MS 500    /* how long a client may take to receive the end of its stream as we stop */

static struct {
    const struct config *config;
    void (*want)(void); /* has the feed look what streams want */
    pthread_mutex_t lock;
    struct history recent;
    bool placed; /* the first stream has said where recent begins */
    struct stream *first;
    size_t count;
    size_t leaving;   /* of them, that are to end */
    int64_t check_ms; /* when credentials are to be checked next */
    bool ending;
    unsigned random;
} hub = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- parking ---- */

/* Puts a parked stream into a list for resume_all(). With the lock held. */
static void unpark(struct stream *stream, struct stream **woken)
{
    if (!stream->parked)
        return;
    stream->parked = false;
    stream->offered_ms = clock_ms();
    stream->woken = *woken;
    *woken = stream;
}

/* Without the lock: a stream that is resumed may be freed at once. */
static void resume_all(struct stream *woken)
{
    while (woken != NULL) {
        struct stream *stream = woken;

        woken = stream->woken;
        loop_resume(&stream->resumption);
    }
}

/* Has a stream end when it has sent what it is at. With the lock held. */
static void end_stream(struct stream *stream, struct stream **woken)
{
    if (!stream->over)
        hub.leaving++;
    stream->over = true;
    unpark(stream, woken);
}

/* ---- HTTP threads ---- */

/* Has the newest stream of the application with the most streams end, so that this one gets its
 * share. False where it has that. */
static bool make_room(const struct listener *listener, struct stream **woken)
{
    const struct listener *largest = access_largest();

    if (largest->streams <= listener->streams)
        return false;
    for (struct stream *stream = hub.first; stream != NULL; stream = stream->next)
        if (stream->access->listener == largest && !stream->over) {
            end_stream(stream, woken);
            return true;
        }
    return false;
}

/* Whether one stream more may be open, by this access, which counts already. With the lock held. */
static enum fault find_room(const struct access *access, struct stream **woken)
{
    if (hub.ending)
        return FAULT_STOPPING;
    if (access == NULL)
        return FAULT_INTERNAL;
    if (hub.count - hub.leaving < (size_t)hub.config->stream_limit ||
        make_room(access->listener, woken))
        return FAULT_NONE;
    return FAULT_STREAMS;
}

/* Makes the recent events begin where the first stream does; and anew, where a stream begins so far
 * ahead of them that none would be left by then. */
static void place_recent(int64_t after, struct stream **woken)
{
    int64_t reach = hub.recent.upto + (int64_t)hub.recent.capacity;

    if (hub.placed && after <= reach)
        return;
    history_restart(&hub.recent, after);
    hub.placed = true;
    for (struct stream *stream = hub.first; stream != NULL; stream = stream->next)
        unpark(stream, woken); /* it wants a page now */
}

/* Bounds what the kernel holds for a client that takes nothing, in bytes and in time. */
static void bound_socket(int socket)
{
    int bytes = SOCKET_BUFFER;
    unsigned milliseconds = (unsigned)hub.config->client_timeout * 1000 + SWEEP_FIRST_MS;

    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
}

/* Adds a stream to the list. Lifetimes have a jitter of a tenth, so that the clients of one moment
 * do not all come back at one moment. */
static void enlist(struct stream *stream, int64_t now_ms)
{
    int64_t lifetime = hub.config->stream_lifetime * 1000;

    stream->offered_ms = stream->spoke_ms = stream->looked_ms = now_ms;
    stream->expires_ms = now_ms + lifetime - rand_r(&hub.random) % (lifetime / 10 + 1);
    stream->next = hub.first;
    if (stream->next != NULL)
        stream->next->previous = stream;
    hub.first = stream;
    hub.count++;
}

enum fault hub_open(struct stream *stream, const struct resumption *connection,
                    const struct job *job)
{
    struct stream *woken = NULL;

    if (stream == NULL)
        return FAULT_INTERNAL;
    pthread_mutex_lock(&hub.lock);
    stream->access = access_hold(job);
    enum fault fault = find_room(stream->access, &woken);
    if (fault != FAULT_NONE && stream->access != NULL)
        access_release(stream->access);
    if (fault == FAULT_NONE) {
        stream->resumption = *connection;
        stream->socket =
            MHD_get_connection_info(connection->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                ->connect_fd;
        place_recent(stream->position, &woken);
        enlist(stream, clock_ms());
    }
    pthread_mutex_unlock(&hub.lock);
    resume_all(woken);
    if (fault == FAULT_NONE) {
        bound_socket(stream->socket);
        hub.want();
    } else {
        stream_free(stream);
    }
    return fault;
}

/*
 * Ends a stream by making its next send fail, upon which libmicrohttpd closes the connection. For a
 * content reader to return an error is not enough: 0.9.75 can leak a connection that it closes for
 * that, as it waits for an event of a socket that it has taken out of its epoll.
 */
static ssize_t break_off(struct stream *stream, char *out)
{
    shutdown(stream->socket, SHUT_RDWR);
    out[0] = '\n';
    return 1;
}

/* What hub_read() returns. With the lock held. */
static ssize_t read_stream(struct stream *stream, char *out, size_t size)
{
    if (stream->cut)
        return break_off(stream, out);
    size_t filled = stream_fill(stream, &hub.recent, out, size);
    if (filled > 0) {
        stream->offered_ms = stream->spoke_ms = clock_ms();
        stream->beat = false;
        return (ssize_t)filled;
    }
    if (stream->over)
        return stream->chunked ? MHD_CONTENT_READER_END_OF_STREAM : break_off(stream, out);
    stream->parked = true;
    MHD_suspend_connection(stream->resumption.connection);
    return 0;
}

ssize_t hub_read(void *data, uint64_t unused, char *out, size_t size)
{
    struct stream *stream = data;

    (void)unused;
    pthread_mutex_lock(&hub.lock);
    bool wanted_page = stream->wants_page;
    ssize_t result = read_stream(stream, out, size);
    bool wants_page = stream->wants_page && !wanted_page;
    if (wants_page)
        stream->wanted_ms = clock_ms();
    pthread_mutex_unlock(&hub.lock);
    if (wants_page)
        hub.want();
    return result;
}

void hub_close(void *data)
{
    struct stream *stream = data;

    pthread_mutex_lock(&hub.lock);
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        hub.first = stream->next;
    hub.count--;
    hub.leaving -= stream->over;
    access_release(stream->access);
    stream_free(stream);
    pthread_mutex_unlock(&hub.lock);
}

/* ---- the feed's thread ---- */

bool hub_wants_recent(int64_t *after, bool *has_last)
{
    pthread_mutex_lock(&hub.lock);
    bool wants = hub.placed && hub.count > 0;
    *after = hub.recent.upto;
    *has_last = hub.recent.count > 0;
    pthread_mutex_unlock(&hub.lock);
    return wants;
}

/* The stream that has waited the longest goes first. Pages begin at multiples of their size, so
 * that streams that are near each other share them. */
bool hub_wants_page(int64_t *after, int64_t *known)
{
    const struct stream *longest = NULL;

    pthread_mutex_lock(&hub.lock);
    for (const struct stream *stream = hub.first; stream != NULL; stream = stream->next)
        if (stream->wants_page && (longest == NULL || stream->wanted_ms < longest->wanted_ms))
            longest = stream;
    if (longest != NULL)
        *after = longest->position - longest->position % PAGE_EVENTS;
    *known = hub.recent.upto;
    pthread_mutex_unlock(&hub.lock);
    return longest != NULL;
}

/* Takes the first event out of what was read; whether it is the last one that is known. Where a
 * stream has moved the beginning meanwhile, none is. */
static bool goes_on(struct history *read)
{
    struct event *first = history_take(read);
    bool same = hub.recent.count == 0;

    if (!same && first != NULL) {
        const struct event *last = history_at(&hub.recent, hub.recent.count - 1);

        same = first->number == last->number && first->length == last->length &&
               memcmp(first->text, last->text, last->length) == 0;
    }
    free(first);
    return same;
}

/* With the lock held. */
static void end_streams(struct stream **woken)
{
    for (struct stream *stream = hub.first; stream != NULL; stream = stream->next)
        end_stream(stream, woken);
}

/* Adds new events to the recent ones, and wakes the streams that want them. With the lock held. */
static void append_events(struct history *read, struct stream **woken)
{
    struct event *event;

    while ((event = history_take(read)) != NULL)
        if (event->number > hub.recent.upto)
            history_append(&hub.recent, event);
        else
            free(event); /* a stream that began later has moved the beginning */
    for (struct stream *stream = hub.first; stream != NULL; stream = stream->next)
        if (stream->parked && stream_has_news(stream, &hub.recent))
            unpark(stream, woken);
}

bool hub_publish(struct history *read, bool overlaps)
{
    struct stream *woken = NULL;

    pthread_mutex_lock(&hub.lock);
    bool same_past = !overlaps || goes_on(read);
    if (same_past) {
        append_events(read, &woken);
    } else {
        end_streams(&woken);
        history_restart(&hub.recent, 0);
        hub.placed = false;
    }
    pthread_mutex_unlock(&hub.lock);
    resume_all(woken);
    return same_past;
}

void hub_give_page(struct page *page)
{
    struct stream *woken = NULL;

    pthread_mutex_lock(&hub.lock);
    for (struct stream *stream = hub.first; stream != NULL; stream = stream->next)
        if (stream->wants_page && stream_fits_page(stream, page)) {
            stream_set_page(stream, page);
            unpark(stream, &woken);
        }
    page_release(page);
    pthread_mutex_unlock(&hub.lock);
    resume_all(woken);
}

/* ---- main thread ---- */

/*
 * Cuts a stream off; a parked one is broken off by its content reader. The socket's close then
 * resets the connection: a client that does not read would not reach an orderly end behind what it
 * has not taken, and would wait for ever where the kernel gives up sending it.
 */
static void cut(struct stream *stream, struct stream **woken)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(stream->socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    stream->cut = true;
    if (stream->parked)
        unpark(stream, woken);
    else
        shutdown(stream->socket, SHUT_RDWR);
}

/* Cuts a stream off where its client is too slow, or has gone away. */
static void watch_client(struct stream *stream, int64_t now_ms, struct stream **woken)
{
    int64_t patience = hub.ending ? END_MS : hub.config->client_timeout * 1000;

    if (!stream->parked && now_ms - stream->offered_ms >= patience) {
        log_event("stream_dropped", "s:s", "reason", "the client does not take what is sent");
        cut(stream, woken);
    } else if (now_ms - stream->looked_ms >= LOOK_MS) {
        /* it has closed its side, whatever it has sent before, or the connection is dead */
        struct pollfd polled = {.fd = stream->socket, .events = POLLRDHUP};

        stream->looked_ms = now_ms;
        if (poll(&polled, 1, 0) > 0)
            cut(stream, woken);
    }
}

static void look_after(struct stream *stream, int64_t now_ms, struct stream **woken)
{
    if (stream->cut)
        return;
    watch_client(stream, now_ms, woken);
    if (now_ms - stream->spoke_ms >= hub.config->stream_heartbeat * 1000)
        stream->beat = true;
    if (now_ms >= stream->expires_ms || stream->over)
        end_stream(stream, woken);
    else if (stream->beat)
        unpark(stream, woken);
}

/* Gives a check back: streams that the credential is not good for any more end, and their clients
 * come back to what it is good for. On the database's thread. */
static void check_done(struct job *job)
{
    struct access *access = access_of_job(job);
    struct stream *woken = NULL;

    pthread_mutex_lock(&hub.lock);
    for (struct stream *stream = hub.first; stream != NULL; stream = stream->next)
        if (stream->access == access && !access_allows(&job->answer, stream->filter))
            end_stream(stream, &woken);
    access_checked(access);
    pthread_mutex_unlock(&hub.lock);
    resume_all(woken);
}

/* Without the lock: a check may be back before this function returns. */
static void submit_all(struct job *checks)
{
    while (checks != NULL) {
        struct job *check = checks;

        checks = check->next;
        if (!database_submit(check))
            check_done(check);
    }
}

void hub_sweep(void)
{
    struct stream *woken = NULL;
    struct job *checks = NULL;
    int64_t now_ms = clock_ms();

    pthread_mutex_lock(&hub.lock);
    for (struct stream *stream = hub.first; stream != NULL; stream = stream->next)
        look_after(stream, now_ms, &woken);
    if (now_ms >= hub.check_ms) {
        checks = access_checks(check_done);
        hub.check_ms = now_ms + CHECK_MS;
    }
    pthread_mutex_unlock(&hub.lock);
    resume_all(woken);
    submit_all(checks);
}

void hub_end_streams(void)
{
    struct stream *woken = NULL;

    pthread_mutex_lock(&hub.lock);
    hub.ending = true;
    end_streams(&woken);
    pthread_mutex_unlock(&hub.lock);
    resume_all(woken);
}

bool hub_start(const struct config *config, void (*want)(void))
{
    hub.config = config;
    hub.want = want;
    hub.random = (unsigned)clock_us();
    if (history_init(&hub.recent, (size_t)config->recent_events, (size_t)config->recent_bytes, 0))
        return true;
    fprintf(stderr, "rxtrack-gateway: no memory for recent events\n");
    return false;
}

void hub_stop(void)
{
    history_clear(&hub.recent);
    access_stop();
}
