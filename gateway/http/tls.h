/*
 * tls.h - TLS: the certificate that the gateway shows, who may show one to it, and the change of
 * both while connections are open. libmicrohttpd and GnuTLS do the rest.
 *
 * What was loaded at one time is a set; each connection holds on to the set that it began with, so
 * that a change drops none, and what a handshake uses is not freed under it.
 */
#ifndef RXTRACK_TLS_H
#define RXTRACK_TLS_H

#include "config.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>

#define TLS_FINGERPRINT_BYTES 32 /* a SHA-256 */

/* What is spoken: TLS 1.3 and 1.2, with forward secrecy and authenticated encryption only. */
extern const char tls_priorities[];

struct tls_set;

/* ---- main thread ---- */

/* Loads the files that *config names, which must outlive it; without any, there is no TLS. False
 * after a message on stderr. */
bool tls_start(const struct config *config);

/* Loads them anew, for connections that begin from now on. Where anything is wrong with them all
 * stays as it was; the log says which. */
void tls_reload(void);

/* Frees the set. After all connections have ended. */
void tls_stop(void);

/* ---- any thread ---- */

/* Whether there is TLS. */
bool tls_is_on(void);

/* A reference to the newest set, for a connection that begins. NULL: there is no TLS. */
struct tls_set *tls_acquire(void);

/* Gives the reference back, when the connection's session is no more. NULL is ignored. */
void tls_release(struct tls_set *set);

/* ---- HTTP threads ---- */

/* libmicrohttpd's own credentials, which no connection uses: a session without a set gets none. */
int tls_refuse(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
               gnutls_pcert_st **certificates, unsigned *count, gnutls_ocsp_data_st **responses,
               unsigned *response_count, gnutls_privkey_t *key, unsigned *flags);

/* Lets a session that begins use the set, which must outlive it. False without memory. */
bool tls_use(const struct tls_set *set, gnutls_session_t session);

#endif
