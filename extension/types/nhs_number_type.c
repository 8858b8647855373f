/*
 * nhs_number_type.c
 *		The SQL type nhs_number: the ten digits that name a patient, in 4 bytes.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "types/types.h"
#include "utils/fmgrprotos.h"

PG_FUNCTION_INFO_V1(nhs_number_in);
PG_FUNCTION_INFO_V1(nhs_number_out);
PG_FUNCTION_INFO_V1(nhs_number_recv);
PG_FUNCTION_INFO_V1(nhs_number_send);
PG_FUNCTION_INFO_V1(nhs_number_hash);
PG_FUNCTION_INFO_V1(nhs_number_hash_extended);

/* The number with its check digit, as it goes over the wire. */
static int64
nhs_number_ten_digits(NhsNumber number)
{
	char		str[NHS_NUMBER_TEXT];

	nhs_number_format(number, str);
	return (int64) number * 10 + (str[9] - '0');
}

Datum
nhs_number_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	NhsNumber	number;
	const char *reason = nhs_number_parse(str, strlen(str), &number);

	if (reason != NULL)
		RXTRACK_REJECT_TEXT("nhs_number", "An NHS number", reason);
	return NhsNumberGetDatum(number);
}

Datum
nhs_number_out(PG_FUNCTION_ARGS)
{
	char	   *str = palloc(NHS_NUMBER_TEXT);

	nhs_number_format(DatumGetNhsNumber(PG_GETARG_DATUM(0)), str);
	PG_RETURN_CSTRING(str);
}

Datum
nhs_number_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int64		ten = pq_getmsgint64(message);
	NhsNumber	number = (NhsNumber) (ten / 10);

	if (ten < 0 || ten > INT64CONST(9999999999) ||
		!nhs_number_valid(number) || nhs_number_ten_digits(number) != ten)
		RXTRACK_REJECT_BINARY("nhs_number");
	return NhsNumberGetDatum(number);
}

Datum
nhs_number_send(PG_FUNCTION_ARGS)
{
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint64(&message, (uint64) nhs_number_ten_digits(DatumGetNhsNumber(PG_GETARG_DATUM(0))));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

static int
nhs_number_compare(Datum left, Datum right)
{
	NhsNumber	a = DatumGetNhsNumber(left);
	NhsNumber	b = DatumGetNhsNumber(right);

	return (a > b) - (a < b);
}

RXTRACK_ORDERED_TYPE(nhs_number)

/* It is passed as an integer, and hashed as one. */
Datum
nhs_number_hash(PG_FUNCTION_ARGS)
{
	return hashint4(fcinfo);
}

Datum
nhs_number_hash_extended(PG_FUNCTION_ARGS)
{
	return hashint4extended(fcinfo);
}
