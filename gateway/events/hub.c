/*
 * hub.c - see hub.h.
 *
 * One lock for all of it, held for a few copies at most. A parked stream belongs to whoever unparks
 * it under the lock; its connection is resumed after the lock is given back, until when
 * libmicrohttpd cannot end it. Suspending within the content reader is safe in libmicrohttpd
 * 0.9.75, whose loop looks at the connection's state after each step. MHD_stop_daemon() panics
 * where a connection is suspended, so after hub_end_streams() none is, but for those on their way
 * back through their loop.
 */
#include "events/hub.h"

#include "clock.h"
#include "log.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A stream is not to fill the kernel's memory either: its socket buffers so much, in bytes. */
#define SOCKET_BUFFER (64 * 1024)

/* Where our own watch sees the same as the kernel's, it is to be the first, and to say so. */
#define SWEEP_FIRST_MS 2000

#define LOOK_MS 2000 /* how often it is looked whether a client is still there */
#define END_MS 500   /* how long a client may take over the end of its stream, on stopping */

static struct {
    const struct config *config;
    void (*want)(void); /* has the feed look what streams want */
    pthread_mutex_t lock;
    struct history recent;
    bool placed; /* where recent begins is known, from the first stream */
    struct stream *first;
    size_t count;
    bool ending;
    unsigned random;
} hub = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- parking ---- */

/* Called by the content reader, so that the connection is not suspended, with the lock held. */
static void park(struct stream *stream)
{
    stream->parked = true;
    MHD_suspend_connection(stream->resumption.connection);
}

/* Puts a parked stream on a list for resume_all(). With the lock held. */
static void unpark(struct stream *stream, struct stream **woken)
{
    if (!stream->parked)
        return;
    stream->parked = false;
    stream->offered_ms = clock_ms();
    stream->woken = *woken;
    *woken = stream;
}

/* Without the lock: as soon as a stream is resumed, it may be gone. */
static void resume_all(struct stream *woken)
{
    while (woken != NULL) {
        struct stream *stream = woken;

        woken = stream->woken;
        loop_resume(&stream->resumption);
    }
}

/* ---- HTTP threads ---- */

/* The recent events begin where the first stream does. They begin anew where a stream begins so far
 * after what was read that nothing of it would be left by then. */
static void place_recent(int64_t after, struct stream **woken)
{
    int64_t reach = hub.recent.upto + (int64_t)hub.recent.capacity;

    if (hub.placed && after <= reach)
        return;
    history_restart(&hub.recent, after);
    hub.placed = true;
    for (struct stream *stream = hub.first; stream != NULL; stream = stream->next)
        unpark(stream, woken); /* it needs a page now */
}

/* Whatever the kernel holds for a client that takes nothing is bounded, in bytes and in time. */
static void bound_socket(int socket)
{
    int bytes = SOCKET_BUFFER;
    unsigned milliseconds = (unsigned)hub.config->client_timeout * 1000 + SWEEP_FIRST_MS;

    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
}

/* Not all clients of a moment are to come back at one moment. */
static int64_t lifetime_ms(void)
{
    int64_t lifetime = hub.config->stream_lifetime * 1000;

    return lifetime - rand_r(&hub.random) % (lifetime / 10 + 1);
}

static void enlist(struct stream *stream, int64_t now_ms)
{
    stream->offered_ms = stream->spoke_ms = stream->looked_ms = now_ms;
    stream->expires_ms = now_ms + lifetime_ms();
    stream->next = hub.first;
    if (stream->next != NULL)
        stream->next->previous = stream;
    hub.first = stream;
    hub.count++;
}

static void delist(struct stream *stream)
{
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        hub.first = stream->next;
    hub.count--;
}

/* Whether another stream may be opened. With the lock held. */
static enum fault find_fault(const struct stream *stream)
{
    if (hub.ending)
        return FAULT_STOPPING;
    if (hub.count >= (size_t)hub.config->stream_limit)
        return FAULT_STREAMS;
    return stream == NULL ? FAULT_INTERNAL : FAULT_NONE;
}

enum fault hub_open(struct stream *stream, const struct resumption *connection)
{
    struct stream *woken = NULL;

    pthread_mutex_lock(&hub.lock);
    enum fault fault = find_fault(stream);
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
    } else if (stream != NULL) {
        stream_free(stream);
    }
    return fault;
}

/*
 * Makes sending fail, and that close the connection. What a content reader returns instead does not
 * do: libmicrohttpd 0.9.75 can forget a connection that it closes then, with its descriptor, as it
 * looks at it again only on an event of the socket, which it no longer waits for.
 */
static ssize_t break_off(struct stream *stream, char *out)
{
    shutdown(stream->socket, SHUT_RDWR);
    out[0] = '\n';
    return 1;
}

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
    park(stream);
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
    pthread_mutex_lock(&hub.lock);
    delist(data);
    stream_free(data);
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

/* The one that has waited for longest goes first. Pages begin at multiples of their size, so that
 * streams that are near each other share one. */
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

/* Nothing is known where a stream has moved the beginning since it was asked for. */
static bool is_last_known(const struct event *event)
{
    if (hub.recent.count == 0)
        return true;
    if (event == NULL)
        return false;
    const struct event *last = history_at(&hub.recent, hub.recent.count - 1);

    return event->number == last->number && event->length == last->length &&
           memcmp(event->text, last->text, last->length) == 0;
}

/* Whether what is known goes on in what was read; takes what both have out of the latter. */
static bool goes_on(struct history *read)
{
    struct event *first = history_take(read);
    bool same = is_last_known(first);

    free(first);
    return same;
}

/* With the lock held. */
static void end_streams(struct stream **woken)
{
    for (struct stream *stream = hub.first; stream != NULL; stream = stream->next) {
        stream->over = true;
        unpark(stream, woken);
    }
}

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

/* A client that has closed its side, whatever it said before (over TLS, goodbye), or does not
 * answer any more. */
static bool is_gone(int socket)
{
    struct pollfd polled = {.fd = socket, .events = POLLRDHUP};

    return poll(&polled, 1, 0) > 0;
}

/*
 * A parked stream is broken off by its content reader. Closing the socket then resets the
 * connection: a client that does not read would never come to an orderly end behind what it has not
 * taken, and would wait for ever where the kernel gives up sending it.
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

/* Cuts the stream off where its client is too slow, or has gone away. */
static void watch_client(struct stream *stream, int64_t now_ms, struct stream **woken)
{
    int64_t patience = hub.ending ? END_MS : hub.config->client_timeout * 1000;

    if (!stream->parked && now_ms - stream->offered_ms >= patience) {
        log_event("stream_dropped", "s:s", "reason", "the client does not take what is sent");
        cut(stream, woken);
    } else if (now_ms - stream->looked_ms >= LOOK_MS) {
        stream->looked_ms = now_ms;
        if (is_gone(stream->socket))
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
    if (now_ms >= stream->expires_ms)
        stream->over = true;
    if (stream->beat || stream->over)
        unpark(stream, woken);
}

void hub_sweep(void)
{
    struct stream *woken = NULL;
    int64_t now_ms = clock_ms();

    pthread_mutex_lock(&hub.lock);
    for (struct stream *stream = hub.first; stream != NULL; stream = stream->next)
        look_after(stream, now_ms, &woken);
    pthread_mutex_unlock(&hub.lock);
    resume_all(woken);
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
}
