/*
 * secret.h - where secrets are: files that only their owner may read, connection strings that are
 * not for a command line.
 * Threads: the main thread only.
 */
#ifndef RXTRACK_SECRET_H
#define RXTRACK_SECRET_H

#include <stdbool.h>

/* For a message about a file that is not private. */
#define SECRET_ADVICE "holds a secret, and others than its owner may read or write it (chmod 600)"

/* Whether only its owner can read the open file of that path. */
bool secret_is_private(int file, const char *path);

/* Whether a connection string of libpq's has a password in it. */
bool secret_is_in_connection(const char *connection);

#endif
