/*
 * call.h - the wire format of one call of a gateway function: the parameters of a batch of jobs
 * as PostgreSQL's binary arrays, and the rows that come back. Binary, because a body then needs
 * neither quoting nor hexadecimal.
 * Threads: the database thread only.
 */
#ifndef RXTRACK_CALL_H
#define RXTRACK_CALL_H

#include "exchange/job.h"

#include <libpq-fe.h>
#include <stdbool.h>

#define CALL_PARAMETERS 5
#define CALL_INTERFACE 2 /* what rxtrack_http.interface_number() must say */

/* Types of the parameters, for PQsendPrepare(). */
extern const Oid call_types[CALL_PARAMETERS];

/* Parameters as PQsendQueryPrepared() takes them. */
struct call {
    char *owned[CALL_PARAMETERS]; /* what call_free() frees */
    const char *values[CALL_PARAMETERS];
    int lengths[CALL_PARAMETERS];
    int formats[CALL_PARAMETERS];
};

/*
 * Writes "SELECT ... FROM rxtrack_http.FUNCTION(...)" of a route to out. Where the schema is of
 * another interface, it calls nothing and gives no row.
 */
void call_text(const struct route *route, char *out, size_t size);

#define CALL_SIGNATURES_TEXT 2048

/* Writes the signatures of the functions of all routes, as the text of an array of text, to out.
 * What does not fit is cut off, which no server takes for an array. */
void call_signatures(char *out, size_t size);

/*
 * Builds the parameters for count jobs of one route. False without memory or where an array gets
 * too long for the protocol; *call is to be freed by call_free() either way.
 */
bool call_build(struct call *call, struct job *const *jobs, size_t count);

/* Frees what call_build() allocated, not *call itself. */
void call_free(struct call *call);

/*
 * Copies the rows of a result into the answers of the count jobs, in their order. False where the
 * result is not of the agreed shape (then no answer is set) or there is no memory.
 */
bool call_decode(const PGresult *result, struct job *const *jobs, size_t count);

#endif
