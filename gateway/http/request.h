/*
 * request.h - one HTTP request: what is kept of its headers, its body as it arrives, what the
 * gateway refuses by itself, and the job it becomes.
 * Threads: the HTTP thread of its connection, but for the time its job is in the database.
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

enum request_stage {
    REQUEST_NEW,       /* its first line was read */
    REQUEST_RECEIVING, /* its headers were read */
    REQUEST_SUSPENDED, /* its job is in the database, or just back from there */
    REQUEST_ANSWERED,
};

struct request {
    struct job job; /* request_of_job() finds the way back */
    enum request_stage stage;
    struct resumption resumption; /* with the connection */
    struct client *client;        /* of the connection */
    int64_t began_us;             /* monotonic time of its first line */
    unsigned status;              /* of the answer, for the log; 0: none yet */

    const char *method;         /* a known one, or NULL */
    const struct route *route;  /* NULL: none matched */
    const char *path;           /* of the route table, NULL: none matched */
    enum fault refusal;         /* what the gateway found wrong with it */
    bool unframed;              /* where its body ends is not certain: nothing of it is read */
    bool expects_continue;      /* it has sent Expect: 100-continue and waits */
    char path_text[PATH_TEXT];  /* of the first line, as sent until it is taken apart; "": longer */
    struct route_target target; /* points into it */
    char allow[64];             /* for FAULT_METHOD */
    uint64_t announced;         /* Content-Length, bytes; 0 where none was sent */
    uint64_t discarded;         /* bytes of body thrown away */

    unsigned char credential[CREDENTIAL_MAX_BYTES];
    struct mirror mirror;
    char *parameters;
    char *body;
    size_t body_length, body_capacity;
};

/* A new request, from the URI of its first line; NULL without memory. */
struct request *request_new(struct loop *loop, struct MHD_Connection *connection,
                            struct client *client, const char *uri);

/* Frees a request and all that it holds. NULL is ignored. */
void request_free(struct request *request);

/* Reads the headers: finds the route, and what to refuse (request->refusal). */
void request_read_headers(struct request *request, const struct config *config, const char *method,
                          const char *version);

/*
 * Takes a piece of the body, or throws it away where the request is refused. False where the
 * client goes on for too long with a body that nobody wants.
 */
bool request_take_body(struct request *request, const struct config *config, const char *data,
                       size_t length);

/* Frees the body. */
void request_drop_body(struct request *request);

/* Fills in the job from what was read. */
void request_make_job(struct request *request);

/* The request that a job is part of. */
struct request *request_of_job(struct job *job);

/* Whether a body that is refused is small enough to be read to its end and thrown away. */
bool request_is_discardable(const struct request *request);

#endif
