/*
 * hosts.c - see hosts.h.
 *
 * Threads: the hosts are constant from the start on; which of them serves, and what was last
 * reported of each, is under the lock.
 */
#include "database/hosts.h"

#include "clock.h"
#include "log.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TIMEOUT_SECONDS 10 /* where the connection string has no connect_timeout */
#define REPORT_MS 60000
#define OPTIONS_MAX 96 /* libpq 17 has 53 */

struct host {
    char *name;    /* or a directory of sockets; NULL: libpq's default */
    char *address; /* hostaddr; NULL: the name is looked up */
    char *port;
    char reported[200]; /* last; under the lock */
    int64_t reported_ms;
};

static struct {
    PQconninfoOption *options; /* of the connection string, with all defaults */
    struct host *host;
    size_t count;
    bool in_any_order;
    int64_t timeout_ms;

    pthread_mutex_t lock;
    size_t serving; /* the host that served last */
} hosts = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the connection string ---- */

static PQconninfoOption *find_option(PQconninfoOption *options, const char *keyword)
{
    for (PQconninfoOption *option = options; option->keyword != NULL; option++)
        if (strcmp(option->keyword, keyword) == 0)
            return option;
    return NULL;
}

static const char *value_of(const char *keyword)
{
    const PQconninfoOption *option = find_option(hosts.options, keyword);

    return option != NULL && option->val != NULL ? option->val : "";
}

/* libpq takes a service's settings into its defaults where PGSERVICE names it. What the environment
 * says of hosts is known afterwards, and must not be added to an attempt for one of them. */
static PQconninfoOption *read_defaults(PQconninfoOption *given)
{
    static const char *const known[] = {"PGSERVICE", "PGHOST", "PGHOSTADDR", "PGPORT"};
    const PQconninfoOption *service = find_option(given, "service");

    if (service != NULL && service->val != NULL)
        setenv("PGSERVICE", service->val, 1);
    PQconninfoOption *defaults = PQconndefaults();
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        unsetenv(known[i]);
    return defaults;
}

/* Takes what the connection string says itself over the defaults, in libpq's own arrays. */
static bool read_options(const char *database)
{
    PQconninfoOption *given = PQconninfoParse(database, NULL);

    hosts.options = given != NULL ? read_defaults(given) : NULL;
    for (PQconninfoOption *option = given; hosts.options != NULL && option->keyword != NULL;
         option++) {
        PQconninfoOption *ours = find_option(hosts.options, option->keyword);

        if (option->val != NULL && ours != NULL) {
            free(ours->val); /* malloc()ed, as PQconninfoFree() has it */
            ours->val = strdup(option->val);
        }
    }
    PQconninfoFree(given);
    return hosts.options != NULL;
}

static size_t count_elements(const char *list)
{
    size_t count = 1;

    for (const char *c = list; *c != '\0'; c++)
        count += *c == ',';
    return count;
}

/* An element of a list with commas; NULL where it is empty. */
static char *element_of(const char *list, size_t number)
{
    for (; number > 0 && *list != '\0'; list++)
        number -= *list == ',';
    size_t length = number == 0 ? strcspn(list, ",") : 0;
    return length > 0 ? strndup(list, length) : NULL;
}

/* Makes the hosts. As in libpq, as many addresses as names belong to one another, and so many
 * ports, or one for all. */
static bool read_hosts(void)
{
    const char *names = value_of("host"), *addresses = value_of("hostaddr");
    const char *ports = value_of("port");
    size_t port_count = count_elements(ports);
    const PQconninfoOption *port = find_option(hosts.options, "port");
    const char *default_port = port != NULL && port->compiled != NULL ? port->compiled : "5432";

    hosts.count = count_elements(addresses[0] != '\0' ? addresses : names);
    if ((addresses[0] != '\0' && names[0] != '\0' && count_elements(names) != hosts.count) ||
        (port_count > 1 && port_count != hosts.count)) {
        fprintf(stderr, "rxtrack-gateway: database: host, hostaddr and port name different numbers "
                        "of servers\n");
        return false;
    }
    hosts.host = calloc(hosts.count, sizeof *hosts.host);
    for (size_t i = 0; hosts.host != NULL && i < hosts.count; i++) {
        struct host *host = &hosts.host[i];

        host->name = element_of(names, i);
        host->address = element_of(addresses, i);
        host->port = element_of(ports, port_count > 1 ? i : 0);
        if (host->port == NULL)
            host->port = strdup(default_port);
    }
    return hosts.host != NULL;
}

bool hosts_start(const struct config *config)
{
    if (!read_options(config->database)) {
        fprintf(stderr, "rxtrack-gateway: database: the connection string cannot be read\n");
        return false;
    }
    long seconds = strtol(value_of("connect_timeout"), NULL, 10);
    hosts.timeout_ms = (seconds > 0 ? seconds : TIMEOUT_SECONDS) * 1000;
    hosts.in_any_order = strcmp(value_of("load_balance_hosts"), "random") == 0;
    if (!read_hosts())
        return false;
    if (hosts.in_any_order)
        hosts.serving = (size_t)clock_us() % hosts.count;
    return true;
}

