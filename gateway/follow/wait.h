/*
 * wait.h - waiting for descriptors and for time, and what ends any wait: SIGTERM, SIGINT, and a
 * standard output whose reader is gone. The signals are blocked and taken here alone.
 */
#ifndef RXTRACK_WAIT_H
#define RXTRACK_WAIT_H

#include "follow/verdict.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum waited {
    WAIT_READY,  /* a descriptor is */
    WAIT_TIME,   /* it is over */
    WAIT_STOP,   /* told to stop, with nothing in hand */
    WAIT_ABORT,  /* told to stop a second time, with a batch in hand */
    WAIT_CLOSED, /* nobody reads standard output any more */
};

#define WAIT_DESCRIPTORS_MAX 2

/* Blocks the signals; watches standard output where events are printed there. False after a
 * message. */
bool wait_open(bool watches_output);

/*
 * Until one of count descriptors is ready, or clock_ms() reaches until_ms (negative: no limit).
 * With a batch in hand a first signal is only noted, and the output not looked at.
 */
enum waited wait_for(struct pollfd *descriptors, size_t count, int64_t until_ms, bool in_hand);

/* What follows from how a wait ended: VERDICT_ON, or how the program ends. Says where standard
 * output is closed; what was aborted is for the caller to say. */
enum verdict wait_verdict(enum waited waited);

/* For waits that are others' (curl's): the descriptors to wait for as well, and whose readiness
 * wait_for(NULL, 0, 0, false) then explains. Returns how many. */
size_t wait_descriptors(struct pollfd out[WAIT_DESCRIPTORS_MAX]);

/* Whether a signal has been taken: finish what is in hand, and end. */
bool wait_is_stopping(void);

#endif
