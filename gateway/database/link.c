/*
 * link.c - see link.h. libpq is used in its non-blocking mode throughout. One thing in it blocks
 * all the same: the look-up of a host's name. A name that takes long to resolve is better given as
 * hostaddr.
 */
#include "database/link.h"

#include "clock.h"
#include "log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNDEFINED_FUNCTION "42883"
#define UNDEFINED_SCHEMA "3F000"
#define READ_ONLY "25006" /* read_only_sql_transaction */
#define CONNECTION_EXCEPTION "08000"
#define COMMIT_NEXT "RX001" /* extension/endpoints/submissions.c says so before a commit */
#define GRACE_MS 1000       /* how much longer we wait than statement_timeout */
#define PROBE_MS 1000       /* a host that has not answered for so long is asked whether it lives */
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000

/* Nothing else of a notice is looked at: it may quote data. */
static void take_notice(void *link, const PGresult *notice)
{
    const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);

    if (sqlstate != NULL && strcmp(sqlstate, COMMIT_NEXT) == 0)
        ((struct link *)link)->commits_announced++;
}

/* Keeps the first line of what libpq says on connecting, which names hosts and roles, never data.
 * What it says of a connection that has carried data is looked at nowhere. */
static void take_reason(struct link *link)
{
    const char *reason = PQerrorMessage(link->connection);

    snprintf(link->reason, sizeof link->reason, "%.*s", (int)strcspn(reason, "\n"), reason);
}

bool link_connect(struct link *link, int64_t now_ms)
{
    link->reason[0] = link->sqlstate[0] = '\0';
    link->served = link->is_out = false;
    link->connection = hosts_connect(&link->walk);
    if (link->connection == NULL || PQstatus(link->connection) == CONNECTION_BAD) {
        take_reason(link);
        link_close(link);
        return false;
    }
    PQsetNoticeReceiver(link->connection, take_notice, link);
    link->state = LINK_CONNECTING;
    link->events = POLLOUT;
    link->deadline_ms = now_ms + hosts_timeout_ms();
    link->prepared = 0;
    return true;
}

void link_close(struct link *link)
{
    link_drop_rows(link);
    PQfinish(link->connection);
    link->connection = NULL;
    link->state = LINK_DOWN;
    link->deadline_ms = link->silent_ms = link->probe_ms = 0;
    link->events = 0;
}

void link_drop_rows(struct link *link)
{
    PQclear(link->rows);
    link->rows = NULL;
}

/* A server that has served is tried first again, since a session may end for reasons of its own. */
void link_retry_later(struct link *link, int64_t now_ms, unsigned *random)
{
    int64_t wait = BACKOFF_FIRST_MS;

    if (link->reason[0] != '\0')
        hosts_report(&link->walk, link->reason);
    link->retry_ms = now_ms;
    if (link->served || link->is_out)
        hosts_begin(&link->walk, link->is_out);
    else if (!link->unsuitable && hosts_next(&link->walk))
        return;
    for (unsigned i = 0; i < link->failures && wait < BACKOFF_MAX_MS; i++)
        wait *= 2;
    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    link->failures++;
    link->retry_ms += wait / 2 + rand_r(random) % (wait / 2 + 1);
}

void link_is_alive(struct link *link, int64_t now_ms)
{
    if (link->silent_ms == 0)
        return;
    link->silent_ms = now_ms;
    link->probe_ms = now_ms + hosts_timeout_ms();
}

void link_is_out(struct link *link)
{
    link->is_out = true;
    snprintf(link->reason, sizeof link->reason, "no answer for %lld s, nor to a further connection",
             (long long)hosts_timeout_ms() / 1000);
}

static void begin_query(struct link *link, enum link_state state)
{
    link->state = state;
    link->silent_ms = clock_ms();
    link->probe_ms = link->silent_ms + PROBE_MS;
    link->succeeded = false;
    link->commits_announced = 0;
    link->sqlstate[0] = '\0';
    link->function[0] = '\0';
}

/* Sends what libpq has buffered, as far as the socket takes it. False where the connection is
 * lost. */
static bool flush(struct link *link)
{
    int left = PQflush(link->connection);

    link->events = left > 0 ? POLLIN | POLLOUT : POLLIN;
    return left >= 0;
}

/* Sends the query that has been queued, with the Sync of a pipeline. */
static bool end_query(struct link *link)
{
    return (PQpipelineStatus(link->connection) == PQ_PIPELINE_OFF ||
            PQpipelineSync(link->connection) == 1) &&
           flush(link);
}

/* Asks whether server and schema suit, and makes the session's settings, in one round trip. What is
 * answered with 201 must be durable, even on a server that has synchronous_commit off for others; a
 * setting of the session stays where the server's default is reloaded. Behind a pooler the settings
 * would be others', and the statements that are prepared too: there it sets nothing, and there is
 * no row, since the process is not the one that the connection was told of. */
