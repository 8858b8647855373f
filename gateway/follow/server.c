/*
 * server.c - see server.h.
 */
#include "follow/server.h"

#include "follow/say.h"
#include "follow/wait.h"

#include <string.h>

static void ignore_notice(void *unused, const PGresult *notice)
{
    (void)unused;
    (void)notice;
}

/* Says the first line of what libpq says. */
static void say_reason(const struct server *server)
{
    const char *reason = PQerrorMessage(server->connection);

    say("database: %.*s", (int)strcspn(reason, "\n"), reason[0] != '\0' ? reason : "out of memory");
}

bool server_open(struct server *server, const char *database, const char *application_name)
{
    /* The connection string takes precedence over what comes before dbname. The keepalives notice a
     * server that has gone without a word. */
    const char *const keywords[] = {
        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "fallback_application_name",
        "dbname",           "client_encoding",  NULL};
    const char *const values[] = {"10",     "30",   "10", "3", "60000", application_name,
                                  database, "UTF8", NULL};

    server->verdict = VERDICT_AGAIN;
    server->connection = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(server->connection) != CONNECTION_OK ||
        PQsetnonblocking(server->connection, 1) != 0) {
        say_reason(server);
        server_close(server);
        return false;
    }
    PQsetNoticeReceiver(server->connection, ignore_notice, NULL);
    return true;
}

void server_close(struct server *server)
{
    PQfinish(server->connection);
    server->connection = NULL;
}

/* ---- waiting ---- */

static bool settle_wait(struct server *server, enum waited waited)
{
    enum verdict verdict = wait_verdict(waited);

    if (verdict == VERDICT_ON)
        return true;
    if (waited == WAIT_ABORT)
        say("stopped before the batch could be acknowledged");
    server->verdict = verdict;
    return false;
}

static bool lost(struct server *server)
{
    say_reason(server);
    server->verdict = VERDICT_AGAIN;
    return false;
}

/* Sends what libpq has buffered, and reads until a result is complete. */
static bool await_result(struct server *server, bool in_hand)
{
    for (;;) {
        int left = PQflush(server->connection);
        if (left < 0)
            return lost(server);
        if (!PQisBusy(server->connection))
            return true;
        struct pollfd socket = {.fd = PQsocket(server->connection),
                                .events = (short)(left > 0 ? POLLIN | POLLOUT : POLLIN)};
        if (!settle_wait(server, wait_for(&socket, 1, -1, in_hand)))
            return false;
        if (!PQconsumeInput(server->connection))
            return lost(server);
    }
}

/* ---- calls ---- */

/* Whether an error is one that trying again does not mend: feature_not_supported, data_exception,
 * invalid_authorization, invalid_schema_name, syntax or privilege. */
static bool is_lasting(const char *sqlstate)
{
    static const char *const classes[] = {"0A", "22", "28", "3F", "42"};

    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return false;
}

/* Whether a statement succeeded. Ours carry names and numbers only, so that no error text names a
 * patient. */
static bool is_good(struct server *server, const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return true;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (sqlstate == NULL || message == NULL)
        return lost(server);
    say("database: %s (%s)", message, sqlstate);
    server->verdict = is_lasting(sqlstate) ? VERDICT_FAILED : VERDICT_AGAIN;
    return false;
}

PGresult *server_query(struct server *server, bool in_hand, const char *statement, int count,
                       const char *const *values)
{
    PGresult *result = NULL, *next;

    if (!PQsendQueryParams(server->connection, statement, count, NULL, values, NULL, NULL, 0)) {
        lost(server);
        return NULL;
    }
    for (;;) {
        if (!await_result(server, in_hand)) {
            PQclear(result);
            return NULL;
        }
        if ((next = PQgetResult(server->connection)) == NULL)
            break;
        PQclear(result);
        result = next;
    }
    if (result == NULL || !is_good(server, result)) {
        PQclear(result);
        return NULL;
    }
    return result;
}

bool server_run(struct server *server, bool in_hand, const char *statement, int count,
                const char *const *values)
{
    PGresult *result = server_query(server, in_hand, statement, count, values);

    PQclear(result);
    return result != NULL;
}

static bool take_notifications(struct server *server)
{
    PGnotify *notification;
    bool any = false;

    while ((notification = PQnotifies(server->connection)) != NULL) {
        PQfreemem(notification);
        any = true;
    }
    return any;
}

bool server_listen(struct server *server, int64_t until_ms)
{
    while (!take_notifications(server)) {
        struct pollfd socket = {.fd = PQsocket(server->connection), .events = POLLIN};
        enum waited waited = socket.fd >= 0 ? wait_for(&socket, 1, until_ms, false) : WAIT_READY;

        if (waited == WAIT_TIME)
            return true;
        if (!settle_wait(server, waited))
            return false;
        if (!PQconsumeInput(server->connection))
            return lost(server);
    }
    return true;
}
