/*
 * log.h - one JSON object a line on standard output: one for each request, and one for each event
 * in the service's life (these have an "event"). Nothing here may carry a body, a query, a path
 * that was not matched, or the text of a database error: any of them may name a patient.
 * Threads: any. A line goes out whole, in one write with others of its moment; where the reader is
 * too slow or gone lines are lost and counted, since a log must never hold up the service.
 */
#ifndef RXTRACK_LOG_H
#define RXTRACK_LOG_H

#include <jansson.h> /* json_int_t, for callers of log_event() */
#include <stdint.h>

struct log_request {
    const char *method;      /* a known method, or NULL */
    const char *path;        /* the matched route's, or NULL */
    unsigned status;         /* HTTP status; 0: the client got no answer */
    int64_t duration_us;     /* from the request line's arrival to the answer's last byte */
    const char *request_id;  /* as sent; logged where it is a UUID */
    const char *application; /* name, or NULL */
};

/* Looks at what standard output is. To be called once, before the first line. */
void log_open(void);

/* Logs one request; the line goes out with the next log_flush() or event, or when there are many.
 */
void log_request(const struct log_request *request);

/* Writes the lines of requests that have not gone out. A thread that logs requests calls it before
 * it waits for more. */
void log_flush(void);

/*
 * Logs at once an event of the service's life; format and what follows are json_pack()'s, without
 * the braces, and say further members: log_event("listening", "s:s,s:i", "address", a, "port", p).
 */
void log_event(const char *event, const char *format, ...);

#endif
