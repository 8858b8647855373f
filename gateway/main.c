/*
 * main.c - the gateway's life: reads the configuration, starts the threads, accepts connections,
 * and stops at a signal.
 *
 * Threads: this one, which accepts, sweeps and takes signals; the HTTP threads (exchange/loop.c,
 * http/http.c); the database thread (database/database.c); the feed's (events/feed.c). None is made
 * for a client.
 */
#include "clock.h"
#include "config.h"
#include "database/database.h"
#include "database/hosts.h"
#include "events/feed.h"
#include "events/hub.h"
#include "exchange/loop.h"
#include "http/accept.h"
#include "http/client.h"
#include "http/http.h"
#include "http/tls.h"
#include "log.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SWEEP_MS 500       /* the precision of the timeouts of clients */
#define DRAIN_SWEEP_MS 20  /* the same while stopping */
#define ACCEPT_PAUSE_MS 50 /* when descriptors have run out */
#define FIRST_WAIT_MS 1000 /* for the database, before the first client is let in */
#define SPARE_FILES 64     /* descriptors that are not clients': database, logs, event loops */

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct gateway {
    int argc;
    char **argv;
    struct config config;
    int signals; /* signalfd */
};

/* Raises the limit of open files as far as it goes, and lowers connection_limit to fit. */
static void fit_files(struct config *config)
{
    struct rlimit files;
    long spare = SPARE_FILES + config->database_connections;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur == RLIM_INFINITY ||
        (rlim_t)(config->connection_limit + spare) <= files.rlim_cur)
        return;
    config->connection_limit = (long)files.rlim_cur > spare ? (long)files.rlim_cur - spare : 1;
    log_event("connection_limit_lowered", "s:I", "connections",
              (json_int_t)config->connection_limit);
}

/* Has the signals ignored that would end us and are meant for others, or for nobody; also the one
 * for a log file that has reached the limit of its size. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGUSR2,   SIGALRM, SIGVTALRM, SIGPROF,
                                  SIGPOLL, SIGSTKFLT, SIGPWR,  SIGXFSZ};

    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        signal(number, SIG_IGN);
}

/* Blocks the signals that we take in all threads, and returns a descriptor to read them from; -1
 * after a message on stderr. */
static int open_signals(void)
{
    sigset_t taken;
    int signals;

    ignore_signals();
    sigemptyset(&taken);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGINT);
    sigaddset(&taken, SIGHUP);
    sigaddset(&taken, SIGUSR1);
    sigprocmask(SIG_BLOCK, &taken, NULL);
    signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        fprintf(stderr, "rxtrack-gateway: signals: %s\n", strerror(errno));
    return signals;
}

/* Makes a configuration fit the machine, and itself. */
static void adapt(struct config *config)
{
    fit_files(config);
    if (config->stream_limit > config->connection_limit * 9 / 10) /* streams stay */
        config->stream_limit = config->connection_limit * 9 / 10;
}

/* Reads the configuration anew, and takes over what can change; the log says what has, and what
 * needs a restart. Where anything is wrong with it all stays as it is, but for TLS's files. */
static void reload(struct gateway *gateway)
{
    struct config fresh;

    if (config_load(&fresh, gateway->argc, gateway->argv)) {
        json_t *taken = json_array(), *waiting = json_array();

        adapt(&fresh);
        config_take(&gateway->config, &fresh, taken, waiting);
        log_event("reloaded", "s:o,s:o", "changed", taken, "needs_restart", waiting);
    } else {
        log_event("reload_failed", "s:s", "reason", "the configuration is not valid: see stderr");
    }
    config_free(&fresh);
    tls_reload();
}

/* Takes a signal. Whether it tells us to stop. */
static bool take_signal(struct gateway *gateway)
{
    struct signalfd_siginfo taken;

    if (read(gateway->signals, &taken, sizeof taken) != (ssize_t)sizeof taken)
        return false;
    if (taken.ssi_signo == SIGHUP)
        reload(gateway);
    else if (taken.ssi_signo == SIGUSR1)
        log_reopen();
    else
        return true;
    return false;
}

