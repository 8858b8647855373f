/*
 * business_status_type.c
 *		The SQL type business_status: one of the nine statuses of a prescription
 *		item, in 1 byte.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "types/types.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

PG_FUNCTION_INFO_V1(business_status_in);
PG_FUNCTION_INFO_V1(business_status_out);
PG_FUNCTION_INFO_V1(business_status_recv);
PG_FUNCTION_INFO_V1(business_status_send);
PG_FUNCTION_INFO_V1(business_status_hash);
PG_FUNCTION_INFO_V1(business_status_hash_extended);
PG_FUNCTION_INFO_V1(business_status_short_name);
PG_FUNCTION_INFO_V1(business_status_names);

Datum
business_status_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	BusinessStatus status;
	const char *reason = business_status_parse(str, strlen(str), &status);

	if (reason != NULL)
		RXTRACK_REJECT_TEXT("business_status", "A business status", reason);
	return BusinessStatusGetDatum(status);
}

Datum
business_status_out(PG_FUNCTION_ARGS)
{
	BusinessStatus status = DatumGetBusinessStatus(PG_GETARG_DATUM(0));

	PG_RETURN_CSTRING(pstrdup(business_status_name(status)));
}

Datum
business_status_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	BusinessStatus status = (BusinessStatus) pq_getmsgbyte(message);

	if (!business_status_valid(status))
		RXTRACK_REJECT_BINARY("business_status");
	return BusinessStatusGetDatum(status);
}

Datum
business_status_send(PG_FUNCTION_ARGS)
{
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendbyte(&message, DatumGetBusinessStatus(PG_GETARG_DATUM(0)));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* rxtrack.short_name: "RC" for Ready to Collect. */
Datum
business_status_short_name(PG_FUNCTION_ARGS)
{
	BusinessStatus status = DatumGetBusinessStatus(PG_GETARG_DATUM(0));

	PG_RETURN_TEXT_P(cstring_to_text(business_status_short(status)));
}

/* rxtrack_internal.business_status_names: all of them, in their order. */
Datum
business_status_names(PG_FUNCTION_ARGS)
{
	Datum		names[BUSINESS_STATUS_COUNT];

	for (int i = 0; i < BUSINESS_STATUS_COUNT; i++)
		names[i] = CStringGetTextDatum(business_status_name((BusinessStatus) (i + 1)));
	PG_RETURN_ARRAYTYPE_P(construct_array(names, BUSINESS_STATUS_COUNT, TEXTOID, -1, false, TYPALIGN_INT));
}

static int
business_status_compare(Datum left, Datum right)
{
	return (int) DatumGetBusinessStatus(left) - (int) DatumGetBusinessStatus(right);
}

RXTRACK_ORDERED_TYPE(business_status)

/* It is passed as a character, and hashed as one. */
Datum
business_status_hash(PG_FUNCTION_ARGS)
{
	return hashchar(fcinfo);
}

Datum
business_status_hash_extended(PG_FUNCTION_ARGS)
{
	return hashcharextended(fcinfo);
}
