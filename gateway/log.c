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

/* A pipe that poll() calls writable has room for so much (PIPE_BUF), so longer lines are cut out.
 */
#define LINE_MAX_BYTES 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* a line at a time; guards lost */
static uint64_t lost;                                    /* lines, since the last that got out */
static bool may_block;                                   /* output is no regular file */
static bool is_socket;

void log_open(void)
{
    struct stat status;

    if (fstat(STDOUT_FILENO, &status) == 0) {
        may_block = !S_ISREG(status.st_mode);
        is_socket = S_ISSOCK(status.st_mode);
    }
}

/* Writes a line if the output takes it at once. Called with the lock held. */
static bool write_line(const char *line, size_t length)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

    if (may_block && (poll(&output, 1, 0) != 1 || !(output.revents & POLLOUT)))
        return false;
    ssize_t written = is_socket ? send(STDOUT_FILENO, line, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                                : write(STDOUT_FILENO, line, length);
    return written == (ssize_t)length;
}

static void write_counted(const char *line, size_t length)
{
    pthread_mutex_lock(&lock);
    if (lost > 0) {
        char time[CLOCK_UTC_TEXT];
        char note[128];

        clock_utc(time);
        int size = snprintf(note, sizeof note,
                            "{\"time\":\"%s\",\"event\":\"log_lines_lost\",\"lines\":%llu}\n", time,
                            (unsigned long long)lost);
        if (write_line(note, (size_t)size))
            lost = 0;
    }
    if (lost > 0 || !write_line(line, length))
        lost++;
    pthread_mutex_unlock(&lock);
}

/* Writes the object as a line and drops the reference to it; NULL is ignored. */
static void write_object(json_t *object)
{
    char line[LINE_MAX_BYTES];

    if (object == NULL)
        return;
    size_t length =
        json_dumpb(object, line, sizeof line - 1, JSON_COMPACT | JSON_REAL_PRECISION(9));
    if (length > 0 && length < sizeof line) {
        line[length++] = '\n';
        write_counted(line, length);
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
    write_object(json_pack("{s:s,s:s?,s:s?,s:o,s:o,s:s?,s:s?}", "time", time, "method",
                           request->method, "path", request->path, "status",
                           request->status != 0 ? json_integer(request->status) : json_null(), "ms",
                           json_real((double)request->duration_us / 1000), "request_id", request_id,
                           "application", request->application));
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
    write_object(object);
}
