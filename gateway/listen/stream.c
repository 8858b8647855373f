/*
 * stream.c - see stream.h.
 */
#include "listen/stream.h"

#include "clock.h"
#include "follow/backoff.h"
#include "follow/http_stream.h"
#include "follow/position.h"
#include "follow/say.h"
#include "follow/sse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEADY_MS 30000 /* a stream that lasted so long was a good one */
#define JUMP 10000000   /* numbers, at least, from one history to the next */

struct following {
    const struct options *options;
    struct delivery *delivery;
    char *url; /* of the stream */
    struct http_stream http;
    struct sse sse;
    struct batch batch;
    struct backoff backoff;
    int64_t position; /* all events up to this release number are delivered; -1: not known yet */
    int64_t stored;   /* the position in the state file; -1: there is none */
    uint64_t blocks;  /* blocks without an event, in this request */
};

/* The stream's address; NULL without memory. */
static char *make_url(const struct options *options)
{
    size_t base = strlen(options->url);
    char *url = NULL;

    while (base > 0 && options->url[base - 1] == '/')
        base--;
    if (asprintf(&url, "%.*s/events%s%s", (int)base, options->url,
                 options->ods != NULL ? "?ods=" : "", options->ods != NULL ? options->ods : "") < 0)
        return NULL;
    return url;
}

/* ---- what is delivered ---- */

/* Acknowledges all events up to a number. */
static enum verdict move_to(struct following *following, int64_t position)
{
    following->position = position;
    if (following->options->state == NULL || position == following->stored)
        return VERDICT_ON;
    following->stored = position;
    return position_write(following->options->state, position) ? VERDICT_ON : VERDICT_FAILED;
}

/* Delivers and acknowledges what has been gathered. */
static enum verdict settle(struct following *following)
{
    enum verdict verdict = VERDICT_ON;

    if (following->batch.count > 0) {
        verdict = delivery_hand_over(following->delivery, &following->batch);
        batch_clear(&following->batch);
        if (verdict != VERDICT_ON)
            return verdict;
        backoff_reset(&following->backoff);
        following->http.heard_ms = clock_ms(); /* the time of the delivery is no silence */
    }
    verdict = move_to(following, following->batch.last);
    if (verdict == VERDICT_ON && delivery_room(following->delivery) == 0)
        return VERDICT_DONE;
    return verdict;
}

