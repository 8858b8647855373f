/*
 * statement.h
 *		SQL statements that are prepared once a session.
 */
#ifndef RXTRACK_STATEMENT_H
#define RXTRACK_STATEMENT_H

#include "postgres.h"
#include "executor/spi.h"

#include "tables/catalog.h"

#define STATEMENT_MAX_ARGUMENTS 17

/* To be kept in static storage. */
typedef struct Statement
{
	const char *sql;
	int			argument_count; /* every argument is an array */
	const CatalogType *arguments[STATEMENT_MAX_ARGUMENTS];
	SPIPlanPtr	plan;
	uint64		generation;		/* of the catalog that the plan was made for */
} Statement;

/* An array argument; nulls may be NULL where no element is. */
extern Datum statement_array(const CatalogType *type, Datum *values, bool *nulls, int count);

/*
 * Runs a statement inside SPI, preparing it where needed; the rows are in SPI_tuptable.  latest: with
 * a snapshot of now, also where the isolation has one of its own.  Raises what the statement raises.
 */
extern void statement_execute(Statement *statement, Datum *arguments, bool latest);

#endif							/* RXTRACK_STATEMENT_H */
