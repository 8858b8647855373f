/*
 * config.c - the table of options and its readers: argp for the command line, inih for the file.
 * Threads: the main thread only, before any other is started.
 */
#include "config.h"

#include "secret.h"

#include <argp.h>
#include <errno.h>
#include <ini.h>
#include <libpq-fe.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct setting {
    const char *name;        /* in the file; on the command line with - for _ */
    const char *environment; /* variable */
    size_t offset;           /* of the field in struct config */
    const char *initial;     /* the default */
    long minimum, maximum;   /* of a number */
    const char *unit;        /* of a number; NULL: it is a text */
    const char *help;
    bool (*check)(const char *text); /* of a text, or NULL */
    bool secret; /* not taken from the command line, which every user of the machine can read */
};

static bool is_filled(const char *text);
static bool is_connection_string(const char *text);
static bool is_yes_or_no(const char *text);

#define NAMED(name, variable) #name, variable, offsetof(struct config, name)

static const struct setting settings[] = {
    {NAMED(listen, "RXTRACK_LISTEN"), "127.0.0.1", 0, 0, NULL, "address to listen on", is_filled,
     false},
    {NAMED(port, "RXTRACK_PORT"), "8480", 0, 65535, "", "port to listen on, 0 for any free one",
     NULL, false},
    {NAMED(database, "RXTRACK_DATABASE"), "", 0, 0, NULL,
     "libpq connection string; what it leaves out comes from PGHOST and the like",
     is_connection_string, true},
    {NAMED(database_connections, "RXTRACK_DATABASE_CONNECTIONS"), "4", 1, CONFIG_CONNECTIONS_MAX,
     "", "connections to the database", NULL, false},
    {NAMED(http_threads, "RXTRACK_HTTP_THREADS"), "1", 1, CONFIG_HTTP_THREADS_MAX, "",
     "threads that serve HTTP, each an event loop", NULL, false},
    {NAMED(body_limit, "RXTRACK_BODY_LIMIT"), "1048576", 1, 256L * 1024 * 1024, "bytes",
     "largest request body", NULL, false},
    {NAMED(batch_limit, "RXTRACK_BATCH_LIMIT"), "64", 1, CONFIG_BATCH_MAX, "requests",
     "requests that may share one call to the database", NULL, false},
    {NAMED(batch_bytes, "RXTRACK_BATCH_BYTES"), "1048576", 1, 256L * 1024 * 1024, "bytes",
     "bodies that may share one call to the database", NULL, false},
    {NAMED(waiting_limit, "RXTRACK_WAITING_LIMIT"), "4000", 2, 1000000, "requests",
     "requests that may wait for the database, at most half of them one application's", NULL,
     false},
    {NAMED(body_memory, "RXTRACK_BODY_MEMORY"), "268435456", 1, 1L << 40, "bytes",
     "memory for bodies, of requests and of answers, that are larger than 16 KiB", NULL, false},
    {NAMED(gateways, "RXTRACK_GATEWAYS"), "1", 1, 1000, "",
     "gateways that share the load: each lets its part of an application's rate through", NULL,
     false},
    {NAMED(request_timeout, "RXTRACK_REQUEST_TIMEOUT"), "10", 1, 3600, "seconds",
     "time a request may wait for the database and run in it, together", NULL, false},
    {NAMED(client_timeout, "RXTRACK_CLIENT_TIMEOUT"), "30", 1, 3600, "seconds",
     "time a client may take to send one whole request", NULL, false},
    {NAMED(idle_timeout, "RXTRACK_IDLE_TIMEOUT"), "120", 1, 86400, "seconds",
     "time a connection may stay open between requests", NULL, false},
    {NAMED(connection_limit, "RXTRACK_CONNECTION_LIMIT"), "10000", 1, 1000000, "connections",
     "client connections open at once, as far as the limit of open files goes", NULL, false},
    {NAMED(stream_limit, "RXTRACK_STREAM_LIMIT"), "8000", 0, 1000000, "streams",
     "streams of events open at once, at most nine in ten connections", NULL, false},
    {NAMED(stream_heartbeat, "RXTRACK_STREAM_HEARTBEAT"), "15", 1, 3600, "seconds",
     "time without an event after which a stream says that it lives", NULL, false},
    {NAMED(stream_lifetime, "RXTRACK_STREAM_LIFETIME"), "3600", 1, 86400, "seconds",
     "time after which a stream ends, so that its client shows its key again", NULL, false},
    {NAMED(recent_events, "RXTRACK_RECENT_EVENTS"), "4096", 1, 1000000, "events",
     "recent events kept in memory for streams", NULL, false},
    {NAMED(recent_bytes, "RXTRACK_RECENT_BYTES"), "8388608", 1, 1L << 30, "bytes",
     "recent events kept in memory for streams", NULL, false},
    {NAMED(shutdown_timeout, "RXTRACK_SHUTDOWN_TIMEOUT"), "30", 0, 3600, "seconds",
     "time that requests in flight may take to finish after SIGTERM", NULL, false},
    {NAMED(log_file, "RXTRACK_LOG_FILE"), "", 0, 0, NULL,
     "file that the log goes to, opened anew at SIGUSR1; standard output where it is empty", NULL,
     false},
    {NAMED(tls_certificate, "RXTRACK_TLS_CERTIFICATE"), "", 0, 0, NULL,
     "PEM file of the certificate and its chain; with it nothing but TLS is spoken", NULL, false},
    {NAMED(tls_key, "RXTRACK_TLS_KEY"), "", 0, 0, NULL,
     "PEM file of the certificate's private key, which its owner alone may read", NULL, false},
    {NAMED(tls_client_ca, "RXTRACK_TLS_CLIENT_CA"), "", 0, 0, NULL,
     "PEM file of the authorities whose certificates clients may show", NULL, false},
    {NAMED(allow_plain_http, "RXTRACK_ALLOW_PLAIN_HTTP"), "no", 0, 0, NULL,
     "yes: listen on other addresses than loopback without TLS, behind what does TLS", is_yes_or_no,
     false},
};

