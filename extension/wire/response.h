/*
 * response.h
 *		FHIR's transaction-response: the Bundle that answers a Bundle.
 */
#ifndef RXTRACK_RESPONSE_H
#define RXTRACK_RESPONSE_H

#include "types/identifiers.h"
#include "wire/outcome.h"

/* Appends a response with any number of entries, none too. */
extern void response_begin(StringInfo out);
extern void response_end(StringInfo out);

/*
 * Appends an entry, whose OperationOutcome the caller appends between begin and
 * end.  full_url and task_id (for the location) may be NULL.
 */
extern void response_begin_entry(StringInfo out, const char *full_url, int http_status, const Uuid *task_id);
extern void response_end_entry(StringInfo out);

/* Appends a whole response with one entry, which stands for no entry of the request. */
extern void response_of_one(StringInfo out, int64 now, int http_status, const OutcomeIssue *issue);

#endif							/* RXTRACK_RESPONSE_H */
