/*
 * stream.h - one open stream of events: where it is, which events it wants, and what it sends next.
 * Threads: nothing here locks; hub.c does.
 */
#ifndef RXTRACK_STREAM_H
#define RXTRACK_STREAM_H

#include "events/filter.h"
#include "events/history.h"
#include "events/page.h"
#include "exchange/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream {
    struct stream *next, *previous; /* all open ones */
    struct stream *woken;           /* the next of those to be resumed */
    struct resumption resumption;   /* with the connection */
    int socket;

    bool chunked;       /* its end can be told, other than by closing the connection */
    bool parked;        /* its connection is suspended: it had nothing to send */
    bool over;          /* it is to end, after a whole event */
    bool cut;           /* it is to end at once: its client is gone */
    bool beat;          /* a heartbeat is due */
    bool wants_page;    /* it is behind the recent events and has no page */
    int64_t wanted_ms;  /* since when */
    int64_t offered_ms; /* when libmicrohttpd was last given bytes, or woken to get some */
    int64_t spoke_ms;   /* when bytes were last given */
    int64_t looked_ms;  /* when it was last seen that its client is there */
    int64_t expires_ms; /* when it is to end, for its client to show its credential again */

    int64_t position; /* all events up to this number are sent, or not for this stream */
    int64_t told;     /* the last id that the client was told */
    bool greeted;
    struct filter *filter; /* NULL: all events */
    struct page *page;     /* or NULL */
    char *rest;            /* what did not fit of the last text, or NULL */
    size_t rest_length, rest_sent;
};

/* A stream of the events after a number; takes over the filter. NULL without memory. */
struct stream *stream_new(int64_t after, struct filter *filter);

/* Frees a stream that is in no list any more, and leaves its page. */
void stream_free(struct stream *stream);

/*
 * Writes what the stream sends next and moves it on: whole events as long as they fit. Returns the
 * number of bytes: 0 where there is nothing to send just now. Then it is at the end of what there
 * is, or wants_page says that it needs events which recent does not have any more.
 */
size_t stream_fill(struct stream *stream, const struct history *recent, char *out, size_t size);

/* Whether stream_fill() would do anything on account of recent; moves on over events that the
 * stream does not want. */
bool stream_has_news(struct stream *stream, const struct history *recent);

/* Whether a page has what comes after the stream's position. */
bool stream_fits_page(const struct stream *stream, const struct page *page);

/* Makes the stream hold a page, and leave the one it had; NULL: none. */
void stream_set_page(struct stream *stream, struct page *page);

#endif
