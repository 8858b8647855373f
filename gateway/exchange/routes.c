/*
 * routes.c - the route table. See routes.h.
 */
#include "exchange/routes.h"

#include <stdio.h>
#include <string.h>

/* Where the page before ended. */
static const char *const page_headers[] = {"exclusivestartkey-prescriptionid",
                                           "exclusivestartkey-taskid", NULL};

/* The last event that the client got. */
static const char *const stream_headers[] = {"last-event-id", NULL};

static const struct route routes[] = {
    /* method, path, function, scope, flags, headers */
    {"POST", "/", "submit", "updates:write", ROUTE_BODY, NULL},
    {"POST", "/format-1", "format_1", "updates:write", ROUTE_BODY, NULL},
    {"GET", "/checkprescriptionstatusupdates", "check_updates", "updates:read", ROUTE_QUERY,
     page_headers},
    {"GET", "/events", "events", "events:read", ROUTE_QUERY, stream_headers},
    {"POST", "/oauth2/token", "token", NULL, ROUTE_FORM, NULL},
    {"GET", "/metadata", "metadata", NULL, 0, NULL},
    {"GET", "/_status", "status", NULL, ROUTE_HEALTH, NULL},
    {"GET", "/_ping", NULL, NULL, ROUTE_HEALTH, NULL},
};

const size_t route_count = sizeof routes / sizeof routes[0];

const struct route *route_at(size_t number)
{
    return &routes[number];
}

size_t route_number(const struct route *route)
{
    return (size_t)(route - routes);
}

const struct route *route_find(const char *method, const char *path, const char **known)
{
    *known = NULL;
    for (size_t i = 0; i < route_count; i++) {
        if (strcmp(routes[i].path, path) != 0)
            continue;
        *known = routes[i].path;
        if (strcmp(routes[i].method, method) == 0)
            return &routes[i];
    }
    return NULL;
}

void route_allow(const char *path, char *out, size_t size)
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < route_count && length < size; i++)
        if (strcmp(routes[i].path, path) == 0)
            length += (size_t)snprintf(out + length, size - length, "%s%s", length > 0 ? ", " : "",
                                       routes[i].method);
}
