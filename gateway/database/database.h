/*
 * database.h - the database side of the gateway: one thread that carries jobs to PostgreSQL over a
 * few connections, those of one route together.
 * Threads: database_submit() and database_state() from any, the others from the main thread.
 */
#ifndef RXTRACK_DATABASE_H
#define RXTRACK_DATABASE_H

#include "config.h"
#include "exchange/job.h"

#include <stdbool.h>

enum database_state {
    DATABASE_AWAY,       /* no connection */
    DATABASE_UNSUITABLE, /* connected, but the schema does not suit this gateway */
    DATABASE_USABLE,
};

/* Starts the thread, which connects at once, and goes on trying. *config must outlive it. False
 * after a message on stderr. */
bool database_start(const struct config *config);

/* Waits until the database is usable or timeout_ms has passed. */
void database_wait(long timeout_ms);

/* The state just now. */
enum database_state database_state(void);

/*
 * Hands over a job. True: it belongs to the database thread until that calls job->done(), which it
 * does once, with job->answer set, whatever happens. False: the thread is stopping, and the job is
 * still the caller's.
 */
bool database_submit(struct job *job);

/* Answers the jobs that are left with 503, closes the connections and ends the thread. */
void database_stop(void);

#endif
