/*
 * access.c - see access.h.
 */
#include "events/access.h"

#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

static struct listener *listeners;
static struct access *accesses;

/* The listener of that name, a new one where there is none; NULL without memory. */
static struct listener *listener_named(const char *name)
{
    struct listener *listener = listeners;

    while (listener != NULL && strcmp(listener->name, name) != 0)
        listener = listener->next;
    if (listener != NULL)
        return listener;
    listener = calloc(1, sizeof *listener + strlen(name) + 1);
    if (listener == NULL)
        return NULL;
    strcpy(listener->name, name);
    listener->next = listeners;
    return listeners = listener;
}

static bool is_of(const struct access *access, const struct job *job)
{
    return access->job.credential_length == job->credential_length &&
           gnutls_memcmp(access->credential, job->credential, job->credential_length) == 0 &&
           strcmp(access->listener->name, job->answer.application) == 0;
}

static struct access *new_access(const struct job *job)
{
    struct listener *listener = listener_named(job->answer.application);
    struct access *access = listener != NULL ? calloc(1, sizeof *access) : NULL;

    if (access == NULL)
        return NULL;
    access->listener = listener;
    access->job.route = routes_table_identify;
    access->job.credential = access->credential;
    access->job.credential_length = job->credential_length;
    memcpy(access->credential, job->credential, job->credential_length);
    access->next = accesses;
    return accesses = access;
}

struct access *access_hold(const struct job *job)
{
    struct access *access = accesses;

    while (access != NULL && !is_of(access, job))
        access = access->next;
    if (access == NULL && (access = new_access(job)) == NULL)
        return NULL;
    access->streams++;
    access->listener->streams++;
    return access;
}

/* Frees it, if nobody needs it any more. */
static void forget(struct access *access)
{
    struct access **at = &accesses;

    if (access->streams > 0 || access->is_asked)
        return;
    while (*at != access)
        at = &(*at)->next;
    *at = access->next;
    answer_clear(&access->job.answer);
    free(access);
}

void access_release(struct access *access)
{
    access->streams--;
    access->listener->streams--;
    forget(access);
}

const struct listener *access_largest(void)
{
    const struct listener *largest = listeners;

    for (const struct listener *one = listeners; one != NULL; one = one->next)
        if (one->streams > largest->streams)
            largest = one;
    return largest;
}

struct job *access_checks(void (*done)(struct job *job))
{
    struct job *first = NULL;

    for (struct access *access = accesses; access != NULL; access = access->next) {
        if (access->is_asked)
            continue;
        access->is_asked = true;
        access->job.done = done;
        access->job.next = first;
        first = &access->job;
    }
    return first;
}

struct access *access_of_job(struct job *job)
{
    return (struct access *)((char *)job - offsetof(struct access, job));
}

void access_checked(struct access *access)
{
    answer_clear(&access->job.answer);
    access->is_asked = false;
    forget(access);
}

bool access_allows(const struct answer *answer, const struct filter *filter)
{
    if (answer->status == 401 || answer->status == 403)
        return false;
    if (answer->status != 200 || answer->stream_ods_codes == NULL)
        return true;
    return filter_is_within(filter, answer->stream_ods_codes, answer->stream_ods_count);
}

void access_stop(void)
{
    while (listeners != NULL) {
        struct listener *listener = listeners;

        listeners = listener->next;
        free(listener);
    }
}
