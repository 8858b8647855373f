/*
 * release_number.c
 *		The number that was given to a readiness event last: the highest of those that are
 *		there, and of those that were removed.
 */
#include "postgres.h"

#include "readiness/event.h"
#include "readiness/release_number.h"
#include "tables/catalog.h"
#include "tables/rows.h"

static const RowsTable removed_releases = {
	"rxtrack", "last_removed_release", 1, {{"release_number", &catalog_bigint}}
};

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

int64
release_number_last(void)
{
	/* in this order: what is removed between the two looks is seen by one of them */
	int64		last = highest(&event_released, EVENT_RELEASE_NUMBER);

	return Max(last, highest(&removed_releases, 0));
}
