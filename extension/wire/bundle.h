/*
 * bundle.h
 *		A request of a supplier's, read: the updates that it brings, and everything
 *		that is wrong with it.
 *
 * Each format has a reader that makes one, in a file of its own.  What
 * follows (judging, storing, answering) does not know from which it comes.
 * Reading needs no server.
 */
#ifndef RXTRACK_BUNDLE_H
#define RXTRACK_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "types/update.h"
#include "wire/faults.h"

/*
 * Bounds the cost of an answer, which has an entry for each that was sent: a body
 * of the largest size holds half a million entries such as "1,".
 */
#define BUNDLE_MAX_ENTRIES 5000

typedef struct BundleEntry
{
	const char *full_url;		/* as sent; NULL where it was no string */
	const char *task_id_field;	/* names a fault of the task id; NULL where that is no UUID */
	FaultList	faults;
	Update		update;			/* whole only where there are no faults */
} BundleEntry;

typedef struct Bundle
{
	FaultList	faults;			/* of the bundle itself, or of the request that brought it */
	bool		too_long;		/* a fault: more entries than allowed, none of which was read */
	bool		ignored;		/* a Format 1 message about something else */
	bool		tasks_are_content;	/* a task's id is made from its content, so that the same task is a repetition */
	bool		forbidden;		/* its only faults are pharmacies that the caller may not speak for */
	const char *pharmacy_field; /* names a fault of a pharmacy */
	int			count;
	int			faulty;			/* how many entries have faults */
	BundleEntry *entries;
} Bundle;

/* Reads a document (NULL: there was none) that arrived at a moment, in microseconds since 2000. */
typedef Bundle *(*BundleReader) (const JsonNode *document, int64_t now);

/* The FHIR Bundle of type transaction, whose entries are Tasks.  The result is palloc'd and refers to the document. */
extern Bundle *fhir_bundle_read(const JsonNode *document, int64_t now);

/*
 * Format 1, the message of those suppliers that have a format of their own, read as the Bundle that it stands for.
 * Faults name the message's own fields.  A message that is not about a prescription's status gives an empty bundle
 * that is marked as ignored.
 */
extern Bundle *format_1_read(const JsonNode *document, int64_t now);

/* Whether bundle, request and entries have no fault. */
extern bool bundle_is_valid(const Bundle *bundle);

/*
 * Adds a fault of each entry whose pharmacy is not among these codes.  Does
 * nothing to a bundle with other faults: they are told first.
 */
extern void bundle_restrict(Bundle *bundle, const OdsCode *codes, int count);

/* For readers: allocates as many entries as the array has; false, with a fault, where they are too many. */
extern bool bundle_make_room(Bundle *bundle, const char *field, const JsonNode *array);

/* For readers: finds task ids that repeat an earlier entry's, and counts the faulty entries. */
extern void bundle_finish(Bundle *bundle);

/* For readers: adds a fault where a time is farther ahead than a clock can be wrong. */
extern void bundle_check_ahead(FaultList *faults, const char *field, int64_t when, int64_t now);

#endif							/* RXTRACK_BUNDLE_H */
