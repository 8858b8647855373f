/*
 * settings.h
 *		The extension's settings (GUCs).
 */
#ifndef RXTRACK_SETTINGS_H
#define RXTRACK_SETTINGS_H

#include "postgres.h"

/* What becomes of an update that no transition rule allows. */
typedef enum TransitionPolicy
{
	TRANSITION_POLICY_ENFORCE,
	TRANSITION_POLICY_WARN,
	TRANSITION_POLICY_OFF
} TransitionPolicy;

extern char *settings_database; /* empty: there is no dispatcher */
extern int	settings_transition_policy;
extern int	settings_alert_max_lateness;	/* s; zero: there is no limit */
extern int	settings_alert_cooldown;	/* s; zero: there is none */
extern int	settings_supplies_per_prescription;
extern int	settings_updates_per_supply;
extern double settings_notification_queue_limit;
extern bool settings_sandbox;
extern bool settings_announce_commit;

/* Defines them; to be called once, when the library is loaded. */
extern void settings_init(void);

#endif							/* RXTRACK_SETTINGS_H */
