/*
 * request.c - see request.h.
 */
#include "http/request.h"

#include "clock.h"
#include "http/session.h"

#include <gnutls/crypto.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BODY_FIRST_BYTES 4096       /* then doubled: a Content-Length is only a promise */
#define BODY_FREE_BYTES (16 * 1024) /* a larger buffer counts for config->body_memory */
#define FORM_MAX_BYTES (32 * 1024)  /* as the database has it: wire/form.c */
#define DISCARD_MAX_BYTES (16 * 1024 * 1024)

/* What libmicrohttpd keeps of a header, an argument or a cookie, beside its name and its value. */
#define FIELD_BYTES 72

/* U+FFFD stands for what is no text: it is valid in no id and in no parameter. */
#define REPLACEMENT "\xEF\xBF\xBD"

/* The request headers that the gateway itself reads. */
struct headers {
    const char *authorization, *api_key, *content_type, *content_encoding, *content_length,
        *transfer_encoding, *expect, *host, *request_id, *correlation_id;
    bool malformed;       /* a name has a blank, or one came twice that says where the body ends,
                             or who calls */
    const char *repeated; /* the name of one that came twice where one is meant; or NULL */
};

/* What a second one of a name is. */
enum repetition { IGNORED, A_FAULT, MALFORMED };

static const struct {
    const char *name;
    size_t offset; /* in struct headers */
    enum repetition repetition;
} known_headers[] = {
    {"Authorization", offsetof(struct headers, authorization), MALFORMED},
    {"apikey", offsetof(struct headers, api_key), MALFORMED},
    {"Content-Type", offsetof(struct headers, content_type), MALFORMED},
    {"Content-Encoding", offsetof(struct headers, content_encoding), A_FAULT},
    {"Content-Length", offsetof(struct headers, content_length), MALFORMED},
    {"Transfer-Encoding", offsetof(struct headers, transfer_encoding), MALFORMED},
    {"Expect", offsetof(struct headers, expect), IGNORED},
    {"Host", offsetof(struct headers, host), MALFORMED},
    {"X-Request-ID", offsetof(struct headers, request_id), A_FAULT},
    {"X-Correlation-ID", offsetof(struct headers, correlation_id), IGNORED},
};

/* ---- memory ---- */

/* What all large bodies take together, of requests and of answers, so that many slow clients do not
 * fill the memory. Small ones, which nearly all are, are not counted: there are no more than
 * connections. */
static atomic_size_t large_bytes;

/* Makes the request count for a buffer of so many bytes, in place of the one before. False, and
 * nothing is changed, where all together would have more than the memory that they may. */
static bool hold(struct request *request, size_t bytes, const struct config *config)
{
    size_t before = request->held, after = bytes > BODY_FREE_BYTES ? bytes : 0;

    if (after == before)
        return true;
    if (after < before) {
        atomic_fetch_sub(&large_bytes, before - after);
    } else if (atomic_fetch_add(&large_bytes, after - before) + after - before >
               (size_t)config->body_memory) {
        atomic_fetch_sub(&large_bytes, after - before);
        return false;
    }
    request->held = after;
    return true;
}

static void free_body(struct request *request)
{
    free(request->body);
    request->body = NULL;
    request->body_length = request->body_capacity = 0;
}

void request_drop_body(struct request *request)
{
    if (request->body == NULL)
        return;
    free_body(request);
    hold(request, 0, NULL);
}

/* ---- life ---- */

struct request *request_of_job(struct job *job)
{
    return (struct request *)((char *)job - offsetof(struct request, job));
}

/* The path of a target in absolute form (http://host/path), which proxies get; others are paths. */
static const char *path_of_target(const char *target)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i]);

        if (strncasecmp(target, schemes[i], length) != 0)
            continue;
        const char *path = strchr(target + length, '/');
        return path != NULL ? path : "/";
    }
    return target;
}

struct request *request_new(struct loop *loop, struct MHD_Connection *connection,
                            struct client *client, const char *uri)
{
    struct request *request = calloc(1, sizeof *request);

