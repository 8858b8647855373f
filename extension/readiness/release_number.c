/*
 * release_number.c
 *		The number of the last readiness event that was released: the highest of those that are there, and
 *		of those that were removed; or, where another history of the database has begun since, one that no
 *		other history can have reached.
 *
 * A restore to an earlier time, a promotion and the restore of a dump each begin one: events that were
 * released after the copy was made are not known here, and their numbers were told to listeners.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "readiness/event.h"
#include "readiness/release_number.h"
#include "tables/catalog.h"
#include "tables/rows.h"

/* Between PostgreSQL's epoch and that of Unix (us). */
#define UNIX_EPOCH_DISTANCE ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* More than any history releases before somebody notices that it is another. */
#define JUMP INT64CONST(10000000)

static const RowsTable removed_releases = {
	"rxtrack", "last_removed_release", 1, {[0] = {"release_number", &catalog_bigint}}
};

enum
{
	HISTORY_SYSTEM_IDENTIFIER,
	HISTORY_TIMELINE,
	HISTORY_DATABASE_OID,
	HISTORY_EXTENSION_OID,
	HISTORY_BEGINS_AFTER,
	HISTORY_COLUMNS
};

static const RowsTable histories = {
	"rxtrack_internal", "release_history", HISTORY_COLUMNS, {
		[HISTORY_SYSTEM_IDENTIFIER] = {"system_identifier", &catalog_bigint},
		[HISTORY_TIMELINE] = {"timeline", &catalog_integer},
		[HISTORY_DATABASE_OID] = {"database_oid", &catalog_oid},
		[HISTORY_EXTENSION_OID] = {"extension_oid", &catalog_oid},
		[HISTORY_BEGINS_AFTER] = {"begins_after", &catalog_bigint}
	}
};

static const RowsKey by_beginning = {.count = 1, .columns = {HISTORY_BEGINS_AFTER}};

/* The highest value of a column that is the primary key; 0 where there are no rows. */
static int64
highest(const RowsTable *table, int column)
{
	RowsKey		key = {.count = 1, .columns = {column}};
	Rows	   *rows = rows_open(table, &key, AccessShareLock);
	int64		value = 0;

	rows_see_latest(rows);
	if (rows_find_last(rows))
		value = DatumGetInt64(rows_value(rows, column));
	rows_close(rows);
	return value;
}

/*
 * Whether the newest history, the row that was found, is the one that is being written.  The timeline is the one
 * of the log's insertions: what the control file says is of the last checkpoint.  The extension is another where
 * a dump was restored into the database that it is from.
 */
static bool
is_this_history(Rows *rows)
{
	return DatumGetInt64(rows_value(rows, HISTORY_SYSTEM_IDENTIFIER)) == (int64) GetSystemIdentifier() &&
		DatumGetInt32(rows_value(rows, HISTORY_TIMELINE)) == (int32) GetWALInsertionTimeLine() &&
		DatumGetObjectId(rows_value(rows, HISTORY_DATABASE_OID)) == MyDatabaseId &&
		DatumGetObjectId(rows_value(rows, HISTORY_EXTENSION_OID)) == get_extension_oid("rxtrack", false);
}

static void
insert_history(Rows *rows, int64 begins_after)
{
	Datum		values[HISTORY_COLUMNS] = {
		[HISTORY_SYSTEM_IDENTIFIER] = Int64GetDatum((int64) GetSystemIdentifier()),
		[HISTORY_TIMELINE] = Int32GetDatum((int32) GetWALInsertionTimeLine()),
		[HISTORY_DATABASE_OID] = ObjectIdGetDatum(MyDatabaseId),
		[HISTORY_EXTENSION_OID] = ObjectIdGetDatum(get_extension_oid("rxtrack", false)),
		[HISTORY_BEGINS_AFTER] = Int64GetDatum(begins_after)
	};
	bool		nulls[HISTORY_COLUMNS] = {false};

	rows_insert(rows, values, nulls);
}

int64
release_number_last(void)
{
	/* in this order: what is removed between the two looks is seen by one of them */
	int64		last = highest(&event_released, EVENT_RELEASE_NUMBER);
	Rows	   *rows = rows_open(&histories, &by_beginning, RowExclusiveLock);
	bool		is_known;

	last = Max(last, highest(&removed_releases, 0));
	rows_see_latest(rows);
	is_known = rows_find_last(rows);
	if (is_known)
		last = Max(last, DatumGetInt64(rows_value(rows, HISTORY_BEGINS_AFTER)));
	if (!is_known || !is_this_history(rows))
	{
		/* the first history of all begins with 1 */
		if (is_known || last > 0)
			last = Max(last + JUMP, (GetCurrentTimestamp() + UNIX_EPOCH_DISTANCE)) - 1;
		insert_history(rows, last);
	}
	rows_close(rows);
	return last;
}
