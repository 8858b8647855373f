/*
 * http.c - the way of a request through libmicrohttpd's callbacks: on_first_line(), then
 * on_request() for its headers, for each piece of its body and for its end; then it is answered at
 * once, or its connection is suspended until the database thread resumes it, upon which
 * on_request() sends the answer; on_completed().
 *
 * Threads: the callbacks run on the HTTP thread of the connection, job_done() on the database's.
 * libmicrohttpd does not touch a suspended connection, so that no request goes away under its job.
 */
#include "http/http.h"

#include "clock.h"
#include "database/database.h"
#include "events/hub.h"
#include "exchange/loop.h"
#include "http/client.h"
#include "http/request.h"
#include "http/session.h"
#include "http/tls.h"
#include "log.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What libmicrohttpd has for a connection, and what each idle client costs: a request's headers, as
 * large as they may be, with room for those of the answer, which it would otherwise not send, and
 * for a piece of the body. */
#define CONNECTION_MEMORY_BYTES (REQUEST_HEAD_BYTES + 4 * 1024)

/* For a stream. Only clients of HTTP/1.0 use it. */
#define STREAM_BLOCK_BYTES 1024

/* How many connections beyond connection_limit may be on their way when it is reached. */
#define ACCEPT_SLACK 256

/* Milliseconds that a connection may be idle while we are stopping: a client's next request may be
 * on its way, and is answered with Connection: close. */
#define DRAIN_IDLE_MS 100

/* The same, and the time for a request's head, where all connections are taken and others wait; and
 * for the whole of a request, or of its answer. */
#define SHORT_HEAD_MS 500
#define SHORT_REQUEST_MS 5000

#define REPORT_MS 60000 /* between two lines about that */

/* The same where nine in ten connections are taken: a client that opens many and sends nothing does
 * not keep others out. */
#define CROWDED_IDLE_MS 2000

static struct {
    const struct config *config;
    struct loop *loops[CONFIG_HTTP_THREADS_MAX];
    size_t loop_count;
    size_t next; /* which loop gets the next connection */
    atomic_bool draining;
} http;

/* ---- answers ---- */

static enum MHD_Result send_answer(struct request *request)
{
    struct MHD_Response *response;

    request_drop_body(request);
    request->stage = REQUEST_ANSWERED;
    if (!client_enter(request->client, CLIENT_ANSWERING))
        return MHD_NO;
    response = answer_response(&request->job.answer, &request->mirror, atomic_load(&http.draining));
    if (response == NULL)
        return MHD_NO;
    if (request->refusal == FAULT_METHOD)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, request->allow);
    request->status = request->job.answer.status;
    enum MHD_Result queued =
        MHD_queue_response(request->resumption.connection, request->status, response);
    MHD_destroy_response(response);
    return queued;
}

/* Answers past libmicrohttpd, which is to close the connection after it. */
static void send_raw(struct request *request, enum fault fault)
{
    char text[ANSWER_RAW];
    size_t length = answer_raw(fault, &request->mirror, text);

    session_send_last(request->resumption.connection, request->client, text, length);
    request->status = answer_fault_status(fault);
}

static enum MHD_Result send_fault(struct request *request, enum fault fault)
{
    if (fault == FAULT_HEAD) {
        /* libmicrohttpd may have no memory left for the headers of an answer */
        if (client_enter(request->client, CLIENT_ANSWERING))
            send_raw(request, fault);
        return MHD_NO;
    }
    if (fault == FAULT_UNKNOWN || fault == FAULT_REPEATED)
        answer_parameter_fault(&request->job.answer, request->route, fault, request->parameter);
    else
        answer_fault(&request->job.answer, request->route, fault);
    return send_answer(request);
}

/* ---- streams ---- */

/* Sends a response whose end is not known; NULL: there was no memory for it. */
static enum MHD_Result queue_stream(struct request *request, struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    answer_add_headers(&request->job.answer, &request->mirror, true, response);
    MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* nginx is to pass it on */
    request->stage = REQUEST_ANSWERED;
    request->status = MHD_HTTP_OK;
    enum MHD_Result queued =
        MHD_queue_response(request->resumption.connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}

/* The stream that the answer opens; NULL without memory. */
static struct stream *new_stream(const struct answer *answer, const char *version)
{
    struct filter *filter = NULL;

    if (answer->stream_ods_codes != NULL &&
        (filter = filter_new(answer->stream_ods_codes, answer->stream_ods_count)) == NULL)
        return NULL;
    struct stream *stream = stream_new(answer->stream_after, filter);
    if (stream == NULL)
        free(filter);
    else
        stream->chunked = strcmp(version, MHD_HTTP_VERSION_1_0) != 0;
    return stream;
}

/* MHD_ContentReaderCallback */
static ssize_t read_nothing(void *unused, uint64_t position, char *out, size_t size)
{
    (void)unused;
    (void)position;
    (void)out;
    (void)size;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

/* Answers HEAD as a stream would be, and opens none. */
static enum MHD_Result send_stream_head(struct request *request)
{
    if (!client_enter(request->client, CLIENT_ANSWERING))
        return MHD_NO;
    return queue_stream(request,
                        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
                                                          read_nothing, NULL, NULL));
}

/* Answers with a stream, which from then on belongs to the response and ends with it. */
static enum MHD_Result send_stream(struct request *request, const char *version)
{
    if (!client_enter(request->client, CLIENT_STREAMING))
        return MHD_NO;
    struct stream *stream = new_stream(&request->job.answer, version);
    enum fault fault = hub_open(stream, &request->resumption, &request->job);
    if (fault != FAULT_NONE)
        return send_fault(request, fault);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, hub_read, stream, hub_close);
    if (response == NULL)
        hub_close(stream);
    return queue_stream(request, response);
}

