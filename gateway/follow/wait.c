/*
 * wait.c - see wait.h.
 */
#include "follow/wait.h"

#include "clock.h"
#include "follow/say.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define COUNT_MAX 2 /* descriptors of the caller's */

static int signals = -1;
static int output = -1;
static unsigned stops; /* signals taken */

bool wait_open(bool watches_output)
{
    sigset_t blocked;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signals = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        say("signals: %s", strerror(errno));
    output = watches_output ? STDOUT_FILENO : -1;
    return signals >= 0;
}

size_t wait_descriptors(struct pollfd out[WAIT_DESCRIPTORS_MAX])
{
    size_t count = 0;

    out[count++] = (struct pollfd){.fd = signals, .events = POLLIN};
    if (output >= 0) /* no events: an error is reported all the same, and is what is asked for */
        out[count++] = (struct pollfd){.fd = output};
    return count;
}

enum verdict wait_verdict(enum waited waited)
{
    switch (waited) {
    case WAIT_STOP:
        return VERDICT_DONE;
    case WAIT_CLOSED:
        say("standard output: its reader is gone");
        return VERDICT_CLOSED;
    case WAIT_ABORT:
        return VERDICT_FAILED;
    default:
        return VERDICT_ON;
    }
}

static int milliseconds_left(int64_t until_ms)
{
    if (until_ms < 0)
        return -1;
    int64_t left = until_ms - clock_ms();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

enum waited wait_for(struct pollfd *descriptors, size_t count, int64_t until_ms, bool in_hand)
{
    struct pollfd all[WAIT_DESCRIPTORS_MAX + COUNT_MAX];

    for (;;) {
        if (stops > (in_hand ? 1U : 0U))
            return in_hand ? WAIT_ABORT : WAIT_STOP;
        size_t own = wait_descriptors(all);
        if (in_hand)
            own = 1;
        if (count > 0)
            memcpy(all + own, descriptors, count * sizeof *descriptors);
        int ready = poll(all, (nfds_t)(own + count), milliseconds_left(until_ms));
        if (ready == 0)
            return WAIT_TIME;
        if (ready < 0)
            continue; /* EINTR, say by SIGCONT */
        if (all[0].revents != 0) {
            struct signalfd_siginfo taken;

            while (read(signals, &taken, sizeof taken) == (ssize_t)sizeof taken)
                stops++;
            continue;
        }
        if (own > 1 && all[1].revents != 0)
            return WAIT_CLOSED;
        memcpy(descriptors, all + own, count * sizeof *descriptors);
        return WAIT_READY;
    }
}
