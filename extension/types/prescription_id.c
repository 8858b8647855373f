/*
 * prescription_id.c
 *		Prescription ids: the rule of their check character, their packing, their text.
 */
#include "types/identifiers.h"

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
		int			digit = ascii_base36(s[i]);

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
			total = (total + ascii_base36(s[i])) * 2 % 37;
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
