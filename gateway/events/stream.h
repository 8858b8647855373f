/*
 * stream.h - one open stream of events: how far it is, which events it wants, what it sends next.
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
    struct stream *woken;           /* the next one to be resumed */
    struct resumption resumption;   /* holds the connection */
    int socket;
    struct access *access; /* by which it was opened; hub.c's */

    bool chunked;       /* it can end without the connection being closed */
    bool parked;        /* its connection is suspended: it had nothing to send */
    bool over;          /* it is to end after a whole event */
    bool cut;           /* it is to end at once: its client is gone */
    bool beat;          /* a heartbeat is due */
    bool wants_page;    /* it is behind the recent events and has no page */
    int64_t wanted_ms;  /* since when */
    int64_t offered_ms; /* when libmicrohttpd last got bytes, or was woken to fetch some */
    int64_t spoke_ms;   /* when it last got bytes */
    int64_t looked_ms;  /* when its client was last seen to be there */
    int64_t expires_ms; /* when it is to end, so that its credential is checked anew */

    int64_t position; /* all events up to this number have been sent, or are not for this stream */
    int64_t told;     /* the last id that was sent */
    bool greeted;
    struct filter *filter; /* NULL: all events */
    struct page *page;     /* or NULL */
    char *rest;            /* of the last text, what did not fit; or NULL */
    size_t rest_length, rest_sent;
};

/* Makes a stream of the events after a number, and takes over the filter. NULL without memory. */
struct stream *stream_new(int64_t after, struct filter *filter);

/* Frees a stream, which is in no list any more. */
void stream_free(struct stream *stream);

/*
 * Writes what the stream sends next, whole events as long as they fit, and moves it on. Returns the
 * number of bytes. 0: there is nothing to send just now, because it is at the end, or because it
 * wants a page.
 */
size_t stream_fill(struct stream *stream, const struct history *recent, char *out, size_t size);

/* Whether there is something new for stream_fill(). Moves on past events that the stream does not
 * want. */
bool stream_has_news(struct stream *stream, const struct history *recent);

/* Whether a page has the events that follow the stream's position. */
bool stream_fits_page(const struct stream *stream, const struct page *page);

/* Makes the stream hold a page (NULL: none), and let go of the one it had. */
void stream_set_page(struct stream *stream, struct page *page);

#endif
