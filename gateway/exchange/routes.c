/*
 * routes.c - finds the route of a request. See routes.h.
 */
#include "exchange/routes.h"

#include <stdio.h>
#include <string.h>

size_t routes_number(const struct route *route)
{
    return (size_t)(route - routes_table);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that an escape stands for, where text is at its percent sign; -1 where it is malformed.
 */
static int unescaped(const char *text)
{
    int high = hex_digit(text[1]);
    int low = high >= 0 ? hex_digit(text[2]) : -1;

    return low >= 0 ? high << 4 | low : -1;
}

size_t routes_unescape(char *text)
{
    char *out = text;

    for (const char *in = text; *in != '\0'; in++) {
        int c = *in == '%' ? unescaped(in) : -1;

        *out++ = c >= 0 ? (char)c : *in;
        in += c >= 0 ? 2 : 0;
    }
    *out = '\0';
    return (size_t)(out - text);
}

/* What is decoded is never longer, and has the place of the slash before it for its NUL. */
bool routes_split(char *path, struct route_target *target)
{
    const char *in = path;
    char *out = path;

    target->count = 0;
    while (*in == '/') {
        if (target->count < ROUTE_SEGMENTS_MAX)
            target->segments[target->count] = out;
        target->count++;
        for (in++; *in != '/' && *in != '\0'; in++) {
            char c = *in;
            if (c == '%') {
                int decoded = unescaped(in);
                if (decoded <= 0)
                    return false;
                c = (char)decoded;
                in += 2;
            } else if (c >= '\0' && c <= ' ') {
                return false;
            }
            *out++ = c;
        }
        *out++ = '\0';
    }
    return true;
}

static bool fits(const struct route *route, const struct route_target *target)
{
    const char *path = route->path;

    if (path == NULL)
        return false;
    for (size_t i = 0; i < target->count; i++) {
        if (*path != '/' || i == ROUTE_SEGMENTS_MAX)
            return false;
        path++;
        size_t length = strcspn(path, "/");
        const char *segment = target->segments[i];
        if (path[0] == '{' ? segment[0] == '\0'
                           : strlen(segment) != length || memcmp(segment, path, length) != 0)
            return false;
        path += length;
    }
    return *path == '\0';
}

const struct route *routes_find(const char *method, const struct route_target *target,
                                const char **known)
{
    if (strcmp(method, "HEAD") == 0) /* libmicrohttpd leaves the body out */
        method = "GET";
    *known = NULL;
    for (size_t i = 0; i < routes_table_count; i++) {
        const struct route *route = &routes_table[i];

        if (!fits(route, target))
            continue;
        if (*known == NULL)
            *known = route->path;
        if (strcmp(route->method, method) == 0) {
            *known = route->path;
            return route;
        }
    }
    return NULL;
}

void routes_allow(const struct route_target *target, char *out, size_t size)
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < routes_table_count && length < size; i++)
        if (fits(&routes_table[i], target))
            length += (size_t)snprintf(out + length, size - length, "%s%s%s",
                                       length > 0 ? ", " : "", routes_table[i].method,
                                       strcmp(routes_table[i].method, "GET") == 0 ? ", HEAD" : "");
}

size_t routes_parameters(const struct route *route, const struct route_target *target,
                         struct route_parameter out[ROUTE_SEGMENTS_MAX])
{
    const char *path = route->path;
    size_t count = 0;

    for (size_t i = 0; i < target->count; i++) {
        path++; /* the slash */
        size_t length = strcspn(path, "/");
        if (path[0] == '{')
            out[count++] = (struct route_parameter){path + 1, length - 2, target->segments[i]};
        path += length;
    }
    return count;
}
