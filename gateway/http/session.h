/*
 * session.h - the TLS session of a client's connection.
 * Threads: the HTTP thread of the connection, before libmicrohttpd frees it.
 */
#ifndef RXTRACK_SESSION_H
#define RXTRACK_SESSION_H

#include "http/client.h"
#include "http/tls.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* Sets up the session of a connection, before its handshake. The set must outlive it. */
void session_begin(struct MHD_Connection *connection, struct client *client,
                   const struct tls_set *set);

/* The SHA-256 of the certificate (DER) that the client has shown, and proved to hold the key of.
 * False where it has shown none, or there is no TLS. */
bool session_fingerprint(struct MHD_Connection *connection,
                         unsigned char fingerprint[TLS_FINGERPRINT_BYTES]);

/* Sends a text past libmicrohttpd, with or without TLS, as the last thing on this connection, if
 * the socket takes it at once. */
void session_send_last(struct MHD_Connection *connection, const struct client *client,
                       const char *text, size_t length);

#endif
