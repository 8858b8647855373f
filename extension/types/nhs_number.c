/*
 * nhs_number.c
 *		NHS numbers: the rule of their check digit, their text.
 */
#include "types/identifiers.h"

#define NHS_NUMBER_LIMIT 1000000000

/* The check digit of nine digits; 10 means that no NHS number has these nine. */
static int
nhs_number_check_digit(int32_t nine)
{
	int			sum = 0;

	/* From the ninth digit, of weight 2, back to the first, of weight 10. */
	for (int weight = 2; weight <= 10; weight++)
	{
		sum += weight * (int) (nine % 10);
		nine /= 10;
	}
	return (11 - sum % 11) % 11;
}

bool
nhs_number_valid(int32_t nine)
{
	return nine >= 0 && nine < NHS_NUMBER_LIMIT && nhs_number_check_digit(nine) != 10;
}

const char *
nhs_number_parse(const char *s, size_t len, NhsNumber *out)
{
	int32_t		nine = 0;

	if (len != 10)
		return "must be ten digits";
	for (size_t i = 0; i < 10; i++)
	{
		if (s[i] < '0' || s[i] > '9')
			return "must be ten digits";
		if (i < 9)
			nine = nine * 10 + (s[i] - '0');
	}
	/* a check digit of 10 equals no single digit */
	if (nhs_number_check_digit(nine) != s[9] - '0')
		return "must have the right check digit";
	*out = nine;
	return NULL;
}

void
nhs_number_format(NhsNumber number, char out[NHS_NUMBER_TEXT])
{
	out[10] = '\0';
	out[9] = (char) ('0' + nhs_number_check_digit(number));
	for (int i = 8; i >= 0; i--)
	{
		out[i] = (char) ('0' + number % 10);
		number /= 10;
	}
}
