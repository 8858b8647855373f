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
 * Dead rows are read too, until the table is vacuumed and no snapshot sees them any more.  So an
 * inbox that takes long to read is mostly read from near its end, where new rows go unless VACUUM
 * has made room before that: after a read of all of it, for ten times as long as that took, but
 * for a second at most.
 */
#define NEAR_THE_END 256		/* blocks */
#define REST_FOR_COST 10
#define MOST_REST USECS_PER_SEC

static BlockNumber read_from = 0;
static TimestampTz full_read_at = 0;	/* when all of it is to be read again */
static bool was_full_read = true;

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
	BlockNumber first_block;	/* from where it was read */
	bool		is_all;			/* or are there more than fit into memory? */
};

/* ---------- Reading ---------- */

static BlockNumber
choose_first_block(BlockNumber blocks, TimestampTz now, bool thoroughly)
{
	was_full_read = thoroughly || read_from >= blocks || now >= full_read_at || full_read_at > now + MOST_REST;
	return was_full_read ? 0 : read_from;
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

	rows_scan(inbox->rows, inbox->first_block);
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
	if ((has_more || inbox->first_block > 0) && inbox->withdrawal_count > 0)
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

/* From where to read next time, if all that was read is taken out. */
static void
plan_next_read(const Inbox *inbox, BlockNumber blocks, TimestampTz began)
{
	TimestampTz now = GetCurrentTimestamp();

	if (was_full_read)
		full_read_at = now + Max(0, Min(MOST_REST, (now - began) * REST_FOR_COST));
	if (!inbox->is_all && inbox->count > 0)
		read_from = ItemPointerGetBlockNumber(&inbox->entries[inbox->count - 1].place.tid);
	else
		read_from = blocks > NEAR_THE_END ? blocks - NEAR_THE_END : 0;
}

Inbox *
inbox_read(bool thoroughly)
{
	Inbox	   *inbox = palloc0(sizeof(Inbox));
	TimestampTz began = GetCurrentTimestamp();
	BlockNumber blocks;

	inbox->rows = rows_open(&event_inbox, NULL, RowExclusiveLock);
	rows_see_latest(inbox->rows);
	blocks = rows_block_count(inbox->rows);
	inbox->first_block = choose_first_block(blocks, began, thoroughly);
	inbox->is_all = true;
	if (blocks > 0)
		read_entries(inbox);
	plan_next_read(inbox, blocks, began);
	if (inbox->count > 1)
		qsort(inbox->entries, inbox->count, sizeof(Entry), compare_entries);
	return inbox;
}

long
inbox_patience(TimestampTz now)
{
	if (was_full_read)
		return LONG_MAX;
	return Max(1, TimestampDifferenceMilliseconds(now, full_read_at));
}

void
inbox_forget(void)
{
	full_read_at = 0;
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
	if (inbox->next < inbox->count)
		read_from = inbox->first_block;
	rows_close(inbox->rows);
}
