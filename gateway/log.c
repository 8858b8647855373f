/*
 * log.c - see log.h. Standard output is shared with the process that started us, so that it is not
 * put into non-blocking mode: poll() says before each write whether it takes something.
 */
#include "log.h"

#include "clock.h"
#include "types/identifiers.h"

#include <errno.h>
#include <fcntl.h>
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

/* PIPE_BUF, the room of a pipe that poll() calls writable: no write is longer, and no line. */
#define WRITE_MAX_BYTES 4096

static struct {
    pthread_mutex_t lock;
    char text[WRITE_MAX_BYTES]; /* whole lines */
    size_t length;
    unsigned lines;
    uint64_t lost; /* lines that were dropped since the last one that was written */
} pending = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Where the lines go; changed with the lock held. */
static struct {
    const char *path; /* "": standard output */
    int file;
    bool may_block; /* it is no regular file */
    bool is_socket;
} output = {.path = "", .file = STDOUT_FILENO};

static void set_output(int file)
{
    struct stat status;

    output.file = file;
    if (fstat(file, &status) == 0) {
        output.may_block = !S_ISREG(status.st_mode);
        output.is_socket = S_ISSOCK(status.st_mode);
    }
}

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

bool log_open(const char *path)
{
    int file = path[0] != '\0' ? open_path(path) : STDOUT_FILENO;

    if (file < 0) {
        fprintf(stderr, "rxtrack-gateway: %s: %s\n", path, strerror(errno));
        return false;
    }
    output.path = path;
    set_output(file);
    return true;
}

/* Writes, if the output takes it at once. */
static bool write_out(const char *text, size_t length)
{
    struct pollfd polled = {.fd = output.file, .events = POLLOUT};

    if (output.may_block && (poll(&polled, 1, 0) != 1 || !(polled.revents & POLLOUT)))
        return false;
    ssize_t written = output.is_socket
                          ? send(output.file, text, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                          : write(output.file, text, length);
    return written == (ssize_t)length;
}

/* Logs how many lines were lost, if any. With the lock held. */
static void write_lost(void)
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

/* Writes what is pending, or drops and counts it. With the lock held. */
static void write_pending(void)
{
    if (pending.length == 0)
        return;
    write_lost();
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

void log_reopen(void)
{
    int file = output.path[0] != '\0' ? open_path(output.path) : -1;

    if (file < 0) {
        log_event("log_not_reopened", "s:s", "reason",
                  output.path[0] != '\0' ? strerror(errno) : "it goes to standard output");
        return;
    }
    pthread_mutex_lock(&pending.lock);
    write_pending();
    close(output.file);
    set_output(file);
    pthread_mutex_unlock(&pending.lock);
    log_event("log_reopened", NULL);
}

/* Writes the object as a line, and frees it. NULL is ignored. */
static void write_object(json_t *object)
{
    char line[WRITE_MAX_BYTES];

    if (object == NULL)
        return;
    size_t length = json_dumpb(object, line, sizeof line - 1, JSON_COMPACT);
    if (length > 0 && length < sizeof line) {
        line[length++] = '\n';
        add_line(line, length, true);
    }
    json_decref(object);
}

/* Whether a text needs no escapes in JSON, which an application's name may. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            return false;
    return true;
}

/* Writes a text as a string of JSON; null for NULL, or where it does not fit. */
static const char *quote(const char *text, char *out, size_t size)
{
    size_t length = 0;

    if (text != NULL && is_plain(text)) {
        length = (size_t)snprintf(out, size, "\"%s\"", text);
    } else if (text != NULL) {
        json_t *string = json_string(text);

        if (string != NULL)
            length = json_dumpb(string, out, size - 1, JSON_COMPACT | JSON_ENCODE_ANY);
        json_decref(string);
        out[length < size ? length : 0] = '\0';
    }
    return length > 0 && length < size ? out : "null";
}

/* By snprintf(), since json_pack() costs several times as much and each request has a line. */
void log_request(const struct log_request *request)
{
    char line[WRITE_MAX_BYTES];
    char time[CLOCK_UTC_TEXT];
    char method[32], path[128], status[16] = "null", request_id[64], application[1024];
    Uuid unused;
    /* a client may send anything in place of a UUID */
    const char *id = uuid_parse(request->request_id, strlen(request->request_id), &unused) == NULL
                         ? request->request_id
                         : NULL;

    clock_utc(time);
    if (request->status != 0)
        snprintf(status, sizeof status, "%u", request->status);
    int length = snprintf(
        line, sizeof line,
        "{\"time\":\"%s\",\"method\":%s,\"path\":%s,\"status\":%s,"
        "\"ms\":%lld.%03d,\"request_id\":%s,\"application\":%s}\n",
        time, quote(request->method, method, sizeof method),
        quote(request->path, path, sizeof path), status, (long long)request->duration_us / 1000,
        (int)(request->duration_us % 1000), quote(id, request_id, sizeof request_id),
        quote(request->application, application, sizeof application));
    add_line(line, (size_t)length, false);
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