static bool send_check(struct link *link)
{
    char timeout[32], functions[CALL_SIGNATURES_TEXT], process[16];
    const char *const values[] = {timeout, functions, process};

    snprintf(timeout, sizeof timeout, "%ld", link->timeout_ms);
    snprintf(process, sizeof process, "%d", PQbackendPID(link->connection));
    call_signatures(functions);
    link->session_timeout_ms = link->timeout_ms;
    begin_query(link, link->count > 0 ? LINK_RECHECKING : LINK_CHECKING);
    return PQsendQueryParams(link->connection,
                             "SELECT rxtrack_http.interface_number(),"
                             " (SELECT bool_and(coalesce(has_function_privilege("
                             "to_regprocedure(f), 'EXECUTE'), false)) FROM unnest($2::text[]) f),"
                             " current_setting('transaction_read_only'),"
                             " set_config('statement_timeout', $1, false),"
                             " set_config('synchronous_commit', replace("
                             "current_setting('synchronous_commit'), 'off', 'on'), false),"
                             " set_config('rxtrack.announce_commit', 'on', false)"
                             " WHERE pg_backend_pid() = $3",
                             3, NULL, values, NULL, NULL, 0) == 1 &&
           end_query(link);
}

static bool send_listen(struct link *link)
{
    begin_query(link, LINK_LISTENING);
    return PQsendQuery(link->connection, "LISTEN rxtrack_ready") == 1 && flush(link);
}

static bool send_prepare(struct link *link, const struct route *route)
{
    char text[CALL_TEXT];

    call_text(route, text);
    begin_query(link, LINK_PREPARING);
    return PQsendPrepare(link->connection, route->function, text, CALL_PARAMETERS, call_types) ==
               1 &&
           end_query(link);
}

static bool send_built(struct link *link, const struct call *call, const struct route *route)
{
    return PQsendQueryPrepared(link->connection, route->function, CALL_PARAMETERS, call->values,
                               call->lengths, call->formats, 1) == 1 &&
           end_query(link);
}

static bool send_call(struct link *link)
{
    struct call call;

    begin_query(link, LINK_CALLING);
    bool sent =
        call_build(&call, link->jobs, link->count) && send_built(link, &call, link->jobs[0]->route);
    call_free(&call);
    return sent;
}

static bool is_prepared(const struct link *link, const struct route *route)
{
    return link->prepared & (UINT64_C(1) << routes_number(route));
}

static bool send_batch(struct link *link)
{
    const struct route *route = link->jobs[0]->route;

    return is_prepared(link, route) ? send_call(link) : send_prepare(link, route);
}

/* A statement is cut off by the server. What still hangs after that is a commit. */
static void start_clock(struct link *link, const struct config *config, int64_t now_ms)
{
    int64_t patience_ms = config->request_timeout * 1000;

    if (link->jobs[0]->route->checks_session)
        patience_ms = link->timeout_ms;
    link->sent_ms = now_ms;
    link->deadline_ms = now_ms + patience_ms + GRACE_MS;
}

bool link_send(struct link *link, const struct config *config, int64_t now_ms)
{
    start_clock(link, config, now_ms);
    if (link->timeout_ms != link->session_timeout_ms || link->jobs[0]->route->checks_session)
        return send_check(link);
    return send_batch(link);
}

bool link_may_follow(const struct link *link)
{
    return link->state == LINK_CALLING && link->commits_announced > 0 && link->next_count == 0;
}

bool link_follow(struct link *link)
{
    const struct route *route = link->next[0]->route;
    struct call call;
    bool alive = true;

    link->next_sent = link->timeout_ms == link->session_timeout_ms && !route->checks_session &&
                      is_prepared(link, route);
    if (!link->next_sent)
        return true;
    link->next_sent = call_build(&call, link->next, link->next_count);
    if (link->next_sent)
        alive = send_built(link, &call, route);
    call_free(&call);
    return alive;
}

bool link_advance(struct link *link, const struct config *config, int64_t now_ms)
{
    unsigned announced = link->commits_announced;

    memcpy(link->jobs, link->next, link->next_count * sizeof link->next[0]);
    link->count = link->next_count;
    link->next_count = 0;
    if (!link->next_sent)
        return link_send(link, config, now_ms);
    begin_query(link, LINK_CALLING);
    link->commits_announced = announced - 1; /* its own announcement may have come already */
    start_clock(link, config, now_ms);
    return true;
}

void link_distrust(struct link *link)
{
    link->session_timeout_ms = 0;
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
                             "SELECT release_number, ods_code, withdraws, event"
                             " FROM rxtrack_http.feed($1, $2)",
                             2, NULL, values, NULL, NULL, 0) == 1 &&
           flush(link);
}

