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

#include "readiness/release_number.h"
#include "tables/catalog.h"
#include "tables/rows.h"

/* Between PostgreSQL's epoch and that of Unix (us). */
#define UNIX_EPOCH_DISTANCE ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* More than any history releases before somebody notices that it is another. */
#define JUMP INT64CONST(10000000)

typedef struct History
{
	int64		begins_after;
	int64		system_identifier;
	int32		timeline;
	Oid			database;
	Oid			extension;
} History;

static const RowsTable histories = {
	"rxtrack_internal", "release_history", 5, {
		COLUMN("begins_after", bigint, History, begins_after),
		COLUMN("system_identifier", bigint, History, system_identifier),
		COLUMN("timeline", integer, History, timeline),
		COLUMN("database_oid", oid, History, database),
		COLUMN("extension_oid", oid, History, extension)
	}
};

/* Numbers that were given, and those of events that were removed. */
typedef struct Number
{
	int64		number;
} Number;

static const RowsTable releases = {"rxtrack", "readiness_event", 1, {COLUMN("release_number", bigint, Number, number)}};
static const RowsTable removed_releases = {
	"rxtrack", "last_removed_release", 1, {COLUMN("release_number", bigint, Number, number)}
};

/* All three tables have a number as their primary key. */
static const RowsKey by_number = {.count = 1, .columns = {0}};

/* The highest number of a table; 0 where there are no rows. */
static int64
highest(const RowsTable *table)
{
	Rows	   *rows = rows_open(table, &by_number, AccessShareLock);
	Number		last = {0};

	rows_see_latest(rows);
	if (rows_find_last(rows))
		rows_read(rows, &last);
	rows_close(rows);
	return last.number;
}

/*
 * The history that is being written, but for where it began.  The timeline is the one of the log's insertions: what
 * the control file says is of the last checkpoint.  The extension is another where a dump was restored into the
 * database that it is from.
 */
static History
this_history(void)
{
	return (History)
	{
		.system_identifier = (int64) GetSystemIdentifier(),
			.timeline = (int32) GetWALInsertionTimeLine(),
			.database = MyDatabaseId,
			.extension = get_extension_oid("rxtrack", false)
	};
}

static bool
is_same(const History *a, const History *b)
{
	return a->system_identifier == b->system_identifier && a->timeline == b->timeline &&
		a->database == b->database && a->extension == b->extension;
}

int64
release_number_last(void)
{
	/* in this order: what is removed between the two looks is seen by one of them */
	int64		last = highest(&releases);
	Rows	   *rows = rows_open(&histories, &by_number, RowExclusiveLock);
	History		now = this_history();
	History		newest = {0};
	bool		is_known;

	last = Max(last, highest(&removed_releases));
	rows_see_latest(rows);
	is_known = rows_find_last(rows);
	if (is_known)
		rows_read(rows, &newest);
	last = Max(last, newest.begins_after);
	if (!is_known || !is_same(&newest, &now))
	{
		/* the first history of all begins with 1 */
		if (is_known || last > 0)
			last = Max(last + JUMP, (GetCurrentTimestamp() + UNIX_EPOCH_DISTANCE)) - 1;
		now.begins_after = last;
		rows_insert(rows, &now);
	}
	rows_close(rows);
	return last;
}