    if (request == NULL)
        return NULL;
    request->resumption = (struct resumption){.loop = loop, .connection = connection};
    request->client = client;
    request->began_us = clock_us();
    /* Kept as it was sent: libmicrohttpd decodes it, and then a slash in a value can't be told. */
    const char *path = path_of_target(uri);
    size_t length = strcspn(path, "?");
    request->line_bytes = strlen(uri) + 1;
    for (const char *argument = strchr(uri, '?'); argument != NULL;
         argument = strchr(argument + 1, '&'))
        request->line_bytes += FIELD_BYTES;
    request->refusal = request->line_bytes > REQUEST_HEAD_BYTES ? FAULT_HEAD : FAULT_NONE;
    if (length < sizeof request->path_text)
        memcpy(request->path_text, path, length);
    return request;
}

void request_free(struct request *request)
{
    if (request == NULL)
        return;
    answer_clear(&request->job.answer);
    free(request->parameters);
    free_body(request);
    hold(request, 0, NULL);
    free(request);
}

/* ---- headers ---- */

/* MHD_KeyValueIterator */
static enum MHD_Result note_header(void *data, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct headers *headers = data;

    (void)kind;
    if (strpbrk(name, " \t") != NULL)
        headers->malformed = true;
    for (size_t i = 0; i < sizeof known_headers / sizeof known_headers[0]; i++) {
        if (strcasecmp(name, known_headers[i].name) != 0)
            continue;
        const char **field = (const char **)((char *)headers + known_headers[i].offset);
        if (*field == NULL)
            *field = value != NULL ? value : "";
        else if (known_headers[i].repetition == MALFORMED)
            headers->malformed = true;
        else if (known_headers[i].repetition == A_FAULT)
            headers->repeated = known_headers[i].name;
    }
    return MHD_YES;
}

/* MHD_KeyValueIteratorN */
static enum MHD_Result count_field(void *bytes, enum MHD_ValueKind kind, const char *name,
                                   size_t name_length, const char *value, size_t value_length)
{
    (void)kind;
    (void)name;
    (void)value;
    *(size_t *)bytes += name_length + value_length + FIELD_BYTES;
    return MHD_YES;
}

/* It counts what libmicrohttpd keeps in the memory of the connection, from which it takes the
 * answer's headers too. */
void request_check_head(struct request *request)
{
    size_t bytes = request->line_bytes;

    MHD_get_connection_values_n(request->resumption.connection,
                                MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_FOOTER_KIND, count_field,
                                &bytes);
    if (bytes <= REQUEST_HEAD_BYTES)
        return;
    request->refusal = FAULT_HEAD;
    request->unframed = true;
}

/* The method for the log, where it is one of HTTP's. */
static const char *known_method(const char *method)
{
    static const char *const methods[] = {"GET",     "POST",  "PUT",   "DELETE", "HEAD",
                                          "OPTIONS", "PATCH", "TRACE", "CONNECT"};

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(method, methods[i]) == 0)
            return methods[i];
    return NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Leaves blanks around a value out: moves its beginning, and returns its length. */
static size_t trim(const char **value, size_t length)
{
    while (length > 0 && is_blank((*value)[length - 1]))
        length--;
    while (length > 0 && is_blank(**value)) {
        (*value)++;
        length--;
    }
    return length;
}

/* Whether a value is this text, in any case and with blanks around it. */
static bool is_text(const char *value, const char *text)
{
    size_t length = trim(&value, strlen(value));

    return strlen(text) == length && strncasecmp(value, text, length) == 0;
}

/* Copies an id to be mirrored, if it is printable ASCII and not too long. */
static void copy_id(const char *value, char out[MIRROR_TEXT])
{
    size_t length = value != NULL ? trim(&value, strlen(value)) : 0;

    if (length >= MIRROR_TEXT)
        return;
    for (size_t i = 0; i < length; i++)
        if (value[i] < ' ' || value[i] > '~')
            return;
    memcpy(out, length > 0 ? value : "", length);
    out[length] = '\0';
}

