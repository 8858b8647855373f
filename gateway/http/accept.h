/*
 * accept.h - the listening socket: opens it, and hands what it accepts to the HTTP threads.
 * Threads: the main thread only.
 */
#ifndef RXTRACK_ACCEPT_H
#define RXTRACK_ACCEPT_H

#include "config.h"

#include <stdbool.h>
#include <stddef.h>

/* Opens the socket, where connections wait from then on. Returns it, or -1 after a message on
 * stderr. */
int accept_open(const struct config *config);

/* Logs the address and the port that were bound. */
void accept_announce(int listening);

/* Accepts the connections that wait, at most room. False for lack of descriptors or memory: a pause
 * is called for. */
bool accept_waiting(int listening, size_t room);

#endif
