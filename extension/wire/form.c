/*
 * form.c
 *		Reading a form (application/x-www-form-urlencoded), as OAuth has its
 *		requests (RFC 6749, appendix B).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"

/* A signed token of 16 kB, with all its dots escaped, fits.  The gateway refuses longer ones itself. */
#define FORM_MAX_BYTES (32 * 1024)

/* The value of a hex digit in either case; -1 for any other character. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Decodes a name or a value to where out points, and moves that beyond it: what is
 * decoded is never longer.  Returns what is wrong; NULL: nothing.
 */
static const char *
decode(const char *p, const char *end, char **out)
{
	char	   *start = *out;

	for (; p < end; p++)
	{
		char		c = *p == '+' ? ' ' : *p;

		if (c == '%')
		{
			int			high = end - p > 2 ? hex_digit(p[1]) : -1;
			int			low = end - p > 2 ? hex_digit(p[2]) : -1;

			if (high < 0 || low < 0)
				return "a percent sign is not followed by two hex digits";
			c = (char) (high << 4 | low);
			p += 2;
		}
		*(*out)++ = c;
	}
	if (pg_encoding_verifymbstr(PG_UTF8, start, *out - start) != *out - start)
		return "a parameter is not UTF-8, or holds a NUL";
	return NULL;
}

/* The place of a name in an array of texts; its length where it is none of them. */
static int
find_name(const char *name, size_t length, const Datum *names, int count)
{
	int			i = 0;

	while (i < count && (VARSIZE_ANY_EXHDR(DatumGetPointer(names[i])) != length ||
						 memcmp(VARDATA_ANY(DatumGetPointer(names[i])), name, length) != 0))
		i++;
	return i;
}

/*
 * Reads a form in one pass into the values of the names.  A parameter without a value
 * counts as omitted, and an unknown one is ignored, as RFC 6749 wants; whether that
 * comes twice is not asked.  Returns what is wrong; NULL: nothing.
 */
static const char *
read_parameters(const char *p, size_t length, const Datum *names, int count, Datum *values, bool *nulls)
{
	const char *end = p + length;
	char	   *out = palloc(length + 1);
	bool	   *seen = palloc0(count * sizeof(bool));

	for (const char *stop; p < end; p = stop + 1)
	{
		const char *problem;
		const char *equals;
		char	   *name = out;
		char	   *value;
		int			i;

		stop = memchr(p, '&', end - p);
		if (stop == NULL)
			stop = end;
		if (stop == p)
			continue;
		equals = memchr(p, '=', stop - p);
		if (equals == NULL)
			return "a parameter has no equals sign";
		problem = decode(p, equals, &out);
		value = out;
		if (problem == NULL)
			problem = decode(equals + 1, stop, &out);
		if (problem != NULL)
			return problem;
		i = find_name(name, value - name, names, count);
		if (i == count)
			continue;
		if (seen[i])
			return psprintf("%s must not come more than once", TextDatumGetCString(names[i]));
		seen[i] = true;
		nulls[i] = value == out;
		if (!nulls[i])
			values[i] = PointerGetDatum(cstring_to_text_with_len(value, out - value));
	}
	return NULL;
}

/* read_form(form bytea, names text[], OUT field_values text[], OUT problem text) */
PG_FUNCTION_INFO_V1(read_form);
Datum
read_form(PG_FUNCTION_ARGS)
{
	bytea	   *form = PG_GETARG_BYTEA_PP(0);
	size_t		length = VARSIZE_ANY_EXHDR(form);
	const char *problem = "the form is longer than 32 KiB";
	TupleDesc	columns;
	Datum	   *names;
	Datum	   *values;
	bool	   *nulls;
	int			count;
	int			lower_bound = 1;
	Datum		result[2];
	bool		result_nulls[2];

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &count);
	values = palloc0(count * sizeof(Datum));
	nulls = palloc(count * sizeof(bool));
	memset(nulls, true, count * sizeof(bool));
	if (length <= FORM_MAX_BYTES)
		problem = read_parameters(VARDATA_ANY(form), length, names, count, values, nulls);
	result_nulls[0] = problem != NULL;
	result_nulls[1] = problem == NULL;
	if (problem == NULL)
		result[0] = PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower_bound, TEXTOID, -1, false, TYPALIGN_INT));
	else
		result[1] = CStringGetTextDatum(problem);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), result, result_nulls)));
}
