/*
 * listener.c - see listener.h.
 */
#include "listener.h"

#include "http.h"
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

/* A listening socket on one address, or -1 with errno. */
static int open_address(const struct addrinfo *address)
{
    int on = 1;
    int listener = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (listener < 0)
        return -1;
    /* What is accepted inherits TCP_NODELAY. */
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        bind(listener, address->ai_addr, address->ai_addrlen) == 0 &&
        listen(listener, BACKLOG) == 0)
        return listener;
    int reason = errno;
    close(listener);
    errno = reason;
    return -1;
}

void listener_announce(int listener)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[INET6_ADDRSTRLEN] = "";
    char port[8] = "0";

    if (getsockname(listener, (struct sockaddr *)&bound, &length) == 0)
        getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    log_event("listening", "s:s,s:i,s:s,s:i", "address", host, "port", (int)strtol(port, NULL, 10),
              "version", RXTRACK_VERSION, "pid", (int)getpid());
}

int listener_open(const struct config *config)
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
    int listener = open_address(found);
    if (listener < 0)
        complain(config, strerror(errno));
    freeaddrinfo(found);
    return listener;
}

bool listener_accept(int listener, size_t room)
{
    for (size_t i = 0; i < room && i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_storage address;
        socklen_t length = sizeof address;
        int accepted =
            accept4(listener, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (accepted >= 0)
            http_add(accepted, (struct sockaddr *)&address, length);
        else
            return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
    }
    return true;
}
