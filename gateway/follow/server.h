/*
 * server.h - a connection to the database: calls that a signal ends, and notifications.
 */
#ifndef RXTRACK_SERVER_H
#define RXTRACK_SERVER_H

#include "follow/verdict.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

struct server {
    PGconn *connection;
    enum verdict verdict; /* what follows from the last call where it failed */
};

/*
 * Connects, as the connection string and the PG* variables say, and where they say no name for the
 * server's views, as this application. False after a message. This alone
 * may wait (10 s a host) without hearing a signal: libpq tries the next host only when it blocks.
 */
bool server_open(struct server *server, const char *database, const char *application_name);

void server_close(struct server *server);

/*
 * Runs one statement. NULL where it failed, was given up because of a signal, or the connection is
 * lost: verdict says what follows, and a message has been said. With a batch in hand only a second
 * signal ends it.
 */
PGresult *server_query(struct server *server, bool in_hand, const char *statement, int count,
                       const char *const *values);

/* The same for a statement whose rows do not matter. */
bool server_run(struct server *server, bool in_hand, const char *statement, int count,
                const char *const *values);

/*
 * Waits for a notification until clock_ms() reaches until_ms, and takes all that are there. False
 * as above; at the end of the time it is true as well.
 */
bool server_listen(struct server *server, int64_t until_ms);

#endif
