/*
 * caller.h - the applications that call, as far as the gateway has come to know them, and the rate
 * at which each may call.
 *
 * The gateway decides nothing about credentials: the database looks at each of them anew. But its
 * answers say whose a credential was and how often that application may call, and this is
 * remembered, so that a request too many is refused here, before it costs the database anything,
 * and so that those who wait can be told apart (backlog.h). A credential that the database does not
 * know is not remembered: a flood of wrong ones takes no memory. Those who call with one, and those
 * who need none, are strangers, and all strangers of a route are one caller without a rate.
 *
 * Each gateway counts for itself; where several share the load, the option "gateways" says how
 * many, and each lets its part of a rate through.
 * Threads: the database thread only.
 */
#ifndef RXTRACK_CALLER_H
#define RXTRACK_CALLER_H

#include "config.h"
#include "exchange/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What waits of one caller for one route; the backlog's. */
struct flow {
    struct queue jobs;
    struct flow *next; /* whose turn comes after this one's */
};

struct caller {
    char *name;          /* of the application; NULL: strangers */
    int64_t cost_ns;     /* what a request takes of a minute; 0: nothing */
    int64_t spent_ns;    /* the monotonic time up to which its minute is spent */
    size_t waiting;      /* its jobs in the backlog */
    struct caller *next; /* of all callers */
    struct flow flows[]; /* by route */
};

/* Sets up the strangers. *config must stay. False without memory. */
bool caller_start(const struct config *config);

/* Whose the job is. */
struct caller *caller_of(const struct job *job);

/*
 * Lets the caller call once more: 0; or says after how many seconds it may, where its rate is used
 * up. A caller may call as often in one go as it may in a minute.
 */
int64_t caller_spend(struct caller *caller, int64_t now_ms);

/* Takes down, from the database's answer to the job, whose its credential is; or that it is
 * nobody's. */
void caller_learn(const struct job *job);

/* Frees all callers. */
void caller_stop(void);

#endif
