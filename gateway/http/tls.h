/*
 * tls.h - TLS: the gateway's certificate, the authorities that sign those of clients, and loading
 * both anew while connections are open. libmicrohttpd and GnuTLS do the rest.
 *
 * What was loaded at one time is a set, counted by reference: each connection holds the set that it
 * began with, so that a reload cuts none off, and frees nothing under a handshake.
 */
#ifndef RXTRACK_TLS_H
#define RXTRACK_TLS_H

#include "config.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>

#define TLS_FINGERPRINT_BYTES 32 /* a SHA-256 */

/* GnuTLS's priority string: TLS 1.3 and 1.2, forward secrecy and authenticated encryption only. */
extern const char tls_priorities[];

struct tls_set;

/* ---- main thread ---- */

/* Loads the files that *config names; where it names none, there is no TLS. *config must stay.
 * False after a message on stderr. */
bool tls_start(const struct config *config);

/* Loads the files anew, for connections that begin from now on. Where anything is wrong with them
 * the old set stays. The log says which of the two. Does nothing without TLS. */
void tls_reload(void);

/* Frees the set. After all connections have ended. */
void tls_stop(void);

/* ---- any thread ---- */

/* Whether there is TLS. */
bool tls_is_on(void);

/* A reference to the newest set, for a new connection. NULL: there is no TLS. */
struct tls_set *tls_acquire(void);

/* Drops the reference, when the connection's session has ended. NULL is ignored. */
void tls_release(struct tls_set *set);

/* ---- HTTP threads ---- */

/* The certificate callback that libmicrohttpd wants to be given: it refuses. Sessions get their
 * credentials from tls_use(). */
int tls_refuse(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
               gnutls_pcert_st **certificates, unsigned *count, gnutls_ocsp_data_st **responses,
               unsigned *response_count, gnutls_privkey_t *key, unsigned *flags);

/* Lets a new session use the set, which must outlive it. False without memory. */
bool tls_use(const struct tls_set *set, gnutls_session_t session);

#endif
