/*
 * ods_code.c
 *		ODS codes: their packing, their text.
 */
#include "types/identifiers.h"

/* ASCII's white space. */
static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

#define ODS_CODE_LENGTH (ODS_CODE_TEXT - 1)

/* The twelve base-37 digits of a code, the first character's first. */
static void
ods_code_digits(int64_t code, int digits[ODS_CODE_LENGTH])
{
	for (int i = ODS_CODE_LENGTH - 1; i >= 0; i--)
	{
		digits[i] = (int) (code % 37);
		code /= 37;
	}
}

bool
ods_code_valid(int64_t code)
{
	int			digits[ODS_CODE_LENGTH];

	/* 37 to the twelfth, the first number too large for twelve places. */
	if (code <= 0 || code >= INT64_C(6582952005840035281))
		return false;
	ods_code_digits(code, digits);
	/* After the end of the code there is nothing more. */
	for (int i = 1; i < ODS_CODE_LENGTH; i++)
	{
		if (digits[i] != 0 && digits[i - 1] == 0)
			return false;
	}
	return true;
}

const char *
ods_code_parse(const char *s, size_t len, OdsCode *out)
{
	int64_t		code = 0;

	while (len > 0 && is_space(s[len - 1]))
		len--;
	while (len > 0 && is_space(s[0]))
	{
		s++;
		len--;
	}
	if (len < 1 || len > ODS_CODE_LENGTH)
		return "must be 1 to 12 letters or digits";
	for (size_t i = 0; i < ODS_CODE_LENGTH; i++)
	{
		int			digit = i < len ? ascii_base36(s[i]) + 1 : 0;

		if (i < len && digit == 0)
			return "must be 1 to 12 letters or digits";
		code = code * 37 + digit;
	}
	*out = code;
	return NULL;
}

void
ods_code_format(OdsCode code, char out[ODS_CODE_TEXT])
{
	int			digits[ODS_CODE_LENGTH];

	ods_code_digits(code, digits);
	for (int i = 0; i < ODS_CODE_LENGTH; i++)
		out[i] = digits[i] == 0 ? '\0' : ascii_base36_digit(digits[i] - 1);
	out[ODS_CODE_LENGTH] = '\0';
}
