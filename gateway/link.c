/*
 * link.c - see link.h. libpq is used in its non-blocking mode throughout. One thing in it may
 * still wait: the look-up of a host's name, so a name that takes long to resolve is better given
 * as hostaddr.
 */
#include "link.h"

#include "log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERFACE 1        /* what rxtrack.gateway_interface() must say */
#define CONNECT_SECONDS 10 /* for connecting and checking together */
#define GRACE_MS 1000      /* statement_timeout gets so much time to act before we do */
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000

static void ignore_notice(void *unused, const PGresult *notice)
{
    (void)unused;
    (void)notice; /* a notice may quote data, and has no one to read it here */
}

/* The first line of what libpq says on connecting: it names hosts and roles, never data. What it
 * says on a connection that has carried data is not looked at anywhere. */
static void take_reason(struct link *link)
{
    const char *reason = PQerrorMessage(link->connection);

    snprintf(link->reason, sizeof link->reason, "%.*s", (int)strcspn(reason, "\n"), reason);
}

bool link_connect(struct link *link, const struct config *config, int64_t now_ms)
{
    /* What comes after dbname goes before what is in the connection string. */
    const char *const keywords[] = {"dbname", "application_name", "client_encoding", NULL};
    const char *const values[] = {config->database, "rxtrack-gateway/" RXTRACK_VERSION, "UTF8",
                                  NULL};

    link->reason[0] = link->sqlstate[0] = '\0';
    link->connection = PQconnectStartParams(keywords, values, 1);
    if (link->connection == NULL || PQstatus(link->connection) == CONNECTION_BAD) {
        take_reason(link);
        link_close(link);
        return false;
    }
    PQsetNoticeReceiver(link->connection, ignore_notice, NULL);
    link->state = LINK_CONNECTING;
    link->events = POLLOUT;
    link->deadline_ms = now_ms + CONNECT_SECONDS * 1000;
    link->prepared = 0;
    return true;
}

void link_close(struct link *link)
{
    link_drop_rows(link);
    PQfinish(link->connection);
    link->connection = NULL;
    link->state = LINK_DOWN;
    link->deadline_ms = 0;
    link->events = 0;
}

void link_drop_rows(struct link *link)
{
    PQclear(link->rows);
    link->rows = NULL;
}

/* Exponential, with jitter so that the connections do not all knock at once. */
void link_retry_later(struct link *link, int64_t now_ms, unsigned *random)
{
    int64_t wait = BACKOFF_FIRST_MS;

    for (unsigned i = 0; i < link->failures && wait < BACKOFF_MAX_MS; i++)
        wait *= 2;
    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    link->failures++;
    link->retry_ms = now_ms + wait / 2 + rand_r(random) % (wait / 2 + 1);
}

static void begin_query(struct link *link, enum link_state state)
{
    link->state = state;
    link->succeeded = false;
    link->sqlstate[0] = '\0';
    link->function[0] = '\0';
}

/* Sends what libpq holds back; false where the connection is lost. */
static bool flush(struct link *link)
{
    int left = PQflush(link->connection);

    link->events = left > 0 ? POLLIN | POLLOUT : POLLIN;
    return left >= 0;
}

/* Asks for the interface's number, and sets what every session of ours needs, in one round trip:
 * what is told 201 must be durable, even on a server whose other sessions need not care. Set here,
 * it stays so for the session, even where the server's default changes later. */
static bool send_check(struct link *link, const struct config *config)
{
    char timeout[32];
    const char *const values[] = {timeout};

    snprintf(timeout, sizeof timeout, "%ld", config->request_timeout * 1000);
    begin_query(link, LINK_CHECKING);
    return PQsetnonblocking(link->connection, 1) == 0 &&
           PQsendQueryParams(link->connection,
                             "SELECT rxtrack.gateway_interface(),"
                             " set_config('statement_timeout', $1, false),"
                             " set_config('synchronous_commit', replace("
                             "current_setting('synchronous_commit'), 'off', 'on'), false)",
                             1, NULL, values, NULL, NULL, 0) == 1 &&
           flush(link);
}

