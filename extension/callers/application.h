/*
 * application.h
 *		Applications, and the credentials by which they are known.
 */
#ifndef RXTRACK_APPLICATION_H
#define RXTRACK_APPLICATION_H

#include "postgres.h"
#include "utils/array.h"

/* The application that a request comes from. */
typedef struct Caller
{
	bool		known;			/* false: no valid credential, and nothing else is set */
	bool		granted;		/* holds the scope, and is not suspended */
	int			application_id;
	char	   *name;
	int			requests_per_minute;
	ArrayType  *ods_codes;		/* the pharmacies that it is restricted to; NULL: all */
} Caller;

/* The id of an application, by its name; raises 42704 where there is none. */
extern int	application_by_name(const char *name);

/*
 * Finds the callers of a batch, and whether each holds a scope (NULL: none is needed).  A credential is a
 * bytea: the SHA-256 of a key or token, followed by that of the client's certificate where the
 * connection has shown one; null: none was sent.
 */
extern Caller *application_identify(Datum *credentials, bool *nulls, int count, const char *scope);

#endif							/* RXTRACK_APPLICATION_H */
