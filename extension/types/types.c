/*
 * types.c
 *		The SQL types of the four identifiers: their text, their binary form, their order.
 *
 * The rules stand in the files of the identifiers.  Three of the types are an integer or a character of core's,
 * whose comparisons and hashes serve them too (sql/types/operators.sql); a prescription id has its own.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/sortsupport.h"

#include "types/types.h"

/* ---------- Errors, which never repeat the value ---------- */

/* Ends a text input function: "An NHS number" "must be ten digits". */
#define REJECT_TEXT(type, subject, reason) \
	compat_soft_error(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), \
					   errmsg("invalid input syntax for type %s", "rxtrack." type), \
					   errdetail("%s %s.", subject, reason))

static void
reject_binary(const char *type)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			errmsg("incorrect binary data format for type rxtrack.%s", type));
}

/* rxtrack_internal.broken_rule(type, value): "must be ten digits"; NULL where the value is an identifier of that type. */
PG_FUNCTION_INFO_V1(broken_rule);
Datum
broken_rule(PG_FUNCTION_ARGS)
{
	char	   *type = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(1));
	size_t		length = strlen(value);
	const char *reason;
	NhsNumber	nhs_number;
	OdsCode		ods_code;
	PrescriptionId prescription_id;
	Uuid		uuid;

	if (strcmp(type, "nhs_number") == 0)
		reason = nhs_number_parse(value, length, &nhs_number);
	else if (strcmp(type, "ods_code") == 0)
		reason = ods_code_parse(value, length, &ods_code);
	else if (strcmp(type, "prescription_id") == 0)
		reason = prescription_id_parse(value, length, &prescription_id);
	else
		reason = uuid_parse(value, length, &uuid);
	if (reason == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(reason));
}

/* ---------- nhs_number: the ten digits that name a patient, in 4 bytes ---------- */

PG_FUNCTION_INFO_V1(nhs_number_in);
Datum
nhs_number_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	NhsNumber	number;
	const char *reason = nhs_number_parse(str, strlen(str), &number);

	if (reason != NULL)
		REJECT_TEXT("nhs_number", "An NHS number", reason);
	return NhsNumberGetDatum(number);
}

PG_FUNCTION_INFO_V1(nhs_number_out);
Datum
nhs_number_out(PG_FUNCTION_ARGS)
{
	char	   *str = palloc(NHS_NUMBER_TEXT);

	nhs_number_format(DatumGetNhsNumber(PG_GETARG_DATUM(0)), str);
	PG_RETURN_CSTRING(str);
}

/* The number with its check digit, as it goes over the wire. */
static int64
ten_digits(NhsNumber number)
{
	char		str[NHS_NUMBER_TEXT];

	nhs_number_format(number, str);
	return (int64) number * 10 + (str[9] - '0');
}

PG_FUNCTION_INFO_V1(nhs_number_recv);
Datum
nhs_number_recv(PG_FUNCTION_ARGS)
{
	int64		ten = pq_getmsgint64((StringInfo) PG_GETARG_POINTER(0));
	NhsNumber	number = (NhsNumber) (ten / 10);

	if (ten < 0 || ten > INT64CONST(9999999999) || !nhs_number_valid(number) || ten_digits(number) != ten)
		reject_binary("nhs_number");
	return NhsNumberGetDatum(number);
}

PG_FUNCTION_INFO_V1(nhs_number_send);
Datum
nhs_number_send(PG_FUNCTION_ARGS)
{
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint64(&message, (uint64) ten_digits(DatumGetNhsNumber(PG_GETARG_DATUM(0))));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* ---------- ods_code: the code of a pharmacy or another organisation, in 8 bytes ---------- */

PG_FUNCTION_INFO_V1(ods_code_in);
Datum
ods_code_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	OdsCode		code;
	const char *reason = ods_code_parse(str, strlen(str), &code);

	if (reason != NULL)
		REJECT_TEXT("ods_code", "An ODS code", reason);
	return OdsCodeGetDatum(code);
}

PG_FUNCTION_INFO_V1(ods_code_out);
Datum
ods_code_out(PG_FUNCTION_ARGS)
{
	char	   *str = palloc(ODS_CODE_TEXT);

	ods_code_format(DatumGetOdsCode(PG_GETARG_DATUM(0)), str);
	PG_RETURN_CSTRING(str);
}

PG_FUNCTION_INFO_V1(ods_code_recv);
Datum
ods_code_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			length;
	char	   *str = pq_getmsgtext(message, message->len - message->cursor, &length);
	OdsCode		code;

	if (ods_code_parse(str, (size_t) length, &code) != NULL)
		reject_binary("ods_code");
	return OdsCodeGetDatum(code);
}

PG_FUNCTION_INFO_V1(ods_code_send);
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

/* ---------- business_status: one of the nine statuses of a prescription item, in 1 byte ---------- */

PG_FUNCTION_INFO_V1(business_status_in);
Datum
business_status_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	BusinessStatus status;
	const char *reason = business_status_parse(str, strlen(str), &status);

	if (reason != NULL)
		REJECT_TEXT("business_status", "A business status", reason);
	return BusinessStatusGetDatum(status);
}

PG_FUNCTION_INFO_V1(business_status_out);
Datum
business_status_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(pstrdup(business_status_name(DatumGetBusinessStatus(PG_GETARG_DATUM(0)))));
}

