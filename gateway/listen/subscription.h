/*
 * subscription.h - events from a durable subscription in the database.
 */
#ifndef RXTRACK_LISTEN_SUBSCRIPTION_H
#define RXTRACK_LISTEN_SUBSCRIPTION_H

#include "listen/delivery.h"
#include "listen/options.h"

/* Follows it to the end. Returns the exit status. */
enum verdict subscription_follow(const struct options *options, struct delivery *delivery);

#endif
