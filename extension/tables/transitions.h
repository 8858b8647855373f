/*
 * transitions.h
 *		Which business status may follow which.
 */
#ifndef RXTRACK_TRANSITIONS_H
#define RXTRACK_TRANSITIONS_H

#include "tables/catalog.h"
#include "types/identifiers.h"

/*
 * Judges a step by the rules of rxtrack.transition_rule; never answers first or
 * late, which are no steps.  To be called inside SPI.
 */
extern TransitionKind transitions_judge(BusinessStatus from, BusinessStatus to);

/*
 * Whether a step (0: no status) takes back what was said before: a correction does, and Not Dispensed; that an
 * item was collected does not.  To be called inside SPI.
 */
extern bool transitions_withdraw(BusinessStatus from, BusinessStatus to);

#endif							/* RXTRACK_TRANSITIONS_H */
