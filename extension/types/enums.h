/*
 * enums.h
 *		The labels of the extension's SQL enumerations, in their order.
 */
#ifndef RXTRACK_ENUMS_H
#define RXTRACK_ENUMS_H

/* rxtrack.transition_kind: what an update is to its supply. */
typedef enum TransitionKind
{
	TRANSITION_FIRST,
	TRANSITION_FORWARD,
	TRANSITION_CORRECTION,
	TRANSITION_REPEAT,
	TRANSITION_UNEXPECTED,
	TRANSITION_LATE,
	TRANSITION_KIND_COUNT
} TransitionKind;

/* rxtrack.alert_reason: why a patient is not to be alerted; the count stands for none of them. */
typedef enum AlertReason
{
	ALERT_PHARMACY_BLOCKED,
	ALERT_NOT_ENABLED,
	ALERT_PATIENT_IN_CONFLICT,
	ALERT_CANCELLED_OR_EXPIRED,
	ALERT_NOT_THE_HOLDING_PHARMACY,
	ALERT_PREDICTION,
	ALERT_REPORTED_LATE,
	ALERT_COOLDOWN,
	ALERT_REASON_COUNT
} AlertReason;

#endif							/* RXTRACK_ENUMS_H */
