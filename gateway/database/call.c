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
    OID_INT8 = 20,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_BYTEA_ARRAY = 1001,
    OID_TEXT_ARRAY = 1009
};

#define ARRAY_HEADER_BYTES 20

/* The columns of rxtrack_http.answer. */
enum {
    STATUS,
    APPLICATION,
    HEADERS,
    BODY,
    REQUESTS_PER_MINUTE,
    STREAM_AFTER,
    STREAM_ODS_CODES,
    COLUMNS
};

const Oid call_types[CALL_PARAMETERS] = {OID_TEXT, OID_BYTEA_ARRAY, OID_TEXT_ARRAY, OID_TEXT_ARRAY,
                                         OID_BYTEA_ARRAY};

/* An element of an array; data NULL: SQL NULL. */
struct element {
    const void *data;
    size_t length;
};

/* What a job has for a parameter, which is an array. */
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
        if (job->route->body == ROUTE_BODY_NONE)
            return (struct element){NULL, 0};
        return (struct element){job->body, job->body_length};
    }
}

/* The condition is planned away where the number is right, and planned again when the function
 * changes. */
void call_text(const struct route *route, char out[CALL_TEXT])
{
    snprintf(out, CALL_TEXT,
             "SELECT status, application, headers, body, requests_per_minute, stream_after,"
             " stream_ods_codes FROM rxtrack_http.%s($1, $2, $3, $4, $5)"
             " WHERE rxtrack_http.interface_number() = %d",
             route->function, CALL_INTERFACE);
}

void call_signatures(char out[CALL_SIGNATURES_TEXT])
{
    size_t size = CALL_SIGNATURES_TEXT;
    size_t length = (size_t)snprintf(out, size, "{");

    for (size_t i = 0; i < routes_table_count && length < size; i++)
        if (routes_table[i].function != NULL)
            length +=
                (size_t)snprintf(out + length, size - length,
                                 "%s\"rxtrack_http.%s(text, bytea[], text[], text[], bytea[])\"",
                                 length > 1 ? ", " : "", routes_table[i].function);
    if (length < size)
        snprintf(out + length, size - length, "}");
}

static char *put_int32(char *at, size_t number)
{
    uint32_t wire = htonl((uint32_t)number);

    memcpy(at, &wire, sizeof wire);
    return at + sizeof wire;
}

/* Builds the array for one parameter. False without memory, or where it gets too long. */
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

/* Whether a result has the columns that call_text() asks for, in binary, and so many rows. */
static bool has_agreed_shape(const PGresult *result, size_t count)
{
    static const Oid types[COLUMNS] = {
        [STATUS] = OID_INT4,
        [APPLICATION] = OID_TEXT,
        [HEADERS] = OID_TEXT,
        [BODY] = OID_BYTEA,
        [REQUESTS_PER_MINUTE] = OID_INT4,
        [STREAM_AFTER] = OID_INT8,
        [STREAM_ODS_CODES] = OID_TEXT_ARRAY,
    };

    if (PQnfields(result) != COLUMNS || (size_t)PQntuples(result) != count)
        return false;
    for (int i = 0; i < COLUMNS; i++)
        if (PQftype(result, i) != types[i] || PQfformat(result, i) != 1)
            return false;
    return true;
}

/* Copies a value to *out, with a NUL behind it; NULL for SQL NULL. False without memory. */
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

static int32_t get_int32(const char *at)
{
    uint32_t wire;

    memcpy(&wire, at, sizeof wire);
    return (int32_t)ntohl(wire);
}

static int64_t get_int64(const char *at)
{
    return (int64_t)((uint64_t)(uint32_t)get_int32(at) << 32 | (uint32_t)get_int32(at + 4));
}

/* The pharmacies that a stream is for, out of an array of text. False where it holds anything else,
 * or without memory. */
static bool decode_pharmacies(const PGresult *result, int row, struct answer *answer)
{
    const char *at = PQgetvalue(result, row, STREAM_ODS_CODES);
    const char *end = at + PQgetlength(result, row, STREAM_ODS_CODES);

    if (end - at < ARRAY_HEADER_BYTES || get_int32(at) != 1 || get_int32(at + 12) < 1)
        return false;
    size_t count = (size_t)get_int32(at + 12);
    answer->stream_ods_codes = calloc(count, sizeof(OdsCode));
    if (answer->stream_ods_codes == NULL)
        return false;
    at += ARRAY_HEADER_BYTES;
    for (size_t i = 0; i < count; i++) {
        int32_t length = end - at >= 4 ? get_int32(at) : -1;

        at += 4;
        if (length < 0 || length > end - at ||
            ods_code_parse(at, (size_t)length, &answer->stream_ods_codes[i]) != NULL)
            return false;
        at += length;
    }
    answer->stream_ods_count = count;
    return true;
}

/* False where the row is no answer, or without memory. */
static bool decode_row(const PGresult *result, int row, struct answer *answer)
{
    size_t unused;

    if (PQgetisnull(result, row, STATUS))
        return false;
    answer->status = (unsigned)get_int32(PQgetvalue(result, row, STATUS));
    if (!PQgetisnull(result, row, REQUESTS_PER_MINUTE))
        answer->requests_per_minute = get_int32(PQgetvalue(result, row, REQUESTS_PER_MINUTE));
    answer->streams = !PQgetisnull(result, row, STREAM_AFTER);
    if (answer->streams)
        answer->stream_after = get_int64(PQgetvalue(result, row, STREAM_AFTER));
    return answer->status >= 200 && answer->status <= 599 &&
           copy_value(result, row, APPLICATION, &answer->application, &unused) &&
           copy_value(result, row, HEADERS, &answer->headers, &unused) &&
           copy_value(result, row, BODY, &answer->body, &answer->length) &&
           (PQgetisnull(result, row, STREAM_ODS_CODES) || decode_pharmacies(result, row, answer));
}

bool call_decode(const PGresult *result, struct job *const *jobs, size_t count)
{
    bool fine = has_agreed_shape(result, count);

    for (size_t i = 0; fine && i < count; i++) {
        answer_clear(&jobs[i]->answer);
        fine = decode_row(result, (int)i, &jobs[i]->answer);
    }
    for (size_t i = 0; !fine && i < count; i++)
        answer_clear(&jobs[i]->answer);
    return fine;
}
