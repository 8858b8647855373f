/*
 * http_stream.c - see http_stream.h. Back-pressure: curl reads a bounded amount in one turn, and
 * the next turn begins when that is dealt with, so that a slow reader slows the sender down.
 */
#include "follow/http_stream.h"

#include "clock.h"
#include "follow/say.h"
#include "follow/wait.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_SECONDS 10L
#define SILENCE_MS 60000 /* longer than the interval of the gateway's heartbeats */

/* ---- curl's callbacks ---- */

/* Commands that we run do not inherit the socket. */
static int close_on_exec(void *unused, curl_socket_t socket, curlsocktype purpose)
{
    (void)unused;
    (void)purpose;
    fcntl(socket, F_SETFD, FD_CLOEXEC);
    return CURL_SOCKOPT_OK;
}

static bool is_event_stream(CURL *easy)
{
    const char *type = NULL;

    curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    return type != NULL && strncasecmp(type, "text/event-stream", 17) == 0;
}

/* CURLOPT_WRITEFUNCTION */
static size_t receive(char *bytes, size_t size, size_t count, void *data)
{
    struct http_stream *stream = data;
    size_t length = size * count;
    long status = 0;

    stream->heard_ms = clock_ms();
    curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return length; /* the status says all */
    stream->is_stream = is_event_stream(stream->easy);
    if (!stream->is_stream)
        return 0;
    if (stream->length + length > stream->capacity) {
        size_t capacity = (stream->length + length) * 2;
        char *larger = realloc(stream->bytes, capacity);
        if (larger == NULL)
            return 0;
        stream->bytes = larger;
        stream->capacity = capacity;
    }
    memcpy(stream->bytes + stream->length, bytes, length);
    stream->length += length;
    return length;
}

/* ---- the request ---- */

static bool add_header(struct http_stream *stream, const char *name, const char *value)
{
    char header[2048];

    if ((size_t)snprintf(header, sizeof header, "%s: %s", name, value) >= sizeof header)
        return false;
    struct curl_slist *longer = curl_slist_append(stream->headers, header);
    memset(header, 0, sizeof header);
    if (longer == NULL)
        return false;
    stream->headers = longer;
    return true;
}

static bool add_headers(struct http_stream *stream, const char *key, int64_t position)
{
    char text[1100];

    if (!add_header(stream, "Accept", "text/event-stream"))
        return false;
    snprintf(text, sizeof text, "%" PRId64, position);
    if (position >= 0 && !add_header(stream, "Last-Event-ID", text))
        return false;
    if (key == NULL)
        return true;
    return (size_t)snprintf(text, sizeof text, "Bearer %s", key) < sizeof text &&
           add_header(stream, "Authorization", text);
}

/* Redirects or URLs to anything but HTTP are not followed. */
static bool limit_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS) == CURLE_OK;
#endif
}

static void set_options(struct http_stream *stream, const char *url, const char *agent)
{
    CURL *easy = stream->easy;

    curl_easy_setopt(easy, CURLOPT_URL, url);
    if (strncasecmp(url, "http:", 5) == 0)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); /* one would get the key */
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, stream->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, agent);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, close_on_exec);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, stream);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, stream->reason);
}

bool http_stream_open(struct http_stream *stream, const char *url, const char *agent,
                      const char *key, int64_t position)
{
    memset(stream, 0, sizeof *stream);
    stream->heard_ms = clock_ms();
    stream->multi = curl_multi_init();
    stream->easy = curl_easy_init();
    bool opened = stream->multi != NULL && stream->easy != NULL &&
                  add_headers(stream, key, position) && limit_protocols(stream->easy);
    if (opened) {
        set_options(stream, url, agent);
        opened = curl_multi_add_handle(stream->multi, stream->easy) == CURLM_OK;
    }
    if (!opened)
        say("the request cannot be made");
    return opened;
}

void http_stream_close(struct http_stream *stream)
{
    if (stream->multi != NULL && stream->easy != NULL)
        curl_multi_remove_handle(stream->multi, stream->easy);
    curl_easy_cleanup(stream->easy);
    curl_multi_cleanup(stream->multi);
    curl_slist_free_all(stream->headers);
    free(stream->bytes);
    memset(stream, 0, sizeof *stream);
}

/* ---- its end ---- */

/* What a status is likely to mean here, to be added to a message. */
static const char *status_meaning(long status)
{
    switch (status) {
    case 400:
        return ": it refuses --ods or the position";
    case 401:
        return ": there is no API key, or none that it knows";
    case 403:
        return ": the API key lacks the scope events:read";
    case 404:
        return ": it has no event stream there";
    default:
        return "";
    }
}

static enum verdict judge_end(struct http_stream *stream, CURLcode result)
{
    curl_off_t seconds = 0;
    long status = 0;

    curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 0 && status != 200) {
        say("the gateway answered with status %ld%s", status, status_meaning(status));
        if (status < 500 && status != 408 && status != 429)
            return VERDICT_FAILED;
        curl_easy_getinfo(stream->easy, CURLINFO_RETRY_AFTER, &seconds);
        stream->retry_ms = seconds > 0 && seconds < 3600 ? (int64_t)seconds * 1000 : 0;
        return VERDICT_AGAIN;
    }
    if (status == 200 && !is_event_stream(stream->easy)) {
        say("the gateway answered with no event stream");
        return VERDICT_FAILED;
    }
    if (result == CURLE_OK)
        say("the gateway ended the stream");
    else
        say("%s", stream->reason[0] != '\0' ? stream->reason : curl_easy_strerror(result));
    return VERDICT_AGAIN;
}

/* ---- waiting ---- */

/* Lets curl do what it can without waiting. VERDICT_ON: the stream goes on. Its end, of which curl
 * tells once, may come together with the last bytes, which are read first. */
static enum verdict perform(struct http_stream *stream)
{
    int running = 0, left = 0;
    CURLMcode code = curl_multi_perform(stream->multi, &running);

    if (code != CURLM_OK) {
        say("%s", curl_multi_strerror(code));
        return VERDICT_AGAIN;
    }
    const CURLMsg *message = curl_multi_info_read(stream->multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE) {
        stream->has_ended = true;
        stream->result = message->data.result;
    }
    if (stream->has_ended && stream->length == 0)
        return judge_end(stream, stream->result);
    return VERDICT_ON;
}

/* Waits for curl's socket, for a signal, or for so long. */
static enum verdict pause_for(struct http_stream *stream, int64_t milliseconds)
{
    struct pollfd own[WAIT_DESCRIPTORS_MAX];
    struct curl_waitfd others[WAIT_DESCRIPTORS_MAX] = {{.fd = 0}};
    size_t count = wait_descriptors(own);

    for (size_t i = 0; i < count; i++) {
        others[i].fd = own[i].fd;
        others[i].events = (own[i].events & POLLIN) != 0 ? CURL_WAIT_POLLIN : 0;
    }
    curl_multi_poll(stream->multi, others, (unsigned)count, (int)milliseconds, NULL);
    return wait_verdict(wait_for(NULL, 0, 0, false));
}

enum verdict http_stream_wait(struct http_stream *stream)
{
    for (;;) {
        enum verdict verdict = perform(stream);
        if (verdict != VERDICT_ON || stream->length > 0)
            return verdict;
        int64_t left = stream->heard_ms + SILENCE_MS - clock_ms();
        if (left <= 0) {
            say("the gateway has been silent for %d s", SILENCE_MS / 1000);
            return VERDICT_AGAIN;
        }
        verdict = pause_for(stream, left);
        if (verdict != VERDICT_ON)
            return verdict;
    }
}