static bool someone_waits(int listening)
{
    struct pollfd polled = {.fd = listening, .events = POLLIN};

    return poll(&polled, 1, 0) > 0;
}

/* Accepts and sweeps until a signal tells us to stop. */
static void serve(struct gateway *gateway, int listening)
{
    int64_t sweep_at = clock_ms() + SWEEP_MS;
    int64_t pause_until = 0;

    for (;;) {
        int64_t now = clock_ms();
        size_t clients = client_count() + loop_arriving();
        size_t limit = (size_t)gateway->config.connection_limit;
        bool full = clients >= limit || now < pause_until;
        struct pollfd polled[] = {{.fd = gateway->signals, .events = POLLIN},
                                  {.fd = full ? -1 : listening, .events = POLLIN}};
        int64_t wait = full ? ACCEPT_PAUSE_MS : sweep_at - now;

        if (poll(polled, 2, wait > 0 ? (int)wait : 0) > 0) {
            if (polled[0].revents != 0 && take_signal(gateway))
                return;
            if (polled[1].revents != 0 && !accept_waiting(listening, limit - clients)) {
                log_event("descriptors_exhausted", NULL);
                pause_until = clock_ms() + ACCEPT_PAUSE_MS;
            }
        }
        bool short_of_room = clients >= limit && someone_waits(listening);
        if (short_of_room || clock_ms() >= sweep_at) {
            http_sweep(short_of_room);
            hub_sweep();
            sweep_at = clock_ms() + SWEEP_MS;
        }
    }
}

/* Lets requests that are under way finish. A second signal ends the process at once. */
static void drain(struct gateway *gateway)
{
    int64_t until = clock_ms() + gateway->config.shutdown_timeout * 1000;
    struct pollfd polled = {.fd = gateway->signals, .events = POLLIN};

    http_drain();
    hub_end_streams();
    while (client_count() > 0 && clock_ms() < until) {
        http_sweep(false);
        hub_sweep();
        if (poll(&polled, 1, DRAIN_SWEEP_MS) > 0 && take_signal(gateway)) {
            log_event("aborted", NULL);
            _exit(EXIT_FAILED);
        }
    }
}

/* Starts what serve() needs; false after a message on stderr. */
static bool start(const struct config *config)
{
    if (!hosts_start(config) || !hub_start(config, feed_wake) || !database_start(config))
        return false;
    database_wait(FIRST_WAIT_MS);
    if (feed_start(config)) {
        if (http_start(config))
            return true;
        feed_stop();
    }
    database_stop();
    return false;
}

/* Starts everything, serves, and stops everything. Returns the exit status. */
static int run(struct gateway *gateway, int listening)
{
    if (!start(&gateway->config))
        return EXIT_FAILED;
    accept_announce(listening);
    serve(gateway, listening);
    close(listening); /* connections are refused from now on, and go elsewhere */
    log_event("stopping", "s:I", "connections", (json_int_t)client_count());
    drain(gateway);
    feed_stop();
    database_stop();
    http_stop();
    hub_stop();
    hosts_stop();
    tls_stop();
    log_event("stopped", NULL);
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    struct gateway gateway = {.argc = argc, .argv = argv};
    struct config *config = &gateway.config;
    int status = EXIT_USAGE;

    /* Bodies come and go in all sizes and threads. With few arenas, and large blocks mapped by
     * themselves, the memory of a peak goes back to the system. */
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    mallopt(M_TRIM_THRESHOLD, 512 * 1024);
    if (config_load(config, argc, argv)) {
        bool logs = log_open(config->log_file);

        adapt(config);
        gateway.signals = logs ? open_signals() : -1;
        int listening = gateway.signals >= 0 && tls_start(config) ? accept_open(config) : -1;

        status = listening >= 0 ? run(&gateway, listening) : EXIT_FAILED;
    }
    config_free(config);
    return status;
}
