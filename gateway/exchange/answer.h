/*
 * answer.h - the answer to a request, the database's or one of the gateway's own, and how a
 * response of libmicrohttpd is made of it. Threads: any; an answer belongs to one request, and to
 * one thread at a time.
 */
#ifndef RXTRACK_ANSWER_H
#define RXTRACK_ANSWER_H

#include "exchange/routes.h"
#include "types/identifiers.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answer {
    unsigned status;   /* HTTP status; 0: no answer yet */
    char *application; /* the caller's name, for the log; or NULL */
    char *headers;     /* header lines, each "Name: value\n"; or NULL */
    char *body;        /* or NULL */
    size_t length;     /* of the body, in bytes */

    /* for the gateway itself */
    long requests_per_minute;  /* how often the caller may call; 0: nobody that is known */
    bool streams;              /* a stream of events follows: */
    int64_t stream_after;      /* of those after this release number, */
    OdsCode *stream_ods_codes; /* for these pharmacies; NULL: all */
    size_t stream_ods_count;
};

#define MIRROR_TEXT 129 /* a longer id is not mirrored */

/* The ids of a request that its answer repeats; "" for none. */
struct mirror {
    char request_id[MIRROR_TEXT];
    char correlation_id[MIRROR_TEXT];
};

/* The faults that the gateway itself finds. Their statuses and texts are a table in answer.c. */
enum fault {
    FAULT_NONE,
    FAULT_MALFORMED,       /* headers that are no HTTP */
    FAULT_TARGET,          /* a path that cannot be decoded */
    FAULT_UNKNOWN,         /* a parameter that the route does not take */
    FAULT_REPEATED,        /* one that may come once came twice */
    FAULT_UNAUTHENTICATED, /* no credential where one is needed */
    FAULT_NOT_FOUND,
    FAULT_METHOD,
    FAULT_CLIENT_SLOW,
    FAULT_TOO_LONG,
    FAULT_HEAD, /* its first line and headers are too large */
    FAULT_CONTENT_TYPE,
    FAULT_ENCODING, /* a body that is compressed */
    FAULT_FORM_TYPE,
    FAULT_THROTTLED,
    FAULT_INTERNAL,
    FAULT_AWAY,       /* no connection to the database */
    FAULT_BUSY,       /* the database lacks a resource, or asked to try again too often */
    FAULT_OVERLOADED, /* too many jobs wait, or too large bodies are held */
    FAULT_UNSUITABLE, /* the database's schema is of another version */
    FAULT_STOPPING,
    FAULT_STREAMS, /* too many streams are open */
    FAULT_SLOW,    /* the database took too long */
    FAULT_WRITES,  /* of the health: what was written last, or on trial, was not stored */
};

/* The HTTP status of a fault. */
unsigned answer_fault_status(enum fault fault);

/*
 * Makes *answer say a fault to a caller who is not known, in the shape that the route has for it
 * (NULL: an OperationOutcome). Whatever the answer held is freed. Without memory the body stays
 * empty.
 */
void answer_fault(struct answer *answer, const struct route *route, enum fault fault);

/* The same for a fault of a parameter, FAULT_UNKNOWN or FAULT_REPEATED, which it names. */
void answer_parameter_fault(struct answer *answer, const struct route *route, enum fault fault,
                            const char *name);

/* Makes *answer say, in the route's shape for a caller who is known, that it has called too often,
 * and may again in so many seconds. */
void answer_throttled(struct answer *answer, const struct route *route, int64_t seconds);

/* Makes *answer say, as application/health+json, that the gateway is alive. */
void answer_alive(struct answer *answer);

/* Frees what the answer holds and makes it empty. */
void answer_clear(struct answer *answer);

/* Makes a response of the answer, whose body it takes over; last: the connection closes after it.
 * NULL without memory. The caller destroys the response. */
struct MHD_Response *answer_response(struct answer *answer, const struct mirror *mirror, bool last);

/* Adds the answer's headers to a response that has another body. The answer's lines are cut up. */
void answer_add_headers(struct answer *answer, const struct mirror *mirror, bool last,
                        struct MHD_Response *response);

#define ANSWER_RAW 1024

/* Writes a whole answer that says a fault as bytes, to be sent past libmicrohttpd where that cannot
 * answer: in the middle of an upload, or without memory. mirror may be NULL. Returns its length; 0
 * where it does not fit. */
size_t answer_raw(enum fault fault, const struct mirror *mirror, char out[ANSWER_RAW]);

#endif
