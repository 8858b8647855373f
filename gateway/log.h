/*
 * log.h - lines of JSON on standard output, or in a file: one for each request, and one for each
 * event in the service's life, which has an "event". No line may carry a body, a query, a path that
 * no route has, or the text of a database error: any of them may name a patient. Threads: any. A
 * line is written whole, together with others of the same moment. Where the reader is slow or gone
 * lines are dropped and counted: the log never holds up the service.
 */
#ifndef RXTRACK_LOG_H
#define RXTRACK_LOG_H

#include <jansson.h> /* json_int_t, for callers of log_event() */
#include <stdbool.h>
#include <stdint.h>

struct log_request {
    const char *method;      /* one of HTTP's, or NULL */
    const char *path;        /* as the route table has it, or NULL */
    unsigned status;         /* HTTP status; 0: the client got no answer */
    int64_t duration_us;     /* from the request line's arrival to the answer's last byte */
    const char *request_id;  /* as sent; logged where it is a UUID */
    const char *application; /* name, or NULL */
};

/* Opens the file that the log goes to; "": standard output. To be called once, before the first
 * line; the path must outlive the log. False after a message on stderr. */
bool log_open(const char *path);

/* Opens the file anew, when it has been moved away, and says so there; where that fails, goes on
 * with the one that it has. */
void log_reopen(void);

/* Logs a request. The line is written with the next log_flush() or event, or when there are many.
 */
void log_request(const struct log_request *request);

/* Writes the lines of requests that are pending. A thread that logs requests calls it before it
 * waits for more. */
void log_flush(void);

/* Logs an event at once. Format and what follows are json_pack()'s, without the braces, and say
 * further members: log_event("listening", "s:s,s:i", "address", a, "port", p). */
void log_event(const char *event, const char *format, ...);

#endif