/* The token of "Bearer TOKEN"; NULL where it is of another scheme. */
static const char *bearer_token(const char *authorization)
{
    static const char scheme[] = "Bearer ";

    return authorization != NULL && strncasecmp(authorization, scheme, sizeof scheme - 1) == 0
               ? authorization + sizeof scheme - 1
               : NULL;
}

/* Hashes a token (NULL: there is none), blanks around it left out, into request->credential; false
 * where there is none. The certificate's hash comes from the connection's TLS, never from a header.
 */
static bool read_credential(struct request *request, const char *token)
{
    if (token == NULL)
        return false;
    token += strspn(token, " \t");
    size_t length = strcspn(token, " \t");
    if (length == 0 || token[length + strspn(token + length, " \t")] != '\0')
        return false;
    if (gnutls_hash_fast(GNUTLS_DIG_SHA256, token, length, request->credential) != 0)
        return false;
    request->job.credential = request->credential;
    request->job.credential_length = CREDENTIAL_BYTES;
    if (session_fingerprint(request->resumption.connection, request->credential + CREDENTIAL_BYTES))
        request->job.credential_length += TLS_FINGERPRINT_BYTES;
    return true;
}

/* Whether a Content-Type is this one, with any parameters. */
static bool is_type(const char *content_type, const char *type)
{
    content_type += strspn(content_type, " \t");
    size_t length = strcspn(content_type, "; \t");

    return strlen(type) == length && strncasecmp(content_type, type, length) == 0;
}

/* A body without a Content-Type is taken for what the route takes. */
static enum fault check_type(const struct route *route, const struct headers *headers)
{
    const char *content_type = headers->content_type;

    if (route->body != ROUTE_BODY_NONE && headers->content_encoding != NULL &&
        !is_text(headers->content_encoding, "identity") && !is_text(headers->content_encoding, ""))
        return FAULT_ENCODING;
    if (content_type == NULL)
        return FAULT_NONE;
    if (route->body == ROUTE_BODY_JSON && !is_type(content_type, "application/fhir+json") &&
        !is_type(content_type, "application/json"))
        return FAULT_CONTENT_TYPE;
    if (route->body == ROUTE_BODY_FORM &&
        !is_type(content_type, "application/x-www-form-urlencoded"))
        return FAULT_FORM_TYPE;
    return FAULT_NONE;
}

/* How many bytes a body may have. */
static size_t body_limit(const struct request *request, const struct config *config)
{
    size_t limit = (size_t)config->body_limit;

    return request->route->body == ROUTE_BODY_FORM && limit > FORM_MAX_BYTES ? FORM_MAX_BYTES
                                                                             : limit;
}

/* What is wrong with a request whose headers are in order. */
static enum fault find_refusal(struct request *request, const struct headers *headers,
                               const struct config *config)
{
    const struct route *route = request->route;
    bool by_api_key = route != NULL && route->takes_api_key && headers->authorization == NULL;
    bool has_credential = read_credential(
        request, by_api_key ? headers->api_key : bearer_token(headers->authorization));

    if (route == NULL && request->path != NULL) {
        routes_allow(&request->target, request->allow, sizeof request->allow);
        return FAULT_METHOD;
    }
    if (route == NULL)
        return FAULT_NOT_FOUND;
    if (route->scope != NULL && !has_credential)
        return FAULT_UNAUTHENTICATED;
    if (headers->repeated != NULL) {
        snprintf(request->parameter, sizeof request->parameter, "%s", headers->repeated);
        return FAULT_REPEATED;
    }
    enum fault fault = check_type(route, headers);
    if (fault == FAULT_NONE && request->announced > body_limit(request, config))
        fault = FAULT_TOO_LONG;
    return fault;
}

/* ---- parameters ---- */

/* The parameters of one kind, as they are gathered. */
struct parameters {
    struct request *request;
    json_t *object;
    const char *const *names; /* those to take, NULL-ended; or NULL */
};

/* The name of the list, which may be NULL, that a name is in any case; NULL where it is none. */
static const char *find_name(const char *const *names, const char *name, size_t length)
{
    for (; names != NULL && *names != NULL; names++)
        if (strlen(*names) == length && strcasecmp(*names, name) == 0)
            return *names;
    return NULL;
}

