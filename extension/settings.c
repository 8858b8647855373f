/*
 * settings.c
 *		The definitions of all settings.
 *
 * Most are not for everyone to set: who may submit must not choose the rules.  A DBA sets them
 * for a database, a role or a session.
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "compat.h"
#include "settings.h"

char	   *settings_database;	/* NULL unless the library is preloaded */
int			settings_transition_policy;
int			settings_alert_max_lateness;
int			settings_alert_cooldown;
int			settings_supplies_per_prescription;
int			settings_updates_per_supply;
double		settings_notification_queue_limit;
bool		settings_sandbox;
bool		settings_announce_commit;

/* These are read by SQL. */
static char *token_url;
static int	token_lifetime;			/* s */
static int	event_retention;		/* min */
static int	subscription_expiry;	/* min */

static const struct config_enum_entry transition_policies[] = {
	{"enforce", TRANSITION_POLICY_ENFORCE, false},
	{"warn", TRANSITION_POLICY_WARN, false},
	{"off", TRANSITION_POLICY_OFF, false},
	{NULL, 0, false}
};

void
settings_init(void)
{
	/* one that only the server's start can set cannot be defined after it */
	if (process_shared_preload_libraries_in_progress)
		DefineCustomStringVariable("rxtrack.database",
								   "The database whose readiness events the dispatcher releases.",
								   "Empty: there is no dispatcher, and transactions release their events themselves.",
								   &settings_database, "", PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("rxtrack.transition_policy",
							 "What becomes of an update that no transition rule allows.",
							 "enforce refuses it (422), warn stores and flags it, off stores it.",
							 &settings_transition_policy, TRANSITION_POLICY_ENFORCE, transition_policies,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("rxtrack.supplies_per_prescription",
							"How many supplies of one prescription one application may begin.",
							"More are refused (422): what one application sends must not slow others down.",
							&settings_supplies_per_prescription, 1000, 1, INT_MAX, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("rxtrack.updates_per_supply",
							"How many updates of one supply one application may send.",
							"More are refused (422): what one application sends must not slow others down.",
							&settings_updates_per_supply, 1000, 1, INT_MAX, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("rxtrack.alert_max_lateness",
							"How long after it took effect an update may be received for its patient to be alerted.",
							"Zero: however long. A backlog that is sent late announces nothing.",
							&settings_alert_max_lateness, 4 * 60 * 60, 0, INT_MAX, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("rxtrack.alert_cooldown",
							"How long after an alert no other is given for the same patient at the same pharmacy.",
							"Zero: no cooldown.",
							&settings_alert_cooldown, 2 * 60 * 60, 0, INT_MAX, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("rxtrack.event_retention",
							"How long a released readiness event is kept at least.",
							"Longer, while a live subscription has not acknowledged it.",
							&event_retention, 7 * 24 * 60, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomIntVariable("rxtrack.subscription_expiry",
							"How long a subscription lives without its consumers being seen.",
							"Events are not kept for a dead one.",
							&subscription_expiry, 7 * 24 * 60, 1, INT_MAX, PGC_SUSET, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomRealVariable("rxtrack.notification_queue_limit",
							 "How full the server's notification queue may get before events are released without NOTIFY.",
							 "As pg_notification_queue_usage() has it: at 1 every transaction that notifies fails.",
							 &settings_notification_queue_limit, 0.5, 0, 1, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("rxtrack.token_url",
							   "The URL of the token endpoint, which a signed token must name as its audience.",
							   "Empty: no signed token is accepted.",
							   &token_url, "", PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("rxtrack.token_lifetime",
							"How long an access token that is given for a signed one is valid.", NULL,
							&token_lifetime, 600, 1, 86400, PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomBoolVariable("rxtrack.sandbox",
							 "Whether prescriptions in rxtrack.rehearsal get rehearsed answers.",
							 "For suppliers' integration tests; never where there are patients.",
							 &settings_sandbox, false, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("rxtrack.announce_commit",
							 "Tells the client, before a gateway call of submissions is committed, that its commit is next.",
							 "For the gateway, which has the next call follow by then: the session need not wait for it.",
							 &settings_announce_commit, false, PGC_USERSET, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("rxtrack");
}

/* rxtrack_internal.setting(name): as current_setting(), also in a session that has not loaded the library yet. */
PG_FUNCTION_INFO_V1(setting);
Datum
setting(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(GetConfigOptionByName(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL, false)));
}
