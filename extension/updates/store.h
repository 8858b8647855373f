/*
 * store.h
 *		The tables of updates and items, as submission sees them.
 *
 * Locks are taken in one order by everybody,
 * so that no two submissions can wait for each other: the rows of items first,
 * by prescription and line item; then tasks, by prescription and task id.
 */
#ifndef RXTRACK_STORE_H
#define RXTRACK_STORE_H

#include "postgres.h"
#include "storage/itemptr.h"

#include "tables/access.h"
#include "wire/bundle.h"
#include "updates/transition.h"

/* Something said about an item's status, without its details. */
typedef struct Assertion
{
	BusinessStatus status;
	bool		post_dated;
	int			receipt;		/* of equal times, the one received later wins */
	int64		asserted_at;
	int64		takes_effect_at;
} Assertion;

/* Who said it, of whom, and where. */
typedef struct Parties
{
	int			application_id;
	NhsNumber	nhs_number;
	OdsCode		ods_code;
} Parties;

/* Where an item stands: as stored, and then as each accepted update leaves it. */
typedef struct ItemState
{
	PrescriptionId prescription_id;
	Uuid		line_item_id;
	bool		stored;			/* has a row, which is locked */
	ItemPointerData place;		/* of that row */
	int			receipts;		/* how many updates it has; 0: none */
	int			receipts_stored;	/* and how many of them its row knows of */
	Assertion	newest;			/* where it has one */
	Parties		parties;		/* of the newest */
	Assertion  *known;			/* those that matter to its status, in any order */
	int			known_count;
	int			known_room;
	const struct Acceptance *newest_accepted;	/* what a write has to say; NULL: nothing */
} ItemState;

/* A task of a prescription: by whom and how it was stored, if it was. */
typedef struct TaskState
{
	PrescriptionId prescription_id;
	Uuid		task_id;
	bool		stored;
	int			application_id;
	Uuid		request_id;
	int			request_entries;	/* how many the request had */
	TransitionKind kind;		/* what it was to its item, when it came */
	BusinessStatus from;		/* where that stood; known of an unexpected one */
	Update		update;
} TaskState;

/* An update that is to be stored. */
typedef struct Acceptance
{
	const Update *update;
	ItemState  *item;
	int			application_id;
	Uuid		request_id;
	int			request_entries;	/* how many the request has */
	int			receipt;
	TransitionKind kind;
	bool		changes_status;
	bool		introduces;		/* the item's first of these parties */
} Acceptance;

/* The columns of rxtrack.status_update, as sql/updates/updates.sql has them. */
enum
{
	UPDATE_PRESCRIPTION_ID = 1,
	UPDATE_STATUS,
	UPDATE_COMPLETED,
	UPDATE_NHS_NUMBER,
	UPDATE_TASK_ID,
	UPDATE_LINE_ITEM_ID,
	UPDATE_REQUEST_ID,
	UPDATE_ODS_CODE,
	UPDATE_LAST_MODIFIED,
	UPDATE_RECEIVED_AT,
	UPDATE_APPLICATION_ID,
	UPDATE_RECEIPT,
	UPDATE_KIND,
	UPDATE_CHANGES_STATUS,
	UPDATE_INTRODUCES,
	UPDATE_REQUEST_ENTRIES,
	UPDATE_REPEAT_NUMBER,
	UPDATE_POST_DATED_SET_AT,
	UPDATE_COLUMNS = UPDATE_POST_DATED_SET_AT
};

#pragma GCC visibility push(hidden)

/* The table of items, for the two below. */
extern Access *store_open_items(void);

/* Locks the rows of items (sorted, distinct) and reads where they stand. */
extern void store_lock_items(Access *access, ItemState *items, int count, int64 now);

/* Reads which of the tasks (sorted, distinct) are stored. */
extern void store_find_tasks(TaskState *tasks, int count);

/*
 * Stores updates, and where their items stand now, and closes the table of items.  Raises 23505 when somebody
 * else has stored one of the items or tasks meanwhile.  Sorts the acceptances by
 * prescription and task.
 */
extern void store_write(Access *access, Acceptance **acceptances, int count, ItemState *items, int item_count);

/* Adds what was said about an item to what is known of it. */
extern void item_learn(ItemState *item, const Assertion *assertion);

#pragma GCC visibility pop

#endif							/* RXTRACK_STORE_H */
