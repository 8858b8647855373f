/*
 * client.h - the open client connections and how long each has been at what it does. libmicrohttpd
 * counts a connection's time from its last byte, so a client that sends a byte now and then would
 * stay for ever; here the time counts from the start of the request.
 *
 * Over TLS only a connection's own HTTP thread may say something: there the sweep ends the side
 * that receives, upon which that thread (session.c) says goodbye and closes; later all, should it
 * not. Threads: a client's phase is moved by its HTTP thread and by the sweep of the main thread,
 * each by compare-and-exchange; whoever moves it first has the say.
 */
#ifndef RXTRACK_CLIENT_H
#define RXTRACK_CLIENT_H

#include "exchange/answer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum client_phase {
    CLIENT_NEW,       /* nothing of a first request has been understood yet; over TLS, from the
                         handshake on */
    CLIENT_IDLE,      /* between requests */
    CLIENT_RECEIVING, /* from a request's first line to the end of its body */
    CLIENT_WAITING,   /* for the database: our time, not the client's */
    CLIENT_ANSWERING, /* the answer is on its way out */
    CLIENT_STREAMING, /* it gets a stream of events: hub_sweep() looks after it */
    CLIENT_CUT,       /* silently shut down by the sweep */
    CLIENT_TIMED_OUT, /* the same, after a 408; over TLS that is for the HTTP thread to say */
};

struct client;
struct tls_set;
struct request;

/* Registers a connection by its socket, and takes over the reference to the set that its TLS uses
 * (NULL: no TLS), except where there is no memory, and the result NULL. */
struct client *client_open(int socket, struct tls_set *set);

/* Forgets it. To be called when its TLS session is no more, before the socket is closed. NULL is
 * ignored. */
void client_close(struct client *client);

/* The request that the connection has under way, or NULL; its HTTP thread's alone. */
struct request *client_request(const struct client *client);
void client_set_request(struct client *client, struct request *request);

/* Moves to a phase, unless the sweep was faster: then false, and the connection is as good as
 * closed. */
bool client_enter(struct client *client, enum client_phase phase);

/*
 * Lends what a 408 is to mirror; until the next CLIENT_RECEIVING, and for no longer than to the
 * end of client_finish().
 */
void client_lend_mirror(struct client *client, const struct mirror *mirror);

/*
 * The request has ended: moves to CLIENT_IDLE, or where the sweep was faster waits until it is
 * done. Then nothing of the request is in use any more. Returns the phase.
 */
enum client_phase client_finish(struct client *client);

/* Writes the 408 that a client in CLIENT_TIMED_OUT is owed, and returns its length; 0: it is owed
 * nothing. For its HTTP thread. */
size_t client_last_words(const struct client *client, char *out, size_t size);

/* Its socket. */
int client_socket(const struct client *client);

/* The phase now. */
enum client_phase client_phase(const struct client *client);

/* How many are open. */
size_t client_count(void);

struct client_limits {
    int64_t idle_ms;    /* for CLIENT_IDLE */
    int64_t request_ms; /* for CLIENT_RECEIVING, CLIENT_ANSWERING; CLIENT_NEW has the lesser */
};

/* Cuts off every client that has been in its phase for too long, or has gone away. */
void client_sweep(const struct client_limits *limits);

#endif