#undef NAMED

#define SETTING_COUNT (sizeof settings / sizeof settings[0])

/* argp's keys: the options by their place in the table, above the codes of short options. */
enum { KEY_CONFIG = 'c', KEY_FIRST_SETTING = 0x100 };

/* What the command line says, kept until the file and the environment have been read. */
struct command_line {
    const char *file;
    const char *value[SETTING_COUNT];
};

static bool is_filled(const char *text)
{
    return text[0] != '\0';
}

static bool is_yes_or_no(const char *text)
{
    return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
}

/* What libpq says of a bad connection string may quote a password, and is not passed on. */
static bool is_connection_string(const char *text)
{
    char *words = NULL;
    PQconninfoOption *parsed = PQconninfoParse(text, &words);

    PQconninfoFree(parsed);
    PQfreemem(words);
    return parsed != NULL;
}

/* Sets an option. False after a message where the value is not valid; where: its source. */
static bool set_field(struct config *config, const struct setting *setting, const char *text,
                      const char *where)
{
    void *field = (char *)config + setting->offset;

    if (setting->unit == NULL) {
        if (setting->check != NULL && !setting->check(text)) {
            fprintf(stderr, "rxtrack-gateway: %s: the value of %s is not valid\n", where,
                    setting->name);
            return false;
        }
        free(*(char **)field);
        *(char **)field = strdup(text);
        return *(char **)field != NULL;
    }

    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < setting->minimum ||
        number > setting->maximum) {
        fprintf(stderr, "rxtrack-gateway: %s: %s must be a number from %ld to %ld%s%s\n", where,
                setting->name, setting->minimum, setting->maximum, setting->unit[0] ? " " : "",
                setting->unit);
        return false;
    }
    atomic_store((atomic_long *)field, number);
    return true;
}

/* ---- the file ---- */

/* A file that is read. inih does not tell its callbacks the line, so they are counted here too. */
struct file_reader {
    struct config *config;
    const char *path;
    FILE *stream;
    int line;
    bool failed;
    bool seen[SETTING_COUNT];
};

static void complain_of_file(struct file_reader *reader, const char *what, const char *name)
{
    fprintf(stderr, "rxtrack-gateway: %s, line %d: %s%s%s\n", reader->path, reader->line, what,
            name != NULL ? " " : "", name != NULL ? name : "");
    reader->failed = true;
}

/* inih's reader: fgets(), where a line that inih would cut in two is a fault. */
static char *read_file_line(char *text, int size, void *data)
{
    struct file_reader *reader = data;

    if (reader->failed || fgets(text, size, reader->stream) == NULL)
        return NULL;
    reader->line++;
    if (strchr(text, '\n') == NULL && !feof(reader->stream)) {
        complain_of_file(reader, "the line is too long; the environment takes longer values", NULL);
        return NULL;
    }
    return text;
}

