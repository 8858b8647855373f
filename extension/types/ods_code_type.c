/*
 * ods_code_type.c
 *		The SQL type ods_code: the code of a pharmacy or another organisation,
 *		in 8 bytes.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "types/types.h"
#include "utils/fmgrprotos.h"

PG_FUNCTION_INFO_V1(ods_code_in);
PG_FUNCTION_INFO_V1(ods_code_out);
PG_FUNCTION_INFO_V1(ods_code_recv);
PG_FUNCTION_INFO_V1(ods_code_send);
PG_FUNCTION_INFO_V1(ods_code_hash);
PG_FUNCTION_INFO_V1(ods_code_hash_extended);

Datum
ods_code_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	OdsCode		code;
	const char *reason = ods_code_parse(str, strlen(str), &code);

	if (reason != NULL)
		RXTRACK_REJECT_TEXT("ods_code", "An ODS code", reason);
	return OdsCodeGetDatum(code);
}

Datum
ods_code_out(PG_FUNCTION_ARGS)
{
	char	   *str = palloc(ODS_CODE_TEXT);

	ods_code_format(DatumGetOdsCode(PG_GETARG_DATUM(0)), str);
	PG_RETURN_CSTRING(str);
}

Datum
ods_code_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			length;
	char	   *str = pq_getmsgtext(message, message->len - message->cursor, &length);
	OdsCode		code;

	if (ods_code_parse(str, (size_t) length, &code) != NULL)
		RXTRACK_REJECT_BINARY("ods_code");
	return OdsCodeGetDatum(code);
}

Datum
ods_code_send(PG_FUNCTION_ARGS)
{
	char		str[ODS_CODE_TEXT];
	StringInfoData message;

	ods_code_format(DatumGetOdsCode(PG_GETARG_DATUM(0)), str);
	pq_begintypsend(&message);
	pq_sendtext(&message, str, (int) strlen(str));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

static int
ods_code_compare(Datum left, Datum right)
{
	OdsCode		a = DatumGetOdsCode(left);
	OdsCode		b = DatumGetOdsCode(right);

	return (a > b) - (a < b);
}

RXTRACK_ORDERED_TYPE(ods_code)

/* It is passed as an integer, and hashed as one. */
Datum
ods_code_hash(PG_FUNCTION_ARGS)
{
	return hashint8(fcinfo);
}

Datum
ods_code_hash_extended(PG_FUNCTION_ARGS)
{
	return hashint8extended(fcinfo);
}
