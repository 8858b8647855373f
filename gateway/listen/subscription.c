/*
 * subscription.c - see subscription.h.
 *
 * Fetching and acknowledging are transactions of their own: one that stayed open while a command
 * runs or a pipe is full would hold VACUUM up in the whole database. A session's advisory lock sees
 * to it that one listener at a time follows a subscription: a second one waits until the first is
 * gone, and takes over.
 */
#include "listen/subscription.h"

#include "clock.h"
#include "follow/backoff.h"
#include "follow/say.h"
#include "follow/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN_MS 5000    /* between two attempts to get the lock */
#define CHANNELS_MAX 32 /* for more pharmacies than that it listens on the channel of all */

struct following {
    const struct options *options;
    struct delivery *delivery;
    struct server server;
    struct batch batch;
    struct backoff backoff;
    int64_t delivered; /* up to this release number, and not acknowledged yet; 0: none */
    char *codes;       /* pharmacies that it listens for, with commas; NULL: all, or none yet */
    bool is_listening;
};

static const char try_lock[] = "SELECT pg_catalog.pg_try_advisory_lock("
                               "pg_catalog.hashtextextended('rxtrack-listen ' || $1, 0))";

/* The pharmacies of a subscription; whether they are those of --ods; alerts_only; a warning. */
static const char find[] =
    "SELECT CASE WHEN s.ods_codes IS NOT NULL THEN coalesce(have.codes, '') END,"
    " CASE WHEN s.ods_codes IS NOT NULL THEN have.codes END IS NOT DISTINCT FROM wanted.codes,"
    " s.alerts_only, s.warning"
    " FROM rxtrack.subscription_lag AS s,"
    " LATERAL (SELECT pg_catalog.string_agg(DISTINCT c::text, ',' ORDER BY c::text) AS codes"
    "  FROM pg_catalog.unnest(s.ods_codes) AS c) AS have,"
    " (SELECT pg_catalog.string_agg(DISTINCT c, ',' ORDER BY c) AS codes"
    "  FROM pg_catalog.unnest(pg_catalog.string_to_array($2, ',')) AS c) AS wanted"
    " WHERE s.subscription = $1";

static const char create[] =
    "SELECT rxtrack.add_subscription($1, pg_catalog.string_to_array($2, ','), $3)";

/* Events as JSON, which is what the gateway's streams send. */
static const char fetch[] = "SELECT e.release_number, rxtrack.event_json(e)"
                            " FROM rxtrack.fetch_events($1, $2) AS e ORDER BY e.release_number";

static const char acknowledge[] = "SELECT rxtrack.ack_events($1, $2)";

/* ---- the subscription ---- */

/* Whether the subscription is for what the options say. */
static enum verdict check_found(const struct options *options, const PGresult *found)
{
    if ((options->ods != NULL && PQgetvalue(found, 0, 1)[0] != 't') ||
        (options->alerts_only && PQgetvalue(found, 0, 2)[0] != 't')) {
        say("subscription \"%s\" is there, for other events than --ods and --alerts-only say; "
            "leave them out to follow it as it is, or change it by rxtrack.add_subscription()",
            options->subscription);
        return VERDICT_FAILED;
    }
    if (!PQgetisnull(found, 0, 3))
        say("subscription \"%s\": %s", options->subscription, PQgetvalue(found, 0, 3));
    return VERDICT_ON;
}

static PGresult *look_up(struct following *following)
{
    const struct options *options = following->options;
    const char *const values[] = {options->subscription, options->ods};

    return server_query(&following->server, false, find, 2, values);
}

static bool listen_on(struct server *server, const char *suffix, size_t length)
{
    char statement[64];

    snprintf(statement, sizeof statement, "LISTEN rxtrack_ready%s%.*s", length > 0 ? "_" : "",
             (int)length, suffix);
    return server_run(server, false, statement, 0, NULL);
}

static size_t count_codes(const char *codes)
{
    size_t count = 1;

    for (; *codes != '\0'; codes++)
        count += *codes == ',';
    return count;
}

/* Listens on one channel for each pharmacy, so that only its events wake us. The server folds the
 * names to lower case, as any without quotes. */
static bool listen_to_all(struct following *following)
{
    const char *codes = following->codes;

    if (following->is_listening && !server_run(&following->server, false, "UNLISTEN *", 0, NULL))
        return false;
    following->is_listening = true;
    if (codes == NULL || count_codes(codes) > CHANNELS_MAX)
        return listen_on(&following->server, "", 0);
    while (*codes != '\0') {
        size_t length = strcspn(codes, ",");
        if (!listen_on(&following->server, codes, length))
            return false;
        codes += length + (codes[length] == ',');
    }
    return true;
}

/* Listens for these pharmacies (NULL: all), where they are others than before. */
static bool listen_for(struct following *following, const char *codes)
{
    const char *before = following->codes;
    bool same = before == NULL || codes == NULL ? before == codes : strcmp(before, codes) == 0;

    if (following->is_listening && same)
        return true;
    free(following->codes);
    following->codes = codes != NULL ? strdup(codes) : NULL;
    return listen_to_all(following);
}

/* Finds the subscription, makes it with --create, and listens. */
static enum verdict prepare(struct following *following)
{
    const struct options *options = following->options;
    PGresult *found = look_up(following);

