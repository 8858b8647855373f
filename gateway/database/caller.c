/*
 * caller.c - see caller.h. Credentials are kept in a hash table of fixed size, some places to a
 * row. A credential is a SHA-256, so its first bytes are its hash. Where a row is full the
 * least recently used credential is forgotten, and asked for again when it comes back. Callers are
 * kept for ever: there are no more than applications.
 */
#include "database/caller.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 1024
#define PLACES 4 /* of a row */

#define MINUTE_NS (INT64_C(60) * 1000 * 1000 * 1000)
#define SECOND_NS (INT64_C(1000) * 1000 * 1000)

struct known {
    unsigned char credential[CREDENTIAL_MAX_BYTES];
    size_t length;         /* with a certificate it is another credential */
    struct caller *caller; /* NULL: the place is free */
    uint64_t used;         /* the number of the look-up that found it last */
};

static struct {
    const struct config *config;
    struct caller **strangers; /* by route */
    struct caller *first;      /* of all callers */
    struct known known[ROWS][PLACES];
    uint64_t lookups;
} callers;

static struct caller *new_caller(const char *name)
{
    struct caller *caller =
        calloc(1, sizeof *caller + routes_table_count * sizeof caller->flows[0]);

    if (caller == NULL || (name != NULL && (caller->name = strdup(name)) == NULL)) {
        free(caller);
        return NULL;
    }
    for (size_t i = 0; i < routes_table_count; i++)
        queue_clear(&caller->flows[i].jobs);
    queue_clear(&caller->again);
    queue_clear(&caller->last);
    caller->next = callers.first;
    callers.first = caller;
    return caller;
}

bool caller_start(const struct config *config)
{
    callers.config = config;
    callers.strangers = calloc(routes_table_count, sizeof(struct caller *));
    if (callers.strangers == NULL)
        return false;
    for (size_t i = 0; i < routes_table_count; i++)
        if ((callers.strangers[i] = new_caller(NULL)) == NULL)
            return false;
    return true;
}

void caller_stop(void)
{
    while (callers.first != NULL) {
        struct caller *caller = callers.first;

        callers.first = caller->next;
        free(caller->name);
        free(caller);
    }
    free(callers.strangers);
    memset(&callers, 0, sizeof callers);
}

struct caller *caller_first(void)
{
    return callers.first;
}

static struct known *row_of(const unsigned char *credential)
{
    return callers.known[(credential[0] << 8 | credential[1]) % ROWS];
}

/* The place of the job's credential; NULL where it is not known. Compared in constant time. */
static struct known *find_known(const struct job *job)
{
    struct known *row = row_of(job->credential);

    for (size_t i = 0; i < PLACES; i++)
        if (row[i].caller != NULL && row[i].length == job->credential_length &&
            gnutls_memcmp(row[i].credential, job->credential, job->credential_length) == 0)
            return &row[i];
    return NULL;
}

/* Whether the job says whose it is. To an open route it does not: nobody checks its credential. */
static bool is_named(const struct job *job)
{
    return job->route->scope != NULL && job->credential != NULL;
}

struct caller *caller_of(const struct job *job)
{
    struct known *known = is_named(job) ? find_known(job) : NULL;

    if (known == NULL)
        return callers.strangers[routes_number(job->route)];
    known->used = ++callers.lookups;
    return known->caller;
}

bool caller_is_unknown(const struct job *job)
{
    return is_named(job) && job->caller->name == NULL && job->asked == NULL &&
           job->route != routes_table_identify;
}

/* A token bucket in one number: how far ahead of now requests have been paid for, at most a minute,
 * or the cost of one request where that is more. */
int64_t caller_spend(struct caller *caller, int64_t now_ms)
{
    int64_t now_ns = now_ms * 1000 * 1000;
    int64_t from_ns = caller->spent_ns > now_ns ? caller->spent_ns : now_ns;
    int64_t most_ns = caller->cost_ns > MINUTE_NS ? caller->cost_ns : MINUTE_NS;
    int64_t over_ns = from_ns + caller->cost_ns - now_ns - most_ns;

    if (over_ns > 0)
        return (over_ns + SECOND_NS - 1) / SECOND_NS;
    caller->spent_ns = from_ns + caller->cost_ns;
    return 0;
}

/* The caller of that name, a new one where there is none yet; NULL without memory. */
static struct caller *caller_named(const char *name)
{
    for (struct caller *caller = callers.first; caller != NULL; caller = caller->next)
        if (caller->name != NULL && strcmp(caller->name, name) == 0)
            return caller;
    return new_caller(name);
}

/* A place for the job's credential: a free one, or the least recently used of its row. */
static struct known *place_for(const struct job *job)
{
    struct known *row = row_of(job->credential), *place = row;

    for (size_t i = 1; i < PLACES && place->caller != NULL; i++)
        if (row[i].caller == NULL || row[i].used < place->used)
            place = &row[i];
    memcpy(place->credential, job->credential, job->credential_length);
    place->length = job->credential_length;
    return place;
}

void caller_learn(const struct job *job)
{
    if (!is_named(job))
        return;
    const struct answer *answer = &job->answer;
    struct known *known = find_known(job);

    if (answer->application == NULL || answer->requests_per_minute <= 0) {
        if (known != NULL)
            known->caller = NULL;
        return;
    }
    if (known == NULL)
        known = place_for(job);
    if (known->caller == NULL || known->caller->name == NULL ||
        strcmp(known->caller->name, answer->application) != 0)
        known->caller = caller_named(answer->application);
    if (known->caller != NULL)
        known->caller->cost_ns = MINUTE_NS * callers.config->gateways / answer->requests_per_minute;
    known->used = callers.lookups;
}
