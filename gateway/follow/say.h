/*
 * say.h - messages to the operator, on standard error. Nothing of an event may be in one.
 */
#ifndef RXTRACK_SAY_H
#define RXTRACK_SAY_H

/* Writes the program's name and the message as one line: "rxtrack-listen: ...". */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
