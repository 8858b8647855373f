/*
 * hub.h - all open streams and the recent events, where the threads meet: the feed's thread brings
 * events, the HTTP threads take them to the clients, the main thread's sweep looks after both. A
 * stream with nothing to send is parked: its connection is suspended, and costs nothing.
 * Threads: as each part says.
 */
#ifndef RXTRACK_HUB_H
#define RXTRACK_HUB_H

#include "config.h"
#include "events/stream.h"
#include "exchange/answer.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- main thread ---- */

/* To be called before the others; *config must outlive them. The hub calls want(), from an HTTP
 * thread, when streams want events that it has not. False after a message on stderr. */
bool hub_start(const struct config *config, void (*want)(void));

/* Sees to heartbeats, and to clients that are gone, that do not take what is sent, or that have
 * been there for long enough. */
void hub_sweep(void);

/* Ends all streams, at once and well, and lets none be opened any more. */
void hub_end_streams(void);

/* Frees what is kept. After http_stop(). */
void hub_stop(void);

/* ---- HTTP threads ---- */

/*
 * Opens a stream on a connection (copied, with its loop), after an event's number, as stream_new()
 * has made it; NULL: there was no memory. Where it cannot be open the fault says why, and it is
 * freed.
 */
enum fault hub_open(struct stream *stream, const struct resumption *connection);

/* MHD_ContentReaderCallback of a stream's response. */
ssize_t hub_read(void *stream, uint64_t unused, char *out, size_t size);

/* MHD_ContentReaderFreeCallback: the stream's end. */
void hub_close(void *stream);

/* ---- the feed's thread ---- */

/* Whether there are streams, and events are wanted from here on: *after; *has_last: the event of
 * that number is known. */
bool hub_wants_recent(int64_t *after, bool *has_last);

/* Whether streams that are behind want a page, and from where on: *after. Events up to *known are
 * there to be read. */
bool hub_wants_page(int64_t *after, int64_t *known);

/*
 * Takes the events out of what was read and brings them to the streams. Overlaps: the first is to
 * be the last that is known. Where it is not, the database has another past (after a restore, or a
 * switch-over that lost commits): the streams are ended, so that their clients ask it where to
 * begin; and this is false.
 */
bool hub_publish(struct history *read, bool overlaps);

/* Gives a page to the streams that want it, or frees it. */
void hub_give_page(struct page *page);

#endif
