/*
 * record.h
 *		Recording readiness events with the updates by which items become ready.
 */
#ifndef RXTRACK_RECORD_H
#define RXTRACK_RECORD_H

#include "postgres.h"

#include "types/update.h"

/* An update by which an item's status becomes another. */
typedef struct StatusChange
{
	const Update *update;
	int32		application_id; /* whose update it is */
} StatusChange;

#pragma GCC visibility push(hidden)

/* Records an event for each change to a status that is a ready one; they are stored. */
extern void record_events(const StatusChange *changes, int count);

#pragma GCC visibility pop

#endif							/* RXTRACK_RECORD_H */
