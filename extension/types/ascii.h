/*
 * ascii.h
 *		Letters and digits of identifiers: those of ASCII, whatever the C locale says.
 */
#ifndef RXTRACK_ASCII_H
#define RXTRACK_ASCII_H

/* The value of a base-36 digit in either letter case, or -1. */
static inline int
ascii_base36(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	return -1;
}

/* The digit of a value below 36, in upper case. */
static inline char
ascii_base36_digit(int value)
{
	return (char) (value < 10 ? '0' + value : 'A' + value - 10);
}

static inline char
ascii_lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char) (c - 'A' + 'a') : c;
}

#endif							/* RXTRACK_ASCII_H */