static enum link_event step_connecting(struct link *link)
{
    switch (PQconnectPoll(link->connection)) {
    case PGRES_POLLING_READING:
        link->events = POLLIN;
        return LINK_NOTHING;
    case PGRES_POLLING_WRITING:
        link->events = POLLOUT;
        return LINK_NOTHING;
    case PGRES_POLLING_OK:
        return PQsetnonblocking(link->connection, 1) == 0 &&
                       /* LISTEN is not allowed in a pipeline */
                       (link->listens || PQenterPipelineMode(link->connection) == 1) &&
                       send_check(link)
                   ? LINK_NOTHING
                   : LINK_LOST;
    default:
        take_reason(link);
        return LINK_LOST;
    }
}

/* The server sends rows before it commits, so an error may come after them: then the commit has
 * failed or the session ended, and the rows are no answer. */
static void take_error(struct link *link, const PGresult *result)
{
    link->succeeded = false;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    snprintf(link->sqlstate, sizeof link->sqlstate, "%s", sqlstate != NULL ? sqlstate : "");
    snprintf(link->function, sizeof link->function, "%s", function != NULL ? function : "");
}

static bool fail_check(struct link *link, const char *sqlstate, const char *reason)
{
    snprintf(link->sqlstate, sizeof link->sqlstate, "%s", sqlstate);
    snprintf(link->reason, sizeof link->reason, "%s", reason);
    return false;
}

/* A check's row: the interface's number; whether all functions may be executed; whether the server
 * is read-only. No row: see send_check(). */
static bool is_suitable(struct link *link, const PGresult *result)
{
    char expected[16];

    snprintf(expected, sizeof expected, "%d", CALL_INTERFACE);
    if (PQntuples(result) == 0)
        return fail_check(link, CONNECTION_EXCEPTION,
                          "there is a pooler, such as pgbouncer, before the server: connect to the "
                          "server directly");
    if (PQntuples(result) != 1 || strcmp(PQgetvalue(result, 0, 0), expected) != 0 ||
        strcmp(PQgetvalue(result, 0, 1), "t") != 0)
        return false;
    if (strcmp(PQgetvalue(result, 0, 2), "off") == 0)
        return true;
    return fail_check(link, READ_ONLY, "the server takes no writes: it is a standby, or read-only");
}

static bool is_checking(const struct link *link)
{
    return link->state == LINK_CHECKING || link->state == LINK_RECHECKING;
}

/* Without a row the schema has become one of another interface, and nothing was called: see
 * call_text(). A call that was carried out is not tried again where its answers cannot be read. */
static void take_answers(struct link *link, const PGresult *result)
{
    link->succeeded = PQntuples(result) > 0;
    if (!link->succeeded) {
        snprintf(link->sqlstate, sizeof link->sqlstate, "%s", UNDEFINED_FUNCTION);
    } else if (!call_decode(result, link->jobs, link->count)) {
        log_event("answer_unreadable", "s:I", "requests", (json_int_t)link->count);
        for (size_t i = 0; i < link->count; i++)
            answer_fault(&link->jobs[i]->answer, link->jobs[i]->route, FAULT_INTERNAL);
    }
}

static void take_result(struct link *link, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK: /* of PQsendPrepare(), of LISTEN */
        link->succeeded = link->state == LINK_PREPARING || link->state == LINK_LISTENING;
        break;
    case PGRES_TUPLES_OK:
        link->succeeded = !is_checking(link) || is_suitable(link, result);
        if (link->state == LINK_CALLING)
            take_answers(link, result);
        else if (link->state == LINK_READING)
            link->rows = result;
        break;
    case PGRES_PIPELINE_ABORTED: /* some libpq take an error at a commit for one of a query */
        break;
    default:
        take_error(link, result);
        break;
    }
}

bool link_is_stale(const struct link *link)
{
    static const char *const stale[] = {
        "57P0", /* the server is shutting down, or was told to end this session */
        UNDEFINED_FUNCTION,
        UNDEFINED_SCHEMA, /* the extension was dropped */
        "0A000",          /* a prepared statement's result type has changed */
        "26000",          /* a prepared statement is gone */
        READ_ONLY,
    };

    if (PQstatus(link->connection) != CONNECTION_OK)
        return true;
    for (size_t i = 0; i < sizeof stale / sizeof stale[0]; i++)
        if (strncmp(link->sqlstate, stale[i], strlen(stale[i])) == 0)
            return true;
    return false;
}

/* A check has ended. The schema is unsuitable where the check says no, or fails because the schema
 * or a privilege is missing; any other error, and a read-only server, is taken to pass. */
