/*
 * ready_status.h
 *		Which business statuses are ready ones: rxtrack.ready_status.
 */
#ifndef RXTRACK_READY_STATUS_H
#define RXTRACK_READY_STATUS_H

#include "postgres.h"

#include "types/identifiers.h"

/* Whether a status (0: none) is a ready one. */
extern bool ready_status_is_ready(BusinessStatus status);

/* Whether it is a readiness event when a supply's status becomes another one than it was (0: none). */
extern bool ready_status_is_event(BusinessStatus was, BusinessStatus becomes);

#endif							/* RXTRACK_READY_STATUS_H */