/* inih's handler, called for each name = value. Returns 1, or 0 after a message. */
static int set_from_file(void *data, const char *section, const char *name, const char *value)
{
    struct file_reader *reader = data;
    char where[PATH_MAX + 32];

    if (reader->failed)
        return 0;
    if (section[0] != '\0') {
        complain_of_file(reader, "there are no sections, but found", section);
        return 0;
    }
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(name, settings[i].name) != 0)
            continue;
        if (reader->seen[i]) {
            complain_of_file(reader,
                             "given a second time, or continued by an indented line:", name);
            return 0;
        }
        reader->seen[i] = true;
        snprintf(where, sizeof where, "%s, line %d", reader->path, reader->line);
        reader->failed = !set_field(reader->config, &settings[i], value, where);
        return !reader->failed;
    }
    complain_of_file(reader, "there is no option", name);
    return 0;
}

/* False after a message where the file has a password in it, and others than its owner can read it.
 */
static bool keeps_secrets(const struct file_reader *reader)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *const *field =
            (const char *const *)((const char *)reader->config + settings[i].offset);

        if (settings[i].secret && reader->seen[i] && secret_is_in_connection(*field) &&
            !secret_is_private(fileno(reader->stream), reader->path)) {
            fprintf(stderr, "rxtrack-gateway: %s: " SECRET_ADVICE "\n", reader->path);
            return false;
        }
    }
    return true;
}

static bool load_file(struct config *config, const char *path)
{
    struct file_reader reader = {.config = config, .path = path};

    reader.stream = fopen(path, "re");
    if (reader.stream == NULL) {
        fprintf(stderr, "rxtrack-gateway: %s: %s\n", path, strerror(errno));
        return false;
    }
    int outcome = ini_parse_stream(read_file_line, &reader, set_from_file, &reader);
    if (ferror(reader.stream)) {
        fprintf(stderr, "rxtrack-gateway: %s: cannot be read\n", path);
        reader.failed = true;
    } else if (outcome != 0 && !reader.failed) {
        reader.line = outcome;
        complain_of_file(&reader, "not of the form name = value", NULL);
    }
    if (!reader.failed && !keeps_secrets(&reader))
        reader.failed = true;
    fclose(reader.stream);
    return !reader.failed;
}

/* ---- the environment ---- */

static bool load_environment(struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *text = getenv(settings[i].environment);

        /* empty counts as not set, so that a unit file can blank a variable */
        if (text == NULL || text[0] == '\0')
            continue;
        char where[128];
        snprintf(where, sizeof where, "environment variable %s", settings[i].environment);
        if (!set_field(config, &settings[i], text, where))
            return false;
    }
    return true;
}

/* ---- the command line ---- */

static error_t read_argument(int key, char *text, struct argp_state *state)
{
    struct command_line *line = state->input;

    if (key == KEY_CONFIG)
        line->file = text;
    else if (key >= KEY_FIRST_SETTING && (size_t)(key - KEY_FIRST_SETTING) < SETTING_COUNT)
        line->value[key - KEY_FIRST_SETTING] = text != NULL ? text : "yes";
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "there is no argument '%s'", text);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

/* argp's table and its texts, made from ours; they live as long as the parse. */
struct argp_texts {
    struct argp_option option[SETTING_COUNT + 2];
    char name[SETTING_COUNT][40];
    char help[SETTING_COUNT][240];
    char after[512];
};

static const char *argument_word(const struct setting *setting)
{
    if (setting->check == is_yes_or_no)
        return "yes|no";
    if (setting->unit == NULL)
        return "TEXT";
    return strcmp(setting->unit, "seconds") == 0 ? "SECONDS"
           : strcmp(setting->unit, "bytes") == 0 ? "BYTES"
                                                 : "NUMBER";
}

static void describe_setting(struct argp_texts *texts, size_t i)
{
    const struct setting *setting = &settings[i];

    snprintf(texts->name[i], sizeof texts->name[i], "%s", setting->name);
    for (char *c = texts->name[i]; *c != '\0'; c++)
        if (*c == '_')
            *c = '-';
    snprintf(texts->help[i], sizeof texts->help[i], "%s (%s%s%s)", setting->help,
             setting->environment, setting->initial[0] != '\0' ? ", " : "", setting->initial);
}

