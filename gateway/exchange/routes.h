/*
 * routes.h - the route table: what the gateway serves. An endpoint is one row in routes_table.c and
 * one SQL function of the common signature; nothing else in the gateway changes.
 *
 * A path of the table may have parameters, each a whole segment: "/Task/{id}". The value is
 * percent-decoded once, and is a parameter of that name to the SQL function. Where two paths fit a
 * target, the first in the table has it.
 * Threads: any; the table is constant.
 */
#ifndef RXTRACK_ROUTES_H
#define RXTRACK_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

/* What a route takes as the body of a request. Another Content-Type is 415, none is that one. */
enum route_body {
    ROUTE_BODY_NONE, /* one that is sent is not looked at */
    ROUTE_BODY_JSON,
    ROUTE_BODY_FORM, /* application/x-www-form-urlencoded */
    ROUTE_BODY_RAW,  /* bytes of any type */
};

/* The shape in which the gateway says its own faults. */
enum route_faults {
    ROUTE_FAULTS_OUTCOME, /* an OperationOutcome */
    ROUTE_FAULTS_BUNDLE,  /* that in a transaction-response, once the caller is known */
    ROUTE_FAULTS_OAUTH,   /* RFC 6749, section 5.2 */
    ROUTE_FAULTS_HEALTH,  /* application/health+json, where the fault is the service's */
    ROUTE_FAULTS_PLAIN,   /* a line of text */
};

struct route {
    const char *method;
    const char *path;     /* NULL: no request finds it; the gateway calls it by itself */
    const char *function; /* in schema rxtrack_http; NULL: the gateway answers by itself */
    const char *scope;    /* what the caller must hold; NULL: open to all */
    enum route_body body;
    enum route_faults faults;
    bool takes_api_key;         /* the credential may come in a header apikey, too */
    const char *const *query;   /* names of query arguments taken as parameters; or NULL */
    const char *const *lists;   /* those that may come more than once; or NULL */
    const char *const *headers; /* and names of headers; all three end with NULL */
    bool checks_session;        /* the session is checked before it is called, as when it was new */
};

#define ROUTES_MAX 64
#define ROUTE_SEGMENTS_MAX 8

/* A request's path, taken apart. */
struct route_target {
    size_t count;                             /* may be more than there is room for: no route's */
    const char *segments[ROUTE_SEGMENTS_MAX]; /* decoded */
};

/* A parameter in a path. */
struct route_parameter {
    const char *name; /* not terminated */
    size_t name_length;
    const char *value;
};

/* The table, in routes_table.c. A route's number is its place there. */
extern const struct route routes_table[];
extern const size_t routes_table_count;

/* The one that says whose a credential is. */
extern const struct route *const routes_table_identify;

/* The number of a route of the table. */
size_t routes_number(const struct route *route);

/* Decodes the escapes of a query's name or value in place, and returns its length. A malformed one
 * stays as it is: a value that was dropped would show more than was asked for. */
size_t routes_unescape(char *text);

/*
 * Takes a path (without its query) apart, decoding it in place; the target points into it. False
 * where it is malformed: a blank, a percent sign without two hex digits, an encoded NUL.
 */
bool routes_split(char *path, struct route_target *target);

/*
 * Finds the route of a target and a method; NULL where there is none. HEAD finds what
 * GET does. *known is the path as the
 * table has it, also where it exists with other methods only; NULL where it is in no route.
 */
const struct route *routes_find(const char *method, const struct route_target *target,
                                const char **known);

/* The value of an Allow header for a target: "GET, POST". Cut off where it does not fit. */
void routes_allow(const struct route_target *target, char *out, size_t size);

/* The parameters in the path of a target's route; returns how many. */
size_t routes_parameters(const struct route *route, const struct route_target *target,
                         struct route_parameter out[ROUTE_SEGMENTS_MAX]);

#endif
