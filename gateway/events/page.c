/*
 * page.c - see page.h.
 */
#include "events/page.h"

#include <stdlib.h>

struct page *page_new(size_t capacity, int64_t after)
{
    struct page *page = calloc(1, sizeof *page);

    if (page == NULL || !history_init(&page->events, capacity, SIZE_MAX, after)) {
        free(page);
        return NULL;
    }
    page->users = 1;
    return page;
}

struct page *page_hold(struct page *page)
{
    if (page != NULL)
        page->users++;
    return page;
}

void page_release(struct page *page)
{
    if (page == NULL || --page->users > 0)
        return;
    history_clear(&page->events);
    free(page);
}