    if (found != NULL && PQntuples(found) == 0 && options->create) {
        const char *const values[] = {options->subscription, options->ods,
                                      options->alerts_only ? "true" : "false"};

        PQclear(found);
        found =
            server_run(&following->server, false, create, 3, values) ? look_up(following) : NULL;
    }
    if (found == NULL)
        return following->server.verdict;
    enum verdict verdict = VERDICT_FAILED;
    if (PQntuples(found) == 0)
        say("there is no subscription \"%s\"%s", options->subscription,
            options->create ? "" : "; --create makes it");
    else
        verdict = check_found(options, found);
    if (verdict == VERDICT_ON &&
        !listen_for(following, PQgetisnull(found, 0, 0) ? NULL : PQgetvalue(found, 0, 0)))
        verdict = following->server.verdict;
    PQclear(found);
    return verdict;
}

/* Waits until no other listener follows the subscription. */
static enum verdict take_turn(struct following *following)
{
    const char *const values[] = {following->options->subscription};

    for (bool said = false;; said = true) {
        PGresult *result = server_query(&following->server, false, try_lock, 1, values);
        if (result == NULL)
            return following->server.verdict;
        bool taken = PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
        if (taken)
            return VERDICT_ON;
        if (!said)
            say("another listener follows subscription \"%s\"%s", following->options->subscription,
                following->options->once ? "" : "; waiting for its end");
        if (following->options->once)
            return VERDICT_LATER;
        if (!server_listen(&following->server, clock_ms() + TURN_MS))
            return following->server.verdict;
    }
}

/* ---- its events ---- */

static bool acknowledge_delivered(struct following *following)
{
    char number[24];
    const char *const values[] = {following->options->subscription, number};

    if (following->delivered == 0)
        return true;
    snprintf(number, sizeof number, "%" PRId64, following->delivered);
    if (!server_run(&following->server, true, acknowledge, 2, values))
        return false;
    following->delivered = 0;
    return true;
}

/* Puts the rows of fetch into the batch. */
static enum verdict fill_batch(struct batch *batch, const PGresult *rows)
{
    batch_clear(batch);
    for (int row = 0; row < PQntuples(rows); row++) {
        int64_t number = strtoll(PQgetvalue(rows, row, 0), NULL, 10);

        if (batch_add(batch, number, PQgetvalue(rows, row, 1), (size_t)PQgetlength(rows, row, 1),
                      false) != BATCH_ADDED) {
            say("the database sent what is no event");
            return VERDICT_FAILED;
        }
    }
    return VERDICT_ON;
}

static enum verdict fetch_batch(struct following *following, size_t room)
{
    char most[24];
    const char *const values[] = {following->options->subscription, most};

    snprintf(most, sizeof most, "%zu", room);
    PGresult *rows = server_query(&following->server, false, fetch, 2, values);
    if (rows == NULL)
        return following->server.verdict;
    enum verdict verdict = fill_batch(&following->batch, rows);
    PQclear(rows);
    return verdict;
}

/* Fetches, delivers and acknowledges until there are no more events. */
static enum verdict drain(struct following *following)
{
    for (;;) {
        size_t room = delivery_room(following->delivery);
        if (room == 0)
            return VERDICT_DONE;
        enum verdict verdict = fetch_batch(following, room);
        if (verdict != VERDICT_ON || following->batch.count == 0)
            return verdict;
        verdict = delivery_hand_over(following->delivery, &following->batch);
        if (verdict != VERDICT_ON)
            return verdict;
        following->delivered = following->batch.last;
        if (!acknowledge_delivered(following))
            return following->server.verdict;
        backoff_reset(&following->backoff);
        if (following->batch.count < room)
            return VERDICT_ON;
    }
}

static enum verdict follow(struct following *following)
{
    const struct options *options = following->options;
    int64_t look_at = clock_ms() + options->poll * 1000;

    for (;;) {
        enum verdict verdict = drain(following);
        if (verdict == VERDICT_ON && !options->once && clock_ms() >= look_at) {
            verdict = prepare(following); /* its pharmacies may have changed */
            look_at = clock_ms() + options->poll * 1000;
        }
        if (verdict != VERDICT_ON)
            return verdict;
        if (options->once)
            return VERDICT_DONE;
        backoff_reset(&following->backoff);
        if (!server_listen(&following->server, look_at))
            return following->server.verdict;
    }
}

/* The life of one connection. What an earlier one could not acknowledge comes first. */
static enum verdict session(struct following *following)
{
    enum verdict verdict = VERDICT_AGAIN;

    following->is_listening = false;
    if (!server_open(&following->server, following->options->database, OPTIONS_AGENT))
        return VERDICT_AGAIN;
    if (!acknowledge_delivered(following))
        verdict = following->server.verdict;
    else
        verdict = take_turn(following);
    if (verdict == VERDICT_ON)
        verdict = prepare(following);
    if (verdict == VERDICT_ON)
        verdict = follow(following);
    server_close(&following->server);
    return verdict;
}

enum verdict subscription_follow(const struct options *options, struct delivery *delivery)
{
    struct following following = {.options = options, .delivery = delivery};
    enum verdict verdict;

    while ((verdict = session(&following)) == VERDICT_AGAIN) {
        if (options->once) {
            verdict = VERDICT_LATER;
            break;
        }
        verdict = backoff_wait(&following.backoff, 0);
        if (verdict != VERDICT_ON)
            break;
    }
    if (following.delivered > 0) {
        say("the last batch was delivered but could not be acknowledged: it will come again");
        if (verdict == VERDICT_DONE)
            verdict = VERDICT_FAILED;
    }
    batch_free(&following.batch);
    free(following.codes);
    return verdict;
}
