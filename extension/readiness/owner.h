/*
 * owner.h
 *		Acting as the owner of rxtrack's tables.
 *
 * At a commit it is the supplier's session that releases events. Its role may touch no table, and
 * its search_path must not lead what a DBA has added to a table (a trigger, an index of an
 * expression) to functions of the supplier's.
 */
#ifndef RXTRACK_OWNER_H
#define RXTRACK_OWNER_H

#include "postgres.h"

/* What the session was before. */
typedef struct Owner
{
	Oid			user;
	int			security_context;
	int			settings;		/* the nesting level of its settings */
} Owner;

/* Becomes the owner of rxtrack.readiness_event, with a search_path as functions of ours have it. */
extern void owner_become(Owner *before);

/* Is again what it was; the end of a transaction that fails does the same. */
extern void owner_leave(const Owner *before);

#endif							/* RXTRACK_OWNER_H */
