/*
 * inbox.c
 *		Reading the inbox, and taking events out of it.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/timestamp.h"

#include "readiness/inbox.h"
#include "tables/rows.h"

#define MOST_IN_MEMORY 10000	/* events that say that an item is ready, and as many that take that back */

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
	Rows	   *rows;
	Entry	   *entries;
	int			count;
	int			next;			/* those before it were dealt with */
	int			withdrawal_count;	/* of them, those that take back another */
	bool		is_all;			/* or are there more than fit into memory? */
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
	static const bool nulls[EVENT_RECORDED_COLUMNS] = {false};
	Rows	   *rows = rows_open(&event_inbox, NULL, RowExclusiveLock);

	for (int i = 0; i < count; i++)
	{
		if (rows_insert(rows, events[i].values, nulls))
			note_own_block(rows_inserted_block(rows));
		own_withdraws |= event_is_withdrawal(&events[i]);
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
	was_whole_read = part == INBOX_WHOLE || now >= whole_read_at || whole_read_at > now + OWN_REST ||
		(part == INBOX_OWN && own_withdraws) || (part == INBOX_END && end_block >= count);
	inbox->first_block = was_whole_read ? 0 : part == INBOX_END ? end_block : own_first;
	inbox->last_block = was_whole_read || part == INBOX_END ? MaxBlockNumber : own_last;
}

static void
add_entry(Inbox *inbox, int *room)
{
	Entry	   *entry;

	if (inbox->count == *room)
	{
		*room = Max(64, *room * 2);
		inbox->entries = inbox->entries == NULL ? palloc(*room * sizeof(Entry)) :
			repalloc(inbox->entries, *room * sizeof(Entry));
	}
	entry = &inbox->entries[inbox->count++];
	event_read(&entry->event, inbox->rows);
	entry->place = rows_place(inbox->rows);
}

/* An event that takes back another must not come before it, which may be among those that were not read. */
static void
leave_withdrawals(Inbox *inbox)
{
	int			kept = 0;

	for (int i = 0; i < inbox->count; i++)
		if (!event_is_withdrawal(&inbox->entries[i].event))
			inbox->entries[kept++] = inbox->entries[i];
	inbox->count = kept;
}

static void
read_entries(Inbox *inbox)
{
	int			room = 0;
	bool		has_more;

	rows_scan(inbox->rows, inbox->first_block, inbox->last_block);
	while ((has_more = rows_next(inbox->rows)) && inbox->count - inbox->withdrawal_count < MOST_IN_MEMORY)
	{
		bool		is_withdrawal = DatumGetBool(rows_value(inbox->rows, EVENT_IS_WITHDRAWAL));

		if (is_withdrawal && inbox->withdrawal_count == MOST_IN_MEMORY)
		{
			inbox->is_all = false;
			continue;
		}
		inbox->withdrawal_count += is_withdrawal;
		add_entry(inbox, &room);
	}
	if (has_more)
		inbox->is_all = false;
	if ((has_more || !was_whole_read) && inbox->withdrawal_count > 0)
		leave_withdrawals(inbox);
}

/* Events of one transaction are due at the same time; those of a supply come in the order of its updates. */
static int
compare_entries(const void *a, const void *b)
{
	const Entry *left = a;
	const Entry *right = b;
	int64		places[][2] = {
		{event_due_at(&left->event), event_due_at(&right->event)},
		{event_receipt(&left->event), event_receipt(&right->event)},
		{event_occurred_at(&left->event), event_occurred_at(&right->event)}
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
		read_entries(inbox);
	plan_next_read(inbox, part, count, began);
	if (inbox->count > 1)
		qsort(inbox->entries, inbox->count, sizeof(Entry), compare_entries);
	return inbox;
}

long
inbox_patience(TimestampTz now)
{
	if (was_whole_read)
		return LONG_MAX;
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
	return inbox->next < inbox->count ? event_due_at(&inbox->entries[inbox->next].event) : DT_NOEND;
}

bool
inbox_take(Inbox *inbox, Event *event)
{
	const Entry *entry = &inbox->entries[inbox->next++];

	*event = entry->event;
	return rows_delete(inbox->rows, &entry->place);
}

void
inbox_close(Inbox *inbox)
{
	/* what is left is read again */
	if (inbox->next < inbox->count)
		end_block = inbox->first_block;
	rows_close(inbox->rows);
}
