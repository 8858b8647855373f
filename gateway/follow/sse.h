/*
 * sse.h - a parser of Server-Sent Events (WHATWG HTML, "Interpreting an event stream"), which takes
 * pieces of any length.
 */
#ifndef RXTRACK_SSE_H
#define RXTRACK_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SSE_LINE_MAX (1024 * 1024) /* bytes, of a line and of an event's data */

struct sse_text {
    char *bytes; /* ends with a NUL as well */
    size_t length;
    size_t capacity;
};

struct sse {
    struct sse_text line;
    struct sse_text data; /* of the event that is being read, or that is complete */
    struct sse_text type; /* "" is "message" */
    struct sse_text id;   /* the last one: it stays from event to event */
    bool was_return;      /* the last byte was a carriage return, to which a line feed belongs */
    bool is_begun;        /* past the first line, which may begin with a byte order mark */
    bool is_complete;     /* data and type are to be cleared before the next line */
    bool had_data;        /* a block without data is no event, but sets the id */
    int64_t retry_ms;     /* the reconnection time that was asked for, or -1 */
};

enum sse_step {
    SSE_MORE,     /* all bytes are read, and no block has ended */
    SSE_EVENT,    /* an event is complete: data, type and id hold it */
    SSE_BLOCK,    /* a block without data has ended: id may have changed */
    SSE_TOO_LONG, /* a line or an event is longer than SSE_LINE_MAX */
    SSE_NO_MEMORY
};

void sse_init(struct sse *sse);
void sse_free(struct sse *sse);

/* Reads until a block ends or there are no more bytes; *read: how many it has taken. */
enum sse_step sse_read(struct sse *sse, const char *bytes, size_t length, size_t *read);

#endif