/* ---- the database's part ---- */

/* Gives a job back: its connection is resumed, and on_request() sends the answer. */
static void job_done(struct job *job)
{
    struct request *request = request_of_job(job);

    request_keep_answer(request, http.config);
    loop_resume(&request->resumption);
}

static enum MHD_Result hand_over(struct request *request)
{
    enum database_state state = database_state();

    if (state != DATABASE_USABLE)
        return send_fault(request, state == DATABASE_AWAY ? FAULT_AWAY : FAULT_UNSUITABLE);
    if (!client_enter(request->client, CLIENT_WAITING))
        return MHD_NO;
    request_make_job(request);
    request->job.done = job_done;
    request->stage = REQUEST_SUSPENDED;
    /* Suspended before it is handed over: the job may be back before this function returns. */
    MHD_suspend_connection(request->resumption.connection);
    if (!database_submit(&request->job)) {
        answer_fault(&request->job.answer, request->route, FAULT_STOPPING);
        job_done(&request->job);
    }
    return MHD_YES;
}

/* ---- callbacks ---- */

/* Answers a request that has arrived as a whole, or hands it to the database. */
static enum MHD_Result serve(struct request *request)
{
    request_check_head(request); /* what follows a chunked body belongs to it */
    if (request->refusal != FAULT_NONE)
        return send_fault(request, request->refusal);
    if (request->route->function != NULL)
        return hand_over(request);
    answer_alive(&request->job.answer);
    return send_answer(request);
}

/* Reads the headers. A refusal waits for the end of the body, since many a client reads no answer
 * before it has sent everything; but not where the client waits for a word, or where the body
 * cannot be read to its end. */
static enum MHD_Result begin(struct request *request, const char *method, const char *version)
{
    request_read_headers(request, http.config, method, version);
    request->stage = REQUEST_RECEIVING;
    client_set_mirror(request->client, &request->mirror);
    if (request->refusal != FAULT_NONE &&
        (request->expects_continue || request->unframed || !request_is_discardable(request)))
        return send_fault(request, request->refusal);
    return MHD_YES;
}

static enum MHD_Result on_request(void *unused, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *length, void **context)
{
    struct request *request = *context;

    (void)unused;
    (void)connection;
    (void)path;
    if (request == NULL || client_phase(request->client) >= CLIENT_CUT)
        return MHD_NO;
    switch (request->stage) {
    case REQUEST_NEW:
        return begin(request, method, version);
    case REQUEST_RECEIVING:
        if (*length == 0)
            return serve(request);
        if (!request_take_body(request, http.config, data, *length))
            return MHD_NO;
        *length = 0;
        return MHD_YES;
    case REQUEST_SUSPENDED:
        if (!request->job.answer.streams)
            return send_answer(request);
        return strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 ? send_stream_head(request)
                                                         : send_stream(request, version);
    default:
        return MHD_YES;
    }
}

/* Logs the request that the client has under way, if any, and frees it. libmicrohttpd answers by
 * itself what is no HTTP. */
static void finish(struct client *client)
{
    struct request *request = client_request(client);

    if (request == NULL)
        return;
    enum client_phase phase = client_finish(client);
    client_set_request(client, NULL);
    if (request->status == 0 && phase == CLIENT_TIMED_OUT) {
        request->status = answer_fault_status(FAULT_CLIENT_SLOW);
    } else if (request->status == 0) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(
            request->resumption.connection, MHD_CONNECTION_INFO_HTTP_STATUS);
        request->status = info != NULL ? info->http_status : 0;
    }
    log_request(&(struct log_request){
        .method = request->method,
        .path = request->path,
        .status = request->status,
        .duration_us = clock_us() - request->began_us,
        .request_id = request->mirror.request_id,
        .application = request->job.answer.application,
    });
    request_free(request);
}

/* Registers a new connection. Where that fails its requests are refused; over TLS its handshake
 * fails, for lack of a certificate. */
static struct client *welcome(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct tls_set *set = tls_acquire();
    struct client *client = client_open(info->connect_fd, set);

    if (client == NULL)
        tls_release(set);
    else if (set != NULL)
        session_begin(connection, client, set);
    return client;
}

