/*
 * sse.h - reads Server-Sent Events (WHATWG HTML, "Interpreting an event stream"), in pieces of any
 * length.
 */
#ifndef RXTRACK_SSE_H
#define RXTRACK_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SSE_LINE_MAX (1024 * 1024) /* bytes; and of one event's data */

struct sse_text {
    char *bytes; /* ends with a NUL as well */
    size_t length;
    size_t capacity;
};

struct sse {
    struct sse_text line;
    struct sse_text data; /* of the event being read, or the one that is complete */
    struct sse_text type; /* "" is "message" */
    struct sse_text id;   /* the last that was sent: it stays from event to event */
    bool was_return;      /* the last byte was a carriage return, so a line feed belongs to it */
    bool is_begun;        /* past the first line, which may begin with a byte order mark */
    bool is_complete;     /* data and type are to be cleared before the next line */
    bool had_data;        /* a block without data is no event, but sets the id */
    int64_t retry_ms;     /* what the other side asks for between tries, or -1 */
};

enum sse_step {
    SSE_MORE,     /* all is read, and no block has ended */
    SSE_EVENT,    /* an event is complete: data, type and id hold it */
    SSE_BLOCK,    /* a block without data has ended: id may have changed */
    SSE_TOO_LONG, /* a line or an event is longer than anyone has a use for */
    SSE_NO_MEMORY
};

void sse_init(struct sse *sse);
void sse_free(struct sse *sse);

/* Reads on until a block ends or there is no more; *read becomes how many bytes it took. */
enum sse_step sse_read(struct sse *sse, const char *bytes, size_t length, size_t *read);

#endif
