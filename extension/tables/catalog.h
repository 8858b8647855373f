/*
 * catalog.h
 *		The extension's own types, by OID, and statements prepared against them.
 */
#ifndef RXTRACK_CATALOG_H
#define RXTRACK_CATALOG_H

#include "postgres.h"
#include "executor/spi.h"

#include "updates/transition.h"

/* The labels of rxtrack.event_state. */
typedef enum EventState
{
	EVENT_PENDING,
	EVENT_RELEASED,
	EVENT_CANCELLED,
	EVENT_STATE_COUNT
} EventState;

/* The labels of rxtrack.alert_reason; the count stands for none of them. */
typedef enum AlertReason
{
	ALERT_PHARMACY_BLOCKED,
	ALERT_PHARMACY_NOT_ENABLED,
	ALERT_APPLICATION_NOT_ENABLED,
	ALERT_COOLDOWN,
	ALERT_REASON_COUNT
} AlertReason;

/* What this database's copy of the extension is made of. */
typedef struct Catalog
{
	Oid			namespace_oid;	/* of the schema rxtrack */
	Oid			nhs_number;
	Oid			prescription_id;
	Oid			ods_code;
	Oid			business_status;
	Oid			transition_kind;
	Oid			transition_kinds[TRANSITION_KIND_COUNT];	/* its labels */
	Oid			event_states[EVENT_STATE_COUNT];
	Oid			alert_reasons[ALERT_REASON_COUNT];
	uint64		generation;		/* counts how often these were others */
} Catalog;

/* A type that an argument is an array of. */
typedef struct ElementType
{
	Oid			built_in;		/* its OID, or InvalidOid for one of ours: */
	size_t		ours;			/* its place in the Catalog */
	int16		length;
	bool		by_value;
	char		alignment;
} ElementType;

#pragma GCC visibility push(hidden)

extern const ElementType element_nhs_number;
extern const ElementType element_prescription_id;
extern const ElementType element_ods_code;
extern const ElementType element_business_status;
extern const ElementType element_transition_kind;
extern const ElementType element_uuid;
extern const ElementType element_timestamptz;
extern const ElementType element_integer;
extern const ElementType element_bigint;
extern const ElementType element_boolean;
extern const ElementType element_bytea;
extern const ElementType element_text;

#define STATEMENT_MAX_ARGUMENTS 17

/* A statement that is prepared once a session; to be kept in static storage. */
typedef struct Statement
{
	const char *sql;
	int			argument_count; /* every argument is an array */
	const ElementType *arguments[STATEMENT_MAX_ARGUMENTS];
	SPIPlanPtr	plan;
	uint64		generation;		/* of the catalog that the plan was made for */
} Statement;

/* To be called once, when the library is loaded. */
extern void catalog_init(void);

/*
 * Looks the types up once, and again after the extension was dropped and made
 * anew.  Raises 3F000 or 42704 where it is not there.
 */
extern const Catalog *catalog_get(void);

/* An array argument; nulls may be NULL where no element is. */
extern Datum element_array(const ElementType *type, Datum *values, bool *nulls, int count);

/*
 * Runs a statement inside SPI, preparing it where needed; the rows are in
 * SPI_tuptable.  Raises what the statement raises.
 */
extern void statement_execute(Statement *statement, Datum *arguments);

/* The same with a snapshot of now, also where the isolation has one of its own. */
extern void statement_execute_latest(Statement *statement, Datum *arguments);

#pragma GCC visibility pop

#endif							/* RXTRACK_CATALOG_H */
