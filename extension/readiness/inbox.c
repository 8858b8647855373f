/*
 * inbox.c
 *		Reading the inbox, and taking events out of it.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/timestamp.h"

#include "readiness/inbox.h"
#include "tables/rows.h"

#define MOST_IN_MEMORY 10000	/* events that say that an item is ready, as many that take that back, and as many that have to wait */
#define WAITING_REST 1000		/* ms, before these are looked at again */
#define FEW_BLOCKS 4			/* which take hardly longer to read than a part */

/*
 * The dispatcher reads the last blocks, where new rows go unless VACUUM has made room before; and
 * the whole after ten times as long as that took, but for a second at most.
 */
#define END_BLOCKS 256
#define REST_FOR_COST 10
#define MOST_REST USECS_PER_SEC

/*
 * A session that releases its own events reads the whole for what others have left (prepared
 * transactions, a restore): in its first release, and then after so long.
 */
#define OWN_REST (10 * USECS_PER_SEC)

static TimestampTz whole_read_at = 0;	/* when the whole is to be read again */
static bool was_whole_read = true;
static bool was_waited_for = false; /* has one to wait of those that were read? */
static BlockNumber end_block = 0;	/* where INBOX_END begins */

/* Where this transaction has added events; first > last: nowhere. */
static BlockNumber own_first = MaxBlockNumber;
static BlockNumber own_last = 0;
static bool own_withdraws = false;	/* and whether one of them takes back another */

/* An event in memory, and where its row is. */
typedef struct Entry
{
	Event		event;
	RowsPlace	place;
} Entry;

struct Inbox
{
	Rows	   *rows;			/* NULL while it is closed */
	Entry	   *entries;
	Event	   *waiting;		/* events that have to wait; NULL: there are none */
	int			waiting_count;
	int			count;
	int			next;			/* those before it were dealt with */
	int			withdrawal_count;	/* of them, those that take back another */
	bool		is_all;			/* or are there more than fit into memory? */
	bool		is_whole;		/* of the whole table, all but withdrawals */
	BlockNumber first_block;	/* which were read */
	BlockNumber last_block;
};

/* ---------- Adding ---------- */

/* This transaction has an event in that block; InvalidBlockNumber: in whichever. */
static void
note_own_block(BlockNumber block)
{
	own_first = Min(own_first, block == InvalidBlockNumber ? 0 : block);
	own_last = Max(own_last, block == InvalidBlockNumber ? MaxBlockNumber : block);
}

void
inbox_add(const Event *events, int count)
{
	Rows	   *rows = rows_open(&event_inbox, NULL, RowExclusiveLock);

	for (int i = 0; i < count; i++)
	{
		if (rows_insert(rows, &events[i]))
			note_own_block(rows_inserted_block(rows));
		own_withdraws |= events[i].is_withdrawal;
	}
	rows_close(rows);
}

void
inbox_note_withdrawal(void)
{
	own_withdraws = true;
}

void
inbox_end_transaction(void)
{
	own_first = MaxBlockNumber;
	own_last = 0;
	own_withdraws = false;
}

/* ---------- Reading ---------- */

static void
choose_blocks(Inbox *inbox, InboxPart part, BlockNumber count, TimestampTz now)
{
	was_whole_read = part <= INBOX_WHOLE || count <= FEW_BLOCKS || now >= whole_read_at || whole_read_at > now + OWN_REST ||
		(part == INBOX_OWN && own_withdraws) || (part == INBOX_END && end_block >= count);
	inbox->first_block = was_whole_read ? 0 : part == INBOX_END ? end_block : own_first;
	inbox->last_block = was_whole_read || part == INBOX_END ? MaxBlockNumber : own_last;
}

static void
add_entry(Inbox *inbox, const Event *event, int *room)
{
	if (inbox->count == *room)
	{
		*room = Max(64, *room * 2);
		inbox->entries = inbox->entries == NULL ? palloc(*room * sizeof(Entry)) :
			repalloc(inbox->entries, *room * sizeof(Entry));
	}
	inbox->entries[inbox->count++] = (Entry) {*event, rows_place(inbox->rows)};
}

static void
note_waiting(Inbox *inbox, const Event *event)
{
	if (inbox->waiting == NULL)
		inbox->waiting = palloc(MOST_IN_MEMORY * sizeof(Event));
	if (inbox->waiting_count < MOST_IN_MEMORY)
		inbox->waiting[inbox->waiting_count++] = *event;
}

/* Reads the row that was found; false where there is no room for it. */
static bool
read_entry(Inbox *inbox, InboxPart part, TimestampTz now, int *room)
{
	Event		event = {0};

	rows_read(inbox->rows, &event);
	if (rows_is_locked(inbox->rows) || (part != INBOX_RETRY && event_is_set_aside(&event, now)))
	{
		note_waiting(inbox, &event);
		return true;
	}
	if (event.is_withdrawal && inbox->withdrawal_count == MOST_IN_MEMORY)
		return false;
	inbox->withdrawal_count += event.is_withdrawal;
	add_entry(inbox, &event, room);
	return true;
}

