/*
 * types.h
 *		Values of the four SQL types as Datums, as CREATE TYPE declares them.
 *
 * To be included after postgres.h.
 */
#ifndef RXTRACK_TYPES_H
#define RXTRACK_TYPES_H

#include "fmgr.h"

#include "compat.h"
#include "types/identifiers.h"

#define DatumGetNhsNumber(d) ((NhsNumber) DatumGetInt32(d))
#define NhsNumberGetDatum(n) Int32GetDatum(n)

#define DatumGetPrescriptionId(d) ((PrescriptionId *) DatumGetPointer(d))
#define PrescriptionIdGetDatum(p) PointerGetDatum(p)

#define DatumGetOdsCode(d) ((OdsCode) DatumGetInt64(d))
#define OdsCodeGetDatum(c) Int64GetDatum(c)

#define DatumGetBusinessStatus(d) ((BusinessStatus) DatumGetUInt8(d))
#define BusinessStatusGetDatum(s) UInt8GetDatum(s)

#endif							/* RXTRACK_TYPES_H */
