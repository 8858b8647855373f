/*
 * routes_table.c - the endpoints. What a row leaves out is NULL, no body, an OperationOutcome for a
 * fault.
 */
#include "exchange/routes.h"

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

const struct route routes_table[] = {
    {.function = "identify", .scope = "events:read"},

    {.method = "POST",
     .path = "/",
     .function = "submit",
     .scope = "updates:write",
     .body = ROUTE_BODY_JSON,
     .faults = ROUTE_FAULTS_BUNDLE},

    {.method = "POST",
     .path = "/format-1",
     .function = "format_1",
     .scope = "updates:write",
     .takes_api_key = true,
     .body = ROUTE_BODY_JSON,
     .faults = ROUTE_FAULTS_BUNDLE},

    {.method = "GET",
     .path = "/checkprescriptionstatusupdates",
     .function = "check_updates",
     .scope = "updates:read",
     .query = NAMES("prescriptionid", "nhsnumber", "odscode"),
     .headers = NAMES("exclusivestartkey-prescriptionid", "exclusivestartkey-taskid")},

    {.method = "GET",
     .path = "/events",
     .function = "events",
     .scope = "events:read",
     .query = NAMES("ods", "last-event-id"),
     .lists = NAMES("ods"),
     .headers = NAMES("last-event-id")},

    {.method = "POST",
     .path = "/oauth2/token",
     .function = "token",
     .body = ROUTE_BODY_FORM,
     .faults = ROUTE_FAULTS_OAUTH},

    {.method = "GET",
     .path = "/.well-known/oauth-authorization-server",
     .function = "authorization_server"},

    {.method = "GET", .path = "/metadata", .function = "metadata"},

    {.method = "GET",
     .path = "/_status",
     .function = "status",
     .faults = ROUTE_FAULTS_HEALTH,
     .checks_session = true},

    {.method = "GET", .path = "/_ping", .faults = ROUTE_FAULTS_HEALTH},
};

const struct route *const routes_table_identify = &routes_table[0];

const size_t routes_table_count = sizeof routes_table / sizeof routes_table[0];

_Static_assert(sizeof routes_table / sizeof routes_table[0] <= ROUTES_MAX,
               "a connection has a bit for each route");
