/*
 * sse.c - see sse.h. Without sockets or clocks, so that a fuzzer can link it alone.
 */
#include "follow/sse.h"

#include <stdlib.h>
#include <string.h>

static enum sse_step append(struct sse_text *text, const char *bytes, size_t length)
{
    if (text->length + length > SSE_LINE_MAX)
        return SSE_TOO_LONG;
    if (text->length + length + 1 > text->capacity) {
        size_t capacity = (text->length + length + 1) * 2;
        char *larger = realloc(text->bytes, capacity);
        if (larger == NULL)
            return SSE_NO_MEMORY;
        text->bytes = larger;
        text->capacity = capacity;
    }
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
    return SSE_MORE;
}

static void clear(struct sse_text *text)
{
    text->length = 0;
    if (text->bytes != NULL)
        text->bytes[0] = '\0';
}

static enum sse_step replace(struct sse_text *text, const char *bytes, size_t length)
{
    clear(text);
    return append(text, bytes, length);
}

void sse_init(struct sse *sse)
{
    memset(sse, 0, sizeof *sse);
    sse->retry_ms = -1;
}

void sse_free(struct sse *sse)
{
    free(sse->line.bytes);
    free(sse->data.bytes);
    free(sse->type.bytes);
    free(sse->id.bytes);
    sse_init(sse);
}

static bool is_named(const struct sse_text *line, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(line->bytes, name, length) == 0;
}

static void take_retry(struct sse *sse, const char *value, size_t length)
{
    int64_t number = 0;

    if (length == 0 || length > 9) /* milliseconds: more than a week is not believed */
        return;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9')
            return;
        number = number * 10 + (value[i] - '0');
    }
    sse->retry_ms = number;
}

static enum sse_step take_data(struct sse *sse, const char *value, size_t length)
{
    enum sse_step step = sse->had_data ? append(&sse->data, "\n", 1) : SSE_MORE;

    sse->had_data = true;
    return step == SSE_MORE ? append(&sse->data, value, length) : step;
}

static enum sse_step take_field(struct sse *sse)
{
    struct sse_text *line = &sse->line;
    const char *colon = memchr(line->bytes, ':', line->length);
    size_t name = colon != NULL ? (size_t)(colon - line->bytes) : line->length;
    size_t skipped = colon != NULL ? name + 1 : name;

    if (skipped < line->length && line->bytes[skipped] == ' ')
        skipped++;
    const char *value = line->bytes + skipped;
    size_t length = line->length - skipped;

    /* a comment begins with a colon: its name is empty */
    if (is_named(line, name, "data"))
        return take_data(sse, value, length);
    if (is_named(line, name, "event"))
        return replace(&sse->type, value, length);
    if (is_named(line, name, "id") && memchr(value, '\0', length) == NULL)
        return replace(&sse->id, value, length);
    if (is_named(line, name, "retry"))
        take_retry(sse, value, length);
    return SSE_MORE;
}

/* Takes a whole line: a field, a comment, or the empty line that ends a block. */
static enum sse_step take_line(struct sse *sse)
{
    static const char mark[] = "\xEF\xBB\xBF";
    struct sse_text *line = &sse->line;
    enum sse_step step;

    if (!sse->is_begun && line->length >= 3 && memcmp(line->bytes, mark, 3) == 0) {
        memmove(line->bytes, line->bytes + 3, line->length - 3 + 1);
        line->length -= 3;
    }
    sse->is_begun = true;
    if (line->length > 0)
        step = take_field(sse);
    else
        step = sse->had_data ? SSE_EVENT : SSE_BLOCK;
    sse->is_complete = step == SSE_EVENT || step == SSE_BLOCK;
    clear(line);
    return step;
}

enum sse_step sse_read(struct sse *sse, const char *bytes, size_t length, size_t *read)
{
    enum sse_step step = SSE_MORE;
    size_t at = 0;

    if (sse->is_complete) {
        clear(&sse->data);
        clear(&sse->type);
        sse->had_data = false;
        sse->is_complete = false;
    }
    while (at < length && step == SSE_MORE) {
        if (sse->was_return && bytes[at] == '\n') {
            sse->was_return = false;
            at++;
            continue;
        }
        size_t end = at;
        while (end < length && bytes[end] != '\n' && bytes[end] != '\r')
            end++;
        step = append(&sse->line, bytes + at, end - at);
        sse->was_return = end < length && bytes[end] == '\r';
        at = end + (end < length);
        if (step == SSE_MORE && end < length)
            step = take_line(sse);
    }
    *read = at;
    return step;
}