static void
read_entries(Inbox *inbox, InboxPart part, TimestampTz now)
{
	int			room = 0;
	bool		has_more;

	rows_scan(inbox->rows, inbox->first_block, inbox->last_block);
	while ((has_more = rows_next(inbox->rows)) && inbox->count - inbox->withdrawal_count < MOST_IN_MEMORY)
		inbox->is_all &= read_entry(inbox, part, now, &room);
	inbox->is_all &= !has_more;
	inbox->is_whole = !has_more && was_whole_read;
	if (was_whole_read)
		was_waited_for = false;
	was_waited_for |= inbox->waiting_count > 0;
}

/* Events of one transaction are due at the same time; those of a supply come in the order of its updates. */
static int
compare_entries(const void *a, const void *b)
{
	const Entry *left = a;
	const Entry *right = b;
	int64		places[][2] = {
		{left->event.due_at, right->event.due_at},
		{left->event.receipt, right->event.receipt},
		{left->event.occurred_at, right->event.occurred_at}
	};

	for (int i = 0; i < (int) lengthof(places); i++)
		if (places[i][0] != places[i][1])
			return places[i][0] < places[i][1] ? -1 : 1;
	return ItemPointerCompare((ItemPointer) &left->place.tid, (ItemPointer) &right->place.tid);
}

/* What to read next time, if all that was read is taken out. */
static void
plan_next_read(const Inbox *inbox, InboxPart part, BlockNumber count, TimestampTz began)
{
	TimestampTz now = GetCurrentTimestamp();

	if (was_whole_read)
		whole_read_at = now + (part == INBOX_OWN ? OWN_REST :
							   Max(0, Min(MOST_REST, (now - began) * REST_FOR_COST)));
	if (!inbox->is_all && inbox->count > 0)
		end_block = ItemPointerGetBlockNumber(&inbox->entries[inbox->count - 1].place.tid);
	else
		end_block = count > END_BLOCKS ? count - END_BLOCKS : 0;
}

Inbox *
inbox_read(InboxPart part)
{
	Inbox	   *inbox = palloc0(sizeof(Inbox));
	TimestampTz began = GetCurrentTimestamp();
	BlockNumber count;

	inbox->rows = rows_open(&event_inbox, NULL, RowExclusiveLock);
	rows_see_latest(inbox->rows);
	count = rows_block_count(inbox->rows);
	choose_blocks(inbox, part, count, began);
	inbox->is_all = true;
	if (count > 0 && inbox->first_block <= inbox->last_block)
		read_entries(inbox, part, began);
	plan_next_read(inbox, part, count, began);
	if (inbox->count > 1)
		qsort(inbox->entries, inbox->count, sizeof(Entry), compare_entries);
	return inbox;
}

long
inbox_patience(TimestampTz now)
{
	if (was_whole_read)
		return was_waited_for ? WAITING_REST : LONG_MAX;
	return Max(1, TimestampDifferenceMilliseconds(now, whole_read_at));
}

void
inbox_forget(void)
{
	whole_read_at = 0;
}

/* ---------- What was read ---------- */

TimestampTz
inbox_due_at(const Inbox *inbox)
{
	return inbox->next < inbox->count ? inbox->entries[inbox->next].event.due_at : DT_NOEND;
}

const Event *
inbox_event(const Inbox *inbox)
{
	return &inbox->entries[inbox->next].event;
}

const ItemPointerData *
inbox_place(const Inbox *inbox)
{
	return &inbox->entries[inbox->next].place.tid;
}

/* An event that takes back another must not come before it, which may be among those that were not read, or have to wait. */
static bool
may_come(const Inbox *inbox, const Event *event)
{
	if (!event->is_withdrawal)
		return true;
	for (int i = 0; i < inbox->waiting_count; i++)
		if (supply_key_equals(&event->supply, &inbox->waiting[i].supply))
			return false;
	return inbox->is_whole && inbox->waiting_count < MOST_IN_MEMORY;
}

bool
inbox_take(Inbox *inbox)
{
	if (!may_come(inbox, inbox_event(inbox)))
		return false;
	if (inbox->rows == NULL)
	{
		inbox->rows = rows_open(&event_inbox, NULL, RowExclusiveLock);
		rows_see_latest(inbox->rows);
	}
	return rows_delete(inbox->rows, &inbox->entries[inbox->next].place);
}

void
inbox_pass(Inbox *inbox, bool waits)
{
	if (waits)
		note_waiting(inbox, inbox_event(inbox));
	inbox->next++;
}

void
inbox_close_table(Inbox *inbox, bool failed)
{
	if (inbox->rows != NULL && !failed)
		rows_close(inbox->rows);
	inbox->rows = NULL;
}

void
inbox_close(Inbox *inbox)
{
	/* what is left is read again */
	if (inbox->next < inbox->count)
		end_block = inbox->first_block;
	inbox_close_table(inbox, false);
}