static bool send_listen(struct link *link)
{
    begin_query(link, LINK_LISTENING);
    return PQsendQuery(link->connection, "LISTEN rxtrack_ready") == 1 && flush(link);
}

static bool send_prepare(struct link *link, const struct route *route)
{
    char text[256];

    call_text(route, text, sizeof text);
    begin_query(link, LINK_PREPARING);
    return PQsendPrepare(link->connection, route->function, text, CALL_PARAMETERS, call_types) ==
               1 &&
           flush(link);
}

static bool send_call(struct link *link, const struct route *route)
{
    struct call call;

    begin_query(link, LINK_CALLING);
    bool sent = call_build(&call, link->jobs, link->count) &&
                PQsendQueryPrepared(link->connection, route->function, CALL_PARAMETERS, call.values,
                                    call.lengths, call.formats, 1) == 1 &&
                flush(link);
    call_free(&call);
    return sent;
}

bool link_send(struct link *link, const struct config *config, int64_t now_ms)
{
    const struct route *route = link->jobs[0]->route;

    link->deadline_ms = now_ms + config->request_timeout * 1000 + GRACE_MS;
    if (link->prepared & (UINT64_C(1) << route_number(route)))
        return send_call(link, route);
    return send_prepare(link, route);
}

bool link_read(struct link *link, const struct config *config, int64_t after, int most,
               int64_t now_ms)
{
    char from[24], count[16];
    const char *const values[] = {from, count};

    snprintf(from, sizeof from, "%" PRId64, after);
    snprintf(count, sizeof count, "%d", most);
    link->deadline_ms = now_ms + config->request_timeout * 1000 + GRACE_MS;
    begin_query(link, LINK_READING);
    return PQsendQueryParams(link->connection,
                             "SELECT release_number, ods_code, event"
                             " FROM rxtrack.gateway_feed($1, $2)",
                             2, NULL, values, NULL, NULL, 0) == 1 &&
           flush(link);
}

static enum link_event step_connecting(struct link *link, const struct config *config)
{
    switch (PQconnectPoll(link->connection)) {
    case PGRES_POLLING_READING:
        link->events = POLLIN;
        return LINK_NOTHING;
    case PGRES_POLLING_WRITING:
        link->events = POLLOUT;
        return LINK_NOTHING;
    case PGRES_POLLING_OK:
        return send_check(link, config) ? LINK_NOTHING : LINK_LOST;
    default:
        take_reason(link);
        return LINK_LOST;
    }
}

/* An error may come after the rows, which the server sends before it commits: then the commit has
 * failed, or the session has ended within it, and the rows are no answer. */
static void take_error(struct link *link, const PGresult *result)
{
    link->succeeded = false;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    snprintf(link->sqlstate, sizeof link->sqlstate, "%s", sqlstate != NULL ? sqlstate : "");
    snprintf(link->function, sizeof link->function, "%s", function != NULL ? function : "");
}

static bool is_interface(const PGresult *result)
{
    char expected[16];

    snprintf(expected, sizeof expected, "%d", INTERFACE);
    return PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), expected) == 0;
}

/* The call was carried out and committed, so an answer that cannot be read is a fault of ours for
 * these requests and nothing to try again. */
static void decode_answers(struct link *link, const PGresult *result)
{
    if (call_decode(result, link->jobs, link->count))
        return;
    log_event("answer_unreadable", "s:I", "requests", (json_int_t)link->count);
    for (size_t i = 0; i < link->count; i++)
        answer_fault(&link->jobs[i]->answer, link->jobs[i]->route, FAULT_INTERNAL);
}

static void take_rows(struct link *link, PGresult *result)
{
    link->succeeded = link->state != LINK_CHECKING || is_interface(result);
    if (link->state == LINK_CALLING)
        decode_answers(link, result);
    else if (link->state == LINK_READING)
        link->rows = result;
}

