/*
 * http_stream.h - a GET whose answer never ends, by libcurl.
 */
#ifndef RXTRACK_HTTP_STREAM_H
#define RXTRACK_HTTP_STREAM_H

#include "follow/verdict.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_stream {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    char *bytes; /* received; whoever has read them sets length to 0 */
    size_t length;
    size_t capacity;
    bool has_ended; /* as curl says, though bytes may not be read yet */
    CURLcode result;
    bool is_stream;   /* the status is 200, and the body Server-Sent Events */
    int64_t heard_ms; /* when bytes last came */
    int64_t retry_ms; /* what Retry-After says, or 0 */
    char reason[CURL_ERROR_SIZE];
};

/* Begins the request, as this User-Agent; key may be NULL, position negative: none. False after a
 * message. */
bool http_stream_open(struct http_stream *stream, const char *url, const char *agent,
                      const char *key, int64_t position);

void http_stream_close(struct http_stream *stream);

/* Waits for bytes. VERDICT_ON: there are some. Otherwise it is over, after a message: VERDICT_AGAIN
 * where another attempt may succeed, or an exit status. */
enum verdict http_stream_wait(struct http_stream *stream);

#endif
