/*
 * stream.c - see stream.h.
 */
#include "events/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long a client is to wait before it connects again. */
#define RETRY_MS "2000"

/* Where a stream's texts go. */
struct output {
    char *at;
    size_t size, used;
};

/* ---- pages ---- */

void stream_set_page(struct stream *stream, struct page *page)
{
    struct page *before = stream->page;

    stream->page = page_hold(page);
    stream->wants_page = false;
    page_release(before);
}

bool stream_fits_page(const struct stream *stream, const struct page *page)
{
    return stream->position >= page->events.after && stream->position < page->events.upto;
}

/* ---- life ---- */

struct stream *stream_new(int64_t after, struct filter *filter)
{
    struct stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL)
        return NULL;
    stream->position = stream->told = after;
    stream->filter = filter;
    return stream;
}

void stream_free(struct stream *stream)
{
    stream_set_page(stream, NULL);
    free(stream->filter);
    free(stream->rest);
    free(stream);
}

/* ---- output ---- */

static void put(struct output *output, const char *text, size_t length)
{
    memcpy(output->at + output->used, text, length);
    output->used += length;
}

/* Goes on with a text that did not fit. */
static void put_rest(struct stream *stream, struct output *output)
{
    size_t left = stream->rest_length - stream->rest_sent;
    size_t length = left < output->size ? left : output->size;

    if (stream->rest == NULL)
        return;
    put(output, stream->rest + stream->rest_sent, length);
    stream->rest_sent += length;
    if (stream->rest_sent == stream->rest_length) {
        free(stream->rest);
        stream->rest = NULL;
    }
}

/*
 * Puts a text where it fits. One that is the first is put as far as it fits, and the rest kept for
 * the next time: libmicrohttpd's buffer is what a request's headers have left of the connection's
 * memory, and can be smaller than an event. False where nothing was put.
 */
static bool put_text(struct stream *stream, struct output *output, const char *text, size_t length)
{
    size_t room = output->size - output->used;

    if (length <= room) {
        put(output, text, length);
        return true;
    }
    if (output->used > 0)
        return false;
    stream->rest = malloc(length - room);
    if (stream->rest == NULL)
        return false;
    memcpy(stream->rest, text + room, length - room);
    stream->rest_length = length - room;
    stream->rest_sent = 0;
    put(output, text, room);
    return true;
}

/* Sends a comment and how far the stream is. There are clients that take an id only from a block
 * with data. */
static bool put_position(struct stream *stream, struct output *output, const char *comment,
                         int64_t position)
{
    char text[192];
    int length = snprintf(text, sizeof text,
                          "%sid: %" PRId64 "\nevent: position\ndata: {\"id\": %" PRId64 "}\n\n",
                          comment, position, position);

    return put_text(stream, output, text, (size_t)length);
}

/* Says where the stream begins, so that a client misses nothing even where it loses the connection
 * before the first event. */
static void greet(struct stream *stream, struct output *output)
{
    stream->greeted =
        put_position(stream, output, ": readiness events\nretry: " RETRY_MS "\n", stream->told);
}

/* Sends a comment; and how far the stream is, where it has passed events that it does not want. */
static void beat(struct stream *stream, struct output *output)
{
    if (stream->told == stream->position)
        put_text(stream, output, ": heartbeat\n\n", strlen(": heartbeat\n\n"));
    else if (put_position(stream, output, ": heartbeat\n", stream->position))
        stream->told = stream->position;
}

/* Puts the events of a history that the stream wants; false where the output is full. */
static bool put_events(struct stream *stream, struct output *output, const struct history *history)
{
    for (size_t i = history_find(history, stream->position); i < history->count; i++) {
        const struct event *event = history_at(history, i);

        if (filter_admits(stream->filter, event)) {
            if (stream->rest != NULL || !put_text(stream, output, event->text, event->length))
                return false;
            stream->told = event->number;
        }
        stream->position = event->number;
    }
    if (stream->position < history->upto)
        stream->position = history->upto;
    return true;
}

size_t stream_fill(struct stream *stream, const struct history *recent, char *out, size_t size)
{
    struct output output = {.at = out, .size = size};

    put_rest(stream, &output);
    if (stream->rest != NULL || stream->over)
        return output.used;
    if (!stream->greeted)
        greet(stream, &output);
    if (stream->page != NULL) {
        if (!put_events(stream, &output, &stream->page->events))
            return output.used;
        stream_set_page(stream, NULL);
    }
    stream->wants_page = stream->position < recent->after;
    if (!stream->wants_page)
        put_events(stream, &output, recent);
    if (output.used == 0 && stream->beat)
        beat(stream, &output);
    return output.used;
}

bool stream_has_news(struct stream *stream, const struct history *recent)
{
    if (stream->wants_page)
        return false;
    if (stream->page != NULL || stream->position < recent->after)
        return true;
    for (size_t i = history_find(recent, stream->position); i < recent->count; i++) {
        const struct event *event = history_at(recent, i);

        if (filter_admits(stream->filter, event))
            return true;
        stream->position = event->number;
    }
    return false;
}
