/*
 * arena.c - PostgreSQL's palloc for a program without a server, freed as a whole.
 *
 * The extension does not free what it pallocs: its memory context does. libpgcommon's palloc is a
 * malloc that nobody frees, so an hour of fuzzing would run out of memory. Each allocation here is
 * a malloc of its own, which lets AddressSanitizer see its bounds, and is on a list for
 * arena_reset. It has the whole set of libpgcommon's fe_memutils.c that is used, so that that one
 * is not linked.
 */
#include "postgres_fe.h"

#include "target.h"

static void **allocations;
static size_t count;
static size_t room;

static void *keep(void *pointer)
{
    if (pointer == NULL)
        abort();
    if (count == room) {
        room = room ? room * 2 : 1024;
        allocations = realloc(allocations, room * sizeof *allocations);
        if (allocations == NULL)
            abort();
    }
    return allocations[count++] = pointer;
}

/* From the end: what is freed early was mostly allocated a moment ago. */
static size_t place_of(const void *pointer)
{
    for (size_t i = count; i-- > 0;) {
        if (allocations[i] == pointer)
            return i;
    }
    fprintf(stderr, "arena.c: freed or resized, but never allocated\n");
    abort();
}

void arena_reset(void)
{
    while (count > 0)
        free(allocations[--count]);
}

void *palloc(Size size)
{
    return keep(malloc(size ? size : 1));
}

void *palloc0(Size size)
{
    return keep(calloc(1, size ? size : 1));
}

void *palloc_extended(Size size, int flags)
{
    return flags & MCXT_ALLOC_ZERO ? palloc0(size) : palloc(size);
}

void *repalloc(void *pointer, Size size)
{
    size_t place = place_of(pointer);
    void *moved = realloc(pointer, size ? size : 1);

    if (moved == NULL)
        abort();
    return allocations[place] = moved;
}

void pfree(void *pointer)
{
    allocations[place_of(pointer)] = allocations[count - 1];
    count--;
    free(pointer);
}

char *pnstrdup(const char *in, Size size)
{
    size_t length = strnlen(in, size);
    char *copy = palloc(length + 1);

    memcpy(copy, in, length);
    copy[length] = '\0';
    return copy;
}

char *pstrdup(const char *in)
{
    return pnstrdup(in, strlen(in));
}

/* What psprintf and the like are built on. */
void *pg_malloc(size_t size)
{
    return palloc(size);
}

void *pg_malloc0(size_t size)
{
    return palloc0(size);
}

void *pg_malloc_extended(size_t size, int flags)
{
    return palloc_extended(size, flags);
}

void *pg_realloc(void *pointer, size_t size)
{
    return pointer == NULL ? palloc(size) : repalloc(pointer, size);
}

void pg_free(void *pointer)
{
    if (pointer != NULL)
        pfree(pointer);
}

char *pg_strdup(const char *in)
{
    return pstrdup(in);
}
