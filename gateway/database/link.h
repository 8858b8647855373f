/*
 * link.h - one connection to the database and what it is doing: connecting, being checked, idle,
 * carrying a batch of jobs, or reading events. Nothing here waits: link_step() goes as far as the
 * socket allows.
 * Threads: the one that the link belongs to, the database's or the feed's.
 */
#ifndef RXTRACK_LINK_H
#define RXTRACK_LINK_H

#include "config.h"
#include "database/call.h"
#include "database/hosts.h"
#include "exchange/job.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

enum link_state {
    LINK_DOWN,       /* no connection; the next try is due at retry_ms */
    LINK_CONNECTING, /* by PQconnectPoll() */
    LINK_CHECKING,   /* asking whether server and schema suit */
    LINK_LISTENING,  /* asking for notifications, where it listens */
    LINK_IDLE,       /* usable and free */
    LINK_RECHECKING, /* as LINK_CHECKING, before a batch */
    LINK_PREPARING,  /* a route's statement, before a batch */
    LINK_CALLING,    /* carrying the batch */
    LINK_READING,    /* events, by rxtrack_http.feed() */
    LINK_ENDING,     /* its call was given up, and is the server's still: the session keeps its
                        place, so that there are never more than configured */
};

/* What a step has come to. */
enum link_event {
    LINK_NOTHING,    /* more is to come */
    LINK_READY,      /* checked, and usable from now on */
    LINK_UNSUITABLE, /* checked, and the schema does not suit this gateway; no batch was sent */
    LINK_ANSWERED,   /* every job of the batch has its answer, committed */
    LINK_READ,       /* link->rows holds the events */
    LINK_REFUSED,    /* the call failed with link->sqlstate and was rolled back */
    LINK_GIVEN_UP,   /* the batch took too long; whether it will be committed is not known */
    LINK_LOST,       /* the connection is gone; whether the batch was committed is not known */
};

struct link {
    enum link_state state;
    PGconn *connection;
    short events;        /* what to poll() the socket for */
    int64_t deadline_ms; /* when the state has lasted too long and is LINK_LOST; 0: never */
    int64_t retry_ms;
    unsigned failures;          /* attempts in a row that came to nothing; sets the back-off */
    struct walk walk;           /* which host it is connected to, or tries */
    bool served;                /* this connection has been usable */
    bool is_out;                /* its host gave no sign of life for too long */
    int64_t silent_ms;          /* since when an answer is expected; 0: none is */
    int64_t probe_ms;           /* when the host is asked for a sign of life, unless it answers */
    bool unsuitable;            /* the last check said so */
    uint64_t prepared;          /* routes whose statement is prepared, a bit each */
    bool succeeded;             /* the query under way has had its result */
    unsigned commits_announced; /* of the calls sent, so many have nothing left but their commit */
    char sqlstate[6];           /* of the query under way, where it failed; "" for none */
    char function[64]; /* the server's C function that raised it, for the log; "" for none */

    bool listens;   /* set by the owner: for notifications of new events */
    bool notified;  /* there was one; reset by the owner */
    PGresult *rows; /* of LINK_READ; link_drop_rows() frees them */

    char reason[200]; /* why it could not connect, or was lost, in libpq's words; "" for none */

    struct job *jobs[CONFIG_BATCH_MAX]; /* the batch, of one route */
    size_t count;
    struct job *next[CONFIG_BATCH_MAX]; /* the batch that follows it */
    size_t next_count;
    bool next_sent;
    unsigned syncs_due; /* while LINK_ENDING: calls that the server has not ended */
    int64_t sent_ms;    /* when the batch was sent */

    long timeout_ms;         /* set by the owner: the statement_timeout for the next batch */
    long session_timeout_ms; /* what the session has; 0: it is to be checked first */
};

/* Starts to connect. False where that fails at once: the link is LINK_DOWN still. */
bool link_connect(struct link *link, int64_t now_ms);

/*
 * Sends the link's jobs, which the caller has put there; the link is LINK_IDLE. The session is
 * checked first where the route wants that, and where the jobs need another statement_timeout.
 * False where the connection is lost; then nothing was sent.
 */
bool link_send(struct link *link, const struct config *config, int64_t now_ms);

/* Whether a batch may follow the one under way, because that one has nothing left but its commit:
 * the session is to find its next work when that is done. */
bool link_may_follow(const struct link *link);

/* Sends the link's next jobs behind those under way. Where the session would have to be checked or
 * prepared first, link_advance() sends them. False where the connection is lost. */
bool link_follow(struct link *link);

/* Makes the next jobs those under way; the link is LINK_IDLE, and its own jobs have been taken out.
 * False where the connection is lost. */
bool link_advance(struct link *link, const struct config *config, int64_t now_ms);

/* Asks for the events after a release number, at most so many; the link is LINK_IDLE. False where
 * the connection is lost. */
bool link_read(struct link *link, const struct config *config, int64_t after, int most,
               int64_t now_ms);

/* Frees the rows that were read. */
void link_drop_rows(struct link *link);

/* Goes on after poll(), with the revents of the link's socket. */
enum link_event link_step(struct link *link, short revents, int64_t now_ms);

/*
 * Whether a link whose call has just ended is better closed and made anew: the server is shutting
 * down or takes no writes, or the schema has changed under the prepared statements, and the check
 * of a new connection is to find out whether the new one suits.
 */
bool link_is_stale(const struct link *link);

/* Has the link checked before its next batch. */
void link_distrust(struct link *link);

/* The host has given a sign of life: wait on, and ask again only after a while. */
void link_is_alive(struct link *link, int64_t now_ms);

/* The host has given none: the link is to be closed, and goes to another host, if there is one. */
void link_is_out(struct link *link);

/* Closes the connection; the link is LINK_DOWN. What becomes of its jobs is for the caller. */
void link_close(struct link *link);

/* Logs why a link was closed, and sets when the next attempt to connect is due: at once for the
 * next host; after all of them, exponential back-off, with jitter so that the links do not all come
 * at once. */
void link_retry_later(struct link *link, int64_t now_ms, unsigned *random);

#endif
