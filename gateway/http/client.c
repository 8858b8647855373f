/*
 * client.c - see client.h. To shut a socket down wakes libmicrohttpd, which closes the connection
 * in its own thread. The sweep never meets a socket's number in its next use: client_close() comes
 * before the socket is closed, and waits for the lock that the sweep holds.
 */
#include "http/client.h"

#include "clock.h"
#include "http/tls.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

/* The phase and the time when it began are one word, so that both change at once. */
#define PHASE_BITS 3
#define PHASE_MASK ((INT64_C(1) << PHASE_BITS) - 1)
_Static_assert(CLIENT_TIMED_OUT <= PHASE_MASK, "all phases fit");

/* Not before a phase is so old is it looked whether the client is gone: its data may have been
 * received, and not handled yet. */
#define GONE_AFTER_MS 250

/* The time that the HTTP thread of a TLS connection has for its last words. */
#define FAREWELL_MS 1000

struct client {
    struct client *next, *previous;
    int socket;
    struct tls_set *set;     /* NULL: no TLS */
    struct request *request; /* its HTTP thread's */
    _Atomic(const struct mirror *) mirror;
    _Atomic int64_t phase; /* since, in ms, << PHASE_BITS | enum client_phase */
};

static struct {
    pthread_mutex_t lock;
    struct client *first;
    atomic_size_t count;
} clients = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t phase_word(enum client_phase phase)
{
    return clock_ms() << PHASE_BITS | (int64_t)phase;
}

struct client *client_open(int socket, struct tls_set *set)
{
    struct client *client = calloc(1, sizeof *client);

    if (client == NULL)
        return NULL;
    client->socket = socket;
    client->set = set;
    atomic_init(&client->phase, phase_word(CLIENT_NEW));
    pthread_mutex_lock(&clients.lock);
    client->next = clients.first;
    if (client->next != NULL)
        client->next->previous = client;
    clients.first = client;
    pthread_mutex_unlock(&clients.lock);
    atomic_fetch_add(&clients.count, 1);
    return client;
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    pthread_mutex_lock(&clients.lock);
    if (client->next != NULL)
        client->next->previous = client->previous;
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        clients.first = client->next;
    pthread_mutex_unlock(&clients.lock);
    atomic_fetch_sub(&clients.count, 1);
    tls_release(client->set);
    free(client);
}

void client_set_request(struct client *client, struct request *request)
{
    client->request = request;
}

struct request *client_request(const struct client *client)
{
    return client->request;
}

void client_set_mirror(struct client *client, const struct mirror *mirror)
{
    atomic_store(&client->mirror, mirror);
}

bool client_enter(struct client *client, enum client_phase phase)
{
    int64_t before = atomic_load(&client->phase);
    int64_t after = phase_word(phase);

    do {
        if ((before & PHASE_MASK) >= CLIENT_CUT)
            return false;
    } while (!atomic_compare_exchange_weak(&client->phase, &before, after));
    return true;
}

enum client_phase client_finish(struct client *client)
{
    if (!client_enter(client, CLIENT_IDLE)) {
        /* the sweep may be reading the mirror, with the lock held: wait for it */
        pthread_mutex_lock(&clients.lock);
        pthread_mutex_unlock(&clients.lock);
    }
    atomic_store(&client->mirror, NULL);
    return client_phase(client);
}

enum client_phase client_phase(const struct client *client)
{
    return (enum client_phase)(atomic_load(&client->phase) & PHASE_MASK);
}

size_t client_last_words(const struct client *client, char out[ANSWER_RAW])
{
    if (client_phase(client) != CLIENT_TIMED_OUT)
        return 0;
    return answer_raw(FAULT_CLIENT_SLOW, atomic_load(&client->mirror), out);
}

int client_socket(const struct client *client)
{
    return client->socket;
}

size_t client_count(void)
{
    return atomic_load(&clients.count);
}

/* How long a client may be in a phase, in milliseconds; -1 for ever. Until its headers are there a
 * request has no mirror. */
static int64_t limit_of(const struct client *client, enum client_phase phase,
                        const struct client_limits *limits)
{
    switch (phase) {
    case CLIENT_NEW:
        return limits->idle_ms < limits->head_ms ? limits->idle_ms : limits->head_ms;
    case CLIENT_IDLE:
        return limits->idle_ms;
    case CLIENT_RECEIVING:
        return atomic_load(&client->mirror) == NULL ? limits->head_ms : limits->request_ms;
    case CLIENT_ANSWERING:
        return limits->request_ms;
    default:
        return -1;
    }
}

/* Ends a client that the sweep has moved from one phase to another. */
static void cut(struct client *client, enum client_phase before, enum client_phase now)
{
    if (client->set != NULL && before <= CLIENT_RECEIVING) {
        shutdown(client->socket, SHUT_RD);
        return;
    }
    if (now == CLIENT_TIMED_OUT) {
        char text[ANSWER_RAW];
        size_t length = answer_raw(FAULT_CLIENT_SLOW, atomic_load(&client->mirror), text);

        /* a client that does not take these few bytes at once does without them */
        (void)send(client->socket, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    shutdown(client->socket, SHUT_RDWR);
}

/*
 * What the sweep makes of a client that has been in a phase for so long; the phase itself where
 * nothing is wrong. Whether a client has closed its side is looked at here, because libmicrohttpd
 * can miss that where the end arrives with the last piece of data: its epoll is edge-triggered, and
 * it takes a short read for an empty socket. A half-sent body would stay until its time is up.
 */
static enum client_phase judge(const struct client *client, enum client_phase phase,
                               int64_t duration_ms, const struct client_limits *limits)
{
    int64_t limit = limit_of(client, phase, limits);
    char unused;

    if (limit >= 0 && duration_ms >= limit)
        return phase == CLIENT_RECEIVING ? CLIENT_TIMED_OUT : CLIENT_CUT;
    if (phase <= CLIENT_RECEIVING && duration_ms >= GONE_AFTER_MS &&
        recv(client->socket, &unused, sizeof unused, MSG_PEEK | MSG_DONTWAIT) == 0)
        return CLIENT_CUT;
    return phase;
}

size_t client_sweep(const struct client_limits *limits)
{
    int64_t now = clock_ms();
    size_t dropped = 0;

    pthread_mutex_lock(&clients.lock);
    for (struct client *client = clients.first; client != NULL; client = client->next) {
        int64_t word = atomic_load(&client->phase);
        enum client_phase phase = (enum client_phase)(word & PHASE_MASK);
        int64_t duration_ms = now - (word >> PHASE_BITS);
        enum client_phase next = judge(client, phase, duration_ms, limits);

        if (phase >= CLIENT_CUT) {
            /* a thread that has something to send first does not see that it cannot receive */
            if (client->set != NULL && duration_ms >= FAREWELL_MS)
                shutdown(client->socket, SHUT_RDWR);
        } else if (next != phase &&
                   atomic_compare_exchange_strong(&client->phase, &word, phase_word(next))) {
            int64_t limit = limit_of(client, phase, limits);

            dropped += limit >= 0 && duration_ms >= limit;
            cut(client, phase, next);
        }
    }
    pthread_mutex_unlock(&clients.lock);
    return dropped;
}