static enum link_event finish_check(struct link *link)
{
    if (!link->succeeded) {
        bool unsuitable = link->sqlstate[0] == '\0' || strncmp(link->sqlstate, "42", 2) == 0 ||
                          strncmp(link->sqlstate, "3F", 2) == 0;
        return unsuitable ? LINK_UNSUITABLE : LINK_LOST;
    }
    if (link->state == LINK_RECHECKING)
        return send_batch(link) ? LINK_NOTHING : LINK_LOST;
    if (link->listens)
        return send_listen(link) ? LINK_NOTHING : LINK_LOST;
    return LINK_READY;
}

/* The query under way has ended. */
static enum link_event finish_query(struct link *link)
{
    enum link_state state = link->state;

    if (PQstatus(link->connection) != CONNECTION_OK && !link->succeeded)
        return LINK_LOST;
    if (state == LINK_PREPARING && link->succeeded) {
        link->prepared |= UINT64_C(1) << routes_number(link->jobs[0]->route);
        return send_call(link) ? LINK_NOTHING : LINK_LOST;
    }
    if (is_checking(link)) {
        enum link_event event = finish_check(link);
        if (event != LINK_READY)
            return event;
    }
    link->state = LINK_IDLE;
    link->deadline_ms = link->silent_ms = link->probe_ms = 0;
    if (!link->served && link->succeeded)
        hosts_serves(&link->walk);
    link->served |= link->succeeded;
    if (!link->succeeded)
        return LINK_REFUSED;
    if (state == LINK_READING)
        return LINK_READ;
    return state == LINK_CALLING ? LINK_ANSWERED : LINK_READY;
}

/* In a pipeline a NULL follows the results of each query, and PGRES_PIPELINE_SYNC says that it has
 * ended and is committed. A second NULL in a row means that nothing comes any more. */
static enum link_event step_pipeline(struct link *link)
{
    bool ended = false;

    while (!PQisBusy(link->connection)) {
        PGresult *result = PQgetResult(link->connection);
        enum link_event event = LINK_NOTHING;

        if (result == NULL && ended)
            return LINK_LOST;
        ended = result == NULL;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
            event = finish_query(link);
        else if (!ended)
            take_result(link, result);
        PQclear(result);
        if (event != LINK_NOTHING)
            return event;
    }
    return LINK_NOTHING;
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

/* The time of what is under way is up. A session whose query goes on, in a commit that waits for a
 * standby, cannot be ended from here. */
static enum link_event give_up(struct link *link)
{
    if (link->state == LINK_CONNECTING)
        snprintf(link->reason, sizeof link->reason, "no answer within %lld s",
                 (long long)hosts_timeout_ms() / 1000);
    if (link->state == LINK_CONNECTING || link->listens)
        return LINK_LOST;
    link->syncs_due = link->next_count > 0 && link->next_sent ? 2 : 1;
    link->state = LINK_ENDING;
    link->deadline_ms = 0;
    return LINK_GIVEN_UP;
}

/* Reads what a call that was given up still brings. When it has ended, so has the work of the
 * session, which ends with the connection. */
static enum link_event step_ending(struct link *link)
{
    while (!PQisBusy(link->connection)) {
        PGresult *result = PQgetResult(link->connection);
        bool ended = PQresultStatus(result) == PGRES_PIPELINE_SYNC && --link->syncs_due == 0;

        PQclear(result);
        if (ended || PQstatus(link->connection) != CONNECTION_OK) {
            snprintf(link->reason, sizeof link->reason, "a call that was given up has ended");
            return LINK_LOST;
        }
    }
    return LINK_NOTHING;
}

enum link_event link_step(struct link *link, short revents, int64_t now_ms)
{
    if (link->deadline_ms != 0 && now_ms >= link->deadline_ms)
        return give_up(link);
    if (revents == 0)
        return LINK_NOTHING;
    if (link->state == LINK_CONNECTING)
        return step_connecting(link);

    bool alive = !(revents & ~POLLOUT) || PQconsumeInput(link->connection) == 1;
    alive = flush(link) && alive;
    for (PGnotify *notify; (notify = PQnotifies(link->connection)) != NULL; PQfreemem(notify))
        link->notified = true;
    if (link->silent_ms != 0 && link->state != LINK_ENDING)
        link->probe_ms = (link->silent_ms = now_ms) + PROBE_MS;
    if (link->state == LINK_ENDING) {
        enum link_event ending = step_ending(link);
        return alive ? ending : LINK_LOST;
    }
    if (link->state == LINK_IDLE)
        return alive && PQstatus(link->connection) == CONNECTION_OK ? LINK_NOTHING : LINK_LOST;
    /* What was read before the connection was lost counts: an error, or even the whole answer. */
    enum link_event event = PQpipelineStatus(link->connection) == PQ_PIPELINE_OFF
                                ? step_query(link)
                                : step_pipeline(link);
    return event == LINK_NOTHING && !alive ? LINK_LOST : event;
}
