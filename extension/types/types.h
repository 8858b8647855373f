/*
 * types.h
 *		What the four SQL types have in common: their Datums, their errors, their comparisons.
 *
 * To be included after postgres.h.
 */
#ifndef RXTRACK_TYPES_H
#define RXTRACK_TYPES_H

#include "fmgr.h"

#include "compat.h"
#include "types/identifiers.h"

/* ---------- Values as Datums, as CREATE TYPE declares them ---------- */

#define DatumGetNhsNumber(d) ((NhsNumber) DatumGetInt32(d))
#define NhsNumberGetDatum(n) Int32GetDatum(n)

#define DatumGetPrescriptionId(d) ((PrescriptionId *) DatumGetPointer(d))
#define PrescriptionIdGetDatum(p) PointerGetDatum(p)

#define DatumGetOdsCode(d) ((OdsCode) DatumGetInt64(d))
#define OdsCodeGetDatum(c) Int64GetDatum(c)

#define DatumGetBusinessStatus(d) ((BusinessStatus) DatumGetUInt8(d))
#define BusinessStatusGetDatum(s) UInt8GetDatum(s)

/* ---------- Errors, which never repeat the value ---------- */

/* Ends a text input function: "An NHS number" "must be ten digits". */
#define RXTRACK_REJECT_TEXT(type, subject, reason) \
	compat_soft_error(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), \
					   errmsg("invalid input syntax for type %s", "rxtrack." type), \
					   errdetail("%s %s.", subject, reason))

/* Ends a receive function. */
#define RXTRACK_REJECT_BINARY(type) \
	ereport(ERROR, \
			errcode(ERRCODE_INVALID_BINARY_REPRESENTATION), \
			errmsg("incorrect binary data format for type %s", "rxtrack." type))

/* ---------- The order of a type ---------- */

#define RXTRACK_COMPARISON(type, suffix, operator) \
	PG_FUNCTION_INFO_V1(type##_##suffix); \
	Datum \
	type##_##suffix(PG_FUNCTION_ARGS) \
	{ \
		PG_RETURN_BOOL(type##_compare(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) operator 0); \
	}

/*
 * The functions behind = <> < <= > >= and the btree operator class, all from
 * one static int type_compare(Datum left, Datum right).
 */
#define RXTRACK_ORDERED_TYPE(type) \
	RXTRACK_COMPARISON(type, eq, ==) \
	RXTRACK_COMPARISON(type, ne, !=) \
	RXTRACK_COMPARISON(type, lt, <) \
	RXTRACK_COMPARISON(type, le, <=) \
	RXTRACK_COMPARISON(type, gt, >) \
	RXTRACK_COMPARISON(type, ge, >=) \
	PG_FUNCTION_INFO_V1(type##_cmp); \
	Datum \
	type##_cmp(PG_FUNCTION_ARGS) \
	{ \
		PG_RETURN_INT32(type##_compare(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1))); \
	}

#endif							/* RXTRACK_TYPES_H */
