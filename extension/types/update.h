/*
 * update.h
 *		An update: one status change of one prescription item, as a supplier says it.
 */
#ifndef RXTRACK_UPDATE_H
#define RXTRACK_UPDATE_H

#include <string.h>

#include "types/identifiers.h"

/* What names a supply. */
typedef struct SupplyKey
{
	PrescriptionId prescription_id;
	Uuid		line_item_id;
	int32_t		issue_number;	/* of a repeat dispensing prescription; 0: none */
	OdsCode		ods_code;
} SupplyKey;

static inline bool
supply_key_equals(const SupplyKey *a, const SupplyKey *b)
{
	return memcmp(&a->prescription_id, &b->prescription_id, sizeof(PrescriptionId)) == 0 &&
		memcmp(&a->line_item_id, &b->line_item_id, sizeof(Uuid)) == 0 &&
		a->issue_number == b->issue_number && a->ods_code == b->ods_code;
}

typedef struct Update
{
	Uuid		task_id;
	PrescriptionId prescription_id;
	Uuid		line_item_id;
	NhsNumber	nhs_number;
	OdsCode		ods_code;
	BusinessStatus status;
	bool		completed;		/* Task.status is completed, not in-progress */
	bool		post_dated;		/* it has a meta.lastUpdated */
	int64_t		last_modified;	/* when it takes effect; microseconds since 2000 */
	int64_t		post_dated_set_at;	/* meta.lastUpdated; 0 where not post-dated */
	int32_t		issue_number;	/* 0: none */
} Update;

static inline SupplyKey
update_supply(const Update *update)
{
	return (SupplyKey)
	{
		update->prescription_id, update->line_item_id, update->issue_number, update->ods_code
	};
}

/* When it was asserted, which decides what is newer: at its post-dating if it has one, else when it took effect. */
static inline int64_t
update_asserted_at(const Update *update)
{
	return update->post_dated ? update->post_dated_set_at : update->last_modified;
}

#endif							/* RXTRACK_UPDATE_H */
