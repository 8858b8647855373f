/*
 * wait.h - waits for descriptors and for time, which SIGTERM, SIGINT and a standard output whose
 * reader is gone end. The signals are blocked, and taken here alone.
 */
#ifndef RXTRACK_WAIT_H
#define RXTRACK_WAIT_H

#include "follow/verdict.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum waited {
    WAIT_READY,  /* a descriptor is ready */
    WAIT_TIME,   /* the time is up */
    WAIT_STOP,   /* a signal, with nothing in hand */
    WAIT_ABORT,  /* a second signal, with a batch in hand */
    WAIT_CLOSED, /* nobody reads standard output any more */
};

#define WAIT_DESCRIPTORS_MAX 2

/* Blocks the signals, and watches standard output if it is told to. False after a message. */
bool wait_open(bool watches_output);

/* Waits until one of the descriptors is ready, or clock_ms() reaches until_ms (negative: never).
 * With a batch in hand a first signal is only counted, and standard output not watched. */
enum waited wait_for(struct pollfd *descriptors, size_t count, int64_t until_ms, bool in_hand);

/* What follows from how a wait ended: VERDICT_ON, or how the program ends. Says where standard
 * output is closed; what was aborted is for the caller to say. */
enum verdict wait_verdict(enum waited waited);

/* For a wait of another library's: the descriptors that it is to wait for as well. Afterwards
 * wait_for(NULL, 0, 0, false) says what has happened to them. Returns how many. */
size_t wait_descriptors(struct pollfd out[WAIT_DESCRIPTORS_MAX]);

#endif
