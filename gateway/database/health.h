/*
 * health.h - whether updates can be stored just now, as far as the fate of the last writes tells:
 * what GET /_status is answered with. Where nothing was written lately its call writes itself.
 * Threads: the database thread only.
 */
#ifndef RXTRACK_HEALTH_H
#define RXTRACK_HEALTH_H

#include "database/link.h"
#include "exchange/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long a probe may take, to be committed too. */
#define HEALTH_PROBE_MS 2000

/* The call of a job that has its answer was committed. */
void health_stored(const struct job *job, int64_t now_ms);

/* A call failed with this SQLSTATE. Those that may be the caller's, or a lock's, say nothing. */
void health_failed(const char *sqlstate, int64_t now_ms);

/* Whether a request for the health may go on to the database, which writes if need be. False: what
 * was written last failed, or its commit hangs, and the request has its answer. */
bool health_admits(struct job *job, const struct link *links, size_t link_count, int64_t now_ms);

#endif
