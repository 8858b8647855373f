/*
 * routes.h - the route table: what the gateway serves. An endpoint is one row in routes.c and one
 * SQL function of the common signature; nothing else in the gateway changes.
 * Threads: any; the table is constant.
 */
#ifndef RXTRACK_ROUTES_H
#define RXTRACK_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

enum {
    ROUTE_BODY = 1 << 0,   /* takes a JSON body: another Content-Type is 415 */
    ROUTE_QUERY = 1 << 1,  /* takes its query arguments as parameters */
    ROUTE_HEALTH = 1 << 2, /* answers application/health+json, our own faults too */
    ROUTE_FORM = 1 << 3,   /* takes a form as body, and answers our own faults as RFC 6749 does */
};

struct route {
    const char *method;
    const char *path;
    const char *function;       /* in schema rxtrack_http; NULL: the gateway answers by itself */
    const char *scope;          /* what the caller must hold; NULL: open to all */
    unsigned flags;             /* ROUTE_... */
    const char *const *headers; /* request headers taken as parameters, NULL-ended; or NULL */
};

/* How many routes there are; a route's number is its place in the table. */
extern const size_t route_count;

/* The route with this number, 0 to route_count - 1. */
const struct route *route_at(size_t number);

/* The number of a route of the table. */
size_t route_number(const struct route *route);

/*
 * Finds the route of a path (without its query) and a method; NULL where there is none. *known is
 * the path as the table has it, also where it exists with other methods only; NULL where it is in
 * no route.
 */
const struct route *route_find(const char *method, const char *path, const char **known);

/* The value of an Allow header for a path: "GET, POST". Cut off where it does not fit. */
void route_allow(const char *path, char *out, size_t size);

#endif
