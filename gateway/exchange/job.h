/*
 * job.h - what a request asks the database, and the answer. The HTTP side embeds a job in its
 * request, and does not touch it from database_submit() until done() is called.
 * Threads: the HTTP thread of its connection, and in between the database thread.
 */
#ifndef RXTRACK_JOB_H
#define RXTRACK_JOB_H

#include "exchange/answer.h"
#include "exchange/routes.h"

#include <stddef.h>
#include <stdint.h>

#define CREDENTIAL_BYTES 32 /* a SHA-256, of a key or a token */
#define CREDENTIAL_MAX_BYTES (2 * CREDENTIAL_BYTES)

struct caller;

struct job {
    struct job *next;          /* in a queue */
    struct job *older, *newer; /* in the backlog */
    struct caller *caller;     /* that it is of; set by the backlog */

    const struct route *route;
    const struct route *asked; /* before it, whose the credential is was to be asked; or NULL */
    const unsigned char *credential; /* SHA-256 of the key or token, followed by that of the
                                        client's certificate where it has shown one; or NULL */
    size_t credential_length;        /* bytes */
    const char *request_id;          /* UTF-8, or NULL */
    const char *parameters;          /* JSON object, or NULL */
    const char *body;                /* NULL: the route takes none */
    size_t body_length;              /* bytes */

    int64_t queued_ms; /* monotonic time of database_submit() */
    unsigned attempts; /* calls that it has been in */
    unsigned cut_off;  /* those of them that were cancelled for taking too long */

    struct answer answer;          /* set before done() */
    void (*done)(struct job *job); /* gives the job back; called once, on the database thread */
};

#endif
