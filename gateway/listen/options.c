/*
 * options.c - see options.h. No secret is taken from the command line, which every user of the
 * machine can read.
 */
#include "listen/options.h"

#include "follow/say.h"
#include "follow/verdict.h"
#include "secret.h"
#include "types/identifiers.h"

#include <argp.h>
#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_TEXT_MAX 1024
#define ODS_CODES_MAX 1000 /* what the gateway takes */

enum {
    KEY_ALERTS_ONLY = 0x100,
    KEY_ALLOW_PLAIN_HTTP,
    KEY_BATCH,
    KEY_CREATE,
    KEY_DATABASE,
    KEY_EXEC,
    KEY_KEY_FILE,
    KEY_MAX,
    KEY_ODS,
    KEY_ONCE,
    KEY_POLL,
    KEY_SINCE,
    KEY_STATE,
    KEY_SUBSCRIPTION,
    KEY_URL
};

static const struct argp_option described[] = {
    {0, 0, 0, 0, "Where events come from, one of:", 1},
    {"subscription", KEY_SUBSCRIPTION, "NAME", 0, "a durable subscription in the database", 1},
    {"url", KEY_URL, "URL", 0, "the gateway at URL, such as http://127.0.0.1:8480", 1},
    {0, 0, 0, 0, "Which events:", 2},
    {"ods", KEY_ODS, "CODES", 0,
     "only those of these pharmacies: ODS codes, with commas between them", 2},
    {"alerts-only", KEY_ALERTS_ONLY, 0, 0,
     "only those that should alert the patient, and those that take one back", 2},
    {0, 0, 0, 0, "What is done with them:", 3},
    {"exec", KEY_EXEC, "COMMAND", 0,
     "instead of printing, run COMMAND by sh for each batch, with its lines on standard input; a "
     "batch is done when it exits with 0, and comes again otherwise",
     3},
    {"batch", KEY_BATCH, "NUMBER", 0, "events to a batch, at most (100)", 3},
    {0, 0, 0, 0, "When it ends:", 4},
    {"max", KEY_MAX, "NUMBER", 0, "after so many events", 4},
    {"once", KEY_ONCE, 0, 0, "when there are no more; at once, where they can't be had now", 4},
    {0, 0, 0, 0, "A subscription:", 5},
    {"create", KEY_CREATE, 0, 0,
     "make it, where it is not there, for events released from then on; --ods and --alerts-only "
     "say what it is for, and must be true of one that is there",
     5},
    {"database", KEY_DATABASE, "TEXT", 0,
     "libpq connection string without a password, such as service=rxtrack (RXTRACK_DATABASE, which "
     "may have one; what it leaves out comes from PGHOST and the like)",
     5},
    {"poll", KEY_POLL, "SECONDS", 0, "look for events so often without being notified (30)", 5},
    {0, 0, 0, 0, "A gateway:", 6},
    {"key-file", KEY_KEY_FILE, "FILE", 0,
     "the API key is the first line of FILE (RXTRACK_API_KEY holds the key itself)", 6},
    {"allow-plain-http", KEY_ALLOW_PLAIN_HTTP, 0, 0,
     "send the key without TLS to another machine than this one: over a network that nobody else "
     "is on",
     6},
    {"since", KEY_SINCE, "NUMBER", 0,
     "begin after this release number, as far as events are kept; 0: with all that are", 6},
    {"state", KEY_STATE, "FILE", 0,
     "keep the position in FILE, and begin there, whatever --since says, where it exists", 6},
    {0}};

static const char documentation[] =
    "Follows rxtrack's readiness events and prints each as a line of JSON. An event is done when "
    "its line is written, or the command of --exec has exited with 0; one that was not done comes "
    "again. Connections that are lost are made again."
    "\vExit status: 0 ended as asked (SIGTERM, SIGINT, --max, --once), 1 a fault that trying again "
    "does not mend, or stopped by a second signal with a batch in hand, 2 wrong options, 3 "
    "standard output is closed, 4 with --once: no connection, another one follows this "
    "subscription, or the command failed.";

/* ---- values ---- */

