/*
 * hub.h - all open streams and the recent events: the feed's thread brings events, the HTTP threads
 * send them, the main thread's sweep looks after clients. A stream with nothing to send is parked:
 * its connection is suspended, and takes no processor time.
 * Threads: as each part says.
 */
#ifndef RXTRACK_HUB_H
#define RXTRACK_HUB_H

#include "config.h"
#include "events/stream.h"
#include "exchange/job.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- main thread ---- */

/* To be called before the others; *config must outlive them. The hub calls want(), from an HTTP
 * thread, when streams want events that it has not. False after a message on stderr. */
bool hub_start(const struct config *config, void (*want)(void));

/* Has heartbeats sent, and ends the streams of clients that are gone, that do not take what is
 * sent, whose time is up, or whose credential is not good for them any more. */
void hub_sweep(void);

/* Ends all streams, in order, and lets none be opened any more. */
void hub_end_streams(void);

/* Frees what is kept. After http_stop(). */
void hub_stop(void);

/* ---- HTTP threads ---- */

/*
 * Opens a stream on a connection, for the application that the answered job is of; *connection and
 * what is needed of the job are copied. Where all streams are taken, the application that has the
 * most loses one for it, unless this one would then have as many. Where it cannot be opened, the
 * fault says why, and the stream is freed; NULL: there was no memory for it.
 */
enum fault hub_open(struct stream *stream, const struct resumption *connection,
                    const struct job *job);

/* MHD_ContentReaderCallback of a stream's response. */
ssize_t hub_read(void *stream, uint64_t unused, char *out, size_t size);

/* MHD_ContentReaderFreeCallback: the stream's end. */
void hub_close(void *stream);

/* ---- the feed's thread ---- */

/* Whether there are streams: then events after *after are wanted. *has_last: the event of that
 * number is known. */
bool hub_wants_recent(int64_t *after, bool *has_last);

/* Whether streams that are behind want a page: then one of events after *after. The database has
 * events up to *known. */
bool hub_wants_page(int64_t *after, int64_t *known);

/*
 * Takes the events out of what was read and has the streams send them. overlaps: the first must be
 * the last one that is known. Where it is not, the database has another history (after a restore,
 * or a switch-over that lost commits): returns false, and ends the streams, so that their clients
 * ask the database where to begin.
 */
bool hub_publish(struct history *read, bool overlaps);

/* Gives a page to the streams that want it, and lets go of it. */
void hub_give_page(struct page *page);

#endif
