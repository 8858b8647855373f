/*
 * identifiers.c
 *		Parsing, packing and writing of the identifiers of prescription tracking.
 *
 * Nothing of PostgreSQL and nothing of the C locale is used here: letters and
 * digits are those of ASCII wherever this runs.
 */
#include "types/identifiers.h"

#include <string.h>

/* The value of a base-36 digit in either case, or -1. */
static int
base36_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	return -1;
}

static char
ascii_lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char) (c - 'A' + 'a') : c;
}

/* ASCII's white space, whatever the locale has to say. */
static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ---------- NHS number ---------- */

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
	/* A check digit of 10 equals no single digit. */
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

/* ---------- Prescription id ---------- */

#define PRESCRIPTION_ID_LENGTH (PRESCRIPTION_ID_TEXT - 1)
#define ORGANISATION_LIMIT UINT32_C(2176782336) /* 36 to the sixth */

static const char check_characters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+";

/* The three parts of a prescription id, without its check character. */
typedef struct PrescriptionIdParts
{
	uint32_t	head;			/* six hex digits */
	uint32_t	organisation;	/* six base-36 digits */
	uint32_t	tail;			/* five hex digits */
} PrescriptionIdParts;

/* Reads count digits of a base up to 36; false where one is not of that base. */
static bool
read_digits(const char *s, size_t count, int base, uint32_t *out)
{
	uint32_t	value = 0;

	for (size_t i = 0; i < count; i++)
	{
		int			digit = base36_value(s[i]);

		if (digit < 0 || digit >= base)
			return false;
		value = value * (uint32_t) base + (uint32_t) digit;
	}
	*out = value;
	return true;
}

static void
write_digits(char *out, int count, uint32_t base, uint32_t value)
{
	while (count-- > 0)
	{
		out[count] = check_characters[value % base];
		value /= base;
	}
}

/* The check character of the 17 characters before it, hyphens not counted. */
static char
prescription_id_check_character(const char *s)
{
	int			total = 0;

	for (size_t i = 0; i < PRESCRIPTION_ID_LENGTH - 1; i++)
	{
		if (s[i] != '-')
			total = (total + base36_value(s[i])) * 2 % 37;
	}
	/* The one position that makes the sum 1, modulo 37. */
	return check_characters[(38 - total) % 37];
}

static void
prescription_id_pack(const PrescriptionIdParts *parts, PrescriptionId *out)
{
	uint32_t	tail = parts->tail << 4;

	for (int i = 0; i < 3; i++)
	{
		out->bytes[i] = (uint8_t) (parts->head >> (16 - 8 * i));
		out->bytes[7 + i] = (uint8_t) (tail >> (16 - 8 * i));
	}
	for (int i = 0; i < 4; i++)
		out->bytes[3 + i] = (uint8_t) (parts->organisation >> (24 - 8 * i));
}

static uint32_t
read_big_endian(const uint8_t *bytes, int count)
{
	uint32_t	value = 0;

	for (int i = 0; i < count; i++)
		value = value << 8 | bytes[i];
	return value;
}

bool
prescription_id_valid(const PrescriptionId *id)
{
	return read_big_endian(id->bytes + 3, 4) < ORGANISATION_LIMIT && (id->bytes[9] & 0x0f) == 0;
}

const char *
prescription_id_parse(const char *s, size_t len, PrescriptionId *out)
{
	PrescriptionIdParts parts;
	char		check;

	if (len != PRESCRIPTION_ID_LENGTH || s[6] != '-' || s[13] != '-' ||
		!read_digits(s, 6, 16, &parts.head) ||
		!read_digits(s + 7, 6, 36, &parts.organisation) ||
		!read_digits(s + 14, 5, 16, &parts.tail))
		return "must be six hex digits, six letters or digits, "
			"five hex digits and a check character, as HHHHHH-CCCCCC-HHHHHX";

	check = prescription_id_check_character(s);
	if (ascii_lower(s[19]) != ascii_lower(check))
		return "must have the right check character";
	prescription_id_pack(&parts, out);
	return NULL;
}