void hosts_stop(void)
{
    for (size_t i = 0; i < hosts.count; i++) {
        free(hosts.host[i].name);
        free(hosts.host[i].address);
        free(hosts.host[i].port);
    }
    free(hosts.host);
    PQconninfoFree(hosts.options);
    hosts.host = NULL;
    hosts.options = NULL;
    hosts.count = 0;
}

int64_t hosts_timeout_ms(void)
{
    return hosts.timeout_ms;
}

/* ---- an attempt ---- */

/* Looks up the walk's address of a name. False where there is none: libpq is to say why. */
static bool look_up(struct walk *walk, const char *name, char *out, socklen_t size)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL;
    bool found = false;

    if (name == NULL || name[0] == '/' || name[0] == '@' || getaddrinfo(name, NULL, &hints, &all))
        return false;
    const struct addrinfo *one = all;
    for (unsigned i = 0; i < walk->address && one != NULL; i++)
        one = one->ai_next;
    if (one != NULL) {
        found = getnameinfo(one->ai_addr, one->ai_addrlen, out, size, NULL, 0, NI_NUMERICHOST) == 0;
        walk->more = one->ai_next != NULL;
    }
    freeaddrinfo(all);
    return found;
}

/* A value for PQconnectStartParams(), of a fixed list of places. */
struct parameters {
    const char *keywords[OPTIONS_MAX + 1];
    const char *values[OPTIONS_MAX + 1];
    size_t count;
};

static void add(struct parameters *parameters, const char *keyword, const char *value)
{
    if (value == NULL || value[0] == '\0' || parameters->count == OPTIONS_MAX)
        return;
    parameters->keywords[parameters->count] = keyword;
    parameters->values[parameters->count++] = value;
}

/* Whether an option is said by ourselves. A service stays, so that libpq says where there is none;
 * but not where it names addresses, since an attempt may be for a host without one. */
static bool is_ours(const char *keyword)
{
    static const char *const ours[] = {
        "host", "hostaddr", "port", "application_name", "client_encoding", "load_balance_hosts"};

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (strcmp(keyword, ours[i]) == 0)
            return true;
    return strcmp(keyword, "service") == 0 && value_of("hostaddr")[0] != '\0';
}

PGconn *hosts_connect(struct walk *walk)
{
    struct parameters parameters = {.count = 0};
    char address[NI_MAXHOST];

    if (!walk->begun)
        hosts_begin(walk, false);
    const struct host *host = &hosts.host[walk->host];
    walk->more = false;
    add(&parameters, "host", host->name);
    if (host->address != NULL)
        add(&parameters, "hostaddr", host->address);
    else if (look_up(walk, host->name, address, sizeof address))
        add(&parameters, "hostaddr", address);
    add(&parameters, "port", host->port);
    add(&parameters, "application_name", "rxtrack-gateway/" RXTRACK_VERSION);
    add(&parameters, "client_encoding", "UTF8");
    for (const PQconninfoOption *option = hosts.options; option->keyword != NULL; option++)
        if (!is_ours(option->keyword))
            add(&parameters, option->keyword, option->val);
    return PQconnectStartParams(parameters.keywords, parameters.values, 0);
}

/* ---- the order ---- */

void hosts_begin(struct walk *walk, bool is_out)
{
    pthread_mutex_lock(&hosts.lock);
    if (is_out && hosts.serving == walk->host)
        hosts.serving = (walk->host + 1) % hosts.count;
    *walk = (struct walk){.begun = true, .host = hosts.serving};
    pthread_mutex_unlock(&hosts.lock);
}

bool hosts_next(struct walk *walk)
{
    if (walk->more) {
        walk->address++;
        return true;
    }
    walk->address = 0;
    if (++walk->tried < hosts.count) {
        walk->host = (walk->host + 1) % hosts.count;
        return true;
    }
    hosts_begin(walk, false);
    return false;
}

void hosts_serves(const struct walk *walk)
{
    pthread_mutex_lock(&hosts.lock);
    hosts.serving = walk->host;
    hosts.host[walk->host].reported[0] = '\0';
    pthread_mutex_unlock(&hosts.lock);
}

void hosts_report(const struct walk *walk, const char *reason)
{
    struct host *host = &hosts.host[walk->host];
    int64_t now_ms = clock_ms();

    pthread_mutex_lock(&hosts.lock);
    bool again = strcmp(host->reported, reason) == 0 && now_ms - host->reported_ms < REPORT_MS;
    if (!again) {
        snprintf(host->reported, sizeof host->reported, "%s", reason);
        host->reported_ms = now_ms;
    }
    pthread_mutex_unlock(&hosts.lock);
    if (!again)
        log_event("database_host_failed", "s:s?,s:s?,s:s,s:s", "host", host->name, "hostaddr",
                  host->address, "port", host->port, "reason", reason);
}
