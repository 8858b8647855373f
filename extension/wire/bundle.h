/*
 * bundle.h
 *		What a supplier's Bundle says, and everything that is wrong with it.
 *
 * A caller's fault is data: validation returns every fault of every entry and
 * raises nothing.  It needs no server.
 */
#ifndef RXTRACK_BUNDLE_H
#define RXTRACK_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "types/identifiers.h"
#include "wire/json.h"

/*
 * A bound on what one answer may cost: a body of the largest size cannot hold as
 * many valid entries, but half a million of "1,".
 */
#define BUNDLE_MAX_ENTRIES 5000

/* One thing that is wrong, and where. */
typedef struct Fault
{
	const char *field;			/* "Task.owner.identifier.value", "entry.fullUrl", "Bundle.type" */
	const char *problem;		/* "is missing" */
	const char *code;			/* of FHIR's issue-type */
	struct Fault *next;
} Fault;

typedef struct FaultList
{
	Fault	   *first;
	Fault	   *last;
} FaultList;

/* What one valid entry says: one status change of one prescription item. */
typedef struct Update
{
	Uuid		task_id;
	PrescriptionId prescription_id;
	Uuid		line_item_id;
	NhsNumber	nhs_number;
	OdsCode		ods_code;
	BusinessStatus status;
	bool		completed;		/* Task.status: is nothing left to do? */
	bool		post_dated;		/* did it carry meta.lastUpdated? */
	int64_t		last_modified;	/* takes effect then; microseconds since 2000 */
	int64_t		post_dated_set_at;	/* meta.lastUpdated; 0 where not post-dated */
	int32_t		repeat_number;	/* 0 where there is none */
} Update;

typedef struct BundleEntry
{
	const char *full_url;		/* as sent; NULL where it was no string */
	bool		has_task_id;	/* was Task.id a UUID? */
	const char *task_id_field;	/* what a fault of it is to name, then */
	FaultList	faults;			/* update is whole only where there are none */
	Update		update;
} BundleEntry;

typedef struct Bundle
{
	FaultList	faults;			/* of the bundle itself, or of the request that brought it */
	bool		too_long;		/* a fault is having too many entries, which were not looked at */
	bool		ignored;		/* it is none of our business (Format 1) */
	bool		forbidden;		/* what is wrong is whom it speaks for, and only that */
	const char *pharmacy_field; /* what a fault of a pharmacy is to name */
	int			count;
	int			faulty;			/* how many of its entries are */
	BundleEntry *entries;
} Bundle;

#pragma GCC visibility push(hidden)

/*
 * Validates a document (NULL: there was none) as it arrives at a moment, in
 * microseconds since 2000.  The result is palloc'd and refers to the document.
 */
extern Bundle *bundle_validate(const JsonNode *document, int64_t now);

/* A bundle that could not be read, for which that problem is its only fault. */
extern Bundle *bundle_unreadable(const char *problem);

/* Whether nothing is wrong with it, its request or its entries. */
extern bool bundle_is_valid(const Bundle *bundle);

/* Adds a fault; the texts must outlive the list. */
extern void fault_add(FaultList *list, const char *field, const char *problem);

/*
 * What validation needs of any format.  A text that is passed as field must
 * outlive the bundle.
 */

/* A member; NULL for one that is null as well, which FHIR does not have. */
extern const JsonNode *optional_member(const JsonNode *object, const char *name);

/* The node, if it is of the kind; otherwise NULL, and a fault is noted. */
extern const JsonNode *require(FaultList *faults, const JsonNode *node, JsonKind kind, const char *field);

/* Notes what a parser said of a field; NULL says that all is well. */
extern void note(FaultList *faults, const char *field, const char *problem);

/* Notes a time that is farther ahead than an update may be that is not post-dated. */
extern void note_if_too_far_ahead(FaultList *faults, const char *field, int64_t when, int64_t now);

/* Gives a bundle room for its entries; false, with a fault, when they are too many. */
extern bool bundle_make_room(Bundle *bundle, const JsonNode *entries, const char *field);

/* Finds task ids that repeat an earlier entry's, and counts the faulty entries. */
extern void bundle_finish(Bundle *bundle);

/*
 * Notes a fault of each entry for a pharmacy that is not among these codes; of a
 * bundle that is valid otherwise.
 */
extern void bundle_restrict(Bundle *bundle, const OdsCode *codes, int count);

/* When an update was asserted: its post-dating if it has one, else when it happened. */
static inline int64_t
update_asserted_at(const Update *update)
{
	return update->post_dated ? update->post_dated_set_at : update->last_modified;
}

#pragma GCC visibility pop

#endif							/* RXTRACK_BUNDLE_H */
