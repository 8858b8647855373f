/*
 * options.h - the command line and the environment.
 */
#ifndef RXTRACK_LISTEN_OPTIONS_H
#define RXTRACK_LISTEN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the program calls itself to servers. */
#define OPTIONS_AGENT "rxtrack-listen/" RXTRACK_VERSION

struct options {
    const char *subscription; /* its name, or NULL: then url is there */
    const char *database;     /* a libpq connection string; "": the PG* variables say it all */
    const char *url;          /* of the gateway */
    char *key;                /* API key, or NULL */
    char *ods;                /* codes in upper case with commas between them, or NULL: all */
    bool allow_plain_http;    /* send the key without TLS, also beyond this machine */
    bool alerts_only;
    bool create;
    bool once;
    int64_t since; /* release number, or -1 */
    int64_t max;   /* events, or -1 */
    int64_t batch; /* events */
    int64_t poll;  /* seconds */
    const char *exec;
    const char *state;
};

/* Reads them. Exits for --help, and after a message where an option is wrong. */
bool options_read(struct options *options, int argc, char **argv);

void options_free(struct options *options);

#endif
