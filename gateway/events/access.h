/*
 * access.h - who has streams open: each listener is an application, with one credential or several,
 * which are checked anew while their streams are open.
 * Threads: nothing here locks; hub.c does.
 */
#ifndef RXTRACK_ACCESS_H
#define RXTRACK_ACCESS_H

#include "events/filter.h"
#include "exchange/job.h"

#include <stdbool.h>
#include <stddef.h>

/* An application that listens. Kept for ever: there are no more than applications. */
struct listener {
    struct listener *next;
    size_t streams; /* that it has open */
    char name[];
};

/* A credential that streams were opened by. */
struct access {
    struct access *next;
    struct listener *listener;
    size_t streams; /* that were opened by it and are open */
    bool is_asked;  /* its check is in the database */
    struct job job; /* the check */
    unsigned char credential[CREDENTIAL_MAX_BYTES];
};

/* The access of the request that this job is of, for one stream more. NULL without memory. */
struct access *access_hold(const struct job *job);

/* A stream of it is closed. It is freed after the last one, unless it is asked for. */
void access_release(struct access *access);

/* The listener with the most streams. */
const struct listener *access_largest(void);

/* Makes all credentials that are not asked for just now a list by their jobs' next; returns its
 * first. done: what gives such a job back. */
struct job *access_checks(void (*done)(struct job *job));

/* The access that a check is of. */
struct access *access_of_job(struct job *job);

/* Its check is over, and its answer has been looked at. It is freed where it has no streams. */
void access_checked(struct access *access);

/* Whether what the database has answered to a check still allows a stream with this filter. What is
 * no answer, since the database is away, allows it. */
bool access_allows(const struct answer *answer, const struct filter *filter);

/* Frees what is kept. */
void access_stop(void);

#endif
