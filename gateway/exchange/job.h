/*
 * job.h - a request's stay in the database: what is asked, and where the answer goes. The HTTP side
 * embeds a job in its request and does not touch it from database_submit() until done() is called.
 * Threads: owned by the HTTP thread of its connection, and by the database thread in between.
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
    struct caller *caller;     /* whose it is; set by the backlog */

    const struct route *route;
    const unsigned char *credential; /* CREDENTIAL_BYTES, and where the client has shown a
                                        certificate its SHA-256; or NULL */
    size_t credential_length;        /* bytes */
    const char *request_id;          /* UTF-8, or NULL */
    const char *parameters;          /* JSON object, or NULL */
    const char *body;                /* NULL: the route takes none */
    size_t body_length;              /* bytes */

    int64_t queued_ms; /* monotonic time of database_submit() */
    unsigned attempts; /* calls that this job has been in */
    unsigned cut_off;  /* of them, those that took longer than they might */

    struct answer answer;          /* set before done() */
    void (*done)(struct job *job); /* called once, on the database thread; gives the job back */
};

#endif
