/*
 * client.h - the open client connections, and how long each has been in its phase. libmicrohttpd's
 * own time-out starts anew with each byte, so that a client which sends one now and then would stay
 * for ever; here the time of a request counts from its first line.
 *
 * The main thread's sweep cuts off clients whose time is up. Over TLS only the HTTP thread of a
 * connection may write to it: the sweep shuts down the receiving side, upon which that thread
 * (session.c) sends its last words and closes; where it does not within a second, both sides.
 * Threads: a client's phase is changed by its HTTP thread and by the sweep, both by
 * compare-and-exchange, so that only one of the two acts on it.
 */
#ifndef RXTRACK_CLIENT_H
#define RXTRACK_CLIENT_H

#include "exchange/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum client_phase {
    CLIENT_NEW,       /* before its first request, over TLS from the handshake on */
    CLIENT_IDLE,      /* between requests */
    CLIENT_RECEIVING, /* from a request's first line to the end of its body */
    CLIENT_WAITING,   /* for the database: our time, not the client's */
    CLIENT_ANSWERING, /* the answer is on its way out */
    CLIENT_STREAMING, /* it gets a stream of events: hub_sweep() looks after it */
    CLIENT_CUT,       /* shut down by the sweep, without a word */
    CLIENT_TIMED_OUT, /* shut down by the sweep after a 408, which over TLS the HTTP thread sends */
};

struct client;
struct tls_set;
struct request;

/* Registers a connection by its socket. Takes over the reference to the set that its TLS uses
 * (NULL: no TLS), unless there is no memory: then the result is NULL. */
struct client *client_open(int socket, struct tls_set *set);

/* Forgets it, when its TLS session has ended and before its socket is closed. NULL is ignored. */
void client_close(struct client *client);

/* The request that the connection has under way, or NULL. For its HTTP thread alone. */
struct request *client_request(const struct client *client);
void client_set_request(struct client *client, struct request *request);

/* Moves to a phase. False where the sweep was faster: the connection is as good as closed. */
bool client_enter(struct client *client, enum client_phase phase);

/* The headers are there: sets the ids that a 408 repeats. The sweep reads them: *mirror must live
 * until client_finish() has returned. */
void client_set_mirror(struct client *client, const struct mirror *mirror);

/* The request has ended: moves to CLIENT_IDLE, unless the sweep was faster. When it returns, with
 * the phase, the sweep uses nothing of the request any more. */
enum client_phase client_finish(struct client *client);

/* Writes the 408 for a client in CLIENT_TIMED_OUT, and returns its length; 0 in another phase. For
 * its HTTP thread. */
size_t client_last_words(const struct client *client, char out[ANSWER_RAW]);

/* Its socket. */
int client_socket(const struct client *client);

/* The phase now. */
enum client_phase client_phase(const struct client *client);

/* How many are open. */
size_t client_count(void);

/* How long a client may be in a phase, in milliseconds. */
struct client_limits {
    int64_t idle_ms;    /* CLIENT_IDLE */
    int64_t head_ms;    /* CLIENT_RECEIVING, until the headers are there */
    int64_t request_ms; /* CLIENT_RECEIVING and CLIENT_ANSWERING; CLIENT_NEW has the least of all */
};

/* Cuts off the clients that have been in their phase for too long, or have gone away. Returns how
 * many were there for too long. */
size_t client_sweep(const struct client_limits *limits);

#endif