/* Refuses the request for a parameter, which is named as far as it is printable ASCII. */
static void refuse_parameter(struct request *request, enum fault fault, const char *name,
                             size_t length)
{
    size_t kept = 0;

    if (request->refusal != FAULT_NONE)
        return;
    while (kept < length && kept < sizeof request->parameter - 1 && name[kept] > ' ' &&
           name[kept] <= '~')
        kept++;
    memcpy(request->parameter, kept > 0 ? name : "?", kept > 0 ? kept : 1);
    request->refusal = fault;
}

/* A value as JSON text. */
static json_t *value_text(const char *value, size_t length)
{
    json_t *text = NULL;

    if (value == NULL)
        return json_string("");
    if (memchr(value, '\0', length) == NULL)
        text = json_stringn(value, length); /* NULL where it is no UTF-8 */
    return text != NULL ? text : json_string(REPLACEMENT);
}

/* Takes a query argument or a header, by its name in any case. A filter that is dropped in silence
 * would show more than was asked for, so an argument that nobody knows is refused, and one that
 * comes again. */
static enum MHD_Result note_parameter(void *data, enum MHD_ValueKind kind, const char *name,
                                      size_t name_length, const char *value, size_t value_length)
{
    struct parameters *parameters = data;
    struct request *request = parameters->request;
    const char *wanted = find_name(parameters->names, name, name_length);
    json_t *before = wanted != NULL ? json_object_get(parameters->object, wanted) : NULL;

    if (wanted == NULL && kind == MHD_GET_ARGUMENT_KIND)
        refuse_parameter(request, FAULT_UNKNOWN, name, name_length);
    else if (before != NULL && find_name(request->route->lists, name, name_length) == NULL)
        refuse_parameter(request, FAULT_REPEATED, name, name_length);
    if (wanted == NULL || request->refusal != FAULT_NONE)
        return MHD_YES;

    if (kind == MHD_HEADER_KIND && value != NULL)
        value_length = trim(&value, value_length);
    json_t *text = value_text(value, value_length);
    if (before != NULL) {
        json_t *both = json_sprintf("%s,%s", json_string_value(before), json_string_value(text));
        json_decref(text);
        text = both;
    }
    json_object_set_new(parameters->object, wanted, text);
    return MHD_YES;
}

/* Adds those of one kind; what is there already stays. */
static void add_parameters(json_t *object, struct request *request, enum MHD_ValueKind kind,
                           const char *const *names)
{
    struct parameters parameters = {.request = request, .object = json_object(), .names = names};

    MHD_get_connection_values_n(request->resumption.connection, kind, note_parameter, &parameters);
    json_object_update_missing(object, parameters.object);
    json_decref(parameters.object);
}

/* Adds the parameters in the path; false where a value is no UTF-8. */
static bool add_path_parameters(json_t *object, const struct route *route,
                                const struct route_target *target)
{
    struct route_parameter found[ROUTE_SEGMENTS_MAX];
    size_t count = routes_parameters(route, target, found);

    for (size_t i = 0; i < count; i++) {
        char name[64];

        snprintf(name, sizeof name, "%.*s", (int)found[i].name_length, found[i].name);
        if (json_object_set_new(object, name, json_string(found[i].value)) != 0)
            return false;
    }
    return true;
}

/* Makes request->parameters the JSON object of those that the route takes, if it takes any. */
static void read_parameters(struct request *request)
{
    const struct route *route = request->route;
    json_t *object = json_object();

    if (!add_path_parameters(object, route, &request->target))
        request->refusal = FAULT_TARGET;
    add_parameters(object, request, MHD_GET_ARGUMENT_KIND, route->query);
    add_parameters(object, request, MHD_HEADER_KIND, route->headers);
    if (request->refusal == FAULT_NONE &&
        (route->query != NULL || route->headers != NULL || strchr(route->path, '{') != NULL))
        request->parameters = json_dumps(object, JSON_COMPACT);
    json_decref(object);
}

