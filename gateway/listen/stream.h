/*
 * stream.h - events from a gateway's stream of Server-Sent Events.
 */
#ifndef RXTRACK_LISTEN_STREAM_H
#define RXTRACK_LISTEN_STREAM_H

#include "listen/delivery.h"
#include "listen/options.h"

/* Follows it to the end. Returns the exit status. */
enum verdict stream_follow(const struct options *options, struct delivery *delivery);

#endif
