/*
 * check.h - what must hold of a validated bundle, from whatever format it was read.
 *
 * Every fault says a field and a problem; an entry without faults holds nothing but valid values
 * that suit each other.
 */
#ifndef RXTRACK_FUZZ_CHECK_H
#define RXTRACK_FUZZ_CHECK_H

#include "wire/bundle.h"

#define NOW INT64_C(828349200000000) /* 2026-04-01T09:00:00Z: a run is to be repeatable */

extern bool starts_with(const char *text, const char *prefix);

/* What holds of the entries of a bundle, whether or not it has faults of its own. */
extern void check_entries(const Bundle *bundle, bool (*is_field_of_entry)(const char *));

/* The functions say which names a fault of the whole, and of an entry, may have. */
extern void check_validated(const Bundle *bundle, bool (*is_field_of_bundle)(const char *),
                            bool (*is_field_of_entry)(const char *));

#endif
