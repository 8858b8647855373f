/*
 * form.c
 *		Fields of a form (application/x-www-form-urlencoded), as OAuth has its
 *		requests (RFC 6749, appendix B).
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"

/* The value of a hex digit in either case; -1 for any other character. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes a value; NULL where an escape is malformed, or the result is not UTF-8. */
static text *
decode(const char *p, const char *end)
{
	char	   *decoded = palloc(end - p + 1);
	int			length = 0;

	for (; p < end; p++)
	{
		char		c = *p == '+' ? ' ' : *p;

		if (c == '%')
		{
			int			high = end - p > 2 ? hex_digit(p[1]) : -1;
			int			low = end - p > 2 ? hex_digit(p[2]) : -1;

			if (high < 0 || low < 0)
				return NULL;
			c = (char) (high << 4 | low);
			p += 2;
		}
		decoded[length++] = c;
	}
	if (pg_encoding_verifymbstr(PG_UTF8, decoded, length) != length)
		return NULL;
	return cstring_to_text_with_len(decoded, length);
}

/* form_field(form bytea, name text): the value; NULL where the field is absent, repeated or malformed. */
PG_FUNCTION_INFO_V1(form_field);
Datum
form_field(PG_FUNCTION_ARGS)
{
	bytea	   *form = PG_GETARG_BYTEA_PP(0);
	text	   *name = PG_GETARG_TEXT_PP(1);
	const char *p = VARDATA_ANY(form);
	const char *end = p + VARSIZE_ANY_EXHDR(form);
	size_t		name_length = VARSIZE_ANY_EXHDR(name);
	text	   *value = NULL;
	int			found = 0;

	while (p < end)
	{
		const char *stop = memchr(p, '&', end - p);

		if (stop == NULL)
			stop = end;
		if ((size_t) (stop - p) > name_length && p[name_length] == '=' &&
			memcmp(p, VARDATA_ANY(name), name_length) == 0 && ++found == 1)
			value = decode(p + name_length + 1, stop);
		p = stop + 1;
	}
	if (found != 1 || value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(value);
}
