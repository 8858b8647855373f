/*
 * accept.h - the listening socket: opening it, and handing what it accepts to the HTTP threads.
 * Threads: the main thread only.
 */
#ifndef RXTRACK_ACCEPT_H
#define RXTRACK_ACCEPT_H

#include "config.h"

#include <stdbool.h>
#include <stddef.h>

/* Opens the socket, on which connections wait from then on. Returns it, or -1 after a message on
 * stderr. */
int accept_open(const struct config *config);

/* Logs where it listens: the port that was bound, where any free one was asked for. */
void accept_announce(int listening);

/* Accepts what waits, at most room connections. False where there is a lack of descriptors or
 * memory, which is worth a pause. */
bool accept_waiting(int listening, size_t room);

#endif
