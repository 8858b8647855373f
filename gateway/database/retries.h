/*
 * retries.h - the jobs that are tried again, each by itself: queued by caller, and callers take
 * turns. Those of a caller that were cut off again come after its others.
 * Threads: the database thread only.
 */
#ifndef RXTRACK_RETRIES_H
#define RXTRACK_RETRIES_H

#include "exchange/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes a job in, whose caller is set. */
void retries_add(struct job *job);

/* Takes out the job whose turn it is, among callers who may hold a connection more (shares.h); NULL
 * where there is none. last: of those that were cut off again, too. */
struct job *retries_take(bool last);

/* Takes out a job that was queued before that time; NULL where there is none. */
struct job *retries_take_older(int64_t queued_ms);

/* Lowers the time to that at which the first job was queued. */
void retries_oldest(int64_t *queued_ms);

/* How many there are. */
size_t retries_count(void);

#endif
