/*
 * dispatcher.h
 *		The dispatcher: a background worker that releases readiness events.
 */
#ifndef RXTRACK_DISPATCHER_H
#define RXTRACK_DISPATCHER_H

/* Has the server start it, where rxtrack.database names a database. */
extern void dispatcher_init(void);

#endif							/* RXTRACK_DISPATCHER_H */
