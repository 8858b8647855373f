/*
 * probe.c - see probe.h.
 */
#include "database/probe.h"

#include "clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEAST_MS 500         /* that a probe is given */
#define GSS_REQUEST 80877104 /* NEGOTIATE_GSS_CODE of the server's pqcomm.h */

/* Connects to where the link is connected to. A socket whose server has a full backlog fails at
 * once, and is as one that does not answer. */
static void open_socket(struct probe *probe, const struct link *link)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;

    if (getpeername(PQsocket(link->connection), (struct sockaddr *)&peer, &length) != 0)
        return;
    probe->socket = socket(peer.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->socket < 0 || connect(probe->socket, (struct sockaddr *)&peer, length) == 0 ||
        errno == EINPROGRESS)
        return;
    close(probe->socket);
    probe->socket = -1;
}

static bool is_due(const struct link *link, int64_t now_ms)
{
    return link->silent_ms != 0 && now_ms >= link->probe_ms;
}

void probe_begin(struct probe *probe, const struct link *link, int64_t now_ms)
{
    if (probe->under_way || !is_due(link, now_ms))
        return;
    *probe = (struct probe){.under_way = true,
                            .socket = -1,
                            .host = link->walk.host,
                            .deadline_ms = link->silent_ms + hosts_timeout_ms()};
    if (probe->deadline_ms < now_ms + LEAST_MS)
        probe->deadline_ms = now_ms + LEAST_MS;
    open_socket(probe, link);
}

void probe_due(const struct probe *probe, const struct link *link, int64_t *earliest_ms)
{
    if (probe->under_way)
        clock_sooner(earliest_ms, probe->deadline_ms);
    else if (link->silent_ms != 0)
        clock_sooner(earliest_ms, link->probe_ms);
}

struct pollfd probe_poll(const struct probe *probe)
{
    return (struct pollfd){.fd = probe->under_way ? probe->socket : -1,
                           .events = probe->asked ? POLLIN : POLLOUT};
}

enum probe_outcome probe_step(struct probe *probe, short revents, int64_t now_ms)
{
    char answer;

    if (!probe->under_way)
        return PROBE_NOTHING;
    if (now_ms >= probe->deadline_ms) {
        probe_end(probe);
        return PROBE_OUT;
    }
    if (revents == 0)
        return PROBE_NOTHING;
    if (!probe->asked) {
        const uint32_t request[] = {htonl(8), htonl(GSS_REQUEST)}; /* its length, and what */

        probe->asked = send(probe->socket, request, sizeof request, MSG_NOSIGNAL) == sizeof request;
        if (probe->asked)
            return PROBE_NOTHING;
    } else if (recv(probe->socket, &answer, 1, 0) == 1) {
        probe_end(probe);
        return PROBE_ALIVE;
    }
    probe_end(probe);
    return PROBE_OUT;
}

void probe_end(struct probe *probe)
{
    if (probe->under_way && probe->socket >= 0)
        close(probe->socket);
    *probe = (struct probe){.socket = -1};
}
