/*
 * dispatcher_state.h
 *		What the dispatcher and the sessions share: whether it is there and at work, whether it is paused, and
 *		whom to wake.
 */
#ifndef RXTRACK_DISPATCHER_STATE_H
#define RXTRACK_DISPATCHER_STATE_H

#include "postgres.h"
#include "utils/timestamp.h"

/* When the library is preloaded. */
extern void dispatcher_state_init(void);

/* ---------- The dispatcher's side ---------- */

/* This process is the dispatcher, not connected yet, until it ends. */
extern void dispatcher_state_begin(void);

/*
 * How long (ms) it is not to connect yet: while it is paused, or after attempts that failed.  At 0 it counts as
 * being in its database from here on.
 */
extern long dispatcher_state_enter(void);

extern bool dispatcher_state_is_paused(void);

/* A sign of life, and the SQLSTATE of what keeps it from its work; 0: nothing. */
extern void dispatcher_state_beat(int problem);

/* ---------- The sessions' side ---------- */

/* Whether a dispatcher releases the events of this database: it is connected, gives signs of life, and has no problem. */
extern bool dispatcher_state_is_at_work(void);

/* Wakes the dispatcher of this database, if there is one. */
extern void dispatcher_state_wake(void);

/* Tells a dispatcher that is to serve this database, and is not connected, that it is there; and the log that it does not. */
extern void dispatcher_state_call(void);

#endif							/* RXTRACK_DISPATCHER_STATE_H */
