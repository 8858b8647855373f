/*
 * prescription_id_type.c
 *		The SQL type prescription_id: the short-form id of an electronic
 *		prescription, in 10 bytes.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "types/types.h"
#include "utils/sortsupport.h"

PG_FUNCTION_INFO_V1(prescription_id_in);
PG_FUNCTION_INFO_V1(prescription_id_out);
PG_FUNCTION_INFO_V1(prescription_id_recv);
PG_FUNCTION_INFO_V1(prescription_id_send);
PG_FUNCTION_INFO_V1(prescription_id_hash);
PG_FUNCTION_INFO_V1(prescription_id_hash_extended);
PG_FUNCTION_INFO_V1(prescription_id_sortsupport);

Datum
prescription_id_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	PrescriptionId *id = palloc(sizeof(PrescriptionId));
	const char *reason = prescription_id_parse(str, strlen(str), id);

	if (reason != NULL)
		RXTRACK_REJECT_TEXT("prescription_id", "A prescription id", reason);
	return PrescriptionIdGetDatum(id);
}

Datum
prescription_id_out(PG_FUNCTION_ARGS)
{
	char	   *str = palloc(PRESCRIPTION_ID_TEXT);

	prescription_id_format(DatumGetPrescriptionId(PG_GETARG_DATUM(0)), str);
	PG_RETURN_CSTRING(str);
}

Datum
prescription_id_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	PrescriptionId *id = palloc(sizeof(PrescriptionId));

	pq_copymsgbytes(message, (char *) id->bytes, sizeof(id->bytes));
	if (!prescription_id_valid(id))
		RXTRACK_REJECT_BINARY("prescription_id");
	return PrescriptionIdGetDatum(id);
}

Datum
prescription_id_send(PG_FUNCTION_ARGS)
{
	const PrescriptionId *id = DatumGetPrescriptionId(PG_GETARG_DATUM(0));
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendbytes(&message, (const char *) id->bytes, sizeof(id->bytes));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

static int
prescription_id_compare(Datum left, Datum right)
{
	return memcmp(DatumGetPrescriptionId(left), DatumGetPrescriptionId(right),
				  sizeof(PrescriptionId));
}

RXTRACK_ORDERED_TYPE(prescription_id)

Datum
prescription_id_hash(PG_FUNCTION_ARGS)
{
	return hash_any(DatumGetPrescriptionId(PG_GETARG_DATUM(0))->bytes, sizeof(PrescriptionId));
}

Datum
prescription_id_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended(DatumGetPrescriptionId(PG_GETARG_DATUM(0))->bytes,
							 sizeof(PrescriptionId), (uint64) PG_GETARG_INT64(1));
}

static int
prescription_id_sort_compare(Datum left, Datum right, SortSupport ssup)
{
	(void) ssup;
	return prescription_id_compare(left, right);
}

/* Sorts and index builds compare without a function manager's call. */
Datum
prescription_id_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = prescription_id_sort_compare;
	PG_RETURN_VOID();
}
