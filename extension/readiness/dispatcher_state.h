/*
 * dispatcher_state.h
 *		What the dispatcher and the sessions share: whether there is one, and whom to wake.
 */
#ifndef RXTRACK_DISPATCHER_STATE_H
#define RXTRACK_DISPATCHER_STATE_H

#include "postgres.h"

/* When the library is preloaded. */
extern void dispatcher_state_init(void);

/* This process is the dispatcher, connected to its database, until it ends. */
extern void dispatcher_state_enter(void);

/* Whether a dispatcher releases the events of this database: it is there, or the server is about to start it. */
extern bool dispatcher_state_is_served(void);

/* Wakes the dispatcher of this database, if there is one. */
extern void dispatcher_state_wake(void);

#endif							/* RXTRACK_DISPATCHER_STATE_H */
