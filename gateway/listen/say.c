/*
 * say.c - see say.h.
 */
#include "listen/say.h"

#include <stdarg.h>
#include <stdio.h>

void say(const char *format, ...)
{
    char message[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fprintf(stderr, "rxtrack-listen: %s\n", message); /* unbuffered: one write */
}