static int64_t read_number(struct argp_state *state, const char *option, const char *text,
                           int64_t least, int64_t most)
{
    char *end;

    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || !isdigit((unsigned char)text[0]) || *end != '\0' || number < least ||
        number > most)
        argp_error(state, "--%s must be a number from %lld to %lld", option, (long long)least,
                   (long long)most);
    return number;
}

/* Writes the codes as the service has them, with commas between them; out has room for as much as
 * was sent. False where one is none. */
static bool take_codes(const char *text, char *out)
{
    for (size_t codes = 1;; codes++) {
        size_t length = strcspn(text, ",");
        OdsCode code;
        char canonical[ODS_CODE_TEXT];

        if (codes > ODS_CODES_MAX || ods_code_parse(text, length, &code) != NULL)
            return false;
        ods_code_format(code, canonical);
        out = stpcpy(out, canonical);
        text += length;
        if (*text == '\0')
            return true;
        text++;
        out = stpcpy(out, ",");
    }
}

static void read_codes(struct options *options, struct argp_state *state, const char *text)
{
    free(options->ods);
    options->ods = calloc(1, strlen(text) + 1);
    if (options->ods == NULL || !take_codes(text, options->ods))
        argp_error(state,
                   "--ods must be ODS codes (1 to %d letters and digits) with commas "
                   "between them, at most %d",
                   ODS_CODE_TEXT - 1, ODS_CODES_MAX);
}

/* Whether a text can be a key in a header: one word of printable ASCII. */
static bool is_key(const char *text)
{
    const char *c = text;

    while (*c > ' ' && *c < 0x7f)
        c++;
    return c > text && *c == '\0';
}

static void read_key_file(struct options *options, struct argp_state *state, const char *path)
{
    char line[KEY_TEXT_MAX];
    FILE *file = fopen(path, "re");

    if (file == NULL)
        argp_failure(state, VERDICT_USAGE, errno, "%s", path);
    bool got = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL)
        fclose(file);
    if (got)
        line[strcspn(line, "\r\n")] = '\0';
    if (!got || !is_key(line))
        argp_failure(state, VERDICT_USAGE, 0, "%s: the first line is no API key", path);
    free(options->key);
    options->key = strdup(line);
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool there = curl_url_get(url, part, &text, 0) == CURLUE_OK && text != NULL;

    curl_free(text);
    return there;
}

static bool is_http(CURLU *url)
{
    char *scheme = NULL;
    bool known = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                 (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

    curl_free(scheme);
    return known;
}

/* What is wrong with a URL; NULL: nothing. */
static const char *url_fault(const char *text)
{
    const char *fault = NULL;
    CURLU *url = curl_url();

    if (url == NULL || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK || !is_http(url))
        fault = "must be a URL of http or https";
    else if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
        fault = "must not hold a user or a password";
    else if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT))
        fault = "must end with the gateway's host, port or path";
    curl_url_cleanup(url);
    return fault;
}

static bool is_this_machine(const char *host)
{
    unsigned char address[4];

    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, address) == 1 && address[0] == 127);
}

