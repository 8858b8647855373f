/*
 * answer.c - see answer.h.
 */
#include "exchange/answer.h"

#include "clock.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FHIR_JSON "application/fhir+json"
#define HEALTH_JSON "application/health+json"
#define REQUEST_ID "X-Request-ID"
#define CORRELATION_ID "X-Correlation-ID"

static const struct fault_text {
    unsigned status;
    const char *code;        /* of the OperationOutcome's issue */
    const char *diagnostics; /* never the text of an internal error */
    const char *headers;     /* further header lines, or NULL */
} faults[] = {
    [FAULT_MALFORMED] = {400, "value", "The request's headers are not valid HTTP", NULL},
    [FAULT_TARGET] = {400, "value", "The path is not validly encoded", NULL},
    [FAULT_UNKNOWN] = {400, "value", "is no parameter of this path", NULL},
    [FAULT_REPEATED] = {400, "value", "must not come more than once", NULL},
    [FAULT_UNAUTHENTICATED] = {401, "processing", "A Bearer token is needed",
                               "WWW-Authenticate: Bearer\n"},
    [FAULT_NOT_FOUND] = {404, "not-found", "There is nothing at this path", NULL},
    [FAULT_METHOD] = {405, "not-supported", "This path does not take this method", NULL},
    [FAULT_CLIENT_SLOW] = {408, "timeout", "The request took too long to arrive", NULL},
    [FAULT_TOO_LONG] = {413, "too-long", "The body is over the limit", NULL},
    [FAULT_HEAD] = {431, "too-long", "The first line and the headers are over the limit", NULL},
    [FAULT_CONTENT_TYPE] = {415, "not-supported",
                            "The body must be application/fhir+json or application/json", NULL},
    [FAULT_FORM_TYPE] = {415, "not-supported", "The body must be application/x-www-form-urlencoded",
                         NULL},
    [FAULT_ENCODING] =
        {415, "not-supported",
         "The body must not be compressed: Content-Encoding must be identity, or absent",
         "Accept-Encoding: identity\n"},
    [FAULT_THROTTLED] = {429, "throttled", "The application has sent too many requests", NULL},
    [FAULT_INTERNAL] = {500, "exception", "The service could not process the request", NULL},
    [FAULT_AWAY] = {503, "transient", "The database is away", "Retry-After: 5\n"},
    [FAULT_BUSY] = {503, "transient", "The database is busy", "Retry-After: 1\n"},
    [FAULT_OVERLOADED] = {503, "transient", "The service is overloaded", "Retry-After: 1\n"},
    [FAULT_UNSUITABLE] = {503, "transient", "The database's schema does not suit this gateway",
                          "Retry-After: 60\n"},
    [FAULT_STOPPING] = {503, "transient", "The service is stopping", "Retry-After: 5\n"},
    [FAULT_STREAMS] = {503, "transient", "There are too many open streams", "Retry-After: 30\n"},
    [FAULT_SLOW] = {504, "timeout", "The database took too long", NULL},
    [FAULT_WRITES] = {503, "transient", "An update cannot be stored now", "Retry-After: 5\n"},
};

unsigned answer_fault_status(enum fault fault)
{
    return faults[fault].status;
}

/* The text of a JSON object, which is freed; NULL without memory. */
static char *take_json(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    json_decref(object);
    return text;
}

static json_t *outcome(const struct fault_text *fault)
{
    char now[CLOCK_UTC_TEXT];

    clock_utc(now);
    return json_pack("{s:s,s:{s:s},s:[{s:s,s:s,s:s}]}", "resourceType", "OperationOutcome", "meta",
                     "lastUpdated", now, "issue", "severity", "error", "code", fault->code,
                     "diagnostics", fault->diagnostics);
}

static char *outcome_text(const struct fault_text *fault)
{
    return take_json(outcome(fault));
}

