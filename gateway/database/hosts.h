/*
 * hosts.h - the servers that the connection string names, and the order in which they are tried.
 *
 * libpq's non-blocking connect knows no connect_timeout, and goes on to the next host only where
 * one refuses. So each attempt is for one host, and of its name for one address. The first is the
 * host that served last, then the others in their order; where load_balance_hosts=random says so,
 * in any order. What psql takes from service files, the environment and libpq's defaults is taken
 * from there here too.
 * Threads: hosts_start() and hosts_stop() from the main thread, the others from any.
 */
#ifndef RXTRACK_HOSTS_H
#define RXTRACK_HOSTS_H

#include "config.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where one connection is on its way through the hosts; all zero before its first attempt. */
struct walk {
    bool begun;
    size_t host;
    size_t tried;     /* hosts of this round that are done with */
    unsigned address; /* of those that the host's name has */
    bool more;        /* its name has further ones */
};

/* Takes the connection string apart. False after a message on stderr. */
bool hosts_start(const struct config *config);

/* Frees what hosts_start() made. */
void hosts_stop(void);

/* How long a host may take to answer, in milliseconds: connect_timeout, or 10 s. */
int64_t hosts_timeout_ms(void);

/* Starts to connect to the host that it is the turn of. As PQconnectStartParams(): NULL without
 * memory, and the status may be bad at once. */
PGconn *hosts_connect(struct walk *walk);

/* Moves on after a failure. False where this was the last host of the round: the next one begins
 * then, after a pause. */
bool hosts_next(struct walk *walk);

/* Begins a new round; with the host after the present one, where that is out. */
void hosts_begin(struct walk *walk, bool is_out);

/* The host serves. */
void hosts_serves(const struct walk *walk);

/* Logs why an attempt has failed, or a connection was lost; the same of the same host once a
 * minute, until it serves again. */
void hosts_report(const struct walk *walk, const char *reason);

#endif
