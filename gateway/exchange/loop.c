/*
 * loop.c - see loop.h.
 *
 * Threads: the lock guards the two lists, and an eventfd wakes the loop when the first thing is put
 * there; the daemon belongs to the loop's thread from loop_start() on.
 */
#include "exchange/loop.h"

#include "log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A socket on its way to the loop. */
struct arrival {
    struct arrival *next;
    int socket;
    struct sockaddr_storage address;
    socklen_t length;
};

struct loop {
    struct MHD_Daemon *daemon; /* NULL: it does not run */
    int events;                /* the daemon's epoll descriptor */
    int wakeup;                /* eventfd */
    pthread_t thread;

    pthread_mutex_t lock;
    struct arrival *arrivals;       /* under the lock, like all that follows */
    struct resumption *resumptions; /* latest first, as the arrivals: order does not matter */
    bool stopping;
};

static atomic_size_t arriving; /* in the arrivals of all loops */

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (loop != NULL && (loop->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0) {
        free(loop);
        loop = NULL;
    }
    if (loop == NULL)
        fprintf(stderr, "rxtrack-gateway: HTTP thread: %s\n", strerror(errno));
    else
        pthread_mutex_init(&loop->lock, NULL);
    return loop;
}

/* ---- the loop's thread ---- */

static void add_arrivals(struct loop *loop, struct arrival *arrival)
{
    while (arrival != NULL) {
        struct arrival *next = arrival->next;

        /* On failure too the socket is the library's, and closed. */
        (void)MHD_add_connection(loop->daemon, arrival->socket,
                                 (const struct sockaddr *)&arrival->address, arrival->length);
        free(arrival);
        arrival = next;
        atomic_fetch_sub(&arriving, 1);
    }
}

/* Takes what other threads have handed over; false where there was nothing. *stopping: the loop is
 * to end. */
static bool take_over(struct loop *loop, bool *stopping)
{
    uint64_t unused;

    if (read(loop->wakeup, &unused, sizeof unused) < 0 && errno != EAGAIN)
        log_event("wakeup_failed", NULL);
    pthread_mutex_lock(&loop->lock);
    struct arrival *arrivals = loop->arrivals;
    struct resumption *resumptions = loop->resumptions;
    *stopping = loop->stopping;
    loop->arrivals = NULL;
    loop->resumptions = NULL;
    pthread_mutex_unlock(&loop->lock);
    bool any = arrivals != NULL || resumptions != NULL;
    add_arrivals(loop, arrivals);
    while (resumptions != NULL) {
        struct resumption *next = resumptions->next; /* it may be gone when resumed */

        MHD_resume_connection(resumptions->connection);
        resumptions = next;
    }
    return any;
}

static void *run(void *data)
{
    struct loop *loop = data;
    bool stopping = false;

    while (!stopping) {
        struct pollfd polled[] = {{.fd = loop->wakeup, .events = POLLIN},
                                  {.fd = loop->events, .events = POLLIN}};
        MHD_UNSIGNED_LONG_LONG most;
        int wait = -1;

        MHD_run(loop->daemon);
        log_flush();
        if (MHD_get_timeout(loop->daemon, &most) == MHD_YES)
            wait = most < INT_MAX ? (int)most : INT_MAX;
        if (poll(polled, 2, wait) > 0 && polled[0].revents != 0)
            take_over(loop, &stopping);
    }
    /* MHD_stop_daemon() panics where a connection is suspended. One that is resumed may bring a
     * further request, which is suspended and resumed once more to be answered with 503. */
    do
        MHD_run(loop->daemon);
    while (take_over(loop, &stopping));
    return NULL;
}

/* ---- from other threads ---- */

bool loop_start(struct loop *loop, struct MHD_Daemon *daemon)
{
    loop->events = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    loop->daemon = daemon;
    int failure = pthread_create(&loop->thread, NULL, run, loop);
    if (failure == 0)
        return true;
    fprintf(stderr, "rxtrack-gateway: HTTP thread: %s\n", strerror(failure));
    MHD_stop_daemon(daemon);
    loop->daemon = NULL;
    return false;
}

/* Called for the first thing that is put into empty lists: the thread takes all that is there. */
static void wake(struct loop *loop)
{
    static const uint64_t one = 1;

    if (write(loop->wakeup, &one, sizeof one) < 0)
        return; /* fails only where the counter is full, and then the thread is awake */
}

void loop_add(struct loop *loop, int socket, const struct sockaddr *address, socklen_t length)
{
    struct arrival *arrival = calloc(1, sizeof *arrival);

    if (arrival == NULL || length > sizeof arrival->address) {
        free(arrival);
        close(socket);
        return;
    }
    arrival->socket = socket;
    memcpy(&arrival->address, address, length);
    arrival->length = length;
    atomic_fetch_add(&arriving, 1);
    pthread_mutex_lock(&loop->lock);
    bool first = loop->arrivals == NULL && loop->resumptions == NULL;
    arrival->next = loop->arrivals;
    loop->arrivals = arrival;
    pthread_mutex_unlock(&loop->lock);
    if (first)
        wake(loop);
}

size_t loop_arriving(void)
{
    return atomic_load(&arriving);
}

void loop_resume(struct resumption *resumption)
{
    struct loop *loop = resumption->loop;

    pthread_mutex_lock(&loop->lock);
    bool first = loop->arrivals == NULL && loop->resumptions == NULL;
    resumption->next = loop->resumptions;
    loop->resumptions = resumption;
    pthread_mutex_unlock(&loop->lock);
    if (first)
        wake(loop);
}

void loop_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->stopping = true;
    pthread_mutex_unlock(&loop->lock);
    wake(loop);
    if (loop->daemon != NULL) {
        pthread_join(loop->thread, NULL);
        MHD_stop_daemon(loop->daemon);
    }
    close(loop->wakeup);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}
