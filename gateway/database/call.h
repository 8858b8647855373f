/*
 * call.h - one call of an endpoint's function as it goes over the wire: the parameters of a batch
 * of jobs as PostgreSQL's binary arrays, and the rows of rxtrack_http.answer that come back.
 * Binary, so that a body needs neither quoting nor hexadecimal.
 * Threads: the database thread only.
 */
#ifndef RXTRACK_CALL_H
#define RXTRACK_CALL_H

#include "exchange/job.h"

#include <libpq-fe.h>
#include <stdbool.h>

#define CALL_PARAMETERS 5
#define CALL_INTERFACE 3 /* what rxtrack_http.interface_number() must say */

/* Types of the parameters, for PQsendPrepare(). */
extern const Oid call_types[CALL_PARAMETERS];

/* Parameters as PQsendQueryPrepared() takes them. */
struct call {
    char *owned[CALL_PARAMETERS]; /* what call_free() frees */
    const char *values[CALL_PARAMETERS];
    int lengths[CALL_PARAMETERS];
    int formats[CALL_PARAMETERS];
};

#define CALL_TEXT 256

/* Writes the statement that calls a route's function. Where the schema is of another interface, it
 * calls nothing and returns no row. */
void call_text(const struct route *route, char out[CALL_TEXT]);

#define CALL_SIGNATURES_TEXT 2048

/* Writes the signatures of the functions of all routes, as the text of an array of text. What does
 * not fit is cut off, which no server takes for an array. */
void call_signatures(char out[CALL_SIGNATURES_TEXT]);

/*
 * Builds the parameters for a batch of jobs of one route. False without memory, or where an array
 * gets too long for the protocol. call_free() frees them, after a failure too.
 */
bool call_build(struct call *call, struct job *const *jobs, size_t count);

/* Frees what call_build() allocated, not *call itself. */
void call_free(struct call *call);

/*
 * Copies the rows of a result into the answers of the jobs, in their order. False where the result
 * is not of the agreed shape, or without memory: then no answer is set.
 */
bool call_decode(const PGresult *result, struct job *const *jobs, size_t count);

#endif
