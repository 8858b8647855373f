/*
 * delivery.h - hands events over: to standard output, or to a command, a batch at a time.
 */
#ifndef RXTRACK_LISTEN_DELIVERY_H
#define RXTRACK_LISTEN_DELIVERY_H

#include "follow/verdict.h"
#include "listen/batch.h"

struct delivery {
    const char *command; /* NULL: standard output */
    size_t batch_limit;  /* events to a batch */
    int64_t left;        /* events until the end; negative: no end */
    bool has_printed;    /* something has been written to standard output */
};

/* How many events the next batch may have; 0: all have been delivered. */
size_t delivery_room(const struct delivery *delivery);

/*
 * Delivers a batch of one event or more. VERDICT_ON: it is written, or the command has exited with
 * 0, and the batch may be acknowledged. VERDICT_AGAIN: the command has failed. Otherwise an exit
 * status. There has been a message.
 */
enum verdict delivery_hand_over(struct delivery *delivery, const struct batch *batch);

#endif
