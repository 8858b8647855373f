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

/* Is what was read still valid?  Looks for what others have committed, also within a long transaction. */
extern bool cached_is_valid(const Cached *cached);

/*
 * To be called before the table is read, and after.  Unless it was read with the latest snapshot,
 * what is read in a transaction with a snapshot of its own is not valid beyond this use.
 */
extern void cached_begin(Cached *cached);
extern void cached_end(Cached *cached, bool latest);

#endif							/* RXTRACK_CACHED_H */
