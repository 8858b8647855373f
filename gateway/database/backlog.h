/*
 * backlog.h - the jobs that wait for the database: admission control, and in which order they go.
 *
 * Order: round robin, first of routes, as a call carries jobs of one, then of the callers
 * (caller.h) that wait for that route. A caller with many jobs delays its own only. Admission: a
 * job is refused where
 * - its caller has as many jobs waiting as places are free. Of n places one caller gets n/2 at
 * most, two get n/3 each, and a caller with nothing waiting always finds one; or
 * - its caller's oldest job for the route, or its oldest one to be tried again, has waited for half
 *   of request_timeout, so that this one would time out. To refuse it at once (503) costs little, a
 *   timeout (504) costs both sides.
 * Threads: the database thread only.
 */
#ifndef RXTRACK_BACKLOG_H
#define RXTRACK_BACKLOG_H

#include "config.h"
#include "exchange/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *config must outlive the backlog. False without memory. */
bool backlog_start(const struct config *config);

/* Takes a job in. False where it is refused: it has its answer, and is the caller's. */
bool backlog_add(struct job *job, int64_t now_ms);

/*
 * Takes out the jobs of the next call, all of one route: at most so many, whose bodies are together
 * at most so many bytes, but for a single job. They are of callers who may hold a connection more
 * (shares.h), and a suspect's are by themselves, where suspects may go. Returns how many.
 */
size_t backlog_take(struct job **jobs, size_t most, size_t bytes_most, bool suspects);

/* Takes out the job that has waited the longest; NULL where none waits. */
struct job *backlog_take_oldest(void);

/* The job that has waited the longest; NULL where none waits. */
const struct job *backlog_oldest(void);

/* How many jobs wait. */
size_t backlog_count(void);

/* Frees what backlog_start() made. No job may wait. */
void backlog_stop(void);

#endif
