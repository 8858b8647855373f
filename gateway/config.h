/*
 * config.h - what an operator may set. One table in config.c describes every option: the command
 * line, the environment, the file and --help follow it.
 * Threads: written by the main thread. Of a configuration that is in use only numbers, and the
 * names of TLS's files, which are the main thread's, change.
 */
#ifndef RXTRACK_CONFIG_H
#define RXTRACK_CONFIG_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

/* The largest batch_limit. */
#define CONFIG_BATCH_MAX 1024

/* The largest database_connections. */
#define CONFIG_CONNECTIONS_MAX 64

/* The largest http_threads. */
#define CONFIG_HTTP_THREADS_MAX 5

struct config {
    char *listen;                     /* address to listen on */
    atomic_long port;                 /* 0: any free one */
    char *database;                   /* libpq connection string; may hold a password */
    atomic_long database_connections; /* connections to the database */
    atomic_long http_threads;         /* each an event loop over its share of the clients */
    atomic_long body_limit;           /* bytes that a request's body may have */
    atomic_long batch_limit;          /* requests in one call to the database */
    atomic_long batch_bytes;          /* bytes of bodies in a call of more than one request */
    atomic_long waiting_limit;        /* requests that wait for the database at once */
    atomic_long body_memory;      /* bytes of large bodies, of requests and answers, held at once */
    atomic_long gateways;         /* that share the load */
    atomic_long request_timeout;  /* seconds a request may wait for the database, or run in it */
    atomic_long client_timeout;   /* seconds a client may take to send a whole request */
    atomic_long idle_timeout;     /* seconds a connection may stay open between requests */
    atomic_long connection_limit; /* client connections open at once */
    atomic_long stream_limit;     /* streams of events open at once */
    atomic_long stream_heartbeat; /* seconds without an event after which a stream says it lives */
    atomic_long stream_lifetime;  /* seconds after which a stream ends */
    atomic_long recent_events;    /* events kept in memory for the streams */
    atomic_long recent_bytes;     /* bytes of them */
    atomic_long shutdown_timeout; /* seconds that requests under way may take to finish */
    char *log_file;               /* where the log goes; "": standard output */
    char *tls_certificate;        /* file with the certificate and its chain; "": no TLS */
    char *tls_key;                /* file with its private key */
    char *tls_client_ca;    /* file with those who sign clients' certificates; "": none is asked
                               for */
    char *allow_plain_http; /* "yes": without TLS also beyond the loopback addresses */
};

/*
 * Fills *config: the command line takes precedence over the environment, that over the file named
 * by --config or RXTRACK_CONFIG, that over the defaults. --help and --version print and exit 0.
 * False after a message on stderr. config_free() frees what it holds, after a failure too.
 */
bool config_load(struct config *config, int argc, char **argv);

/* Takes over of a fresh configuration what can change while the gateway runs. The names of all that
 * differs are added to one of two arrays: taken, or waiting for a restart. */
void config_take(struct config *config, const struct config *fresh, json_t *taken, json_t *waiting);

/* Frees what config_load() allocated inside *config, not config itself. */
void config_free(struct config *config);

#endif
