/*
 * form.c
 *		Fields of an HTML form, as OAuth has its requests (RFC 6749, appendix B).
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes up to the end or an ampersand; NULL where it is malformed. */
static text *
decode(const char *p, const char *end)
{
	char	   *decoded = palloc(end - p + 1);
	int			length = 0;

	for (; p < end && *p != '&'; p++)
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

/* rxtrack.form_field(form, name) */
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

		if ((size_t) (end - p) > name_length && p[name_length] == '=' &&
			memcmp(p, VARDATA_ANY(name), name_length) == 0)
		{
			value = decode(p + name_length + 1, end);
			found++;
		}
		p = stop == NULL ? end : stop + 1;
	}
	if (found != 1 || value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(value);
}
