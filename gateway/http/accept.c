/*
 * accept.c - see accept.h.
 */
#include "http/accept.h"

#include "http/http.h"
#include "http/tls.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel lowers it to net.core.somaxconn */
#define ACCEPT_AT_ONCE 64

static void complain(const struct config *config, const char *why)
{
    fprintf(stderr, "rxtrack-gateway: cannot listen on %s port %ld: %s\n", config->listen,
            config->port, why);
}

/* Whether only this machine reaches the address. */
static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;

        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    const struct sockaddr_in6 *v6 = (const void *)address;

    return address->sa_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
            (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == IN_LOOPBACKNET));
}

/* Keys and patients do not cross a network in the clear, unless the operator says that they may. */
static bool may_listen(const struct config *config, const struct addrinfo *address)
{
    if (tls_is_on() || strcmp(config->allow_plain_http, "yes") == 0 ||
        is_loopback(address->ai_addr))
        return true;
    complain(config, "other machines reach that address, and there is no TLS. Set "
                     "tls_certificate and tls_key; or, behind a proxy that does TLS, "
                     "allow_plain_http = yes");
    return false;
}

/* Returns a listening socket on that address, or -1 with errno set. */
static int open_address(const struct addrinfo *address)
{
    int on = 1;
    int listening = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (listening < 0)
        return -1;
    /* What is accepted inherits TCP_NODELAY. */
    if (setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        setsockopt(listening, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        bind(listening, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(listening, BACKLOG) == 0)
        return listening;
    int reason = errno;
    close(listening);
    errno = reason;
    return -1;
}

void accept_announce(int listening)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[INET6_ADDRSTRLEN] = "";
    char port[8] = "0";

    if (getsockname(listening, (struct sockaddr *)&bound, &length) == 0)
        getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    log_event("listening", "s:s,s:i,s:b,s:s,s:i", "address", host, "port",
              (int)strtol(port, NULL, 10), "tls", tls_is_on(), "version", RXTRACK_VERSION, "pid",
              (int)getpid());
}

int accept_open(const struct config *config)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    char port[16];

    snprintf(port, sizeof port, "%ld", config->port);
    int failure = getaddrinfo(config->listen, port, &hints, &found);
    if (failure != 0) {
        complain(config, gai_strerror(failure));
        return -1;
    }
    bool allowed = may_listen(config, found);
    int listening = allowed ? open_address(found) : -1;
    if (allowed && listening < 0)
        complain(config, strerror(errno));
    freeaddrinfo(found);
    return listening;
}

bool accept_waiting(int listening, size_t room)
{
    for (size_t i = 0; i < room && i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_storage address;
        socklen_t length = sizeof address;
        int accepted =
            accept4(listening, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (accepted >= 0)
            http_add(accepted, (struct sockaddr *)&address, length);
        else
            return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
    }
    return true;
}
