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

#include "catalog.h"
#include "queue.h"
#include "readiness.h"

/*
 * Rows that were taken out stay in the way until the table is vacuumed, and as long
 * as anybody may still see them.  So a queue that has grown large is read from near
 * its end, where new rows go as long as no others have made room, and all of it is
 * read once a second only.
 */
#define SMALL_QUEUE 1024		/* blocks */
#define NEAR_THE_END 256		/* blocks */
#define FULL_READ_INTERVAL USECS_PER_SEC

static BlockNumber read_from = 0;
static TimestampTz last_full_read = 0;
static bool was_full_read = true;

static BlockNumber
first_block(BlockNumber count, TimestampTz now, bool thoroughly)
{
	was_full_read = thoroughly || count <= SMALL_QUEUE || read_from >= count ||
		last_full_read > now || now - last_full_read >= FULL_READ_INTERVAL;
	if (!was_full_read)
		return read_from;
	last_full_read = now;
	return 0;
}

/* Reads rows from that block on; what others have committed by now is seen, whatever the isolation. */
static void
read_rows(Queue *queue, int most)
{
	TupleTableSlot *row = table_slot_create(queue->table, NULL);
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	ItemPointerData from;
	ItemPointerData to;
	TableScanDesc scan;

	ItemPointerSet(&from, queue->first_block, FirstOffsetNumber);
	ItemPointerSet(&to, MaxBlockNumber, MaxOffsetNumber);
	scan = table_beginscan_tidrange(queue->table, latest, &from, &to);
	while (queue->count < most && table_scan_getnextslot_tidrange(scan, ForwardScanDirection, row))
		queue->events[queue->count++] = ExecCopySlotHeapTuple(row);
	table_endscan(scan);
	UnregisterSnapshot(latest);
	ExecDropSingleTupleTableSlot(row);
}

static TimestampTz
due_at(HeapTuple event, TupleDesc columns)
{
	bool		isnull;

	return DatumGetTimestampTz(heap_getattr(event, EVENT_DUE_AT, columns, &isnull));
}

static int
compare_due(const void *a, const void *b, void *columns)
{
	TimestampTz left = due_at(*(const HeapTuple *) a, columns);
	TimestampTz right = due_at(*(const HeapTuple *) b, columns);

	return left < right ? -1 : left > right;
}

Queue *
queue_read(int most, TimestampTz now, bool thoroughly)
{
	Queue	   *queue = palloc0(sizeof(Queue));
	BlockNumber blocks;

	queue->table = table_open(get_relname_relid(READINESS_QUEUE, catalog_get()->namespace_oid), RowExclusiveLock);
	blocks = RelationGetNumberOfBlocks(queue->table);
	if (blocks == 0)
		return queue;
	queue->events = palloc(most * sizeof(HeapTuple));
	queue->first_block = first_block(blocks, now, thoroughly);
	read_rows(queue, most);
	if (queue->count == most)
		read_from = ItemPointerGetBlockNumber(&queue->events[most - 1]->t_self);
	else
		read_from = blocks > NEAR_THE_END ? blocks - NEAR_THE_END : 0;
	qsort_arg(queue->events, queue->count, sizeof(HeapTuple), compare_due, RelationGetDescr(queue->table));
	return queue;
}

void
queue_remove(Queue *queue, int n)
{
	simple_table_tuple_delete(queue->table, &queue->events[n]->t_self, InvalidSnapshot);
	queue->removed++;
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
	last_full_read = 0;
}

long
queue_patience(TimestampTz now)
{
	if (was_full_read)
		return LONG_MAX;
	return Max(1, TimestampDifferenceMilliseconds(now, last_full_read + FULL_READ_INTERVAL));
}
