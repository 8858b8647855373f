/*
 * loop.h - an HTTP thread: an event loop that drives a daemon of libmicrohttpd. Other threads hand
 * it sockets, and connections to resume; it alone touches the daemon.
 *
 * Why not libmicrohttpd's own threads: where epoll_wait() returns exactly 128 events, the loop of
 * 0.9.75 waits for more before it handles them, which is for ever when all clients wait for their
 * answers. Driven from outside it never waits. And the connections of a batch are resumed with one
 * wake-up, not one each.
 */
#ifndef RXTRACK_LOOP_H
#define RXTRACK_LOOP_H

#include <microhttpd.h>
#include <stdbool.h>
#include <sys/socket.h>

struct loop;

/* What it takes to resume a connection; embedded in what the connection is suspended for. */
struct resumption {
    struct resumption *next; /* in the loop's list */
    struct loop *loop;
    struct MHD_Connection *connection;
};

/* ---- main thread ---- */

/* Makes a loop, which does not run yet. NULL after a message on stderr. */
struct loop *loop_new(void);

/* Starts the thread, which takes over the daemon: one without threads or a listening socket. False
 * after a message on stderr. */
bool loop_start(struct loop *loop, struct MHD_Daemon *daemon);

/* Gives it an accepted socket, which it will close. */
void loop_add(struct loop *loop, int socket, const struct sockaddr *address, socklen_t length);

/* How many sockets are on their way to their loops. Threads: any. */
size_t loop_arriving(void);

/* Ends the thread, closes all connections and frees the loop. Every connection that is suspended
 * must have been given to loop_resume(). */
void loop_stop(struct loop *loop);

/* ---- any thread ---- */

/* Resumes a connection that is suspended, or that the loop's thread is just suspending. What the
 * resumption is embedded in may be freed by the time this returns. */
void loop_resume(struct resumption *resumption);

#endif