/* Reads the release number, which is the id of an event. False where it is none. */
static bool read_id(const struct sse *sse, int64_t *number)
{
    const char *text = sse->id.bytes;
    char *end;

    if (sse->id.length == 0 || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* Says where events are missing. Release numbers have no gaps, so a stream of all pharmacies shows
 * it; but they jump where another history of the database begins, as by a restore. */
static void watch_for_gap(const struct following *following, int64_t number)
{
    int64_t last = following->batch.last;

    if (following->options->ods != NULL || last < 0 || number <= last + 1)
        return;
    if (number - last < JUMP)
        say("events %" PRId64 " to %" PRId64 " are no longer kept by the server", last + 1,
            number - 1);
    else
        say("events go on with %" PRId64 ": another history of the database has begun, or those "
            "before are no longer kept",
            number);
}

/* Of a kind that is delivered; others may have come up after this program. */
static bool is_known(const struct sse *sse)
{
    const char *kind = sse->type.bytes;

    return sse->type.length == 0 || strcmp(kind, "ready") == 0 || strcmp(kind, "withdrawn") == 0;
}

static enum verdict take_event(struct following *following)
{
    const struct sse *sse = &following->sse;
    int64_t number;

    if (!is_known(sse))
        return VERDICT_ON;
    if (!read_id(sse, &number)) {
        say("the gateway sent an event without a release number");
        return VERDICT_AGAIN;
    }
    watch_for_gap(following, number);
    if (batch_add(&following->batch, number, sse->data.bytes, sse->data.length,
                  following->options->alerts_only) == BATCH_NO_EVENT) {
        say("the gateway sent what is no event, as number %" PRId64, number);
        return VERDICT_AGAIN;
    }
    if (following->batch.count < delivery_room(following->delivery))
        return VERDICT_ON;
    return settle(following);
}

/* A block without data, or a position, says how far the stream is. The first one is its beginning,
 * the others are heartbeats, which come when the gateway has nothing else to send. */
static enum verdict take_block(struct following *following)
{
    int64_t number;

    if (read_id(&following->sse, &number))
        following->batch.last = number;
    following->blocks++;
    enum verdict verdict = settle(following);
    if (verdict == VERDICT_ON && following->options->once && following->blocks > 1)
        return VERDICT_DONE;
    return verdict;
}

static enum verdict take_step(struct following *following, enum sse_step step)
{
    switch (step) {
    case SSE_EVENT:
        if (following->sse.type.length > 0 && strcmp(following->sse.type.bytes, "position") == 0)
            return take_block(following);
        return take_event(following);
    case SSE_BLOCK:
        return take_block(following);
    case SSE_TOO_LONG:
        say("the gateway sent a line of more than %d bytes", SSE_LINE_MAX);
        return VERDICT_AGAIN;
    case SSE_NO_MEMORY:
        say("out of memory");
        return VERDICT_FAILED;
    case SSE_MORE:
        break;
    }
    return VERDICT_ON;
}

/* Takes all that has been received. */
static enum verdict take_bytes(struct following *following)
{
    struct http_stream *http = &following->http;
    enum verdict verdict = VERDICT_ON;

    for (size_t at = 0, read; at < http->length && verdict == VERDICT_ON; at += read) {
        enum sse_step step = sse_read(&following->sse, http->bytes + at, http->length - at, &read);
        verdict = take_step(following, step);
    }
    http->length = 0;
    return verdict == VERDICT_ON ? settle(following) : verdict;
}

/* ---- the stream ---- */

/* The life of one request. */
static enum verdict session(struct following *following)
{
    const struct options *options = following->options;
    int64_t begun_ms = clock_ms();
    enum verdict verdict = VERDICT_FAILED;

    sse_init(&following->sse);
    following->blocks = 0;
    following->batch.last = following->position;
    if (http_stream_open(&following->http, following->url, OPTIONS_AGENT, options->key,
                         following->position))
        while ((verdict = http_stream_wait(&following->http)) == VERDICT_ON &&
               (verdict = take_bytes(following)) == VERDICT_ON)
            ;
    if (following->http.is_stream && clock_ms() - begun_ms >= STEADY_MS)
        backoff_reset(&following->backoff);
    batch_clear(&following->batch);
    return verdict;
}

static enum verdict follow(struct following *following)
{
    for (;;) {
        enum verdict verdict = session(following);
        int64_t least = following->http.retry_ms;

        if (following->sse.retry_ms > least)
            least = following->sse.retry_ms;
        http_stream_close(&following->http);
        sse_free(&following->sse);
        if (verdict != VERDICT_AGAIN)
            return verdict;
        if (following->options->once)
            return VERDICT_LATER;
        verdict = backoff_wait(&following->backoff, least);
        if (verdict != VERDICT_ON)
            return verdict;
    }
}

enum verdict stream_follow(const struct options *options, struct delivery *delivery)
{
    struct following following = {.options = options, .delivery = delivery, .stored = -1};
    enum verdict verdict = VERDICT_FAILED;

    if (options->state != NULL && !position_read(options->state, &following.stored))
        return VERDICT_FAILED;
    following.position = following.stored >= 0 ? following.stored : options->since;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return VERDICT_FAILED;
    following.url = make_url(options);
    if (following.url != NULL)
        verdict = follow(&following);
    free(following.url);
    batch_free(&following.batch);
    curl_global_cleanup();
    return verdict;
}