/* A transaction-response whose one entry has the fault. */
static char *response_text(const struct fault_text *fault)
{
    char status[64];

    snprintf(status, sizeof status, "%u %s", fault->status,
             MHD_get_reason_phrase_for(fault->status));
    return take_json(json_pack("{s:s,s:s,s:[{s:{s:s,s:o}}]}", "resourceType", "Bundle", "type",
                               "transaction-response", "entry", "response", "status", status,
                               "outcome", outcome(fault)));
}

/* An error as in RFC 6749, section 5.2; for faults of the service with the codes of 4.1.2.1. */
static char *token_error_text(const struct fault_text *fault)
{
    const char *error = fault->status < 500    ? "invalid_request"
                        : fault->status == 500 ? "server_error"
                                               : "temporarily_unavailable";

    return take_json(
        json_pack("{s:s,s:s}", "error", error, "error_description", fault->diagnostics));
}

/* The name of the health's check that a fault makes fail. */
static const char *check_of(const struct fault_text *fault)
{
    if (fault == &faults[FAULT_WRITES])
        return "writes";
    if (fault == &faults[FAULT_UNSUITABLE])
        return "schema";
    return fault == &faults[FAULT_OVERLOADED] || fault == &faults[FAULT_STOPPING] ? "capacity"
                                                                                  : "database";
}

/* What rxtrack_http.status() answers, as far as it can be said without a database. */
static char *failing_health_text(const struct fault_text *fault)
{
    char now[CLOCK_UTC_TEXT];

    clock_utc(now);
    return take_json(json_pack(
        "{s:s,s:s,s:s,s:{s:[{s:s,s:s,s:s}],s:[{s:s,s:s,s:s,s:s}]}}", "status", "fail", "releaseId",
        RXTRACK_VERSION, "output", fault->diagnostics, "checks", "gateway", "componentType",
        "component", "status", "pass", "version", RXTRACK_VERSION, check_of(fault), "componentType",
        "datastore", "status", "fail", "output", fault->diagnostics, "time", now));
}

/* Replaces the answer by one with this body, which it takes over. */
static void set_body(struct answer *answer, unsigned status, const char *content_type,
                     const char *headers, char *body)
{
    answer_clear(answer);
    answer->status = status;
    answer->body = body;
    answer->length = body != NULL ? strlen(body) : 0;
    if (asprintf(&answer->headers, "Content-Type: %s\n%s", content_type,
                 headers != NULL ? headers : "") < 0)
        answer->headers = NULL;
}

static void set_fault(struct answer *answer, enum route_faults shape, const struct fault_text *text,
                      const char *headers)
{
    char *line;

    switch (shape) {
    case ROUTE_FAULTS_BUNDLE:
        set_body(answer, text->status, FHIR_JSON, headers, response_text(text));
        return;
    case ROUTE_FAULTS_OAUTH:
        set_body(answer, text->status, "application/json", headers, token_error_text(text));
        return;
    case ROUTE_FAULTS_PLAIN:
        if (asprintf(&line, "%s\n", text->diagnostics) < 0)
            line = NULL;
        set_body(answer, text->status, "text/plain; charset=utf-8", headers, line);
        return;
    case ROUTE_FAULTS_HEALTH:
        if (text->status >= 500) {
            set_body(answer, text->status, HEALTH_JSON, headers, failing_health_text(text));
            return;
        }
        break;
    case ROUTE_FAULTS_OUTCOME:
        break;
    }
    set_body(answer, text->status, FHIR_JSON, headers, outcome_text(text));
}

void answer_fault(struct answer *answer, const struct route *route, enum fault fault)
{
    enum route_faults shape = route != NULL ? route->faults : ROUTE_FAULTS_OUTCOME;

    set_fault(answer, shape == ROUTE_FAULTS_BUNDLE ? ROUTE_FAULTS_OUTCOME : shape, &faults[fault],
              faults[fault].headers);
}