static void describe_settings(struct argp_texts *texts)
{
    size_t used = 0;

    memset(texts, 0, sizeof *texts);
    texts->option[used++] = (struct argp_option){
        .name = "config", .key = KEY_CONFIG, .arg = "FILE", .doc = "read FILE (RXTRACK_CONFIG)"};
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        describe_setting(texts, i);
        if (settings[i].secret)
            continue;
        texts->option[used++] = (struct argp_option){
            .name = texts->name[i],
            .key = KEY_FIRST_SETTING + (int)i,
            .arg = argument_word(&settings[i]),
            .flags = settings[i].check == is_yes_or_no ? OPTION_ARG_OPTIONAL : 0,
            .doc = texts->help[i]};
    }
    size_t length = 0;
    for (size_t i = 0; i < SETTING_COUNT && length < sizeof texts->after; i++)
        if (settings[i].secret)
            length += (size_t)snprintf(texts->after + length, sizeof texts->after - length,
                                       "\v%s: %s. By %s or the file only, since it may hold a "
                                       "password.\n",
                                       settings[i].name, settings[i].help, settings[i].environment);
}

static bool read_command_line(struct command_line *line, int argc, char **argv)
{
    static const char before[] =
        "The HTTP gateway of rxtrack: takes requests and hands each to the extension in "
        "PostgreSQL.\n\nEvery option is followed by its environment variable and its default. "
        "The command line goes before the environment, the environment before the file; in the "
        "file an option is a line 'name = value' with _ for -.";
    struct argp_texts texts;
    char documentation[sizeof before + sizeof texts.after];

    describe_settings(&texts);
    snprintf(documentation, sizeof documentation, "%s%s", before, texts.after);
    struct argp argp = {.options = texts.option, .parser = read_argument, .doc = documentation};

    memset(line, 0, sizeof *line);
    argp_program_version = "rxtrack-gateway " RXTRACK_VERSION;
    argp_err_exit_status = 2;
    return argp_parse(&argp, argc, argv, 0, NULL, line) == 0;
}

static bool apply_command_line(struct config *config, const struct command_line *line)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (line->value[i] != NULL &&
            !set_field(config, &settings[i], line->value[i], "command line"))
            return false;
    return true;
}

/* False after a message where options contradict each other. */
static bool is_consistent(const struct config *config)
{
    const char *missing = NULL;

    if (config->tls_certificate[0] != '\0' && config->tls_key[0] == '\0')
        missing = "tls_certificate is given, but not tls_key";
    else if (config->tls_certificate[0] == '\0' &&
             (config->tls_key[0] != '\0' || config->tls_client_ca[0] != '\0'))
        missing = "tls_key or tls_client_ca is given, but not tls_certificate";
    if (missing != NULL)
        fprintf(stderr, "rxtrack-gateway: %s\n", missing);
    return missing == NULL;
}

bool config_load(struct config *config, int argc, char **argv)
{
    struct command_line line;

    memset(config, 0, sizeof *config);
    if (!read_command_line(&line, argc, argv))
        return false;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (!set_field(config, &settings[i], settings[i].initial, "default"))
            return false;
    const char *file = line.file != NULL ? line.file : getenv("RXTRACK_CONFIG");
    if (file != NULL && file[0] != '\0' && !load_file(config, file))
        return false;
    return load_environment(config) && apply_command_line(config, &line) && is_consistent(config);
}

/* What sizes or places something at the start, and is looked at no more. */
static bool needs_restart(const char *name)
{
    static const char *const names[] = {"listen",           "port",         "database",
                                        "connection_limit", "http_threads", "database_connections",
                                        "recent_events",    "recent_bytes", "log_file",
                                        "allow_plain_http"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void take_number(atomic_long *number, const atomic_long *fresh, const char *name,
                        json_t *taken, json_t *waiting)
{
    if (*number == *fresh)
        return;
    bool takes = !needs_restart(name);
    if (takes)
        *number = *fresh;
    json_array_append_new(takes ? taken : waiting, json_string(name));
}

/* A text that comes or goes has TLS begin or end, which takes a restart. */
static void take_text(char **text, char *const *fresh, const char *name, json_t *taken,
                      json_t *waiting)
{
    char *copy = NULL;

    if (strcmp(*text, *fresh) == 0)
        return;
    if (!needs_restart(name) && (*text)[0] != '\0' && (*fresh)[0] != '\0')
        copy = strdup(*fresh);
    json_array_append_new(copy != NULL ? taken : waiting, json_string(name));
    if (copy == NULL)
        return;
    free(*text);
    *text = copy;
}

void config_take(struct config *config, const struct config *fresh, json_t *taken, json_t *waiting)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        void *field = (char *)config + settings[i].offset;
        const void *other = (const char *)fresh + settings[i].offset;

        if (settings[i].unit == NULL)
            take_text(field, other, settings[i].name, taken, waiting);
        else
            take_number(field, other, settings[i].name, taken, waiting);
    }
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (settings[i].unit == NULL) {
            char **field = (char **)((char *)config + settings[i].offset);
            free(*field);
            *field = NULL;
        }
}
