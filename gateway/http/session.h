/*
 * session.h - the TLS session of a client's connection: what GnuTLS asks us while it lasts, and
 * what we ask it. Threads: the HTTP thread of the connection, while libmicrohttpd has not begun to
 * free it.
 */
#ifndef RXTRACK_SESSION_H
#define RXTRACK_SESSION_H

#include "http/client.h"
#include "http/tls.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

/* Sets the session of a connection up, before its handshake. The set must outlive the session. */
void session_begin(struct MHD_Connection *connection, struct client *client,
                   const struct tls_set *set);

/* The SHA-256 of the certificate (DER) that the client has shown, and proved to be its own. False
 * where it has shown none, or there is no TLS. */
bool session_fingerprint(struct MHD_Connection *connection,
                         unsigned char fingerprint[TLS_FINGERPRINT_BYTES]);

/* Sends a text past libmicrohttpd, as the last that is sent, if it can be sent at once. Without TLS
 * it does nothing. */
void session_send_last(struct MHD_Connection *connection, const char *text, size_t length);

#endif
