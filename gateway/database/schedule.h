/*
 * schedule.h - which jobs go into the next call to the database, when it is made, and what becomes
 * of its jobs when it has ended.
 *
 * Group commit: a call is one transaction and one flush, however many jobs it carries, so few large
 * ones are cheapest. But while one call carries all the jobs there are, the HTTP threads are idle,
 * and while they send its answers the database is. So at most
 *
 *     calls = max(1, min(processors / 2, connections))
 *
 * are under way at once, each with 1/(calls + 1) of the jobs; the last share is with the clients.
 * On two processors the database works on one half while the other half is answered.
 * - A call that has nothing left but its commit is followed by the next one over the same
 *   connection, so that the session finds its next work as soon as it has committed.
 * - A call that has run for 10 ms does not count any more: further ones are made beside it.
 * - A job that is tried again has a call of its own, which does not count either, and takes turns
 *   with new ones; how many connections such calls may hold, shares.h says.
 * Threads: the database thread only.
 */
#ifndef RXTRACK_SCHEDULE_H
#define RXTRACK_SCHEDULE_H

#include "config.h"
#include "database/link.h"
#include "exchange/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets up the schedule, and the links' timeouts for their first call. Later it only reads them, but
 * for a link that is passed to a function below. *config and the links must outlive it. False
 * without memory. */
bool schedule_start(const struct config *config, struct link *links, size_t link_count);

/* Takes a job in. One that is refused is given back with its answer. */
void schedule_add(struct job *job, int64_t now_ms);

/* Moves the jobs of the next call into an idle link, and sets its timeout. False where it is not
 * time for a call. */
bool schedule_call(struct link *link, int64_t now_ms);

/* Moves the jobs of a call that is to follow the one under way into its link. False where the link
 * takes none just now, or too few jobs wait. */
bool schedule_follow(struct link *link, int64_t now_ms);

/* How many more jobs have to arrive before a further call is made: at least one; SIZE_MAX where a
 * call has to end first. */
size_t schedule_wanted(int64_t now_ms);

/* The earlier of latest_ms and the monotonic time, in milliseconds, when a job's time is up or a
 * call is late. */
int64_t schedule_due(int64_t now_ms, int64_t latest_ms);

/* ---- the end of a call: each takes the jobs out of the link ---- */

/* Every job of the call has its answer. They are given back by schedule_send_answers(), so that the
 * next call can be sent first. */
void schedule_answered(struct link *link, int64_t now_ms);

/* The call failed with link->sqlstate and was rolled back. Its jobs are tried again where that may
 * help, and fail otherwise. */
void schedule_refused(struct link *link, int64_t now_ms);

/* The jobs of the call fail, and those that were to follow it. */
void schedule_failed(struct link *link, enum fault fault);

/* ---- the end of jobs ---- */

/* Gives back the jobs of schedule_answered(). */
void schedule_send_answers(void);

/* Fails the waiting jobs whose time is up. */
void schedule_fail_expired(int64_t now_ms);

/* Fails all waiting jobs. */
void schedule_fail_waiting(enum fault fault);

/* Frees what schedule_start() made. No job may be left. */
void schedule_stop(void);

#endif
