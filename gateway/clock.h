/*
 * clock.h - the monotonic clock, for waiting and measuring, and the time of day, for people and
 * FHIR. Threads: any.
 */
#ifndef RXTRACK_CLOCK_H
#define RXTRACK_CLOCK_H

#include <stdint.h>

/* "2025-01-31T12:00:00.000Z" and the terminating NUL. */
#define CLOCK_UTC_TEXT 25

/* Microseconds on the monotonic clock. */
int64_t clock_us(void);

/* Milliseconds on the monotonic clock. */
int64_t clock_ms(void);

/* Lowers a time to another one, where that is earlier. */
static inline void clock_sooner(int64_t *earliest_ms, int64_t at_ms)
{
    if (at_ms < *earliest_ms)
        *earliest_ms = at_ms;
}

/* The time now as an RFC 3339 date-time in UTC with milliseconds. */
void clock_utc(char out[CLOCK_UTC_TEXT]);

#endif