PG_FUNCTION_INFO_V1(business_status_recv);
Datum
business_status_recv(PG_FUNCTION_ARGS)
{
	BusinessStatus status = (BusinessStatus) pq_getmsgbyte((StringInfo) PG_GETARG_POINTER(0));

	if (!business_status_valid(status))
		reject_binary("business_status");
	return BusinessStatusGetDatum(status);
}

PG_FUNCTION_INFO_V1(business_status_send);
Datum
business_status_send(PG_FUNCTION_ARGS)
{
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendbyte(&message, DatumGetBusinessStatus(PG_GETARG_DATUM(0)));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* rxtrack.short_name: "RC" for Ready to Collect. */
PG_FUNCTION_INFO_V1(business_status_short_name);
Datum
business_status_short_name(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(business_status_short(DatumGetBusinessStatus(PG_GETARG_DATUM(0)))));
}

/* rxtrack_internal.business_status_names: all of them, in their order. */
PG_FUNCTION_INFO_V1(business_status_names);
Datum
business_status_names(PG_FUNCTION_ARGS)
{
	Datum		names[BUSINESS_STATUS_COUNT];

	for (int i = 0; i < BUSINESS_STATUS_COUNT; i++)
		names[i] = CStringGetTextDatum(business_status_name((BusinessStatus) (i + 1)));
	PG_RETURN_ARRAYTYPE_P(construct_array(names, BUSINESS_STATUS_COUNT, TEXTOID, -1, false, TYPALIGN_INT));
}

/* ---------- prescription_id: the short-form id of an electronic prescription, in 10 bytes ---------- */

PG_FUNCTION_INFO_V1(prescription_id_in);
Datum
prescription_id_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	PrescriptionId *id = palloc(sizeof(PrescriptionId));
	const char *reason = prescription_id_parse(str, strlen(str), id);

	if (reason != NULL)
		REJECT_TEXT("prescription_id", "A prescription id", reason);
	return PrescriptionIdGetDatum(id);
}

PG_FUNCTION_INFO_V1(prescription_id_out);
Datum
prescription_id_out(PG_FUNCTION_ARGS)
{
	char	   *str = palloc(PRESCRIPTION_ID_TEXT);

	prescription_id_format(DatumGetPrescriptionId(PG_GETARG_DATUM(0)), str);
	PG_RETURN_CSTRING(str);
}

PG_FUNCTION_INFO_V1(prescription_id_recv);
Datum
prescription_id_recv(PG_FUNCTION_ARGS)
{
	PrescriptionId *id = palloc(sizeof(PrescriptionId));

	pq_copymsgbytes((StringInfo) PG_GETARG_POINTER(0), (char *) id->bytes, sizeof(id->bytes));
	if (!prescription_id_valid(id))
		reject_binary("prescription_id");
	return PrescriptionIdGetDatum(id);
}

PG_FUNCTION_INFO_V1(prescription_id_send);
Datum
prescription_id_send(PG_FUNCTION_ARGS)
{
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendbytes(&message, (const char *) DatumGetPrescriptionId(PG_GETARG_DATUM(0)), sizeof(PrescriptionId));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

static int
prescription_id_compare(Datum left, Datum right)
{
	return memcmp(DatumGetPrescriptionId(left), DatumGetPrescriptionId(right), sizeof(PrescriptionId));
}

#define PRESCRIPTION_ID_COMPARISON(name, operator) \
	PG_FUNCTION_INFO_V1(name); \
	Datum \
	name(PG_FUNCTION_ARGS) \
	{ \
		PG_RETURN_BOOL(prescription_id_compare(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) operator 0); \
	}

PRESCRIPTION_ID_COMPARISON(prescription_id_eq, ==)
PRESCRIPTION_ID_COMPARISON(prescription_id_ne, !=)
PRESCRIPTION_ID_COMPARISON(prescription_id_lt, <)
PRESCRIPTION_ID_COMPARISON(prescription_id_le, <=)
PRESCRIPTION_ID_COMPARISON(prescription_id_gt, >)
PRESCRIPTION_ID_COMPARISON(prescription_id_ge, >=)

PG_FUNCTION_INFO_V1(prescription_id_cmp);
Datum
prescription_id_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(prescription_id_compare(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

PG_FUNCTION_INFO_V1(prescription_id_hash);
Datum
prescription_id_hash(PG_FUNCTION_ARGS)
{
	return hash_any(DatumGetPrescriptionId(PG_GETARG_DATUM(0))->bytes, sizeof(PrescriptionId));
}

PG_FUNCTION_INFO_V1(prescription_id_hash_extended);
Datum
prescription_id_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended(DatumGetPrescriptionId(PG_GETARG_DATUM(0))->bytes, sizeof(PrescriptionId),
							 (uint64) PG_GETARG_INT64(1));
}

static int
prescription_id_sort_compare(Datum left, Datum right, SortSupport ssup)
{
	(void) ssup;
	return prescription_id_compare(left, right);
}

/* Sorts and index builds compare without a function manager's call. */
PG_FUNCTION_INFO_V1(prescription_id_sortsupport);
Datum
prescription_id_sortsupport(PG_FUNCTION_ARGS)
{
	((SortSupport) PG_GETARG_POINTER(0))->comparator = prescription_id_sort_compare;
	PG_RETURN_VOID();
}
