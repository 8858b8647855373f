/*
 * probe.h - asks a server whether it lives, where a connection to it has not answered for a second:
 * by a further connection that asks whether encryption by GSSAPI is to be had, and goes when that
 * is answered. It is no session, needs no place among max_connections, and leaves no line
 * in the server's log. A server that is frozen, or cut off, does not answer; one in which a call or
 * a commit takes long does.
 * Threads: the one that the links belong to.
 */
#ifndef RXTRACK_PROBE_H
#define RXTRACK_PROBE_H

#include "database/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe {
    bool under_way;
    int socket;
    bool asked;
    size_t host; /* of walks */
    int64_t deadline_ms;
};

enum probe_outcome {
    PROBE_NOTHING,
    PROBE_ALIVE,
    PROBE_OUT, /* no answer since the host was last heard of, for connect_timeout */
};

/* Begins where it is time to ask for the host of this link, unless a probe is under way. */
void probe_begin(struct probe *probe, const struct link *link, int64_t now_ms);

/* Lowers the time to when the probe, or the first one for this link, wants to be called. */
void probe_due(const struct probe *probe, const struct link *link, int64_t *earliest_ms);

/* What to poll() for; the descriptor is -1 where there is none. */
struct pollfd probe_poll(const struct probe *probe);

/* Goes on after poll(). What has come of it holds for all links of the probe's host. */
enum probe_outcome probe_step(struct probe *probe, short revents, int64_t now_ms);

/* Ends a probe that is under way. */
void probe_end(struct probe *probe);

#endif