void answer_parameter_fault(struct answer *answer, const struct route *route, enum fault fault,
                            const char *name)
{
    struct fault_text text = faults[fault];
    char diagnostics[128];

    snprintf(diagnostics, sizeof diagnostics, "%s %s", name, text.diagnostics);
    text.diagnostics = diagnostics;
    set_fault(answer, route->faults == ROUTE_FAULTS_BUNDLE ? ROUTE_FAULTS_OUTCOME : route->faults,
              &text, NULL);
}

void answer_throttled(struct answer *answer, const struct route *route, int64_t seconds)
{
    char retry[48];

    snprintf(retry, sizeof retry, "Retry-After: %" PRId64 "\n", seconds);
    set_fault(answer, route->faults, &faults[FAULT_THROTTLED], retry);
}

void answer_alive(struct answer *answer)
{
    set_body(answer, 200, HEALTH_JSON, NULL, take_json(json_pack("{s:s}", "status", "pass")));
}

void answer_clear(struct answer *answer)
{
    free(answer->application);
    free(answer->headers);
    free(answer->body);
    free(answer->stream_ods_codes);
    memset(answer, 0, sizeof *answer);
}

/* Adds the header lines to the response, cutting the text up; true where one is a Content-Type. */
static bool add_header_lines(struct MHD_Response *response, char *lines)
{
    bool has_type = false;
    char *rest = NULL;

    for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');
        if (colon == NULL)
            continue;
        *colon = '\0';
        MHD_add_response_header(response, line, colon + 1 + strspn(colon + 1, " "));
        if (strcasecmp(line, MHD_HTTP_HEADER_CONTENT_TYPE) == 0)
            has_type = true;
    }
    return has_type;
}

void answer_add_headers(struct answer *answer, const struct mirror *mirror, bool last,
                        struct MHD_Response *response)
{
    if (answer->headers == NULL || !add_header_lines(response, answer->headers))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, FHIR_JSON);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (mirror->request_id[0] != '\0')
        MHD_add_response_header(response, REQUEST_ID, mirror->request_id);
    if (mirror->correlation_id[0] != '\0')
        MHD_add_response_header(response, CORRELATION_ID, mirror->correlation_id);
    if (last)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

struct MHD_Response *answer_response(struct answer *answer, const struct mirror *mirror, bool last)
{
    struct MHD_Response *response =
        answer->body != NULL
            ? MHD_create_response_from_buffer(answer->length, answer->body, MHD_RESPMEM_MUST_FREE)
            : MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);

    if (response == NULL)
        return NULL;
    answer->body = NULL; /* the response's now */
    answer_add_headers(answer, mirror, last, response);
    return response;
}

/* Writes the header line that repeats an id; nothing for none. */
static void write_mirrored(char *out, size_t size, const char *name, const char *id)
{
    out[0] = '\0';
    if (id[0] != '\0')
        snprintf(out, size, "%s: %s\r\n", name, id);
}

size_t answer_raw(enum fault fault, const struct mirror *mirror, char out[ANSWER_RAW])
{
    char request_id[MIRROR_TEXT + 32] = "", correlation_id[MIRROR_TEXT + 32] = "";
    char *body = outcome_text(&faults[fault]);
    unsigned status = faults[fault].status;

    if (body == NULL)
        return 0;
    if (mirror != NULL) {
        write_mirrored(request_id, sizeof request_id, REQUEST_ID, mirror->request_id);
        write_mirrored(correlation_id, sizeof correlation_id, CORRELATION_ID,
                       mirror->correlation_id);
    }
    int length = snprintf(out, ANSWER_RAW,
                          "HTTP/1.1 %u %s\r\nContent-Type: " FHIR_JSON
                          "\r\nCache-Control: no-store\r\nConnection: close\r\n"
                          "%s%sContent-Length: %zu\r\n\r\n%s",
                          status, MHD_get_reason_phrase_for(status), request_id, correlation_id,
                          strlen(body), body);
    free(body);
    return length > 0 && length < ANSWER_RAW ? (size_t)length : 0;
}
