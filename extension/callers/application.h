/*
 * application.h
 *		Who calls, and what may they?
 */
#ifndef RXTRACK_APPLICATION_H
#define RXTRACK_APPLICATION_H

#include "postgres.h"
#include "utils/array.h"

/* Whom a credential belongs to. */
typedef struct Caller
{
	bool		known;
	bool		suspended;		/* by a DBA */
	bool		granted;		/* has the scope that was asked for, and is not suspended */
	int			application_id;
	char	   *name;
	int			requests_per_minute;
	ArrayType  *ods_codes;		/* of the pharmacies it may send updates for; NULL: all */
} Caller;

#pragma GCC visibility push(hidden)

/* The id of a registered application; raises 42704 where there is none. */
extern int	application_by_name(const char *name);

/*
 * Finds the callers of a batch by the SHA-256 of their credentials (bytea; null:
 * none given), each followed by the SHA-256 of the client's certificate where it
 * has shown one; and whether each holds a scope (NULL: none is needed).
 */
extern Caller *callers_identify(Datum *credentials, bool *nulls, int count, const char *scope);

#pragma GCC visibility pop

#endif							/* RXTRACK_APPLICATION_H */
