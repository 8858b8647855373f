/*
 * secret.h - files that hold secrets: only their owner may read them.
 * Threads: the main thread only.
 */
#ifndef RXTRACK_SECRET_H
#define RXTRACK_SECRET_H

#include <stdbool.h>

/* What to do about a file that is not private, for a message. */
#define SECRET_ADVICE "holds a secret, and others than its owner may read or write it (chmod 600)"

/* Whether the open file of that path is its owner's alone. */
bool secret_is_private(int file, const char *path);

#endif
