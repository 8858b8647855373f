/*
 * cached.h
 *		Small tables whose rows a session caches: whether what it holds is still valid.
 *
 * Such a table has the trigger announce_change, which invalidates it in every session when a
 * change of it commits.  What is cached is kept by its user.
 */
#ifndef RXTRACK_CACHED_H
#define RXTRACK_CACHED_H

#include "postgres.h"

#include "tables/statement.h"

/* To be kept in static storage; begun with the table's name and schema. */
typedef struct Cached
{
	const char *schema;
	const char *table;
	bool		valid;
	bool		invalidated;	/* since it was last begun to be read */
	Oid			relation;
	bool		registered;
	struct Cached *next;
} Cached;

/* A column of numbers that a session caches; to be kept in static storage. */
typedef struct CachedSet
{
	Cached		cached;
	Statement	select;			/* of the column, in order */
	bool		latest;			/* with the latest snapshot, also where the isolation has one of its own */
	int64	   *values;
	int			count;
} CachedSet;

/* Is a number in the column? */
extern bool cached_set_has(CachedSet *set, int64 number);

/* Is what was read still valid?  Looks for what others have committed, also within a long transaction. */
extern bool cached_is_valid(const Cached *cached);

/*
 * To be called before the table is read, and after.  Unless it was read with the latest snapshot,
 * what is read in a transaction with a snapshot of its own is not valid beyond this use.
 */
extern void cached_begin(Cached *cached);
extern void cached_end(Cached *cached, bool latest);

#endif							/* RXTRACK_CACHED_H */
