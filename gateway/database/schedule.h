/*
 * schedule.h - what the next call to the database carries and when it is made, and what becomes of
 * the jobs of a call that has ended.
 *
 * A call costs a transaction and a flush, however many jobs it has: few large ones are cheapest.
 * But while one call carries all there are, whoever takes in requests and sends answers is idle,
 * and while all clients have their answers the database is. So there is one call under way for
 * every two processors of this machine, at least one and at most as many as connections, each with
 * a share, and one share more is with the clients: with two processors the database carries one
 * half while the other is answered. When a call is carried out but for its commit, the next one
 * follows it over the same connection, so that its session is never without work. A call that lasts
 * is not waited for, others are made beside it, as are those of single jobs that are tried again.
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

/* Sets it up for these links, and them for their first call; afterwards it only looks at them,
 * unless they are given to it below. Both must stay. False without memory. */
bool schedule_start(const struct config *config, struct link *links, size_t link_count);

/* Takes a job in; where it may not wait, that is its answer. */
void schedule_add(struct job *job, int64_t now_ms);

/* Moves the jobs of the next call into a link, which is idle, and sets its timeout. False where it
 * is not time for a call. */
bool schedule_call(struct link *link, int64_t now_ms);

/* Moves the jobs of a call that is to follow the one under way into a link that may take it. False
 * where they are too few. */
bool schedule_follow(struct link *link, int64_t now_ms);

/* How many jobs have to come for a further call to be made, before anything else happens: at least
 * one; SIZE_MAX where a call has to end first. */
size_t schedule_wanted(int64_t now_ms);

/* When something is due next, by the monotonic clock in milliseconds: a job's time is up, or a
 * call is late; or latest_ms. */
int64_t schedule_due(int64_t now_ms, int64_t latest_ms);

/* ---- the end of a call: each takes the jobs out of the link ---- */

/* Every job of the call has its answer. They are kept until schedule_send_answers(), so that the
 * next call can be sent first: the database need not wait for that. */
void schedule_answered(struct link *link);

/* The call failed with link->sqlstate, and nothing of it was done: jobs are tried again where that
 * may help, or fail. */
void schedule_refused(struct link *link, int64_t now_ms);

/* The jobs of the call fail, and those that were to follow. */
void schedule_failed(struct link *link, enum fault fault);

/* ---- the end of jobs ---- */

/* Gives back the jobs of schedule_answered(). */
void schedule_send_answers(void);

/* Fails those whose time is up before their call. */
void schedule_fail_expired(int64_t now_ms);

/* Fails all that wait for a call. */
void schedule_fail_waiting(enum fault fault);

/* Frees what schedule_start() made; there is no job any more. */
void schedule_stop(void);

#endif
