/*
 * fhir_bundle.h
 *		The FHIR Bundle of type transaction, whose entries are Tasks.
 */
#ifndef RXTRACK_FHIR_BUNDLE_H
#define RXTRACK_FHIR_BUNDLE_H

#include "wire/bundle.h"

/* A BundleReader.  The result is palloc'd and refers to the document. */
extern Bundle *fhir_bundle_read(const JsonNode *document, int64_t now);

#endif							/* RXTRACK_FHIR_BUNDLE_H */
