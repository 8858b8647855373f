/*
 * server.h - a connection to the database: calls that a signal can end, and notifications.
 */
#ifndef RXTRACK_SERVER_H
#define RXTRACK_SERVER_H

#include "follow/verdict.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

struct server {
    PGconn *connection;
    enum verdict verdict; /* what follows from the last call that failed */
};

/*
 * Connects, as the connection string and the PG* variables say; application_name is for where they
 * say none. False after a message. This alone may wait, for 10 s a host, without hearing a signal:
 * libpq tries the next host only where it may block.
 */
bool server_open(struct server *server, const char *database, const char *application_name);

void server_close(struct server *server);

/*
 * Runs a statement. NULL where it failed, was given up because of a signal, or the connection is
 * lost: there has been a message, and server->verdict says what follows. in_hand: a batch is
 * delivered and not acknowledged, and only a second signal ends the call.
 */
PGresult *server_query(struct server *server, bool in_hand, const char *statement, int count,
                       const char *const *values);

/* The same without the rows; false for NULL. */
bool server_run(struct server *server, bool in_hand, const char *statement, int count,
                const char *const *values);

/* Waits for a notification until clock_ms() reaches until_ms, and takes all that there are. False
 * as above, not where the time is up. */
bool server_listen(struct server *server, int64_t until_ms);

#endif
