/*
 * feed.h - brings the streams their events: one thread with one connection to the database, which
 * listens for notifications, and reads new events, and older ones for streams that are behind. The
 * connection is made when the first stream is opened.
 * Threads: feed_wake() from any, the others from the main thread.
 */
#ifndef RXTRACK_FEED_H
#define RXTRACK_FEED_H

#include "config.h"

#include <stdbool.h>

/* Starts the thread; *config must outlive it. False after a message on stderr. */
bool feed_start(const struct config *config);

/* Has the thread look at what the hub wants. */
void feed_wake(void);

/* Ends the thread. */
void feed_stop(void);

#endif
