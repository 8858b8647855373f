/*
 * date_time.c
 *		RFC 3339 date-times.
 *
 * PostgreSQL's own input accepts far more than the RFC ("yesterday", a time
 * without a zone) and raises its errors, so the RFC's grammar is parsed here.
 */
#include "wire/date_time.h"

#include <stdio.h>

#define SECOND INT64_C(1000000)
#define DAY (24 * DATE_TIME_HOUR)
#define DAYS_TO_2000 10957		/* from 1970-01-01 */

/* The years 0000 to 9999 in UTC, which are all that RFC 3339 can write. */
#define EARLIEST (INT64_C(-730485) * DAY)
#define LATEST (INT64_C(2921940) * DAY - 1)

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar; eras are of 400 years, and years begin in March. */
static int64_t
days_of(int year, int month, int day)
{
	int64_t		y = (int64_t) year - (month <= 2);
	int64_t		era = (y >= 0 ? y : y - 399) / 400;
	int64_t		year_of_era = y - era * 400;
	int64_t		day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/* The date of days_of. */
static void
date_of(int64_t days, int *year, int *month, int *day)
{
	int64_t		z = days + 719468;
	int64_t		era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t		day_of_era = z - era * 146097;
	int64_t		year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t		day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t		shifted_month = (5 * day_of_year + 2) / 153;

	*day = (int) (day_of_year - (153 * shifted_month + 2) / 5 + 1);
	*month = (int) (shifted_month + (shifted_month < 10 ? 3 : -9));
	*year = (int) (year_of_era + era * 400 + (*month <= 2));
}

/* Reads exactly that many digits at *p, and steps over them; -1 where they are not there. */
static int
digits(const char **p, const char *end, int count)
{
	int			value = 0;

	for (; count > 0; count--, (*p)++)
	{
		if (*p >= end || **p < '0' || **p > '9')
			return -1;
		value = value * 10 + (**p - '0');
	}
	return value;
}

/* Steps over a character, which may be in either case; false where it is not there. */
static bool
literal(const char **p, const char *end, char upper, char lower)
{
	if (*p >= end || (**p != upper && **p != lower))
		return false;
	(*p)++;
	return true;
}

/* 2026-04-01 */
static bool
date_part(const char **p, const char *end, int64_t *days)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			year = digits(p, end, 4);
	bool		dash1 = literal(p, end, '-', '-');
	int			month = digits(p, end, 2);
	bool		dash2 = literal(p, end, '-', '-');
	int			day = digits(p, end, 2);
	bool		leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (!dash1 || !dash2 || year < 0 || month < 1 || month > 12 || day < 1 ||
		day > lengths[month - 1] + (month == 2 && leap))
		return false;
	*days = days_of(year, month, day);
	return true;
}

/* 30, or with a fraction; leap: the second is a 61st. */
static bool
second_part(const char **p, const char *end, int64_t *usecs, bool *leap)
{
	int			second = digits(p, end, 2);
	int64_t		unit = SECOND;

	if (second < 0 || second > 60)
		return false;
	*usecs += second * SECOND;
	*leap = second == 60;
	if (!literal(p, end, '.', '.'))
		return true;
	if (*p >= end || **p < '0' || **p > '9')
		return false;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++)
	{
		unit /= 10;
		*usecs += (**p - '0') * unit;
	}
	return true;
}

/* 09:30:00; loosely: the seconds may be missing. */
static bool
time_part(const char **p, const char *end, bool loosely, int64_t *usecs, bool *leap)
{
	int			hour = digits(p, end, 2);
	bool		colon = literal(p, end, ':', ':');
	int			minute = digits(p, end, 2);

	if (!colon || hour < 0 || hour > 23 || minute < 0 || minute > 59)
		return false;
	*usecs = hour * DATE_TIME_HOUR + minute * 60 * SECOND;
	if (literal(p, end, ':', ':'))
		return second_part(p, end, usecs, leap);
	return loosely;
}

/* Z or +01:00, in microseconds ahead of UTC. */
static bool
zone_part(const char **p, const char *end, int64_t *usecs)
{
	int			sign = 1;
	int			hour;
	int			minute;
	bool		colon;

	*usecs = 0;
	if (literal(p, end, 'Z', 'z'))
		return true;
	if (literal(p, end, '-', '-'))
		sign = -1;
	else if (!literal(p, end, '+', '+'))
		return false;
	hour = digits(p, end, 2);
	colon = literal(p, end, ':', ':');
	minute = digits(p, end, 2);
	if (!colon || hour < 0 || hour > 23 || minute < 0 || minute > 59)
		return false;
	*usecs = sign * (hour * DATE_TIME_HOUR + minute * 60 * SECOND);
	return true;
}

/* A leap second is the last of a day in UTC, and read as the first of the next. */
static bool
may_be_leap(int64_t when)
{
	return (when % DAY + DAY) % DAY < SECOND;
}

const char *
date_time_parse(const char *text, size_t length, bool loosely, int64_t *result)
{
	static const char *const shape = "must be a date and time such as 2026-04-01T09:30:00Z (RFC 3339)";
	const char *p = text;
	const char *end = text + length;
	int64_t		days;
	int64_t		time = 0;
	int64_t		zone = 0;
	bool		leap = false;
	bool		date_alone;

	if (!date_part(&p, end, &days))
		return shape;
	date_alone = loosely && p == end;
	if (!date_alone &&
		(!(literal(&p, end, 'T', 't') || (loosely && literal(&p, end, ' ', ' '))) ||
		 !time_part(&p, end, loosely, &time, &leap)))
		return shape;
	if (p == end && !loosely)
		return "must have a time zone (Z or an offset such as +01:00)";
	if (p != end && (!zone_part(&p, end, &zone) || p != end))
		return shape;
	*result = (days - DAYS_TO_2000) * DAY + time - zone;
	if (leap && !may_be_leap(*result))
		return shape;
	if (*result < EARLIEST || *result > LATEST)
		return "must be in the years 0000 to 9999, in UTC too";
	return NULL;
}

void
date_time_format(int64_t when, char out[DATE_TIME_TEXT])
{
	int64_t		days = when / DAY - (when % DAY < 0);
	int64_t		time = when - days * DAY;
	int			fraction = (int) (time % SECOND);
	int			seconds = (int) (time / SECOND);
	int			year;
	int			month;
	int			day;
	int			used;

	date_of(days + DAYS_TO_2000, &year, &month, &day);
	used = snprintf(out, DATE_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
					seconds / 3600, seconds / 60 % 60, seconds % 60);
	if (fraction != 0)
	{
		used += snprintf(out + used, DATE_TIME_TEXT - used, ".%06d", fraction);
		while (out[used - 1] == '0')
			used--;
	}
	out[used] = 'Z';
	out[used + 1] = '\0';
}
