/*
 * link.h - one connection to the database and what it is doing: connecting, being checked, idle,
 * carrying a batch of jobs, or reading events. It never waits: link_step() goes as far as the
 * socket allows. Threads: the one that the link belongs to, the database's or the feed's.
 */
#ifndef RXTRACK_LINK_H
#define RXTRACK_LINK_H

#include "config.h"
#include "database/call.h"
#include "exchange/job.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

enum link_state {
    LINK_DOWN,       /* no connection; another try is due at retry_ms */
    LINK_CONNECTING, /* by PQconnectPoll() */
    LINK_CHECKING,   /* asking rxtrack_http.interface_number() */
    LINK_LISTENING,  /* asking for notifications, where it is to */
    LINK_IDLE,       /* usable and free */
    LINK_RECHECKING, /* as LINK_CHECKING, with the batch waiting behind it */
    LINK_PREPARING,  /* the route's statement, with the batch waiting behind it */
    LINK_CALLING,    /* carrying the batch */
    LINK_READING,    /* events, by rxtrack_http.feed() */
};

/* What a step has come to. */
enum link_event {
    LINK_NOTHING,    /* more is to come */
    LINK_READY,      /* checked: usable from now on */
    LINK_UNSUITABLE, /* checked: the schema does not suit this gateway; the batch was not sent */
    LINK_ANSWERED,   /* every job of the batch has its answer, committed */
    LINK_READ,       /* link->rows holds the events */
    LINK_REFUSED,    /* the call failed with link->sqlstate, and nothing of it was done */
    LINK_LOST,       /* the connection is gone; what became of the batch is not known */
};

struct link {
    enum link_state state;
    PGconn *connection;
    short events;        /* what to poll() the socket for */
    int64_t deadline_ms; /* a state that lasts longer is LINK_LOST; 0: none */
    int64_t retry_ms;
    unsigned failures;          /* tries in a row that came to nothing; sets the back-off */
    bool unsuitable;            /* the last check failed */
    uint64_t prepared;          /* routes whose statement is prepared, a bit each */
    bool succeeded;             /* the query under way has had its result */
    unsigned commits_announced; /* of the calls sent, so many have nothing left but their commit */
    char sqlstate[6];           /* of the query under way, where it failed; "" for none */
    char function[64]; /* the server's C function that raised it, for the log; "" for none */

    bool listens;   /* set by the owner: it is to hear of new events */
    bool notified;  /* it has; reset by the owner */
    PGresult *rows; /* of LINK_READ; link_drop_rows() frees them */

    char reason[200]; /* why the last try to connect failed, in libpq's words; "" for none */

    struct job *jobs[CONFIG_BATCH_MAX]; /* the batch, of one route */
    size_t count;
    struct job *next[CONFIG_BATCH_MAX]; /* the batch that follows it; only while one is under way */
    size_t next_count;
    bool next_sent;
    int64_t sent_ms; /* when link_send() was called last */

    long timeout_ms;         /* set by the owner: the statement_timeout for the next query */
    long session_timeout_ms; /* the one that the session has; 0: it is to be checked first */
};

/* Starts to connect. False where that fails at once (then the link is LINK_DOWN still). */
bool link_connect(struct link *link, const struct config *config, int64_t now_ms);

/*
 * Sends the link's jobs, which the caller has put there; the link is LINK_IDLE. Before jobs that
 * ask for the database's health, or that need another statement_timeout, the session is checked
 * again. False where that fails at once: the connection is lost, and nothing was sent.
 */
bool link_send(struct link *link, const struct config *config, int64_t now_ms);

/* Whether a batch may follow the one under way: that one has nothing left to do but its commit, and
 * the session is to find its next work when that is done. */
bool link_may_follow(const struct link *link);

/* Sends the link's next jobs, where the session can take them as it is; otherwise they are sent by
 * link_advance(). False where the connection is lost. */
bool link_follow(struct link *link);

/* The batch that followed, which there is, becomes the one under way. The link is LINK_IDLE, and
 * its own jobs have been taken out. False where the connection is lost. */
bool link_advance(struct link *link, const struct config *config, int64_t now_ms);

/*
 * Asks for the events after a release number, at most so many; the link is LINK_IDLE. False where
 * that fails at once: the connection is lost.
 */
bool link_read(struct link *link, const struct config *config, int64_t after, int most,
               int64_t now_ms);

/* Frees the rows that were read. */
void link_drop_rows(struct link *link);

/* Goes on after poll() has said that the socket is ready; revents as from poll(). */
enum link_event link_step(struct link *link, short revents, int64_t now_ms);

/*
 * Whether a link that has just ended a call had better be closed and made anew: the server is
 * going away or takes no writes, or the schema has moved under the prepared statements (the new
 * check then finds out whether the new schema suits).
 */
bool link_is_stale(const struct link *link);

/* Has the link checked again before it carries the next batch. */
void link_distrust(struct link *link);

/* Closes the connection; the link is LINK_DOWN. The jobs stay the caller's to settle. */
void link_close(struct link *link);

/* Sets when the next try to connect is due: the later, the more came to nothing. */
void link_retry_later(struct link *link, int64_t now_ms, unsigned *random);

#endif
