/*
 * routes.c - says in TAP whether paths with parameters are found, taken apart and decoded, and
 * whether faults have the shape that their route says.
 */
#include "exchange/routes.h"
#include "exchange/answer.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

const struct route routes_table[] = {
    {.method = "GET", .path = "/", .function = "root"},
    {.method = "POST", .path = "/Task/_search", .function = "search"},
    {.method = "GET", .path = "/Task/{id}", .function = "read"},
    {.method = "DELETE", .path = "/Task/{id}", .function = "remove"},
    {.method = "GET", .path = "/Task/{id}/_history/{version}", .function = "version"},
    {.method = "GET", .path = "/Task/{id}/_history", .function = "history"},
};
const size_t routes_table_count = sizeof routes_table / sizeof routes_table[0];

static int count, failures;

static void is(const char *got, const char *expected, const char *what)
{
    bool same = strcmp(got, expected) == 0;

    printf("%sok %d - %s\n", same ? "" : "not ", ++count, what);
    if (!same)
        fprintf(stderr, "# got \"%s\", expected \"%s\"\n", got, expected);
    failures += !same;
}

/* Writes "function name=value ..." of a request to out; what is allowed, where its path is known.
 */
static void look_up(const char *method, const char *sent, char *out, size_t size)
{
    char path[256], allow[64];
    const char *known;
    struct route_target target;
    struct route_parameter found[ROUTE_SEGMENTS_MAX];

    snprintf(path, sizeof path, "%s", sent);
    if (!routes_split(path, &target)) {
        snprintf(out, size, "malformed");
        return;
    }
    const struct route *route = routes_find(method, &target, &known);
    routes_allow(&target, allow, sizeof allow);
    if (route == NULL) {
        snprintf(out, size, "%s", known == NULL ? "unknown" : allow);
        return;
    }
    size_t length = (size_t)snprintf(out, size, "%s", route->function);
    size_t parameters = routes_parameters(route, &target, found);
    for (size_t i = 0; i < parameters; i++)
        length += (size_t)snprintf(out + length, size - length, " %.*s=%s",
                                   (int)found[i].name_length, found[i].name, found[i].value);
}

static const struct {
    const char *method, *path, *expected;
} cases[] = {
    {"GET", "/", "root"},
    {"GET", "", "unknown"},
    {"OPTIONS", "*", "unknown"},
    {"GET", "Task/7", "unknown"},
    {"GET", "//", "unknown"},
    {"GET", "/Task", "unknown"},
    {"GET", "/Task/", "unknown"},
    {"GET", "/Task/7", "read id=7"},
    {"DELETE", "/Task/7", "remove id=7"},
    {"GET", "/task/7", "unknown"},
    {"GET", "/Task/7/", "unknown"},
    {"GET", "/%54ask/7", "read id=7"},
    {"GET", "/Task/7/_history", "history id=7"},
    {"GET", "/Task/7/_history/2", "version id=7 version=2"},
    {"GET", "/Task//_history/2", "unknown"},
    {"GET", "/Task/7/8", "unknown"},
    {"GET", "/1/2/3/4/5/6/7/8", "unknown"},
    {"GET", "/1/2/3/4/5/6/7/8/9/10", "unknown"},
    /* Allow */
    {"PUT", "/Task/7", "GET, HEAD, DELETE"},
    {"PUT", "/Task/_search", "POST, GET, HEAD, DELETE"},
    {"POST", "/Task/_search", "search"},
    {"GET", "/Task/_search", "read id=_search"},
    {"get", "/", "GET, HEAD"},
    /* HEAD is GET */
    {"HEAD", "/Task/7", "read id=7"},
    {"HEAD", "/Task/_search", "read id=_search"},
    /* decoded once */
    {"GET", "/Task/a%2Fb", "read id=a/b"},
    {"GET", "/Task/%252F", "read id=%2F"},
    {"GET", "/Task/%7B+%7d", "read id={+}"},
    {"GET", "/Task/%c3%A9", "read id=\xc3\xa9"},
    {"GET", "/Task/\xc3\xa9", "read id=\xc3\xa9"},
    {"GET", "/Task/%20/_history", "history id= "},
    {"GET", "/Task%2F7", "unknown"},
    /* malformed */
    {"GET", "/Task/%", "malformed"},
    {"GET", "/Task/%4", "malformed"},
    {"GET", "/Task/%4/_history", "malformed"},
    {"GET", "/Task/%g0", "malformed"},
    {"GET", "/Task/%zz", "malformed"},
    {"GET", "/Task/7%00", "malformed"},
    {"GET", "/%", "malformed"},
    {"GET", "/Task/7 8", "malformed"},
    {"GET", "/Task/7\t8", "malformed"},
};

