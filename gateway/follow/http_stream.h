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
    char *bytes; /* received and not taken yet; who has read them sets length to 0 */
    size_t length;
    size_t capacity;
    bool has_ended; /* by curl's word, though bytes may not be taken yet */
    CURLcode result;
    bool is_stream;   /* 200, and the body is of Server-Sent Events */
    int64_t heard_ms; /* when bytes last came, on clock_ms() */
    int64_t retry_ms; /* how long the other side asks to wait, or 0 */
    char reason[CURL_ERROR_SIZE];
};

/* Begins the request, as this User-Agent; key may be NULL, position negative: none. False after a
 * message. */
bool http_stream_open(struct http_stream *stream, const char *url, const char *agent,
                      const char *key, int64_t position);

void http_stream_close(struct http_stream *stream);

/*
 * Waits for bytes. VERDICT_ON: some are there. Otherwise it is over: VERDICT_AGAIN where another
 * try may do better, or an exit status; a message has been said.
 */
enum verdict http_stream_wait(struct http_stream *stream);

#endif