/* Called with the first line of a request; the result is the request's context. */
static void *on_first_line(void *loop, const char *uri, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct client *client = info != NULL ? info->socket_context : NULL;

    if (client == NULL)
        return NULL;
    finish(client);
    if (!client_enter(client, CLIENT_RECEIVING))
        return NULL;
    struct request *request = request_new(loop, connection, client, uri);
    client_set_request(client, request);
    if (request != NULL && request->refusal == FAULT_HEAD) {
        /* 0.9.75 does not find an end where the arguments find no room */
        send_raw(request, FAULT_HEAD);
        shutdown(client_socket(client), SHUT_RDWR);
    }
    return request;
}

static void on_completed(void *unused, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how)
{
    struct request *request = *context;

    (void)unused;
    (void)connection;
    (void)how;
    *context = NULL;
    if (request == NULL)
        return;
    if (client_phase(request->client) == CLIENT_TIMED_OUT && tls_is_on())
        send_raw(request, FAULT_CLIENT_SLOW); /* without TLS the sweep has sent it */
    finish(request->client);
}

static void on_connection(void *unused, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    (void)unused;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = welcome(connection);
    } else {
        /* some requests that cannot be read end without on_completed() */
        if (*context != NULL)
            finish(*context);
        client_close(*context);
        *context = NULL;
    }
}

/* ---- the main thread's part ---- */

/* From 1.0 on, unless it is strict, libmicrohttpd answers a blank in a target with a redirection.
 */
static const struct MHD_OptionItem strict[] = {
#if MHD_VERSION >= 0x01000000
    {MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, NULL},
#endif
    {MHD_OPTION_END, 0, NULL}};

/* The library's own differs with its version in what it makes of a malformed escape. */
static size_t unescape(void *unused, struct MHD_Connection *connection, char *text)
{
    (void)unused;
    (void)connection;
    return routes_unescape(text);
}

/* Makes a daemon for a loop to drive. The library's time-outs are off: see client.h. */
static struct MHD_Daemon *start_daemon(struct loop *loop)
{
    const struct MHD_OptionItem secured[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)tls_priorities},
        {MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)tls_refuse},
        {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
            (tls_is_on() ? MHD_USE_TLS : 0),
        0, NULL, NULL, on_request, NULL, MHD_OPTION_ARRAY, tls_is_on() ? secured : plain,
        MHD_OPTION_ARRAY, strict, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)http.config->connection_limit + ACCEPT_SLACK,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_URI_LOG_CALLBACK, on_first_line, loop, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_END);

    if (daemon == NULL)
        fprintf(stderr, "rxtrack-gateway: libmicrohttpd does not start\n");
    return daemon;
}

/* Adds a loop. False after a message on stderr. */
static bool start_loop(void)
{
    struct loop *loop = loop_new();

    if (loop == NULL)
        return false;
    struct MHD_Daemon *daemon = start_daemon(loop);
    if (daemon == NULL || !loop_start(loop, daemon)) {
        loop_stop(loop);
        return false;
    }
    http.loops[http.loop_count++] = loop;
    return true;
}

bool http_start(const struct config *config)
{
    http.config = config;
    while (http.loop_count < (size_t)config->http_threads) {
        if (!start_loop()) {
            http_stop();
            return false;
        }
    }
    return true;
}

void http_add(int socket, const struct sockaddr *address, socklen_t length)
{
    loop_add(http.loops[http.next++ % http.loop_count], socket, address, length);
}

/* How long a connection may be idle. */
static int64_t idle_ms(void)
{
    int64_t usual = http.config->idle_timeout * 1000;
    bool crowded = client_count() >= (size_t)http.config->connection_limit * 9 / 10;

    if (atomic_load(&http.draining))
        return DRAIN_IDLE_MS;
    return crowded && usual > CROWDED_IDLE_MS ? CROWDED_IDLE_MS : usual;
}

/* Says how many clients have made room for others, once a minute at most. */
static void report_dropped(size_t dropped)
{
    static size_t unreported;
    static int64_t report_ms;

    unreported += dropped;
    if (unreported == 0 || clock_ms() < report_ms)
        return;
    log_event("connections_dropped", "s:I,s:s", "connections", (json_int_t)unreported, "reason",
              "connection_limit is reached, and others wait");
    unreported = 0;
    report_ms = clock_ms() + REPORT_MS;
}

void http_sweep(bool short_of_room)
{
    int64_t request_ms = http.config->client_timeout * 1000;
    struct client_limits limits = {
        .idle_ms = idle_ms(),
        .head_ms = request_ms,
        .request_ms = request_ms,
    };

    if (!short_of_room) {
        client_sweep(&limits);
        return;
    }
    clock_sooner(&limits.idle_ms, SHORT_HEAD_MS);
    clock_sooner(&limits.head_ms, SHORT_HEAD_MS);
    clock_sooner(&limits.request_ms, SHORT_REQUEST_MS);
    report_dropped(client_sweep(&limits));
}

void http_drain(void)
{
    atomic_store(&http.draining, true);
}

void http_stop(void)
{
    while (http.loop_count > 0)
        loop_stop(http.loops[--http.loop_count]);
}
