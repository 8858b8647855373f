/*
 * say.h - messages to the operator, on standard error. Nothing of an event may be in one.
 */
#ifndef RXTRACK_LISTEN_SAY_H
#define RXTRACK_LISTEN_SAY_H

/* Writes "rxtrack-listen: " and the message as one line. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
