/*
 * delivery.h - where events go: to standard output, or to a command, a batch at a time.
 */
#ifndef RXTRACK_LISTEN_DELIVERY_H
#define RXTRACK_LISTEN_DELIVERY_H

#include "follow/verdict.h"
#include "listen/batch.h"

struct delivery {
    const char *command; /* NULL: standard output */
    size_t batch_limit;  /* events to a batch */
    int64_t left;        /* events until the end; negative: there is no end */
    bool has_printed;    /* something was written to standard output */
};

/* How many events the next batch may have; 0: there have been enough. */
size_t delivery_room(const struct delivery *delivery);

/*
 * Delivers a batch of one event or more, and returns VERDICT_ON when all of it is written, or the
 * command has exited with 0: only then may it be acknowledged. VERDICT_AGAIN: the command failed.
 * Otherwise the exit status. A message has been said.
 */
enum verdict delivery_hand_over(struct delivery *delivery, const struct batch *batch);

#endif
