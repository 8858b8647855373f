/*
 * log.c - see log.h. Standard output is shared with whoever started us, so it is never put into
 * non-blocking mode; it is asked by poll() whether it takes a line just before each write.
 */
#include "log.h"

#include "clock.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe that poll() calls writable has room for so much (PIPE_BUF): no write is longer. A line
 * that does not fit is left out. */
#define WRITE_MAX_BYTES 4096

static struct {
    pthread_mutex_t lock;
    char text[WRITE_MAX_BYTES]; /* whole lines, to be written */
    size_t length;
    unsigned lines;
    uint64_t lost; /* lines, since the last that got out */
} pending = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool may_block; /* output is no regular file */
static bool is_socket;

void log_open(void)
{
    struct stat status;

    if (fstat(STDOUT_FILENO, &status) == 0) {
        may_block = !S_ISREG(status.st_mode);
        is_socket = S_ISSOCK(status.st_mode);
    }
}

/* Writes if the output takes it at once. */
static bool write_out(const char *text, size_t length)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

    if (may_block && (poll(&output, 1, 0) != 1 || !(output.revents & POLLOUT)))
        return false;
    ssize_t written = is_socket ? send(STDOUT_FILENO, text, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                                : write(STDOUT_FILENO, text, length);
    return written == (ssize_t)length;
}

/* Says how many lines were lost, if any were. With the lock held. */
static void own_up(void)
{
    char time[CLOCK_UTC_TEXT];
    char note[128];

    if (pending.lost == 0)
        return;
    clock_utc(time);
    int size = snprintf(note, sizeof note,
                        "{\"time\":\"%s\",\"event\":\"log_lines_lost\",\"lines\":%llu}\n", time,
                        (unsigned long long)pending.lost);
    if (write_out(note, (size_t)size))
        pending.lost = 0;
}

/* Writes what is pending, or counts it as lost. With the lock held. */
static void write_pending(void)
{
    if (pending.length == 0)
        return;
    own_up();
    if (pending.lost > 0 || !write_out(pending.text, pending.length))
        pending.lost += pending.lines;
    pending.length = pending.lines = 0;
}

static void add_line(const char *line, size_t length, bool at_once)
{
    pthread_mutex_lock(&pending.lock);
    if (length > sizeof pending.text - pending.length)
        write_pending();
    memcpy(pending.text + pending.length, line, length);
    pending.length += length;
    pending.lines++;
    if (at_once)
        write_pending();
    pthread_mutex_unlock(&pending.lock);
}

void log_flush(void)
{
    pthread_mutex_lock(&pending.lock);
    write_pending();
    pthread_mutex_unlock(&pending.lock);
}

/* Makes the object a line and drops the reference to it; NULL is ignored. */
static void add_object(json_t *object, bool at_once)
{
    char line[WRITE_MAX_BYTES];

    if (object == NULL)
        return;
    size_t length =
        json_dumpb(object, line, sizeof line - 1, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (length > 0 && length < sizeof line) {
        line[length++] = '\n';
        add_line(line, length, at_once);
    }
    json_decref(object);
}

static bool is_uuid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(text) != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < sizeof shape - 1; i++)
        if (shape[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    return true;
}

void log_request(const struct log_request *request)
{
    char time[CLOCK_UTC_TEXT];
    const char *request_id = request->request_id;

    clock_utc(time);
    if (!is_uuid(request_id))
        request_id = NULL; /* anything may be in it */
    add_object(json_pack("{s:s,s:s?,s:s?,s:o,s:o,s:s?,s:s?}", "time", time, "method",
                         request->method, "path", request->path, "status",
                         request->status != 0 ? json_integer(request->status) : json_null(), "ms",
                         json_real((double)request->duration_us / 1000), "request_id", request_id,
                         "application", request->application),
               false);
}

static json_t *pack_members(const char *format, va_list arguments)
{
    char braced[128];

    snprintf(braced, sizeof braced, "{%s}", format);
    return json_vpack_ex(NULL, 0, braced, arguments);
}

void log_event(const char *event, const char *format, ...)
{
    char time[CLOCK_UTC_TEXT];
    va_list arguments;

    clock_utc(time);
    json_t *object = json_pack("{s:s,s:s}", "time", time, "event", event);
    va_start(arguments, format);
    json_t *members = format != NULL ? pack_members(format, arguments) : NULL;
    va_end(arguments);
    json_object_update(object, members);
    json_decref(members);
    add_object(object, true);
}
