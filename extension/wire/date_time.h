/*
 * date_time.h
 *		RFC 3339 date-times to and from microseconds since 2000-01-01 00:00 UTC
 *		(PostgreSQL's timestamp with time zone).  Pure C.
 */
#ifndef RXTRACK_DATE_TIME_H
#define RXTRACK_DATE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATE_TIME_TEXT 32		/* the longest form, with its NUL */

#define DATE_TIME_HOUR INT64_C(3600000000)	/* in microseconds */

/*
 * Parses a date-time with seconds and a zone (RFC 3339, section 5.6) of the years
 * 0000 to 9999, as written and in UTC.  Digits beyond microseconds are dropped; a
 * leap second counts as the second after it.  Loosely (Format 1), a space may stand for
 * the T, seconds may be missing, a date alone is its midnight, and a time without a
 * zone is UTC.  Returns NULL, or what is wrong.
 */
extern const char *date_time_parse(const char *text, size_t length, bool loosely, int64_t *result);

/* Writes it in UTC: 2026-04-01T09:30:00Z, with a fraction only where there is one. */
extern void date_time_format(int64_t when, char out[DATE_TIME_TEXT]);

#endif							/* RXTRACK_DATE_TIME_H */
