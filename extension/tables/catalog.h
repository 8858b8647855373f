/*
 * catalog.h
 *		The extension's own types in this database, by OID, and its enumerations.
 */
#ifndef RXTRACK_CATALOG_H
#define RXTRACK_CATALOG_H

#include "postgres.h"

/* ---------- The labels of the extension's SQL enumerations, in their order ---------- */

/* rxtrack.transition_kind: what an update is to its supply. */
typedef enum TransitionKind
{
	TRANSITION_FIRST,
	TRANSITION_FORWARD,
	TRANSITION_CORRECTION,
	TRANSITION_REPEAT,
	TRANSITION_UNEXPECTED,
	TRANSITION_LATE,
	TRANSITION_KIND_COUNT
} TransitionKind;

/* rxtrack.alert_reason: why a patient is not to be alerted; the count stands for none of them. */
typedef enum AlertReason
{
	ALERT_PHARMACY_BLOCKED,
	ALERT_NOT_ENABLED,
	ALERT_PATIENT_IN_CONFLICT,
	ALERT_CANCELLED_OR_EXPIRED,
	ALERT_NOT_THE_HOLDING_PHARMACY,
	ALERT_PREDICTION,
	ALERT_REPORTED_LATE,
	ALERT_COOLDOWN,
	ALERT_REASON_COUNT
} AlertReason;

/* ---------- Types ---------- */

/* What this database's copy of the extension is made of. */
typedef struct Catalog
{
	Oid			nhs_number;
	Oid			prescription_id;
	Oid			ods_code;
	Oid			ods_code_array;
	Oid			business_status;
	Oid			transition_kind;
	Oid			alert_reason;
	Oid			transition_kinds[TRANSITION_KIND_COUNT];	/* the labels of these */
	Oid			alert_reasons[ALERT_REASON_COUNT];
	uint64		generation;		/* counts how often these were others */
} Catalog;

/* A type of a column or an argument. */
typedef struct CatalogType
{
	Oid			built_in;		/* its OID, or InvalidOid for one of ours: */
	size_t		ours;			/* its place in the Catalog */
	int16		length;
	bool		by_value;
	char		alignment;
	int			label_count;	/* of an enumeration of ours; else 0 */
	size_t		labels;			/* the place of their OIDs in the Catalog */
} CatalogType;

extern const CatalogType catalog_nhs_number;
extern const CatalogType catalog_prescription_id;
extern const CatalogType catalog_ods_code;
extern const CatalogType catalog_ods_code_array;
extern const CatalogType catalog_business_status;
extern const CatalogType catalog_transition_kind;
extern const CatalogType catalog_alert_reason;
extern const CatalogType catalog_uuid;
extern const CatalogType catalog_timestamptz;
extern const CatalogType catalog_smallint;
extern const CatalogType catalog_integer;
extern const CatalogType catalog_oid;
extern const CatalogType catalog_bigint;
extern const CatalogType catalog_boolean;
extern const CatalogType catalog_bytea;
extern const CatalogType catalog_bytea_array;
extern const CatalogType catalog_text;
extern const CatalogType catalog_text_array;

/* To be called once, when the library is loaded. */
extern void catalog_init(void);

/*
 * Looks the types up once, and again after the extension was dropped and made
 * anew.  Raises 3F000 or 42704 where it is not there.
 */
extern const Catalog *catalog_get(void);

extern Oid	catalog_type_oid(const CatalogType *type);

/* The label of an enumeration with a number, and the number of a label: the last where it is none of the others. */
extern Oid	catalog_label(const CatalogType *type, int number);
extern int	catalog_label_number(const CatalogType *type, Oid label);

#endif							/* RXTRACK_CATALOG_H */
