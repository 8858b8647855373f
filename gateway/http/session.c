/*
 * session.c - see session.h.
 *
 * A client that the sweep has cut off (client.h) is not read from any more: GnuTLS gets an end of
 * file, upon which libmicrohttpd closes the connection with a close_notify. After an end of file
 * GnuTLS sends no more data, so the 408 is sent just before.
 */
#include "http/session.h"

#include <gnutls/crypto.h>
#include <stdint.h>
#include <sys/socket.h>

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return info != NULL ? info->tls_session : NULL;
}

static void send_last(gnutls_session_t session, const char *text, size_t length)
{
    if (length > 0)
        (void)gnutls_record_send(session, text, length);
}

/* GnuTLS's pull function. */
static ssize_t receive(gnutls_transport_ptr_t session, void *data, size_t size)
{
    const struct client *client = gnutls_session_get_ptr(session);
    char text[ANSWER_RAW];

    if (client_phase(client) < CLIENT_CUT)
        return recv(client_socket(client), data, size, MSG_DONTWAIT);
    size_t length = client_last_words(client, text);
    send_last(session, text, length);
    return 0;
}

void session_begin(struct MHD_Connection *connection, struct client *client,
                   const struct tls_set *set)
{
    gnutls_session_t session = session_of(connection);

    if (session == NULL || !tls_use(set, session))
        return; /* without a certificate the handshake fails */
    gnutls_session_set_ptr(session, client);
    gnutls_transport_set_ptr2(session, session,
                              (gnutls_transport_ptr_t)(intptr_t)client_socket(client));
    gnutls_transport_set_pull_function(session, receive);
}

bool session_fingerprint(struct MHD_Connection *connection,
                         unsigned char fingerprint[TLS_FINGERPRINT_BYTES])
{
    gnutls_session_t session = session_of(connection);
    unsigned count = 0;
    const gnutls_datum_t *chain =
        session != NULL ? gnutls_certificate_get_peers(session, &count) : NULL;

    return chain != NULL && count > 0 &&
           gnutls_hash_fast(GNUTLS_DIG_SHA256, chain[0].data, chain[0].size, fingerprint) == 0;
}

void session_send_last(struct MHD_Connection *connection, const struct client *client,
                       const char *text, size_t length)
{
    gnutls_session_t session = session_of(connection);

    if (session != NULL)
        send_last(session, text, length);
    else
        (void)send(client_socket(client), text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}
