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

/* Gives an accepted socket to one of the HTTP threads, which closes it in the end. */
void http_add(int socket, const struct sockaddr *address, socklen_t length);

/* Cuts off the clients that are too slow or have been idle for too long. To be called now and then:
 * its pace is the precision of the timeouts. */
void http_sweep(void);

/* From now on connections close with their next answer, and idle ones are cut off by the sweep. */
void http_drain(void);

/* Closes what is left and ends the threads. After database_stop(): no request may wait there. */
void http_stop(void);

#endif
