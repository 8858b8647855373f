/*
 * format_1.h
 *		Format 1: the message of those suppliers that have a format of their own,
 *		read as the Bundle that it stands for.
 */
#ifndef RXTRACK_FORMAT_1_H
#define RXTRACK_FORMAT_1_H

#include "wire/bundle.h"

/*
 * A BundleReader.  Faults name the message's own fields.  A message that is not
 * about a prescription's status gives an empty bundle that is marked as ignored.
 */
extern Bundle *format_1_read(const JsonNode *document, int64_t now);

#endif							/* RXTRACK_FORMAT_1_H */
