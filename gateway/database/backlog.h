/*
 * backlog.h - the jobs that wait for the database: who may wait, who is turned away, and whose turn
 * it is.
 *
 * Fair: routes get calls in turn, and in a call each caller (caller.h) that waits for the route has
 * a job before any has a second one. So a caller that floods waits for itself alone.
 * Bounded: a caller may have as many jobs waiting as there is room left. One that floods takes half
 * of the room, two a third each, and there is always some for one that has nothing waiting. And who
 * has a job that has waited for half of the time there is gets no other one in: it would come too
 * late. To turn a job away early costs little; to let it wait for an answer of 504 costs both
 * sides. Threads: the database thread only.
 */
#ifndef RXTRACK_BACKLOG_H
#define RXTRACK_BACKLOG_H

#include "config.h"
#include "exchange/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *config must stay. False without memory. */
bool backlog_start(const struct config *config);

/* Takes a job in. False where it may not wait: then its answer says so, and it is the caller's. */
bool backlog_add(struct job *job, int64_t now_ms);

/*
 * Takes out the jobs of the next call, all of one route: at most so many, with at most so many
 * bytes of body unless it is one job. Returns how many.
 */
size_t backlog_take(struct job **jobs, size_t most, size_t bytes_most);

/* Takes out the job that has waited the longest; NULL where none waits. */
struct job *backlog_take_oldest(void);

/* The job that has waited the longest; NULL where none waits. */
const struct job *backlog_oldest(void);

/* How many jobs wait. */
size_t backlog_count(void);

/* Frees what backlog_start() made; no job waits any more. */
void backlog_stop(void);

#endif