static void take_result(struct link *link, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK: /* of PQsendPrepare(), of LISTEN */
        link->succeeded = link->state == LINK_PREPARING || link->state == LINK_LISTENING;
        break;
    case PGRES_TUPLES_OK:
        take_rows(link, result);
        break;
    default:
        take_error(link, result);
        break;
    }
}

bool link_is_stale(const struct link *link)
{
    static const char *const stale[] = {
        "57P0",  /* the server is shutting down, or was told to end this session */
        "42883", /* undefined_function */
        "0A000", /* a prepared statement's result type has changed */
        "26000", /* a prepared statement is gone */
    };

    if (PQstatus(link->connection) != CONNECTION_OK)
        return true;
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        if (strncmp(link->sqlstate, stale[i], strlen(stale[i])) == 0)
            return true;
    return false;
}

/* A check that was answered by another number, or refused because the schema or a right to it is
 * missing. Other errors are the server's troubles, which pass. */
static bool is_unsuitable(const struct link *link)
{
    return link->sqlstate[0] == '\0' || strncmp(link->sqlstate, "42", 2) == 0 ||
           strncmp(link->sqlstate, "3F", 2) == 0;
}

/* The query under way has ended. */
static enum link_event finish_query(struct link *link)
{
    enum link_state state = link->state;

    if (PQstatus(link->connection) != CONNECTION_OK && !link->succeeded)
        return LINK_LOST;
    if (state == LINK_PREPARING && link->succeeded) {
        link->prepared |= UINT64_C(1) << route_number(link->jobs[0]->route);
        return send_call(link, link->jobs[0]->route) ? LINK_NOTHING : LINK_LOST;
    }
    if (state == LINK_CHECKING && !link->succeeded)
        return is_unsuitable(link) ? LINK_UNSUITABLE : LINK_LOST;
    if (state == LINK_CHECKING && link->listens)
        return send_listen(link) ? LINK_NOTHING : LINK_LOST;
    link->state = LINK_IDLE;
    link->deadline_ms = 0;
    if (!link->succeeded)
        return LINK_REFUSED;
    if (state == LINK_READING)
        return LINK_READ;
    return state == LINK_CALLING ? LINK_ANSWERED : LINK_READY;
}

static enum link_event step_query(struct link *link)
{
    while (!PQisBusy(link->connection)) {
        PGresult *result = PQgetResult(link->connection);

        if (result == NULL) {
            enum link_event event = finish_query(link);
            if (event != LINK_NOTHING)
                return event;
            continue;
        }
        take_result(link, result);
        if (result != link->rows)
            PQclear(result);
    }
    return LINK_NOTHING;
}

static void take_notifications(struct link *link)
{
    PGnotify *notify;

    while ((notify = PQnotifies(link->connection)) != NULL) {
        link->notified = true;
        PQfreemem(notify);
    }
}

/* Between calls the server says little: that there are new events, that a setting changed, or that
 * it is going away. */
static enum link_event step_idle(const struct link *link)
{
    return PQstatus(link->connection) == CONNECTION_OK ? LINK_NOTHING : LINK_LOST;
}

enum link_event link_step(struct link *link, const struct config *config, short revents,
                          int64_t now_ms)
{
    if (link->deadline_ms != 0 && now_ms >= link->deadline_ms)
        return LINK_LOST;
    if (revents == 0)
        return LINK_NOTHING;
    if (link->state == LINK_CONNECTING)
        return step_connecting(link, config);

    bool alive = !(revents & ~POLLOUT) || PQconsumeInput(link->connection) == 1;
    alive = flush(link) && alive;
    take_notifications(link);
    if (link->state == LINK_IDLE)
        return alive ? step_idle(link) : LINK_LOST;
    /* A lost connection may have had its last words read: an error, or even the whole answer. */
    enum link_event event = step_query(link);
    return event == LINK_NOTHING && !alive ? LINK_LOST : event;
}
