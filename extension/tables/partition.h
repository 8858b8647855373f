/*
 * partition.h
 *		Tables that are partitioned by hash of their first column.
 *
 * In no other way may a table of rxtrack be partitioned: its first column is the
 * one that leads every key, so that it tells where a row is to be looked for.
 */
#ifndef RXTRACK_PARTITION_H
#define RXTRACK_PARTITION_H

#include "postgres.h"
#include "access/attnum.h"
#include "utils/relcache.h"

/* Raises 0A000: the relation is made for something else, and not ours to guess at. */
extern void partition_refuse(Relation relation, const char *why);

/* Refuses a table that is partitioned in another way than by hash of that column. */
extern void partition_check_key(Relation table, AttrNumber first_column);

/* The partition of rows with that first column; raises 55000 where there is none. */
extern Oid	partition_of(Relation table, Datum first_column);

#endif							/* RXTRACK_PARTITION_H */