/* Writes "status, Content-Type, what kind of body" of an answer to out, and empties it. */
static void describe(struct answer *answer, char *out, size_t size)
{
    json_t *body = json_loadb(answer->body, answer->length, JSON_DISABLE_EOF_CHECK, NULL);
    const char *kind = json_string_value(json_object_get(body, "resourceType"));
    const char *error = json_string_value(json_object_get(body, "error"));
    const char *health = json_string_value(json_object_get(body, "status"));

    snprintf(out, size, "%u, %.*s, %s", answer->status, (int)strcspn(answer->headers, "\n"),
             answer->headers,
             kind != NULL     ? kind
             : error != NULL  ? error
             : health != NULL ? health
                              : answer->body);
    json_decref(body);
    answer_clear(answer);
}

static const struct {
    enum route_faults shape;
    const char *away, *missing, *throttled;
} shapes[] = {
    {ROUTE_FAULTS_OUTCOME, "503, Content-Type: application/fhir+json, OperationOutcome",
     "404, Content-Type: application/fhir+json, OperationOutcome",
     "429, Content-Type: application/fhir+json, OperationOutcome"},
    {ROUTE_FAULTS_BUNDLE, "503, Content-Type: application/fhir+json, OperationOutcome",
     "404, Content-Type: application/fhir+json, OperationOutcome",
     "429, Content-Type: application/fhir+json, Bundle"},
    {ROUTE_FAULTS_OAUTH, "503, Content-Type: application/json, temporarily_unavailable",
     "404, Content-Type: application/json, invalid_request",
     "429, Content-Type: application/json, invalid_request"},
    {ROUTE_FAULTS_HEALTH, "503, Content-Type: application/health+json, fail",
     "404, Content-Type: application/fhir+json, OperationOutcome",
     "429, Content-Type: application/fhir+json, OperationOutcome"},
    {ROUTE_FAULTS_PLAIN, "503, Content-Type: text/plain; charset=utf-8, The database is away\n",
     "404, Content-Type: text/plain; charset=utf-8, There is nothing at this path\n",
     "429, Content-Type: text/plain; charset=utf-8, The application has sent too many requests\n"},
};

static void try_shapes(void)
{
    char got[256];

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct route route = {.faults = shapes[i].shape};
        struct answer answer = {.status = 0};

        answer_fault(&answer, &route, FAULT_AWAY);
        describe(&answer, got, sizeof got);
        is(got, shapes[i].away, "a fault of the service's");
        answer_fault(&answer, &route, FAULT_NOT_FOUND);
        describe(&answer, got, sizeof got);
        is(got, shapes[i].missing, "a fault of the caller's");
        answer_throttled(&answer, &route, 7);
        describe(&answer, got, sizeof got);
        is(got, shapes[i].throttled, "one of a caller who is known");
    }
}

int main(void)
{
    char got[256], what[128];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        look_up(cases[i].method, cases[i].path, got, sizeof got);
        snprintf(what, sizeof what, "%s %s: %s", cases[i].method, cases[i].path, cases[i].expected);
        is(got, cases[i].expected, what);
    }
    try_shapes();
    printf("1..%d\n", count);
    return failures > 0;
}
