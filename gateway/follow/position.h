/*
 * position.h - the file that keeps a stream's position: a release number.
 */
#ifndef RXTRACK_POSITION_H
#define RXTRACK_POSITION_H

#include <stdbool.h>
#include <stdint.h>

/* Reads it; *position stays as it is where there is no file. False after a message. */
bool position_read(const char *path, int64_t *position);

/* Replaces the file, atomically and durably: whenever the machine stops, it holds the old number or
 * the new one. False after a message. */
bool position_write(const char *path, int64_t position);

#endif
