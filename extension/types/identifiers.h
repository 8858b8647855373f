/*
 * identifiers.h
 *		The identifiers of prescription tracking: their rules, their packed form, their text.
 *
 * Plain C without PostgreSQL, one file for each kind, so that the SQL types, the validation of
 * bundles, the gateway and the fuzzers have the same rules.
 *
 * A parser takes a string with its length, and returns NULL where it is valid.  Otherwise it
 * returns the rule that is broken, without the value: error texts reach logs, and a log
 * must hold nothing about a patient.
 */
#ifndef RXTRACK_IDENTIFIERS_H
#define RXTRACK_IDENTIFIERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for each canonical text, its terminating NUL included. */
#define NHS_NUMBER_TEXT 11
#define PRESCRIPTION_ID_TEXT 21
#define ODS_CODE_TEXT 13
#define UUID_TEXT 37

/* The first nine digits; the tenth, the check digit, is computed from them. */
typedef int32_t NhsNumber;

/*
 * Big-endian: six hex digits in 24 bits, six base-36 digits in 32, five hex
 * digits in 20, four bits of zero.  The check character is computed.  Compared
 * as bytes, two of them are in the order of their texts in the C locale.
 */
typedef struct PrescriptionId
{
	uint8_t		bytes[10];
} PrescriptionId;

/*
 * Twelve base-37 digits, the first character in the highest: 0 is the end of a
 * shorter code, 1..10 are the digits, 11..36 the letters.  Compared as
 * numbers, two of them are in the order of their texts in the C locale.
 */
typedef int64_t OdsCode;

/* A value of the enumeration below. */
typedef uint8_t BusinessStatus;

/* The same bytes as PostgreSQL's pg_uuid_t. */
typedef struct Uuid
{
	uint8_t		bytes[16];
} Uuid;

/* These numbers are stored in tables: never change one, only add others. */
enum
{
	BUSINESS_STATUS_WITH_PHARMACY = 1,
	BUSINESS_STATUS_WITH_PHARMACY_PREPARING_REMAINDER,
	BUSINESS_STATUS_READY_TO_COLLECT,
	BUSINESS_STATUS_READY_TO_COLLECT_PARTIAL,
	BUSINESS_STATUS_READY_TO_DISPATCH,
	BUSINESS_STATUS_READY_TO_DISPATCH_PARTIAL,
	BUSINESS_STATUS_COLLECTED,
	BUSINESS_STATUS_DISPATCHED,
	BUSINESS_STATUS_NOT_DISPENSED,
	BUSINESS_STATUS_COUNT = BUSINESS_STATUS_NOT_DISPENSED
};

/* Ten digits, the tenth of which is the check digit of the other nine. */
extern const char *nhs_number_parse(const char *s, size_t len, NhsNumber *out);
extern bool nhs_number_valid(int32_t nine);
extern void nhs_number_format(NhsNumber number, char out[NHS_NUMBER_TEXT]);

/* HHHHHH-CCCCCC-HHHHHX in either letter case, written in upper case. */
extern const char *prescription_id_parse(const char *s, size_t len, PrescriptionId *out);
extern bool prescription_id_valid(const PrescriptionId *id);
extern void prescription_id_format(const PrescriptionId *id, char out[PRESCRIPTION_ID_TEXT]);

/* One to twelve letters or digits; trimmed of white space, upper-cased. */
extern const char *ods_code_parse(const char *s, size_t len, OdsCode *out);
extern bool ods_code_valid(int64_t code);
extern void ods_code_format(OdsCode code, char out[ODS_CODE_TEXT]);

/* The full name of a status, in any letter case; short names are not read. */
extern const char *business_status_parse(const char *s, size_t len, BusinessStatus *out);
extern bool business_status_valid(uint8_t status);
extern const char *business_status_name(BusinessStatus status);
extern const char *business_status_short(BusinessStatus status);

/* 8-4-4-4-12 hex digits in either letter case; no other spelling of a UUID. */
extern const char *uuid_parse(const char *s, size_t len, Uuid *out);
extern void uuid_format(const Uuid *uuid, bool upper, char out[UUID_TEXT]);

/* ---------- Letters and digits: those of ASCII, whatever the C locale says ---------- */

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

#endif							/* RXTRACK_IDENTIFIERS_H */
