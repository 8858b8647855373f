/*
 * loop.h - an HTTP thread: an event loop around a daemon of libmicrohttpd of its own. Other threads
 * hand it sockets, and connections to be resumed; it alone touches the daemon.
 *
 * Why not libmicrohttpd's own threads: the loop of 0.9.75, when epoll hands it exactly 128 events,
 * waits for more before it looks at these, without end where all clients wait for their answers.
 * Driven from outside it never waits. And to resume a batch's connections costs one wake-up here,
 * not one for each.
 */
#ifndef RXTRACK_LOOP_H
#define RXTRACK_LOOP_H

#include <microhttpd.h>
#include <stdbool.h>
#include <sys/socket.h>

struct loop;

/* A suspended connection's way back; embedded in what it is suspended for. */
struct resumption {
    struct resumption *next; /* in the loop's list */
    struct loop *loop;
    struct MHD_Connection *connection;
};

/* ---- main thread ---- */

/* A loop that does not run yet. NULL after a message on stderr. */
struct loop *loop_new(void);

/* Starts the thread around a daemon without threads and listening socket, which is the loop's from
 * now on. False after a message on stderr. */
bool loop_start(struct loop *loop, struct MHD_Daemon *daemon);

/* Gives it an accepted socket, which it closes in the end. */
void loop_add(struct loop *loop, int socket, const struct sockaddr *address, socklen_t length);

/* How many sockets have been given to loops that have not taken them up yet. Threads: any. */
size_t loop_arriving(void);

/* Ends the thread, closes all connections, and frees the loop. No connection may be suspended,
 * other than those given to loop_resume(). */
void loop_stop(struct loop *loop);

/* ---- any thread ---- */

/* Resumes a connection that is suspended, or is being suspended by the loop's thread just now. What
 * the resumption is embedded in may be gone when this returns. */
void loop_resume(struct resumption *resumption);

#endif
