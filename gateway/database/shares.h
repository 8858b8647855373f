/*
 * shares.h - which part of the connections each caller holds, so that one whose calls hang, at a
 * lock or in dear searches, leaves the others to the others.
 * - A caller of which a call was cut off is suspect for a while: its jobs share no call with those
 *   of others, and its calls hold half of the connections at most.
 * - One connection never takes what was cut off before, or is a suspect's.
 * Threads: the database thread only.
 */
#ifndef RXTRACK_SHARES_H
#define RXTRACK_SHARES_H

#include "database/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Looks at what is under way; what the functions below say is of that moment. */
void shares_look(const struct link *links, size_t count, int64_t now_ms);

/* The links are about to carry a call of this caller alone, which may hang. */
void shares_take(struct caller *caller);

/* Makes the caller a suspect for so long. */
void shares_suspect(struct caller *caller, int64_t until_ms);

/* Whether it is one. */
bool shares_is_suspect(const struct caller *caller);

/* Whether it may hold a connection more. */
bool shares_allow(const struct caller *caller);

/* Whether one connection more may take a call that may well hang. */
bool shares_allow_risk(void);

#endif