void
prescription_id_format(const PrescriptionId *id, char out[PRESCRIPTION_ID_TEXT])
{
	write_digits(out, 6, 16, read_big_endian(id->bytes, 3));
	out[6] = '-';
	write_digits(out + 7, 6, 36, read_big_endian(id->bytes + 3, 4));
	out[13] = '-';
	write_digits(out + 14, 5, 16, read_big_endian(id->bytes + 7, 3) >> 4);
	out[19] = prescription_id_check_character(out);
	out[20] = '\0';
}

/* ---------- ODS code ---------- */

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
		int			digit = i < len ? base36_value(s[i]) + 1 : 0;

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
		out[i] = digits[i] == 0 ? '\0' : check_characters[digits[i] - 1];
	out[ODS_CODE_LENGTH] = '\0';
}

/* ---------- Business status ---------- */

typedef struct StatusName
{
	const char *name;
	const char *short_name;
} StatusName;

static const StatusName status_names[BUSINESS_STATUS_COUNT + 1] = {
	[BUSINESS_STATUS_WITH_PHARMACY] = {"With Pharmacy", "WP"},
	[BUSINESS_STATUS_WITH_PHARMACY_PREPARING_REMAINDER] =
	{"With Pharmacy - Preparing Remainder", "WPR"},
	[BUSINESS_STATUS_READY_TO_COLLECT] = {"Ready to Collect", "RC"},
	[BUSINESS_STATUS_READY_TO_COLLECT_PARTIAL] = {"Ready to Collect - Partial", "RCP"},
	[BUSINESS_STATUS_READY_TO_DISPATCH] = {"Ready to Dispatch", "RD"},
	[BUSINESS_STATUS_READY_TO_DISPATCH_PARTIAL] = {"Ready to Dispatch - Partial", "RDP"},
	[BUSINESS_STATUS_COLLECTED] = {"Collected", "C"},
	[BUSINESS_STATUS_DISPATCHED] = {"Dispatched", "D"},
	[BUSINESS_STATUS_NOT_DISPENSED] = {"Not Dispensed", "ND"},
};

static bool
equal_ignoring_case(const char *s, size_t len, const char *name)
{
	if (strlen(name) != len)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (ascii_lower(s[i]) != ascii_lower(name[i]))
			return false;
	}
	return true;
}

bool
business_status_valid(uint8_t status)
{
	return status >= 1 && status <= BUSINESS_STATUS_COUNT;
}

const char *
business_status_parse(const char *s, size_t len, BusinessStatus *out)
{
	for (BusinessStatus status = 1; status <= BUSINESS_STATUS_COUNT; status++)
	{
		if (equal_ignoring_case(s, len, status_names[status].name))
		{
			*out = status;
			return NULL;
		}
	}
	return "must be one of the nine business statuses, from \"With Pharmacy\" to \"Not Dispensed\"";
}

const char *
business_status_name(BusinessStatus status)
{
	return status_names[status].name;
}

const char *
business_status_short(BusinessStatus status)
{
	return status_names[status].short_name;
}

/* ---------- UUID ---------- */

#define UUID_LENGTH (UUID_TEXT - 1)

/* Is there a hyphen at this place of a UUID's text? */
static bool
uuid_hyphen_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

const char *
uuid_parse(const char *s, size_t len, Uuid *out)
{
	static const char reason[] = "must be a UUID: 32 hex digits in groups of 8-4-4-4-12";
	Uuid		uuid = {{0}};
	size_t		digits = 0;

	if (len != UUID_LENGTH)
		return reason;
	for (size_t i = 0; i < UUID_LENGTH; i++)
	{
		int			value = base36_value(s[i]);

		if (uuid_hyphen_at(i))
		{
			if (s[i] != '-')
				return reason;
			continue;
		}
		if (value < 0 || value > 15)
			return reason;
		uuid.bytes[digits / 2] = (uint8_t) (uuid.bytes[digits / 2] << 4 | value);
		digits++;
	}
	*out = uuid;
	return NULL;
}

void
uuid_format(const Uuid *uuid, bool upper, char out[UUID_TEXT])
{
	const char *hex = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	size_t		digits = 0;

	for (size_t i = 0; i < UUID_LENGTH; i++)
	{
		uint8_t		byte;

		if (uuid_hyphen_at(i))
		{
			out[i] = '-';
			continue;
		}
		byte = uuid->bytes[digits / 2];
		out[i] = hex[digits % 2 == 0 ? byte >> 4 : byte & 0x0f];
		digits++;
	}
	out[UUID_LENGTH] = '\0';
}