void request_read_headers(struct request *request, const struct config *config, const char *method,
                          const char *version)
{
    struct headers headers = {.malformed = false};

    MHD_get_connection_values(request->resumption.connection, MHD_HEADER_KIND, note_header,
                              &headers);
    copy_id(headers.request_id, request->mirror.request_id);
    copy_id(headers.correlation_id, request->mirror.correlation_id);
    if (headers.request_id != NULL)
        request->job.request_id =
            request->mirror.request_id[0] != '\0' ? request->mirror.request_id : REPLACEMENT;
    request->method = known_method(method);
    request_check_head(request);
    if (request->refusal != FAULT_NONE)
        return;
    request->announced =
        headers.content_length != NULL ? strtoull(headers.content_length, NULL, 10) : 0;
    request->expects_continue = headers.expect != NULL && is_text(headers.expect, "100-continue") &&
                                strcmp(version, MHD_HTTP_VERSION_1_1) == 0;

    /* Two parties that disagree on where a body ends can be made to disagree on which bytes are the
     * next request (request smuggling). */
    if (headers.malformed || (headers.transfer_encoding != NULL &&
                              (headers.content_length != NULL ||
                               strcasecmp(headers.transfer_encoding, "chunked") != 0))) {
        request->unframed = true;
        request->refusal = FAULT_MALFORMED;
        return;
    }
    if (headers.host == NULL && strcmp(version, MHD_HTTP_VERSION_1_1) == 0) {
        request->refusal = FAULT_MALFORMED;
        return;
    }
    if (!routes_split(request->path_text, &request->target)) {
        request->refusal = FAULT_TARGET;
        return;
    }
    request->route = routes_find(method, &request->target, &request->path);
    request->refusal = find_refusal(request, &headers, config);
    if (request->refusal == FAULT_NONE)
        read_parameters(request);
}

/* ---- body ---- */

bool request_is_discardable(const struct request *request)
{
    return request->announced <= DISCARD_MAX_BYTES;
}

/* An answer that is smaller than the request's body was always has room: what was stored is seldom
 * answered 503. Where it is, the client's retry gets the same answer. */
void request_keep_answer(struct request *request, const struct config *config)
{
    char *application = request->job.answer.application;

    free_body(request);
    if (hold(request, request->job.answer.length, config))
        return;
    request->job.answer.application = NULL;
    answer_fault(&request->job.answer, request->route, FAULT_OVERLOADED);
    request->job.answer.application = application;
    hold(request, 0, config);
}

/* Makes the buffer large enough. Returns what is wrong where that cannot be. */
static enum fault make_room(struct request *request, size_t needed, const struct config *config)
{
    size_t capacity = request->body_capacity != 0 ? request->body_capacity : BODY_FIRST_BYTES;

    while (capacity < needed)
        capacity *= 2;
    if (capacity == request->body_capacity)
        return FAULT_NONE;
    if (!hold(request, capacity, config))
        return FAULT_OVERLOADED;
    char *grown = realloc(request->body, capacity);
    if (grown == NULL)
        return FAULT_INTERNAL;
    request->body = grown;
    request->body_capacity = capacity;
    return FAULT_NONE;
}

bool request_take_body(struct request *request, const struct config *config, const char *data,
                       size_t length)
{
    if (request->refusal == FAULT_NONE &&
        request->body_length + length > body_limit(request, config))
        request->refusal = FAULT_TOO_LONG;
    if (request->refusal == FAULT_NONE)
        request->refusal = make_room(request, request->body_length + length, config);
    if (request->refusal != FAULT_NONE) {
        request_drop_body(request);
        request->discarded += length;
        return request->discarded <= DISCARD_MAX_BYTES;
    }
    memcpy(request->body + request->body_length, data, length);
    request->body_length += length;
    return true;
}

void request_make_job(struct request *request)
{
    struct job *job = &request->job;

    job->route = request->route;
    job->parameters = request->parameters;
    if (request->route->body != ROUTE_BODY_NONE) {
        job->body = request->body != NULL ? request->body : "";
        job->body_length = request->body_length;
    }
}