/* Whether what is sent to the URL can be read on its way to another machine. */
static bool is_readable_by_others(const char *text)
{
    char *scheme = NULL, *host = NULL;
    CURLU *url = curl_url();
    bool readable = true;

    if (url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        readable = strcmp(scheme, "http") == 0 && !is_this_machine(host);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return readable;
}

/* ---- the whole ---- */

/* Takes from the environment what no option says. */
static void read_environment(struct options *options, struct argp_state *state)
{
    const char *database = getenv("RXTRACK_DATABASE");
    const char *key = getenv("RXTRACK_API_KEY");

    if (options->database == NULL) {
        PQconninfoOption *parsed = PQconninfoParse(database != NULL ? database : "", NULL);
        if (parsed == NULL)
            argp_error(state, "RXTRACK_DATABASE is no connection string of libpq");
        PQconninfoFree(parsed);
        options->database = database != NULL ? database : "";
    }
    if (options->url != NULL && options->key == NULL && key != NULL && key[0] != '\0') {
        if (!is_key(key))
            argp_error(state, "RXTRACK_API_KEY holds no API key");
        options->key = strdup(key);
    }
}

static void check(struct options *options, struct argp_state *state)
{
    if ((options->subscription == NULL) == (options->url == NULL))
        argp_error(state, "say one of --subscription and --url");
    if (options->subscription != NULL && options->since >= 0)
        argp_error(state, "--since goes with --url: a subscription keeps its position itself");
    if (options->subscription != NULL && options->state != NULL)
        argp_error(state, "--state goes with --url: a subscription keeps its position itself");
    if (options->url != NULL && (options->create || options->poll > 0))
        argp_error(state, "--%s goes with --subscription", options->create ? "create" : "poll");
    if (options->poll == 0)
        options->poll = 30;
    read_environment(options, state);
    if (options->key != NULL && options->url != NULL && !options->allow_plain_http &&
        is_readable_by_others(options->url))
        argp_error(state, "--url is plain http to another machine: the key could be read on the "
                          "way; use https, or say --allow-plain-http");
}

static void set_database(struct options *options, struct argp_state *state, const char *text)
{
    PQconninfoOption *parsed = PQconninfoParse(text, NULL);

    PQconninfoFree(parsed);
    if (parsed == NULL)
        argp_error(state, "--database must be a connection string of libpq");
    if (secret_is_in_connection(text))
        argp_error(state, "--database must not hold a password, which every user of the machine "
                          "could read: use ~/.pgpass, a service file or RXTRACK_DATABASE");
    options->database = text;
}

static void set_url(struct options *options, struct argp_state *state, const char *text)
{
    const char *fault = url_fault(text);

    if (fault != NULL)
        argp_error(state, "--url %s", fault);
    options->url = text;
}

/* Takes an option without a value, or whose value is kept as it is; false where it is another. */
static bool take_plain(struct options *options, int key, char *text)
{
    switch (key) {
    case KEY_ALERTS_ONLY:
        options->alerts_only = true;
        return true;
    case KEY_ALLOW_PLAIN_HTTP:
        options->allow_plain_http = true;
        return true;
    case KEY_CREATE:
        options->create = true;
        return true;
    case KEY_ONCE:
        options->once = true;
        return true;
    case KEY_EXEC:
        options->exec = text;
        return true;
    case KEY_STATE:
        options->state = text;
        return true;
    case KEY_SUBSCRIPTION:
        options->subscription = text;
        return true;
    default:
        return false;
    }
}

/* Takes an option that is a number; false where it is another. */
static bool take_number(struct options *options, struct argp_state *state, int key,
                        const char *text)
{
    switch (key) {
    case KEY_BATCH:
        options->batch = read_number(state, "batch", text, 1, 100000);
        return true;
    case KEY_MAX:
        options->max = read_number(state, "max", text, 1, INT64_MAX);
        return true;
    case KEY_POLL:
        options->poll = read_number(state, "poll", text, 1, 86400);
        return true;
    case KEY_SINCE:
        options->since = read_number(state, "since", text, 0, INT64_MAX);
        return true;
    default:
        return false;
    }
}

static error_t read_option(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;

    if (take_plain(options, key, text) || take_number(options, state, key, text))
        return 0;
    switch (key) {
    case KEY_DATABASE:
        set_database(options, state, text);
        return 0;
    case KEY_URL:
        set_url(options, state, text);
        return 0;
    case KEY_ODS:
        read_codes(options, state, text);
        return 0;
    case KEY_KEY_FILE:
        read_key_file(options, state, text);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "there is no argument '%s'", text);
        return 0;
    case ARGP_KEY_END:
        check(options, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

bool options_read(struct options *options, int argc, char **argv)
{
    static const struct argp argp = {described, read_option, NULL, documentation, NULL, NULL, NULL};

    *options = (struct options){.since = -1, .max = -1, .batch = 100};
    argp_program_version = "rxtrack-listen " RXTRACK_VERSION;
    argp_err_exit_status = VERDICT_USAGE;
    return argp_parse(&argp, argc, argv, 0, NULL, options) == 0;
}

void options_free(struct options *options)
{
    free(options->key);
    free(options->ods);
}
