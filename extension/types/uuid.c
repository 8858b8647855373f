/*
 * uuid.c
 *		UUIDs in the one spelling that is accepted.
 */
#include "types/identifiers.h"

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
		int			value = ascii_base36(s[i]);

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
