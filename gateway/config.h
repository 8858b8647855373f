/*
 * config.h - what an operator may set. One table in config.c describes every option: the command
 * line, the environment, the file and --help follow it.
 * Threads: written by the main thread at the start, constant from then on.
 */
#ifndef RXTRACK_CONFIG_H
#define RXTRACK_CONFIG_H

#include <stdbool.h>

/* The largest batch_limit. */
#define CONFIG_BATCH_MAX 1024

/* The largest database_connections. */
#define CONFIG_CONNECTIONS_MAX 64

/* The largest http_threads. */
#define CONFIG_HTTP_THREADS_MAX 5

struct config {
    char *listen;              /* address to listen on */
    long port;                 /* 0: any free one */
    char *database;            /* libpq connection string; may hold a password */
    long database_connections; /* connections to the database */
    long http_threads;         /* each an event loop over its share of the clients */
    long body_limit;           /* bytes that a request's body may have */
    long batch_limit;          /* requests in one call to the database */
    long batch_bytes;          /* bytes of bodies in a call of more than one request */
    long waiting_limit;        /* requests that wait for the database at once */
    long body_memory;          /* bytes of large bodies held at once */
    long gateways;             /* that share the load */
    long request_timeout;      /* seconds a request may wait for the database, or run in it */
    long client_timeout;       /* seconds a client may take to send a whole request */
    long idle_timeout;         /* seconds a connection may stay open between requests */
    long connection_limit;     /* client connections open at once */
    long stream_limit;         /* streams of events open at once */
    long stream_heartbeat;     /* seconds without an event after which a stream says it lives */
    long stream_lifetime;      /* seconds after which a stream ends */
    long recent_events;        /* events kept in memory for the streams */
    long recent_bytes;         /* bytes of them */
    long shutdown_timeout;     /* seconds that requests under way may take to finish */
    char *tls_certificate;     /* file with the certificate and its chain; "": no TLS */
    char *tls_key;             /* file with its private key */
    char *tls_client_ca;       /* file with those who sign clients' certificates; "": none is asked
                                  for */
    char *allow_plain_http;    /* "yes": without TLS also beyond the loopback addresses */
};

/*
 * Fills *config: the command line takes precedence over the environment, that over the file named
 * by --config or RXTRACK_CONFIG, that over the defaults. --help and --version print and exit 0.
 * False after a message on stderr. config_free() frees what it holds, after a failure too.
 */
bool config_load(struct config *config, int argc, char **argv);

/* Frees what config_load() allocated inside *config, not config itself. */
void config_free(struct config *config);

#endif
