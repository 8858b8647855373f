/*
 * http.h - the HTTP side of the gateway: libmicrohttpd's event loops and what they call.
 * Threads: these functions are the main thread's.
 */
#ifndef RXTRACK_HTTP_H
#define RXTRACK_HTTP_H

#include "config.h"

#include <stdbool.h>
#include <sys/socket.h>

/* Starts the HTTP threads; *config must outlive them. False after a message on stderr. */
bool http_start(const struct config *config);

/* Gives an accepted socket to one of the HTTP threads, which will close it. */
void http_add(int socket, const struct sockaddr *address, socklen_t length);

/* Cuts off the clients that are too slow, or have been idle for too long; sooner where there is no
 * room for those that wait to be accepted. The interval between two calls is the precision of the
 * timeouts. */
void http_sweep(bool short_of_room);

/* From now on connections close with their next answer, and the sweep cuts off idle ones. */
void http_drain(void);

/* Closes all connections and ends the threads. After database_stop(), so that no request waits. */
void http_stop(void);

#endif
