/*
 * call.c - see call.h. The layout of a binary array is that of PostgreSQL's array_recv():
 * dimensions, a flag for NULLs, the element's type, then for the one dimension its size and lower
 * bound, then each element as its length (-1: NULL) and bytes; all numbers big-endian int32.
 */
#include "database/call.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From PostgreSQL's pg_type.dat, whose numbers never change. */
enum {
    OID_BYTEA = 17,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_BYTEA_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009
};

#define ARRAY_HEADER_BYTES 20
#define COLUMNS 4 /* status, application, headers, body */

const Oid call_types[CALL_PARAMETERS] = {OID_TEXT, OID_BYTEA_ARRAY, OID_TEXT_ARRAY, OID_TEXT_ARRAY,
                                         OID_BYTEA_ARRAY};

/* One element of an array; data NULL: SQL NULL. */
struct element {
    const void *data;
    size_t length;
};

static struct element element_of(const struct job *job, int parameter)
{
    switch (parameter) {
    case 1:
        return (struct element){job->credential, job->credential_length};
    case 2:
        return (struct element){job->request_id, job->request_id ? strlen(job->request_id) : 0};
    case 3:
        return (struct element){job->parameters, job->parameters ? strlen(job->parameters) : 0};
    default:
        return (struct element){job->body, job->body_length};
    }
}

void call_text(const struct route *route, char *out, size_t size)
{
    /* Planned away where the number is right, and planned again when the function changes. */
    snprintf(out, size,
             "SELECT status, application, headers, body FROM rxtrack.%s($1, $2, $3, $4, $5)"
             " WHERE rxtrack.gateway_interface() = %d",
             route->function, CALL_INTERFACE);
}

void call_signatures(char *out, size_t size)
{
    size_t length = (size_t)snprintf(out, size, "{");

    for (size_t i = 0; i < route_count && length < size; i++)
        if (route_at(i)->function != NULL)
            length += (size_t)snprintf(out + length, size - length,
                                       "%s\"rxtrack.%s(text, bytea[], text[], text[], bytea[])\"",
                                       length > 1 ? ", " : "", route_at(i)->function);
    if (length < size)
        snprintf(out + length, size - length, "}");
}

static char *put_int32(char *at, size_t number)
{
    uint32_t wire = htonl((uint32_t)number);

    memcpy(at, &wire, sizeof wire);
    return at + sizeof wire;
}

static bool build_array(struct call *call, int parameter, struct job *const *jobs, size_t count)
{
    size_t size = ARRAY_HEADER_BYTES;
    bool has_null = false;

    for (size_t i = 0; i < count; i++) {
        struct element element = element_of(jobs[i], parameter);

        size += sizeof(uint32_t) + (element.data != NULL ? element.length : 0);
        has_null |= element.data == NULL;
    }
    if (size > INT_MAX || (call->owned[parameter] = malloc(size)) == NULL)
        return false;

    char *at = call->owned[parameter];
    at = put_int32(at, 1);
    at = put_int32(at, has_null);
    at = put_int32(at, call_types[parameter] == OID_BYTEA_ARRAY ? OID_BYTEA : OID_TEXT);
    at = put_int32(at, count);
    at = put_int32(at, 1);
    for (size_t i = 0; i < count; i++) {
        struct element element = element_of(jobs[i], parameter);

        at = put_int32(at, element.data != NULL ? element.length : UINT32_MAX);
        if (element.data != NULL && element.length > 0) {
            memcpy(at, element.data, element.length);
            at += element.length;
        }
    }
    call->values[parameter] = call->owned[parameter];
    call->lengths[parameter] = (int)size;
    return true;
}

bool call_build(struct call *call, struct job *const *jobs, size_t count)
{
    const char *scope = jobs[0]->route->scope;

    memset(call, 0, sizeof *call);
    call->values[0] = scope; /* a constant of the route table; NULL is SQL NULL */
    call->lengths[0] = scope != NULL ? (int)strlen(scope) : 0;
    for (int i = 0; i < CALL_PARAMETERS; i++)
        call->formats[i] = 1;
    for (int i = 1; i < CALL_PARAMETERS; i++)
        if (!build_array(call, i, jobs, count))
            return false;
    return true;
}

void call_free(struct call *call)
{
    for (int i = 0; i < CALL_PARAMETERS; i++)
        free(call->owned[i]);
    memset(call, 0, sizeof *call);
}

static bool has_agreed_shape(const PGresult *result, size_t count)
{
    static const Oid types[COLUMNS] = {OID_INT4, OID_TEXT, OID_TEXT, OID_BYTEA};

    if (PQnfields(result) != COLUMNS || (size_t)PQntuples(result) != count)
        return false;
    for (int i = 0; i < COLUMNS; i++)
        if (PQftype(result, i) != types[i] || PQfformat(result, i) != 1)
            return false;
    return true;
}

/* A copy of a value, NUL-terminated, in *out; NULL for SQL NULL. False without memory. */
static bool copy_value(const PGresult *result, int row, int column, char **out, size_t *length)
{
    *out = NULL;
    *length = 0;
    if (PQgetisnull(result, row, column))
        return true;
    *length = (size_t)PQgetlength(result, row, column);
    *out = malloc(*length + 1);
    if (*out == NULL)
        return false;
    memcpy(*out, PQgetvalue(result, row, column), *length);
    (*out)[*length] = '\0';
    return true;
}

static bool decode_row(const PGresult *result, int row, struct answer *answer)
{
    uint32_t status;
    size_t unused;

    if (PQgetisnull(result, row, 0) || PQgetlength(result, row, 0) != sizeof status)
        return false;
    memcpy(&status, PQgetvalue(result, row, 0), sizeof status);
    answer->status = ntohl(status);
    return answer->status >= 200 && answer->status <= 599 &&
           copy_value(result, row, 1, &answer->application, &unused) &&
           copy_value(result, row, 2, &answer->headers, &unused) &&
           copy_value(result, row, 3, &answer->body, &answer->length);
}

bool call_decode(const PGresult *result, struct job *const *jobs, size_t count)
{
    if (!has_agreed_shape(result, count))
        return false;
    for (size_t i = 0; i < count; i++) {
        answer_clear(&jobs[i]->answer);
        if (!decode_row(result, (int)i, &jobs[i]->answer)) {
            for (size_t j = 0; j <= i; j++)
                answer_clear(&jobs[j]->answer);
            return false;
        }
    }
    return true;
}
