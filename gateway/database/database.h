/*
 * database.h - the database side of the gateway: one thread that carries jobs to PostgreSQL over a
 * few connections, several jobs in one call where they wait for the same route.
 * Threads: database_submit(), database_state() from any; the others from the main thread.
 */
#ifndef RXTRACK_DATABASE_H
#define RXTRACK_DATABASE_H

#include "config.h"
#include "exchange/job.h"

#include <stdbool.h>

enum database_state {
    DATABASE_AWAY,       /* no connection */
    DATABASE_UNSUITABLE, /* a server, but its schema does not suit this gateway */
    DATABASE_USABLE,
};

/*
 * Starts the thread, which connects at once and goes on trying. *config must outlive it. False
 * after a message on stderr.
 */
bool database_start(const struct config *config);

/* Waits until the database is usable or timeout_ms has passed. */
void database_wait(long timeout_ms);

/* What a job may expect just now; without waiting. */
enum database_state database_state(void);

/*
 * Hands over a job. True: the job belongs to the database thread until it calls job->done(), which
 * it does once, with job->answer set, whatever happens. False: the database is stopping, and the
 * job is still the caller's.
 */
bool database_submit(struct job *job);

/* Answers what is left with 503, closes the connections and ends the thread. */
void database_stop(void);

#endif
