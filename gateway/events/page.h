/*
 * page.h - a page of events that are older than the recent ones, read once for all streams that
 * are behind by as much.
 * Threads: nothing here locks; hub.c does, once streams hold the page.
 */
#ifndef RXTRACK_PAGE_H
#define RXTRACK_PAGE_H

#include "events/history.h"

#include <stddef.h>
#include <stdint.h>

/* How many events a page has that is read for streams. */
#define PAGE_EVENTS 64

struct page {
    unsigned users; /* who hold it; the last one frees it */
    struct history events;
};

/* An empty page for so many events, beginning after a number, which the caller holds. NULL without
 * memory. */
struct page *page_new(size_t capacity, int64_t after);

/* Holds it once more; NULL is ignored. Returns it. */
struct page *page_hold(struct page *page);

/* Lets go of it. NULL is ignored. */
void page_release(struct page *page);

#endif
