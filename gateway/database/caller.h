/*
 * caller.h - the applications that call, as far as this gateway has come to know them, and the rate
 * limit of each.
 *
 * The gateway decides nothing about credentials: the database checks each one on each request. Its
 * answer says which application the credential is of and how often that may call, and the gateway
 * remembers it. So a request beyond the rate is refused before it costs the database anything, and
 * waiting jobs can be told apart by application (backlog.h). Of a credential that is new, the
 * gateway first asks whose it is (routes_table_identify), so that its first request counts as well:
 * who gets a fresh token for each request has no higher rate. One that the database does not know
 * is not remembered, so that a flood of wrong ones takes no memory: all requests with one, and
 * those to open routes, are one caller a route, the strangers, without a rate limit.
 *
 * Each gateway counts for itself. Where several share the load, the option "gateways" says how
 * many, and each grants its part of a rate.
 * Threads: the database thread only.
 */
#ifndef RXTRACK_CALLER_H
#define RXTRACK_CALLER_H

#include "config.h"
#include "exchange/queue.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The jobs of one caller that wait for one route; the backlog's. */
struct flow {
    struct queue jobs;
    struct flow *next; /* whose turn comes after this one's */
};

struct caller {
    char *name;               /* of the application; NULL: strangers */
    int64_t cost_ns;          /* of a request, which is a minute / rate; 0: no limit */
    int64_t spent_ns;         /* the monotonic time up to which requests have been paid for */
    size_t waiting;           /* its jobs in the backlog and to be tried again */
    struct queue again;       /* retries.h: jobs to be tried by themselves, */
    struct queue last;        /* and those for which it is the last time */
    int64_t suspect_until_ms; /* shares.h: its jobs share no call with others' until then */
    uint64_t look;            /* number of the look that held is of */
    size_t held;              /* connections */
    struct caller *next;      /* of all callers */
    struct flow flows[];      /* by route */
};

/* Sets up the strangers. *config must outlive the callers. False without memory. */
bool caller_start(const struct config *config);

/* The caller that a job is of. */
struct caller *caller_of(const struct job *job);

/* Whether it is to be asked whose the job's credential is, which has not been done. */
bool caller_is_unknown(const struct job *job);

/*
 * Takes a token out of the caller's bucket, which holds those of a minute. Returns 0, or in how
 * many seconds there will be one.
 */
int64_t caller_spend(struct caller *caller, int64_t now_ms);

/* Remembers, from the database's answer to a job, which application its credential is of; or that
 * it is of none. */
void caller_learn(const struct job *job);

/* The first of all callers; the others follow. */
struct caller *caller_first(void);

/* Frees all callers. */
void caller_stop(void);

#endif
