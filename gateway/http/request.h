/*
 * request.h - one HTTP request: what is kept of its headers, its body, whether the gateway refuses
 * it by itself, and the job that it becomes.
 * Threads: the HTTP thread of its connection, except while its job is in the database.
 */
#ifndef RXTRACK_REQUEST_H
#define RXTRACK_REQUEST_H

#include "config.h"
#include "exchange/job.h"
#include "exchange/loop.h"
#include "exchange/routes.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_TEXT 256 /* bytes; no route has a longer path */

/* The most that a request's first line and headers may have, as request_check_head() counts. */
#define REQUEST_HEAD_BYTES (16 * 1024)

enum request_stage {
    REQUEST_NEW,       /* its first line has been read */
    REQUEST_RECEIVING, /* its headers have been read */
    REQUEST_SUSPENDED, /* its job is in the database, or just back */
    REQUEST_ANSWERED,
};

struct request {
    struct job job; /* request_of_job() finds the way back */
    enum request_stage stage;
    struct resumption resumption; /* holds the connection */
    struct client *client;        /* of the connection */
    int64_t began_us;             /* monotonic time of its first line */
    unsigned status;              /* of the answer, for the log; 0: none yet */

    const char *method;         /* one of HTTP's, or NULL */
    const struct route *route;  /* NULL: none matched */
    const char *path;           /* as the route table has it; NULL: none matched */
    enum fault refusal;         /* what the gateway has found wrong with it */
    bool unframed;              /* where its body ends is not certain: it is not read */
    bool expects_continue;      /* the client has sent Expect: 100-continue and waits */
    char path_text[PATH_TEXT];  /* as sent, until it is taken apart; "": too long for any route */
    struct route_target target; /* points into it */
    size_t line_bytes;          /* of the first line, as request_check_head() counts them */
    char allow[64];             /* for FAULT_METHOD */
    char parameter[64];         /* for FAULT_UNKNOWN and FAULT_REPEATED: its name */
    uint64_t announced;         /* Content-Length in bytes; 0 without one */
    uint64_t discarded;         /* bytes of body thrown away */

    unsigned char credential[CREDENTIAL_MAX_BYTES];
    struct mirror mirror;
    char *parameters;
    char *body;
    size_t body_length, body_capacity;
    size_t held; /* bytes that it counts for in body_memory: of its body, then of its answer */
};

/* Makes a request of the URI in its first line, which is refused where that is too large already.
 * NULL without memory. */
struct request *request_new(struct loop *loop, struct MHD_Connection *connection,
                            struct client *client, const char *uri);

/* Frees a request. NULL is ignored. */
void request_free(struct request *request);

/* Reads the headers: finds the route, the parameters, and whether to refuse (request->refusal). */
void request_read_headers(struct request *request, const struct config *config, const char *method,
                          const char *version);

/* Refuses the request (request->refusal) where its head is too large, with what has arrived behind
 * a chunked body. */
void request_check_head(struct request *request);

/* Takes a piece of the body, or throws it away where the request is refused; false where that would
 * be too much. */
bool request_take_body(struct request *request, const struct config *config, const char *data,
                       size_t length);

/* Frees the body. */
void request_drop_body(struct request *request);

/* Frees the body, and counts the answer of the job in its place, until the request is freed; where
 * there is no room for that, the answer becomes a 503. */
void request_keep_answer(struct request *request, const struct config *config);

/* Fills in the job. */
void request_make_job(struct request *request);

/* The request that a job is part of. */
struct request *request_of_job(struct job *job);

/* Whether the body is small enough to be read to its end and thrown away. */
bool request_is_discardable(const struct request *request);

#endif
