/*
 * queue.c
 *		Reading the queue of events that are due at once.
 */
#include "postgres.h"

#include <limits.h>

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "tables/catalog.h"
#include "readiness/queue.h"
#include "readiness/readiness.h"

#define MOST_IN_MEMORY 10000	/* events */

/*
 * Rows that were taken out stay in the way until the table is vacuumed, and as long
 * as anybody may still see them.  So a queue that takes long to read is read from near
 * its end in between, where new rows go as long as no others have made room: from its
 * beginning after ten times as long as that took, or a second.
 */
#define NEAR_THE_END 256		/* blocks */
#define REST_FOR_COST 10
#define MOST_REST USECS_PER_SEC

static BlockNumber read_from = 0;
static TimestampTz full_read_at = 0;	/* when all of it is to be read again */
static bool was_full_read = true;

static BlockNumber
first_block(BlockNumber count, TimestampTz now, bool thoroughly)
{
	was_full_read = thoroughly || read_from >= count || now >= full_read_at || full_read_at > now + MOST_REST;
	return was_full_read ? 0 : read_from;
}

/* Reads rows from that block on; what others have committed by now is seen, whatever the isolation. */
static void
read_rows(Queue *queue)
{
	TupleTableSlot *row = table_slot_create(queue->table, NULL);
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	ItemPointerData from;
	ItemPointerData to;
	TableScanDesc scan;
	int			room = 0;

	ItemPointerSet(&from, queue->first_block, FirstOffsetNumber);
	ItemPointerSet(&to, MaxBlockNumber, MaxOffsetNumber);
	scan = table_beginscan_tidrange(queue->table, latest, &from, &to);
	while (queue->count < MOST_IN_MEMORY && table_scan_getnextslot_tidrange(scan, ForwardScanDirection, row))
	{
		if (queue->count == room)
		{
			room = Max(64, room * 2);
			queue->events = queue->events == NULL ? palloc(room * sizeof(HeapTuple)) :
				repalloc(queue->events, room * sizeof(HeapTuple));
		}
		queue->events[queue->count++] = ExecCopySlotHeapTuple(row);
	}
	queue->is_all = queue->count < MOST_IN_MEMORY;
	table_endscan(scan);
	UnregisterSnapshot(latest);
	ExecDropSingleTupleTableSlot(row);
}

static TimestampTz
time_of(HeapTuple event, int column, TupleDesc columns)
{
	bool		isnull;

	return DatumGetTimestampTz(heap_getattr(event, column, columns, &isnull));
}

/* Events of one transaction are due at the same time. */
static int
compare_due(const void *a, const void *b, void *columns)
{
	static const int times[] = {EVENT_DUE_AT, EVENT_OCCURRED_AT};
	HeapTuple	left = *(const HeapTuple *) a;
	HeapTuple	right = *(const HeapTuple *) b;

	for (int i = 0; i < (int) lengthof(times); i++)
	{
		TimestampTz x = time_of(left, times[i], columns);
		TimestampTz y = time_of(right, times[i], columns);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return ItemPointerCompare(&left->t_self, &right->t_self);
}

/* From where to read next, if this read was all that there was. */
static void
plan_next_read(const Queue *queue, BlockNumber blocks, TimestampTz began)
{
	TimestampTz now = GetCurrentTimestamp();

	if (was_full_read)
		full_read_at = now + Max(0, Min(MOST_REST, (now - began) * REST_FOR_COST));
	if (!queue->is_all)
		read_from = ItemPointerGetBlockNumber(&queue->events[queue->count - 1]->t_self);
	else
		read_from = blocks > NEAR_THE_END ? blocks - NEAR_THE_END : 0;
}

Queue *
queue_read(bool thoroughly)
{
	Queue	   *queue = palloc0(sizeof(Queue));
	TimestampTz began = GetCurrentTimestamp();
	BlockNumber blocks;

	queue->table = table_open(get_relname_relid(READINESS_QUEUE, catalog_get()->namespace_oid), RowExclusiveLock);
	blocks = RelationGetNumberOfBlocks(queue->table);
	queue->first_block = first_block(blocks, began, thoroughly);
	queue->is_all = true;
	if (blocks > 0)
		read_rows(queue);
	plan_next_read(queue, blocks, began);
	if (queue->count > 1)
		qsort_arg(queue->events, queue->count, sizeof(HeapTuple), compare_due, RelationGetDescr(queue->table));
	return queue;
}

TimestampTz
queue_next_due(const Queue *queue)
{
	if (queue->removed == queue->count)
		return DT_NOEND;
	return time_of(queue->events[queue->removed], EVENT_DUE_AT, RelationGetDescr(queue->table));
}

void
queue_remove(Queue *queue)
{
	simple_table_tuple_delete(queue->table, &queue->events[queue->removed++]->t_self, InvalidSnapshot);
}

void
queue_close(Queue *queue)
{
	if (queue->removed < queue->count)
		read_from = queue->first_block;
	for (int i = 0; i < queue->count; i++)
		heap_freetuple(queue->events[i]);
	table_close(queue->table, NoLock);
}

void
queue_forget(void)
{
	full_read_at = 0;
}

long
queue_patience(TimestampTz now)
{
	if (was_full_read)
		return LONG_MAX;
	return Max(1, TimestampDifferenceMilliseconds(now, full_read_at));
}
