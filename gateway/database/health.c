/*
 * health.c - see health.h.
 */
#include "database/health.h"

#include <string.h>

#define LATELY_MS 5000   /* a write that was committed so lately stands for a probe */
#define FAILING_MS 60000 /* how long a failure counts where nothing is written after it */

static struct {
    int64_t stored_ms; /* when a write was committed last; 0: never */
    int64_t failed_ms; /* when one failed for want of something; 0: never */
} health;

void health_stored(const struct job *job, int64_t now_ms)
{
    if (job->route->body == ROUTE_BODY_JSON && job->answer.status < 300)
        health.stored_ms = now_ms;
}

void health_failed(const char *sqlstate, int64_t now_ms)
{
    /* disk_full, system errors of the server's files */
    if (strcmp(sqlstate, "53100") == 0 || strncmp(sqlstate, "58", 2) == 0)
        health.failed_ms = now_ms;
}

/* Whether a call has been given up, or its commit has taken too long: one that waits for a standby,
 * for instance. */
static bool hangs(const struct link *link, int64_t now_ms)
{
    return link->state == LINK_ENDING || (link->count > 0 && link->commits_announced > 0 &&
                                          now_ms - link->sent_ms > HEALTH_PROBE_MS);
}

bool health_admits(struct job *job, const struct link *links, size_t link_count, int64_t now_ms)
{
    bool lately = health.stored_ms > 0 && now_ms - health.stored_ms < LATELY_MS;
    bool fails = health.failed_ms > health.stored_ms && now_ms - health.failed_ms < FAILING_MS;

    for (size_t i = 0; i < link_count && !lately; i++)
        fails |= hangs(&links[i], now_ms);
    job->parameters = lately ? NULL : "{\"write\": \"\"}";
    if (fails)
        answer_fault(&job->answer, job->route, FAULT_WRITES);
    return !fails;
}
