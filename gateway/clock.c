/*
 * clock.c - see clock.h.
 */
#include "clock.h"

#include <stdio.h>
#include <time.h>

int64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
    return clock_us() / 1000;
}

void clock_utc(char out[CLOCK_UTC_TEXT])
{
    /* kept for its second: a busy thread asks thousands of times */
    static _Thread_local time_t second = -1;
    static _Thread_local char seconds[20]; /* "2025-01-31T12:00:00" */
    struct timespec now;
    struct tm utc;

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
        second = now.tv_sec;
        gmtime_r(&second, &utc);
        strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    }
    snprintf(out, CLOCK_UTC_TEXT, "%s.%03uZ", seconds, (unsigned)(now.tv_nsec / 1000000) % 1000);
}
